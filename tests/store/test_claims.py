"""Drivers that share a store keep off each other's work while they live."""

import os
import subprocess
import sys
import uuid

import pytest

from farm.store import claims as module
from farm.store.claims import BEAT_S, FRESH_S, LAPSE_S, Claims
from tests.engine.test_contract import wait_until

URI, OTHER = "export/" + "ab" * 32, "export/" + "cd" * 32


def elsewhere(store, clock, host="far-away-host"):
    """The claims of a driver on another host."""
    claims = Claims(store, clock)
    claims.name = f"{host}-1-{uuid.uuid4().hex[:12]}"
    return claims


def takes(claims, uri):
    return claims.taken([uri]) == {uri}


def test_a_claim_is_one_drivers_until_it_is_given_back(store, clock):
    ours, theirs = Claims(store, clock), elsewhere(store, clock)
    assert theirs.taken([URI]) == {URI}
    assert theirs.taken([URI]) == {URI}, "its own"
    assert ours.taken([URI, OTHER]) == {OTHER}
    theirs.release(URI)
    assert takes(ours, URI)
    theirs.release(URI)
    assert not takes(theirs, URI), "only its own is given back"
    assert ours.taken([]) == set()


def test_a_driver_that_ends_gives_all_back_and_leaves_nothing(store, clock):
    ours = Claims(store, clock)
    ours.taken([URI, OTHER])
    ours.close()
    assert [path for path in store.files.fs.find(store.files.root) if not path.endswith("/")] == []
    Claims(store, clock).close()


def test_a_claim_lapses_with_its_drivers_beat(store, clock):
    ours, theirs = Claims(store, clock), elsewhere(store, clock)
    theirs.taken([URI])
    for _ in range(10):  # it beats on
        clock.now += BEAT_S
        theirs.beat()
        assert not takes(ours, URI)
    clock.now += LAPSE_S - 1
    assert not takes(ours, URI)
    clock.now += FRESH_S
    assert takes(ours, URI)
    assert not takes(theirs, URI), "it has lost it, should it live after all"


def test_a_driver_beats_whatever_its_own_thread_does(store, monkeypatch):
    monkeypatch.setattr(module, "BEAT_S", 0.01)
    ours = Claims(store)
    ours.taken([URI])
    wait_until(lambda: ours.beats > 3)
    ours.close()


def test_a_driver_of_this_host_that_was_killed_holds_nothing(store, clock):
    script = "import sys; from farm.store import Store; from farm.store.claims import Claims; import os"
    if not store.files.local:
        pytest.skip("another process does not see this memory")
    code = f"{script}; Claims(Store(sys.argv[1])).taken([sys.argv[2]]); os.kill(os.getpid(), 9)"
    ended = subprocess.run([sys.executable, "-c", code, store.url, URI], check=False)
    assert ended.returncode == -9
    assert takes(Claims(store, clock), URI)
    assert len(store.files.fs.find(f"{store.files.root}/drivers")) == 1, "nothing is left of it"


@pytest.mark.parametrize("content", [b"", b"../../etc/passwd", b"a-b", b"\xff\xfe", b"nobody-1-abc"])
def test_a_claim_of_nobody_that_is_known_is_free(store, clock, content):
    ours = Claims(store, clock)
    store.files.put(f"claims/{URI.partition('/')[2]}", content)
    assert takes(ours, URI)


def test_of_two_that_take_over_in_the_same_moment_one_has_it(store, clock, monkeypatch):
    dead, ours = elsewhere(store, clock), Claims(store, clock)
    dead.taken([URI])
    store.files.fs.rm_file(f"{store.files.root}/drivers/{dead.name}")
    path = f"claims/{URI.partition('/')[2]}"
    content = Claims._content

    def overtaken(self, name):
        if name == path and content(self, name) == self.name.encode():
            store.files.put(path, b"another")
        return content(self, name)

    monkeypatch.setattr(Claims, "_content", overtaken)
    assert not takes(ours, URI)


def test_a_process_of_another_user_lives(monkeypatch):
    def kill(pid, number):
        raise PermissionError

    assert module._runs(os.getpid())
    monkeypatch.setattr(os, "kill", kill)
    assert module._runs(1)
