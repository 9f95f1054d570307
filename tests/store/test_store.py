"""One contract for every store, and what only a local one promises."""

import multiprocessing
import pickle
import resource
import signal
import uuid
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from farm.errors import InputError
from farm.record import Outcome
from farm.store import MANIFEST, Store
from farm.store.manifest import File, Manifest

URI = "export/" + "ab" * 32
OTHER = "quantize/" + "cd" * 32
NET_SHA256 = "9d6a064fb2248075588a97f3e7233521dadb5a5eabd1560a849c01b9f4b5c732"  # of "<net/>"
SAID = Manifest(label="resnet20", facts={"classes": 10})


@pytest.fixture
def local(tmp_path):
    return Store(str(tmp_path / "store"), cache=tmp_path / "cache")


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    if request.param == "local":
        yield request.getfixturevalue("local")
        return
    url = f"memory://{uuid.uuid4().hex}"
    yield Store(url, cache=tmp_path / "cache")
    memory = fsspec.filesystem("memory")
    if memory.exists(url):
        memory.rm(url, recursive=True)


@pytest.fixture
def folder(tmp_path):
    """A finished stage's folder."""
    path = tmp_path / "artefact"
    path.mkdir()
    (path / "model.xml").write_text("<net/>")
    (path / "model.bin").write_bytes(bytes(range(256)))
    return path


def files_of(store):
    return (
        {path.removeprefix(store.root + "/") for path in store.fs.find(store.root)}
        if store.fs.exists(store.root)
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
        assert store.attempts(URI) == ()
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
        store.fs.rm_file(f"{store.root}/{manifest}")
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
        written = [store.add_attempt(URI, outcome) for outcome in said]
        assert [outcome.attempt for outcome in written] == list(range(1, 12))
        assert store.attempts(URI) == tuple(written)
        assert store.attempts(OTHER) == ()

    def test_a_number_is_never_given_twice_even_where_an_attempt_was_lost(self, store):
        for _ in range(2):
            store.add_attempt(URI, Outcome(uri=URI, label="x"))
        store.fs.rm_file(f"{store.root}/attempts/{URI.partition('/')[2]}/1.json")
        assert store.add_attempt(URI, Outcome(uri=URI, label="x")).attempt == 3

    def test_an_attempts_log_is_kept_beside_it(self, store, tmp_path):
        log = tmp_path / "log.txt"
        log.write_text("a line")
        written = store.add_attempt(URI, Outcome(uri=URI, label="x"), log)
        assert store.fs.cat_file(written.log) == b"a line"
        assert store.attempts(URI)[0].log == written.log
        assert store.add_attempt(URI, Outcome(uri=URI, label="x")).log == ""

    def test_a_store_survives_pickling(self, store, folder):
        store.commit(URI, folder, SAID)
        copy = pickle.loads(pickle.dumps(store))
        assert (copy.url, copy.cache, copy.root) == (store.url, store.cache, store.root)
        assert copy.manifest(URI) == store.manifest(URI)

    def test_a_probe_is_seen_for_as_long_as_it_lasts(self, store):
        other = pickle.loads(pickle.dumps(store))
        with store.probe() as name:
            assert other.sees(name)
            assert not other.sees("another")
        assert not other.sees(name)

    def test_a_writable_store_passes_its_check_and_nothing_is_left(self, store):
        store.check_writable()
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
    assert str(local.open(URI)).startswith(local.root)
    assert not local.cache.exists()


def test_a_remote_artefact_is_copied_to_the_cache_once(tmp_path, folder):
    store = Store(f"memory://{uuid.uuid4().hex}", cache=tmp_path / "cache")
    store.commit(URI, folder, SAID)
    first = store.open(URI)
    assert first.is_relative_to(store.cache)
    store.fs.rm(f"{store.root}/export/ab/{URI.partition('/')[2]}/{store.manifest(URI).copy}", recursive=True)
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


@pytest.mark.parametrize("url", ["nowhere://x", "s4://bucket/x"])
def test_a_store_of_an_unknown_kind_is_named(url):
    with pytest.raises(InputError, match=f"cannot open the store {url}"):
        Store(url)


def test_an_unwritable_folder_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write to .*file/store: .*choose another --results"):
        Store(str(tmp_path / "file" / "store")).check_writable()


def test_a_commit_where_nothing_can_be_written_is_an_os_error(tmp_path, folder):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        Store(str(tmp_path / "file" / "store")).commit(URI, folder, SAID)


def add(store, count):
    return [store.add_attempt(URI, Outcome(uri=URI, label="x")).attempt for _ in range(count)]


@pytest.mark.parametrize("pool", ["threads", "processes"])
def test_attempts_added_at_once_are_numbered_without_gaps_or_doubles(local, pool):
    processes = {"mp_context": multiprocessing.get_context("spawn")}
    with ThreadPoolExecutor(4) if pool == "threads" else ProcessPoolExecutor(2, **processes) as workers:
        tasks = [workers.submit(add, local, 15) for _ in range(4)]
        numbers = [number for task in tasks for number in task.result()]
    assert sorted(numbers) == list(range(1, 61))
    assert [outcome.attempt for outcome in local.attempts(URI)] == list(range(1, 61))


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

    monkeypatch.setattr(local.fs, "put_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        local.commit(URI, folder, SAID)
    assert files_of(local) == set()


def test_a_stage_folder_that_is_gone_commits_nothing(local):
    with pytest.raises(FileNotFoundError):
        local.commit(URI, Path("/nowhere/at/all"), SAID)
    assert files_of(local) == set()
