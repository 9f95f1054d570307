"""One contract for every store, and what only a local one promises."""

import json
import multiprocessing
import os
import pickle
import resource
import signal
import uuid
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from farm.errors import DamageError, DataError, InputError
from farm.plan.facts import Exported
from farm.record import Outcome
from farm.store import MANIFEST, Store
from farm.store.aside import set_aside
from farm.store.manifest import File, Manifest

URI = "export/" + "ab" * 32
OTHER = "quantize/" + "cd" * 32
NET_SHA256 = "9d6a064fb2248075588a97f3e7233521dadb5a5eabd1560a849c01b9f4b5c732"  # of "<net/>"
SAID = Manifest(label="resnet20", facts={"classes": 10})


def files_of(store):
    return (
        {path.removeprefix(store.files.root + "/") for path in store.files.fs.find(store.files.root)}
        if store.files.fs.exists(store.files.root)
        else set()
    )


class Overtaken(Store):
    """A writer that looked before the first one had finished."""

    def has(self, uri):
        return False


class TestContract:
    """What holds of every store."""

    def test_nothing_is_there_before_it_is_committed(self, store):
        assert not store.has(URI)
        assert store.manifest(URI) is None
        assert store.present([URI, OTHER]) == set()
        assert store.attempts.of(URI) == ()
        with pytest.raises(InputError, match=f"{URI} is not in the store"):
            store.open(URI)

    def test_a_committed_artefact_is_there_whole(self, store, folder):
        assert store.commit(URI, folder, SAID)
        assert store.has(URI)
        opened = store.open(URI)
        assert {path.name: path.read_bytes() for path in opened.iterdir()} == {
            path.name: path.read_bytes() for path in folder.iterdir()
        }
        manifest = store.manifest(URI)
        assert replace(manifest, uri="", copy="", files={}) == SAID
        assert manifest.uri == URI
        assert manifest.files["model.xml"] == File(sha256=NET_SHA256, bytes=6)
        assert set(manifest.files) == {"model.xml", "model.bin"}

    def test_the_first_manifest_wins_and_nothing_of_the_second_stays(self, store, folder):
        assert store.commit(URI, folder, SAID)
        before = files_of(store)
        (folder / "model.xml").write_text("<other/>")
        assert not store.commit(URI, folder, Manifest(label="late"))
        assert files_of(store) == before
        assert (store.open(URI) / "model.xml").read_text() == "<net/>"

    def test_who_was_overtaken_while_writing_loses_and_removes_its_copy(self, store, folder):
        store.commit(URI, folder, SAID)
        before = files_of(store)
        assert not Overtaken(store.url).commit(URI, folder, Manifest(label="late"))
        assert files_of(store) == before

    def test_present_tells_those_that_are_there(self, store, folder):
        store.commit(URI, folder, SAID)
        assert store.present([URI, OTHER, "export/" + "00" * 32]) == {URI}
        assert store.present([]) == set()

    def test_a_copy_without_its_manifest_is_not_there(self, store, folder):
        store.commit(URI, folder, SAID)
        [manifest] = [name for name in files_of(store) if name.endswith(MANIFEST)]
        store.files.fs.rm_file(f"{store.files.root}/{manifest}")
        assert not store.has(URI)
        assert store.present([URI]) == set()
        assert store.commit(URI, folder, SAID)

    def test_a_discarded_artefact_is_gone_and_may_come_again(self, store, folder):
        store.discard(URI)
        store.commit(URI, folder, SAID)
        store.discard(URI)
        assert not store.has(URI)
        assert files_of(store) == set()
        assert store.commit(URI, folder, SAID)

    def test_attempts_are_numbered_from_1_and_read_oldest_first(self, store):
        said = [Outcome(uri=URI, label="x", error_class=cause) for cause in ("error", *[None] * 10)]
        written = [store.attempts.add(URI, outcome) for outcome in said]
        assert [outcome.attempt for outcome in written] == list(range(1, 12))
        assert store.attempts.of(URI) == tuple(written)
        assert store.attempts.of(OTHER) == ()

    def test_a_number_is_never_given_twice_even_where_an_attempt_was_lost(self, store):
        for _ in range(2):
            store.attempts.add(URI, Outcome(uri=URI, label="x"))
        store.files.fs.rm_file(f"{store.files.root}/attempts/{URI.partition('/')[2]}/1.json")
        assert store.attempts.add(URI, Outcome(uri=URI, label="x")).attempt == 3

    def test_an_attempts_log_is_kept_beside_it(self, store, tmp_path):
        log = tmp_path / "log.txt"
        log.write_text("a line")
        written = store.attempts.add(URI, Outcome(uri=URI, label="x"), log)
        assert store.files.fs.cat_file(written.log) == b"a line"
        assert store.attempts.of(URI)[0].log == written.log
        assert store.attempts.add(URI, Outcome(uri=URI, label="x")).log == ""

    def test_a_store_survives_pickling(self, store, folder):
        store.commit(URI, folder, SAID)
        copy = pickle.loads(pickle.dumps(store))
        assert (copy.url, copy.cache, copy.files.root) == (store.url, store.cache, store.files.root)
        assert copy.manifest(URI) == store.manifest(URI)

    def test_a_probe_is_seen_for_as_long_as_it_lasts(self, store):
        other = pickle.loads(pickle.dumps(store))
        with store.files.probe() as name:
            assert other.files.has(name)
            assert not other.files.has("another")
        assert not other.files.has(name)

    def test_a_writable_store_passes_its_check_and_nothing_is_left(self, store):
        store.files.check_writable()
        assert files_of(store) == set()


