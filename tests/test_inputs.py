"""Where inputs are looked for, what their content is, how they are fetched."""

import hashlib
import http.server
import json
import os
import threading
import time

import pytest

from farm.errors import DataError
from farm.inputs import HashMemo, Input, Places, cache_folder, default_places, fetch, locate
from farm.spec import Wanted

WEIGHTS = Wanted(
    role="weights", parameter="weights", among=("weights/{dataset}_{name}.pt", "old/*.pt"), hint="set FARM_DATA"
)
NAMES = {"dataset": "digits", "name": "resnet20"}
LONG_AGO = time.time() - 3600


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def old(path, content):
    """A file that was last changed an hour ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


@pytest.fixture
def places(tmp_path):
    found = Places(grid=tmp_path / "grid", data=(tmp_path / "data", tmp_path / "shipped"), cache=tmp_path / "cache")
    for folder in (found.grid, *found.data):
        folder.mkdir()
    return found


class TestLocate:
    """The grid's folder first, then the data folders, then the official source."""

    def test_the_path_that_is_asked_for_is_looked_for_beside_the_grid_and_then_in_the_data(self, places):
        for folder in (places.data[1], places.data[0], places.grid):
            path = old(folder / "mine.pt", str(folder).encode())
            found = locate(WEIGHTS, {"weights": "mine.pt"}, NAMES, places, HashMemo(None))
            assert found == Input(role="weights", path=str(path), sha256=sha256(str(folder).encode()))

    def test_an_absolute_path_is_taken_as_it_is(self, places, tmp_path):
        path = old(tmp_path / "elsewhere.pt", b"x")
        assert locate(WEIGHTS, {"weights": str(path)}, NAMES, places, HashMemo(None)).path == str(path)

    def test_without_a_path_patterns_are_tried_in_their_order(self, places):
        last = old(places.grid / "old" / "b.pt", b"b")
        assert locate(WEIGHTS, {}, NAMES, places, HashMemo(None)).path == str(last)
        last = old(places.grid / "old" / "a.pt", b"a")
        assert locate(WEIGHTS, {}, NAMES, places, HashMemo(None)).path == str(last)
        first = old(places.data[1] / "weights" / "digits_resnet20.pt", b"w")
        assert locate(WEIGHTS, {"weights": None}, NAMES, places, HashMemo(None)).path == str(first)

    def test_a_missing_file_says_all_places_looked_at_and_how_to_supply_it(self, places):
        found = locate(WEIGHTS, {}, NAMES, places, HashMemo(None))
        looked = [str(folder / "weights" / "digits_resnet20.pt") for folder in (places.grid, *places.data)]
        assert found.missing == f"no weights of resnet20: looked for {', '.join(looked)}; set FARM_DATA"
        assert (found.path, found.sha256) == (looked[0], "")

    def test_a_file_asked_for_that_is_missing_is_no_other_file(self, places):
        old(places.grid / "weights" / "digits_resnet20.pt", b"w")
        found = locate(WEIGHTS, {"weights": "mine.pt"}, NAMES, places, HashMemo(None))
        assert "looked for" in found.missing
        assert "mine.pt" in found.missing

    def test_nowhere_to_look_is_said_too(self, places):
        found = locate(Wanted(role="images", among=("*.png",)), {}, {}, places, HashMemo(None))
        assert found == Input(role="images", missing="no images of it: looked for nowhere")

    def test_an_optional_file_is_located_only_if_asked_for(self, places):
        wanted = Wanted(role="weights", parameter="weights", optional=True)
        assert locate(wanted, {"weights": None}, NAMES, places, HashMemo(None)) is None
        assert locate(wanted, {"weights": "w.pt"}, NAMES, places, HashMemo(None)).missing

    def test_what_can_be_downloaded_is_not_missing_and_its_content_is_known_beforehand(self, places):
        wanted = Wanted(role="images", among=("cifar/",), url="https://example.com/a/b.tar.gz", sha256="ab")
        found = locate(wanted, {}, {}, places, HashMemo(None))
        folder = sha256(b"https://example.com/a/b.tar.gz")[:12]
        target = str(places.cache / "downloads" / folder / "b.tar.gz")
        assert found == Input(role="images", path=target, sha256="ab", url="https://example.com/a/b.tar.gz")

    def test_a_local_file_goes_before_its_source(self, places):
        path = old(places.data[0] / "cifar.tar.gz", b"x")
        wanted = Wanted(role="images", among=("cifar.tar.gz",), url="https://example.com/c.tar.gz", sha256="ab")
        found = locate(wanted, {}, {}, places, HashMemo(None))
        assert (found.path, found.sha256, found.url) == (str(path), sha256(b"x"), "")


