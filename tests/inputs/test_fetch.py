"""Official sources: downloaded once, checked, whole or not at all."""

import pytest

from farm.errors import DataError
from farm.inputs import Input, fetch
from tests.inputs.conftest import sha256

CONTENT = bytes(range(256)) * 10_000


def served(server, tmp_path, **changes):
    """An input whose file the server has."""
    server.files["/file.bin"] = CONTENT
    said = {
        "path": str(tmp_path / "cache" / "file.bin"),
        "sha256": sha256(CONTENT),
        "url": f"{server.url}/file.bin",
    }
    return Input(role="images", **{**said, **changes})


@pytest.mark.parametrize("tells_length", [True, False])
def test_a_download_tells_its_progress_and_ends_with_the_checked_file(server, tmp_path, tells_length):
    server.tells_length = tells_length
    seen = []
    path = fetch(served(server, tmp_path), lambda count, total: seen.append((count, total)))
    assert path.read_bytes() == CONTENT
    assert sum(count for count, _ in seen) == len(CONTENT)
    assert {total for _, total in seen} == {len(CONTENT) if tells_length else None}
    assert [each.name for each in path.parent.iterdir()] == ["file.bin"]


def test_a_file_that_is_there_is_not_fetched_again(server, tmp_path):
    wanted = served(server, tmp_path)
    fetch(wanted)
    assert fetch(Input(role="images", path=wanted.path, sha256="?", url="http://127.0.0.1:1/")).read_bytes() == CONTENT


def test_a_local_input_is_its_path(tmp_path):
    assert fetch(Input(role="weights", path=str(tmp_path / "w.pt"))) == tmp_path / "w.pt"


def test_other_content_than_expected_is_refused_and_nothing_is_left(server, tmp_path):
    wanted = served(server, tmp_path, sha256="0" * 64)
    with pytest.raises(DataError, match=f"sent other content than expected: SHA-256 {sha256(CONTENT)}, not {'0' * 64}"):
        fetch(wanted)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_download_that_is_cut_off_is_refused_and_nothing_is_left(server, tmp_path):
    server.sends = len(CONTENT) // 2
    with pytest.raises(DataError, match=r"file\.bin"):
        fetch(served(server, tmp_path))
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("url", ["{server}/nowhere.bin", "http://127.0.0.1:1/file.bin"])
def test_a_source_that_cannot_be_reached_says_where_to_put_the_file(server, tmp_path, url):
    wanted = served(server, tmp_path, url=url.format(server=server.url))
    with pytest.raises(DataError, match=f"cannot download {wanted.url}: .*; fetch it by hand to {wanted.path}"):
        fetch(wanted)
    assert list((tmp_path / "cache").iterdir()) == []