def test_an_artefact_lies_under_its_kind_and_the_first_two_digits_of_its_key(local, folder):
    local.commit(URI, folder, SAID)
    copy = local.manifest(URI).copy
    key = URI.partition("/")[2]
    assert files_of(local) == {
        f"export/ab/{key}/{name}" for name in (MANIFEST, f"{copy}/model.xml", f"{copy}/model.bin")
    }


def test_a_local_artefact_is_read_where_it_lies(local, folder):
    local.commit(URI, folder, SAID)
    assert str(local.open(URI)).startswith(local.files.root)
    assert not local.cache.exists()


def test_a_remote_artefact_is_copied_to_the_cache_once(tmp_path, folder):
    store = Store(f"memory://{uuid.uuid4().hex}", cache=tmp_path / "cache")
    store.commit(URI, folder, SAID)
    first = store.open(URI)
    assert first.is_relative_to(store.cache)
    store.files.fs.rm(
        f"{store.files.root}/export/ab/{URI.partition('/')[2]}/{store.manifest(URI).copy}", recursive=True
    )
    again = Store(store.url, cache=store.cache).open(URI)  # the source is gone: only the cache can answer
    assert again == first
    assert (again / "model.xml").read_text() == "<net/>"
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_an_artefact_that_was_made_again_is_not_read_from_the_old_cache(tmp_path, folder):
    store = Store(f"memory://{uuid.uuid4().hex}", cache=tmp_path / "cache")
    store.commit(URI, folder, SAID)
    store.open(URI)
    store.discard(URI)
    (folder / "model.xml").write_text("<new/>")
    store.commit(URI, folder, SAID)
    assert (store.open(URI) / "model.xml").read_text() == "<new/>"


def test_a_cache_shared_by_two_stores_keeps_them_apart(tmp_path, folder):
    one, two = (Store(f"memory://{uuid.uuid4().hex}", cache=tmp_path / "cache") for _ in range(2))
    one.commit(URI, folder, SAID)
    (folder / "model.xml").write_text("<two/>")
    two.commit(URI, folder, SAID)
    assert (one.open(URI) / "model.xml").read_text() == "<net/>"
    assert (two.open(URI) / "model.xml").read_text() == "<two/>"


def remote(tmp_path, folder):
    """A store that others can write to, with one artefact."""
    store = Store(f"memory://{uuid.uuid4().hex}", cache=tmp_path / "cache")
    store.commit(URI, folder, SAID)
    return store


def change_manifest(store, **changes):
    path = f"{store.files.root}/export/ab/{URI.partition('/')[2]}/{MANIFEST}"
    store.files.fs.pipe_file(path, json.dumps(json.loads(store.files.fs.cat_file(path)) | changes).encode())
    return path