class TestFactory:
    """A user's own code: the hash of its package's source, found without importing it."""

    CODE = Wanted(role="factory", parameter="factory", code=True)

    def found(self, places, function):
        return locate(self.CODE, {"factory": function}, {}, places, HashMemo(None))

    def test_a_module_is_hashed_by_its_source(self, places):
        old(places.grid / "farm_test_net.py", b"raise SystemExit('imported')")
        first = self.found(places, "farm_test_net:tiny")
        content = sha256(b"raise SystemExit('imported')")
        assert first == Input(role="factory", path=str(places.grid), sha256=content, code=True)
        old(places.grid / "farm_test_net.py", b"def tiny(): ...")
        assert self.found(places, "farm_test_net:tiny").sha256 != first.sha256

    def test_a_package_is_hashed_by_all_of_its_source_and_nothing_else(self, places):
        package = places.grid / "farm_test_package"
        old(package / "__init__.py", b"")
        old(package / "inner" / "net.py", b"one")
        first = self.found(places, "farm_test_package.inner.net:tiny")
        assert first.path == str(places.grid)
        old(package / "notes.txt", b"not source")
        old(package / "__pycache__" / "net.cpython-311.py", b"not source")
        old(package / ".hidden" / "x.py", b"not source")
        assert self.found(places, "farm_test_package.inner.net:tiny") == first
        old(package / "inner" / "net.py", b"two")
        assert self.found(places, "farm_test_package.inner.net:tiny").sha256 != first.sha256

    def test_installed_code_is_found_too(self, places):
        assert self.found(places, "farm.models.resnet:resnet20").sha256

    @pytest.mark.parametrize("function", ["", "tiny", ":tiny", ".net:tiny"])
    def test_a_name_of_another_form_says_how_it_is_written(self, places, function):
        assert self.found(places, function).missing == f"{function!r} must be written package.module:function"

    def test_code_that_is_nowhere_says_where_it_was_looked_for(self, places):
        missing = self.found(places, "farm_test_nowhere:tiny").missing
        assert missing.startswith("no module 'farm_test_nowhere' for 'farm_test_nowhere:tiny': looked in ")
        assert str(places.grid) in missing


class TestHashMemo:
    """Hashes are remembered as long as a file looks the same."""

    def test_a_hash_changes_with_the_content(self, tmp_path):
        path, memo = tmp_path / "a", HashMemo(None)
        assert memo.content(old(path, b"one")) == sha256(b"one")
        assert memo.content(old(path, b"three")) == sha256(b"three")

    def test_a_settled_file_is_read_once_even_by_another_process(self, tmp_path):
        path = old(tmp_path / "a", b"one")
        memo = HashMemo(tmp_path / "cache" / "hashes.json")
        memo.content(path)
        memo.save()
        status = path.stat()
        path.write_bytes(b"two")  # of the same size, in the same inode, and with its time put back: looks the same
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert memo.content(path) == sha256(b"one")
        assert HashMemo(tmp_path / "cache" / "hashes.json").content(path) == sha256(b"one")
        assert HashMemo(None).content(path) == sha256(b"two")

    @pytest.mark.parametrize("change", ["size", "time", "inode"])
    def test_a_file_that_looks_different_is_read_again(self, tmp_path, change):
        path, memo = old(tmp_path / "a", b"one"), HashMemo(None)
        memo.content(path)
        if change == "inode":
            old(tmp_path / "b", b"two").replace(path)
        else:
            path.write_bytes(b"two" if change == "time" else b"three")
        if change != "time":
            os.utime(path, (LONG_AGO, LONG_AGO))
        assert memo.content(path) == sha256(path.read_bytes())

    def test_a_file_changed_within_two_seconds_is_not_trusted(self, tmp_path):
        path, memo = tmp_path / "a", HashMemo(tmp_path / "hashes.json")
        path.write_bytes(b"one")
        status = path.stat()
        memo.content(path)
        assert not memo.changed
        path.write_bytes(b"two")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert memo.content(path) == sha256(b"two")

    def test_a_folder_is_hashed_by_its_names_and_contents(self, tmp_path):
        def folder_of(**files):
            where = tmp_path / str(len(list(tmp_path.iterdir())))
            for name, content in files.items():
                old(where / name.replace("__", "/"), content)
            return HashMemo(None).content(where)

        first = folder_of(a=b"1", b__c=b"2")
        assert folder_of(b__c=b"2", a=b"1") == first
        assert folder_of(a=b"1", b__c=b"3") != first
        assert folder_of(a=b"1", b__d=b"2") != first
        assert folder_of(a=b"1", c=b"2") != first
        assert folder_of(a=b"1") != first
        assert folder_of(**{"a": b"1", "b__c": b"2", ".hidden": b"3"}) == first

    @pytest.mark.parametrize("torn", ["", "{", "\x00"])
    def test_a_torn_memo_only_costs_time(self, tmp_path, torn):
        (tmp_path / "hashes.json").write_text(torn)
        memo = HashMemo(tmp_path / "hashes.json")
        assert memo.content(old(tmp_path / "a", b"one")) == sha256(b"one")
        memo.save()
        assert json.loads((tmp_path / "hashes.json").read_text())[str(tmp_path / "a")][3] == sha256(b"one")

    @pytest.mark.parametrize("odd", ["[]", "null", '{"FILE": []}'])
    def test_a_memo_of_another_form_is_forgotten(self, tmp_path, odd):
        path = old(tmp_path / "a", b"one")
        (tmp_path / "hashes.json").write_text(odd.replace("FILE", str(path)))
        assert HashMemo(tmp_path / "hashes.json").content(path) == sha256(b"one")

    def test_a_cache_that_cannot_be_written_is_no_fault(self, tmp_path):
        (tmp_path / "file").write_text("")
        memo = HashMemo(tmp_path / "file" / "hashes.json")
        memo.content(old(tmp_path / "a", b"one"))
        memo.save()
        assert memo.changed

    def test_nothing_is_written_where_nothing_was_learnt(self, tmp_path):
        memo = HashMemo(tmp_path / "cache" / "hashes.json")
        memo.save()
        HashMemo(None).save()
        assert not (tmp_path / "cache").exists()


CONTENT = bytes(range(256)) * 10_000


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one file."""

    def do_GET(self):
        if self.path != "/file.bin":
            self.send_error(404)
            return
        self.send_response(200)
        if self.server.tells_length:
            self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: self.server.sends])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.tells_length, running.sends = True, len(CONTENT)
        running.url = f"http://127.0.0.1:{running.server_address[1]}"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


class TestFetch:
    """Official sources: downloaded once, checked, whole or not at all."""

    def wanted(self, server, tmp_path, **changes):
        said = {
            "path": str(tmp_path / "cache" / "file.bin"),
            "sha256": sha256(CONTENT),
            "url": f"{server.url}/file.bin",
        }
        return Input(role="images", **{**said, **changes})

    @pytest.mark.parametrize("tells_length", [True, False])
    def test_a_download_tells_its_progress_and_ends_with_the_checked_file(self, server, tmp_path, tells_length):
        server.tells_length = tells_length
        seen = []
        path = fetch(self.wanted(server, tmp_path), lambda count, total: seen.append((count, total)))
        assert path.read_bytes() == CONTENT
        assert sum(count for count, _ in seen) == len(CONTENT)
        assert {total for _, total in seen} == {len(CONTENT) if tells_length else None}
        assert [each.name for each in path.parent.iterdir()] == ["file.bin"]

    def test_a_file_that_is_there_is_not_fetched_again(self, server, tmp_path):
        wanted = self.wanted(server, tmp_path)
        fetch(wanted)
        assert (
            fetch(Input(role="images", path=wanted.path, sha256="?", url="http://127.0.0.1:1/")).read_bytes() == CONTENT
        )

    def test_a_local_input_is_its_path(self, tmp_path):
        assert fetch(Input(role="weights", path=str(tmp_path / "w.pt"))) == tmp_path / "w.pt"

    def test_other_content_than_expected_is_refused_and_nothing_is_left(self, server, tmp_path):
        wanted = self.wanted(server, tmp_path, sha256="0" * 64)
        with pytest.raises(
            DataError, match=f"sent other content than expected: SHA-256 {sha256(CONTENT)}, not {'0' * 64}"
        ):
            fetch(wanted)
        assert list((tmp_path / "cache").iterdir()) == []

    def test_a_download_that_is_cut_off_is_refused_and_nothing_is_left(self, server, tmp_path):
        server.sends = len(CONTENT) // 2
        with pytest.raises(DataError, match=r"file\.bin"):
            fetch(self.wanted(server, tmp_path))
        assert list((tmp_path / "cache").iterdir()) == []

    @pytest.mark.parametrize("url", ["{server}/nowhere.bin", "http://127.0.0.1:1/file.bin"])
    def test_a_source_that_cannot_be_reached_says_where_to_put_the_file(self, server, tmp_path, url):
        wanted = self.wanted(server, tmp_path, url=url.format(server=server.url))
        with pytest.raises(DataError, match=f"cannot download {wanted.url}: .*; fetch it by hand to {wanted.path}"):
            fetch(wanted)
        assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"FARM_CACHE": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/a"),
        ({"XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/b/farm"),
        ({"XDG_CACHE_HOME": "", "HOME": "/c"}, "/c/.cache/farm"),
    ],
)
def test_the_cache_lies_where_the_environment_says(monkeypatch, environment, expected):
    for name in ("FARM_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert str(cache_folder()) == expected


def test_data_lies_beside_the_grid_in_farm_data_and_in_the_package(monkeypatch, tmp_path):
    monkeypatch.delenv("FARM_DATA", raising=False)
    [shipped] = default_places(tmp_path / "grid.yaml").data
    assert (shipped / "weights").is_dir()
    monkeypatch.setenv("FARM_DATA", str(tmp_path / "data"))
    found = default_places(tmp_path / "grid.yaml")
    assert (found.grid, found.data) == (tmp_path, (tmp_path / "data", shipped))