def lay(store, name, content=b"<net/>"):
    """A file beside those that the manifest names, or in their place."""
    path = f"{store.files.root}/export/ab/{URI.partition('/')[2]}/{store.manifest(URI).copy}/{name}"
    store.files.fs.pipe_file(path, content)
    return path


NO_NAMES = ["../../x", "/etc/passwd", "a/b", "a\\b", "..", ".", "", "a\0b", "a\nb", "x" * 256]


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_manifest_names_plain_files_or_is_refused_and_nothing_is_written(tmp_path, folder, name):
    store = remote(tmp_path, folder)
    path = change_manifest(store, files={name: {"sha256": NET_SHA256, "bytes": 6}})
    with pytest.raises(
        DataError, match=f"^damaged: {path}: .* is no plain name of a file; remove it, and run the grid"
    ):
        store.open(URI)
    assert not store.cache.exists()


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_copy_of_no_plain_name_is_refused_in_every_store(local, folder, name):
    local.commit(URI, folder, SAID)
    change_manifest(local, copy=name)
    with pytest.raises(DataError, match="is no plain name of a file"):
        local.open(URI)


@pytest.mark.parametrize("uri", ["export/../../x", "../x", "export", "export/", "/x", "export/..", "export/a/b"])
def test_a_uri_that_leads_elsewhere_names_no_artefact(store, folder, uri):
    for use in (store.has, store.open, store.discard, store.attempts.of, store.manifest):
        with pytest.raises(DataError, match="names no artefact: it must be a kind and a key"):
            use(uri)
    with pytest.raises(DataError, match="names no artefact"):
        store.commit(uri, folder, SAID)
    with pytest.raises(DataError, match="names no artefact"):
        store.attempts.add(uri, Outcome(uri=uri, label="x"))


def test_the_manifest_of_another_artefact_is_refused(store, folder):
    store.commit(URI, folder, SAID)
    change_manifest(store, uri=OTHER)
    with pytest.raises(DataError, match=f"it is the manifest of '{OTHER}'"):
        store.open(URI)


@pytest.mark.parametrize("content", [b"<not/>", b"<longer/>", b""])
def test_what_comes_from_elsewhere_is_what_its_manifest_says_or_is_not_kept(tmp_path, folder, content):
    store = remote(tmp_path, folder)
    path = lay(store, "model.xml", content)
    with pytest.raises(DataError, match=rf"^damaged: {path}: it is not what its manifest says; remove manifest\.json"):
        store.open(URI)
    assert list(store.cache.rglob("model.*")) == []


def test_a_file_that_is_gone_from_elsewhere_is_named(tmp_path, folder):
    store = remote(tmp_path, folder)
    path = lay(store, "model.bin")
    store.files.fs.rm_file(path)
    with pytest.raises(DataError, match=f"damaged: {path}"):
        store.open(URI)


def test_files_that_are_handed_over_are_checked_and_others_stay(store, folder, tmp_path):
    store.commit(URI, folder, SAID)
    (tmp_path / "out").mkdir()
    store.hand_over(URI, {"model.xml": True, "history.parquet": False}, tmp_path / "out")
    assert [(path.name, path.read_text()) for path in (tmp_path / "out").iterdir()] == [("model.xml", "<net/>")]
    with pytest.raises(DataError, match="it names no numpy"):
        store.hand_over(URI, {"numpy.py": True}, tmp_path / "out")
    lay(store, "model.bin", b"x" * 256)
    with pytest.raises(DataError, match="it is not what its manifest says"):
        store.hand_over(URI, {"model.bin": True}, tmp_path / "out")


SPOILT = {
    "flipped": lambda store, path: store.files.fs.pipe_file(path, b"<nit/>"),
    "torn": lambda store, path: store.files.fs.pipe_file(path, b"<net"),
    "gone": lambda store, path: store.files.fs.rm_file(path),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_damaged_artefact_is_found_set_aside_and_may_be_made_again(store, folder, spoil):
    store.commit(URI, folder, SAID)
    store.check(URI)
    assert set_aside(store, URI) is None
    path = lay(store, "model.xml")
    spoil(store, path)
    with pytest.raises(DamageError) as raised:
        store.check(URI)
    assert (raised.value.uri, raised.value.place) == (URI, path)
    attempt = set_aside(store, URI)
    assert store.attempts.of(URI) == (attempt,)
    assert attempt.error_class == "damaged"
    assert attempt.error_message.startswith(f"damaged: {path}: it is not what its manifest says; set aside in ")
    place = attempt.error_message.rpartition(" ")[2]
    assert f"{store.files.root}/damaged/{URI}-" in place
    assert store.files.fs.exists(f"{place}/{MANIFEST}")
    assert store.present([URI]) == set()
    assert set_aside(store, URI) is None, "another process was first"
    store.check(URI)
    assert store.commit(URI, folder, SAID)
    store.check(URI)
    assert store.uris() == [URI]


def test_a_torn_manifest_is_damage_of_its_artefact(store, folder):
    store.commit(URI, folder, SAID)
    store.files.fs.pipe_file(f"{store.files.root}/export/ab/{URI.partition('/')[2]}/{MANIFEST}", b'{"uri": "exp')
    for read in (store.check, store.whole, store.open):
        with pytest.raises(DamageError) as raised:
            read(URI)
        assert raised.value.uri == URI
    assert set_aside(store, URI).error_class == "damaged"
    assert store.whole(URI) is None


def test_all_artefacts_are_listed_and_nothing_else(store, folder):
    assert store.uris() == []
    for uri in (OTHER, URI):
        store.commit(uri, folder, SAID)
        store.attempts.add(uri, Outcome(uri=uri, label="x"))
    assert store.uris() == [URI, OTHER]


@pytest.mark.parametrize("spoil", [SPOILT["torn"], SPOILT["gone"]])
def test_sizes_are_looked_at_whenever_a_local_artefact_is_opened(local, folder, spoil):
    local.commit(URI, folder, SAID)
    spoil(local, lay(local, "model.xml"))
    for read in (local.open, local.whole):
        with pytest.raises(DamageError, match=r"model\.xml: it is not what its manifest says"):
            read(URI)


def test_a_damaged_copy_in_the_cache_is_fetched_again(tmp_path, folder):
    store = remote(tmp_path, folder)
    (store.open(URI) / "model.xml").write_text("<n")
    assert (store.open(URI) / "model.xml").read_text() == "<net/>"


def test_a_folder_or_a_pipe_in_the_place_of_a_file_is_not_handed_over(local, folder, tmp_path):
    local.commit(URI, folder, SAID)
    copy = local.open(URI)
    (copy / "model.xml").unlink()
    os.mkfifo(copy / "model.xml")
    (copy / "model.bin").unlink()
    (copy / "model.bin").mkdir()
    for name in ("model.xml", "model.bin"):
        with pytest.raises(DataError, match=f"{name}: it is not what its manifest says"):
            local.hand_over(URI, {name: True}, tmp_path)
    with pytest.raises(DamageError):
        local.check(URI)


DAMAGE = {
    "empty": b"",
    "torn": b'{"uri": "exp',
    "no text": b"\xff\xfe\x00",
    "deep": b"[" * 100_000,
    "a number": b"7",
    "a list": b"[1, 2]",
    "null": b"null",
    "other fields": b'{"uri": 1, "attempt": "x", "files": [], "copy": {}}',
    "half a character": b'{"uri": "\\ud800", "label": "x"}',
    "a huge number": b'{"uri": "a/b", "label": "x", "attempt": 1' + b"0" * 40 + b', "files": {"a": {"bytes": 1e9}}}',
    "too many digits": b'{"label": ' + b"1" * 5000 + b"}",
}


@pytest.mark.parametrize("content", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_manifest_is_one_sentence(store, folder, content):
    store.commit(URI, folder, SAID)
    path = change_manifest(store)
    store.files.fs.pipe_file(path, content)
    with pytest.raises(DataError) as raised:
        store.manifest(URI)
    said = str(raised.value)
    assert said.startswith(f"damaged: {path}: ")
    assert said.endswith("; remove it, and run the grid again")
    assert len(said.splitlines()) == 1
    assert len(said) < len(path) + 300


@pytest.mark.parametrize("content", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_attempt_is_one_sentence(store, content):
    written = store.attempts.add(URI, Outcome(uri=URI, label="x"))
    path = f"{store.files.root}/attempts/{URI.partition('/')[2]}/{written.attempt}.json"
    store.files.fs.pipe_file(path, content)
    with pytest.raises(DataError, match=rf"^damaged: {path}: [^\n]*; remove it$"):
        store.attempts.of(URI)


@pytest.mark.parametrize("facts", [None, [], "x", {}, {"size_mib": "x"}, {"size_mib": 1.0, "classes": 0.5}])
def test_facts_of_another_type_are_one_sentence_that_names_the_artefact(store, folder, facts):
    store.commit(URI, folder, replace(SAID, facts=facts))
    with pytest.raises(DataError, match=rf"^damaged: manifest\.json of {URI}: Exported.*; remove it, and run the grid"):
        store.manifest(URI).facts_as(Exported)


@pytest.mark.parametrize("url", ["nowhere://x", "s4://bucket/x"])
def test_a_store_of_an_unknown_kind_is_named(url):
    with pytest.raises(InputError, match=f"cannot open {url}"):
        Store(url)


def test_an_unwritable_folder_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write to .*file/store: .*choose another --results"):
        Store(str(tmp_path / "file" / "store")).files.check_writable()


def test_a_commit_where_nothing_can_be_written_is_an_os_error(tmp_path, folder):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        Store(str(tmp_path / "file" / "store")).commit(URI, folder, SAID)


def add(store, count):
    return [store.attempts.add(URI, Outcome(uri=URI, label="x")).attempt for _ in range(count)]


@pytest.mark.parametrize("pool", ["threads", "processes"])
def test_attempts_added_at_once_are_numbered_without_gaps_or_doubles(local, pool):
    processes = {"mp_context": multiprocessing.get_context("spawn")}
    with ThreadPoolExecutor(4) if pool == "threads" else ProcessPoolExecutor(2, **processes) as workers:
        tasks = [workers.submit(add, local, 15) for _ in range(4)]
        numbers = [number for task in tasks for number in task.result()]
    assert sorted(numbers) == list(range(1, 61))
    assert [outcome.attempt for outcome in local.attempts.of(URI)] == list(range(1, 61))


def test_of_many_that_commit_at_once_one_wins_and_only_its_copy_stays(local, folder):
    with ThreadPoolExecutor(8) as workers:
        tasks = [workers.submit(local.commit, URI, folder, Manifest(label=str(number))) for number in range(8)]
        won = [task.result() for task in tasks]
    assert won.count(True) == 1
    assert local.manifest(URI).label == str(won.index(True))
    assert {name.split("/")[3] for name in files_of(local)} == {MANIFEST, local.manifest(URI).copy}


def commit_on_a_full_disk(store, folder, limit, answer):
    """In a process of its own: no file may grow beyond the limit, as on a disk with so much left."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        answer.send(f"committed: {store.commit(URI, folder, SAID)}")
    except OSError as error:
        answer.send(f"{type(error).__name__}")


@pytest.mark.parametrize(
    ("limit", "size"),
    [(1 << 16, 1 << 20), (0, 1), (300, 200)],
    ids=["half of a file fits", "nothing fits", "only the manifest does not fit"],
)
def test_a_full_disk_leaves_nothing_of_a_commit(local, folder, limit, size):
    (folder / "model.bin").write_bytes(bytes(size))
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=commit_on_a_full_disk, args=(local, folder, limit, there))
    process.start()
    assert here.poll(60)
    assert here.recv() == "OSError"
    process.join()
    assert not local.has(URI)
    assert files_of(local) == set()
    assert local.commit(URI, folder, SAID), "with room again, it can be committed"


def test_an_interrupted_commit_leaves_nothing(local, folder, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(local.files.fs, "put_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        local.commit(URI, folder, SAID)
    assert files_of(local) == set()


def test_a_stage_folder_that_is_gone_commits_nothing(local):
    with pytest.raises(FileNotFoundError):
        local.commit(URI, Path("/nowhere/at/all"), SAID)
    assert files_of(local) == set()
