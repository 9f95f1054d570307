"""Where inputs are looked for, when one is known for good, and what is said of one that is missing or another."""

import errno
import os
from pathlib import Path

import pytest

from farm.errors import DataError
from farm.inputs import HashMemo, Input, cache_folder, default_search, locate
from farm.spec import InputSpec
from tests.inputs.conftest import old, sha256

WEIGHTS = InputSpec(
    role="weights", parameter="weights", patterns=("weights/{dataset}_{name}.pt", "old/*.pt"), hint="set FARM_DATA"
)
NAMES = {"dataset": "digits", "name": "resnet20"}


def test_the_path_that_is_asked_for_is_looked_for_beside_the_grid_and_then_in_the_data(search):
    for folder in (search.data[1], search.data[0], search.grid):
        path = old(folder / "mine.pt", str(folder).encode())
        found = locate(WEIGHTS, {"weights": "mine.pt"}, NAMES, search, HashMemo(None))
        assert found == Input(role="weights", path=str(path), sha256=sha256(str(folder).encode()))


def test_an_absolute_path_is_taken_as_it_is(search, tmp_path):
    path = old(tmp_path / "elsewhere.pt", b"x")
    assert locate(WEIGHTS, {"weights": str(path)}, NAMES, search, HashMemo(None)).path == str(path)


def test_what_stands_in_the_grid_itself_is_in_no_file(search):
    wanted = InputSpec(role="classes", parameter="classes", optional=True)
    old(search.grid / "classes.txt", b"cat")
    assert locate(wanted, {"classes": ("cat", "dog")}, NAMES, search, HashMemo(None)) is None
    assert locate(wanted, {"classes": None}, NAMES, search, HashMemo(None)) is None
    assert locate(wanted, {"classes": "classes.txt"}, NAMES, search, HashMemo(None)).sha256 == sha256(b"cat")


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        (InputSpec(role="images", parameter="path"), "photos"),
        (InputSpec(role="images", parameter="factory", code=True), "photos.sets:test"),
    ],
)
def test_a_folder_that_cannot_be_read_is_missing(search, monkeypatch, wanted, given):
    old(search.grid / "photos" / "cat" / "a.png", b"x")
    old(search.grid / "photos" / "__init__.py", b"")
    scandir = os.scandir

    def forbidden(place):
        if str(place).endswith("cat"):
            raise PermissionError(errno.EACCES, "Permission denied", str(place))
        return scandir(place)

    monkeypatch.setattr(os, "scandir", forbidden)  # root may read everything
    found = locate(wanted, {wanted.parameter: given}, NAMES, search, HashMemo(None))
    assert found.missing == f"{search.grid}/photos/cat cannot be read (Permission denied): check that it may be read"


def test_a_download_that_cannot_be_read_is_missing(search, monkeypatch):
    where = "https://example.org/net-0123abcd.pt"
    path = Path(locate(WEIGHTS, {"weights": where}, NAMES, search, HashMemo(None)).path)
    old(path, b"x")

    def forbidden(self, path, *_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(HashMemo, "content", forbidden)  # root may read everything
    found = locate(WEIGHTS, {"weights": where}, NAMES, search, HashMemo(None))
    assert found.missing == f"{path} cannot be read (Permission denied): check that it may be read"


def test_a_home_folder_is_told_by_its_sign(search, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    path = old(tmp_path / "mine.pt", b"x")
    assert locate(WEIGHTS, {"weights": "~/mine.pt"}, NAMES, search, HashMemo(None)).path == str(path)
    missing = locate(WEIGHTS, {"weights": "~nobody-here/mine.pt"}, NAMES, search, HashMemo(None)).missing
    assert f"{search.grid}/~nobody-here/mine.pt" in missing


@pytest.mark.parametrize("name", ["{run}.pt", "{name}.pt", "a{.pt", "}{0}*[b].pt"])
def test_braces_and_stars_in_a_path_that_is_asked_for_stand_for_themselves(search, name):
    path = old(search.grid / name, b"x")
    assert locate(WEIGHTS, {"weights": name}, NAMES, search, HashMemo(None)).path == str(path)


@pytest.mark.parametrize("name", ["{dataset}", "{run", "}{0}"])
def test_braces_in_what_a_pattern_is_filled_with_stand_for_themselves(search, name):
    path = old(search.data[0] / "weights" / f"digits_{name}.pt", b"x")
    assert locate(WEIGHTS, {}, NAMES | {"name": name}, search, HashMemo(None)).path == str(path)


def test_without_a_path_patterns_are_tried_in_their_order(search):
    last = old(search.grid / "old" / "b.pt", b"b")
    assert locate(WEIGHTS, {}, NAMES, search, HashMemo(None)).path == str(last)
    last = old(search.grid / "old" / "a.pt", b"a")
    assert locate(WEIGHTS, {}, NAMES, search, HashMemo(None)).path == str(last)
    first = old(search.data[1] / "weights" / "digits_resnet20.pt", b"w")
    assert locate(WEIGHTS, {"weights": None}, NAMES, search, HashMemo(None)).path == str(first)


def test_a_missing_file_says_all_places_looked_at_and_how_to_supply_it(search):
    found = locate(WEIGHTS, {}, NAMES, search, HashMemo(None))
    looked = [str(folder / "weights" / "digits_resnet20.pt") for folder in (search.grid, *search.data)]
    assert found.missing == f"no weights of resnet20: looked for {', '.join(looked)}; set FARM_DATA"
    assert (found.path, found.sha256) == (looked[0], "")


def test_a_file_asked_for_that_is_missing_is_no_other_file(search):
    old(search.grid / "weights" / "digits_resnet20.pt", b"w")
    found = locate(WEIGHTS, {"weights": "mine.pt"}, NAMES, search, HashMemo(None))
    assert "looked for" in found.missing
    assert "mine.pt" in found.missing


def test_nowhere_to_look_is_said_too(search):
    found = locate(InputSpec(role="images", patterns=("*.png",)), {}, {}, search, HashMemo(None))
    assert found == Input(role="images", missing="no images of it: looked for nowhere")


def test_an_optional_file_is_located_only_if_asked_for(search):
    wanted = InputSpec(role="weights", parameter="weights", optional=True)
    assert locate(wanted, {"weights": None}, NAMES, search, HashMemo(None)) is None
    assert locate(wanted, {"weights": "w.pt"}, NAMES, search, HashMemo(None)).missing


def test_what_can_be_downloaded_is_not_missing_and_its_content_is_known_beforehand(search):
    wanted = InputSpec(role="images", patterns=("cifar/",), url="https://example.com/a/b.tar.gz", sha256="ab")
    found = locate(wanted, {}, {}, search, HashMemo(None))
    folder = sha256(b"https://example.com/a/b.tar.gz")[:12]
    target = str(search.cache / "downloads" / folder / "b.tar.gz")
    assert found == Input(role="images", path=target, sha256="ab", url="https://example.com/a/b.tar.gz")


def test_a_local_file_goes_before_its_source(search):
    path = old(search.data[0] / "cifar.tar.gz", b"x")
    wanted = InputSpec(role="images", patterns=("cifar.tar.gz",), url="https://example.com/c.tar.gz", sha256="ab")
    found = locate(wanted, {}, {}, search, HashMemo(None))
    assert (found.path, found.sha256, found.url) == (str(path), sha256(b"x"), "")


URL = "https://example.com/nets/net-{start}.pt"
RELEASED = InputSpec(
    role="weights",
    parameter="weights",
    patterns=("weights/{dataset}_{name}.pt",),
    released={"digits": URL.format(start=sha256(b"released")[:8]), "other": "https://example.com/nets/unnamed.pt"},
)


def downloaded(search, url):
    """Where a file from an address is kept."""
    return search.cache / "downloads" / sha256(url.encode())[:12] / url.rpartition("/")[2]


@pytest.mark.parametrize(
    ("name", "parameters", "start"),
    [
        ("net-0123abcd.pt", {}, "0123abcd"),
        ("net-0123abcd.pt", {"sha256": None}, "0123abcd"),
        ("net-0123abcd.pt", {"sha256": "f" * 64}, "f" * 64),
        ("net.pt", {"sha256": "0123abcd"}, "0123abcd"),
        ("net-20240131.pt", {"sha256": "0123abcd"}, "0123abcd"),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_weights_at_an_address_are_known_by_their_hash(search, scheme, name, parameters, start):
    url = f"{scheme}://example.com/nets/{name}"
    found = locate(WEIGHTS, {"weights": url, **parameters}, NAMES, search, HashMemo(None))
    assert found == Input(role="weights", path=str(downloaded(search, url)), sha256=start, url=url)


@pytest.mark.parametrize("name", ["net.pt", "net-20240131.pt", "net-cafe.pt"])
def test_weights_at_an_address_without_a_hash_say_what_to_give(search, name):
    url = f"https://example.com/nets/{name}"
    found = locate(WEIGHTS, {"weights": url, "sha256": None}, NAMES, search, HashMemo(None))
    told = "may change behind its address: give `sha256:` beside it, or a name that ends in its hash"
    assert found.missing == f"{url} {told}"


def test_what_was_downloaded_is_known_by_its_whole_content(search):
    url = URL.format(start=sha256(b"w")[:8])
    path = old(downloaded(search, url), b"w")
    found = locate(WEIGHTS, {"weights": url}, NAMES, search, HashMemo(None))
    assert found == Input(role="weights", path=str(path), sha256=sha256(b"w"), url=url)
    assert found.settled


def test_a_download_that_is_another_file_is_named_and_not_used(search):
    url = URL.format(start="0123abcd")
    path = old(downloaded(search, url), b"w")
    found = locate(WEIGHTS, {"weights": url}, NAMES, search, HashMemo(None))
    assert found.missing == (
        f"{path} is another file than {url} should give (0123abcd): its SHA-256 is {sha256(b'w')}; remove it"
    )


def test_a_file_of_several_parts_is_not_fetched_from_an_address(search):
    wanted = InputSpec(role="model", parameter="path", beside="tests.inputs.test_locate:parts")
    found = locate(wanted, {"path": "https://example.com/net-0123abcd.onnx"}, NAMES, search, HashMemo(None))
    assert found.missing == (
        "https://example.com/net-0123abcd.onnx is an address: download the file, and give `path: FILE`"
    )


@pytest.mark.parametrize("weights", ["mine.pt", None])
@pytest.mark.parametrize(("said", "fits"), [(None, True), (sha256(b"w"), True), (sha256(b"w")[:8], True),
                                            ("0123abcd", False)])  # fmt: skip
def test_a_local_file_is_checked_against_the_hash_that_is_said(search, weights, said, fits):
    path = old(search.grid / (weights or "weights/digits_resnet20.pt"), b"w")
    found = locate(WEIGHTS, {"weights": weights, "sha256": said}, NAMES, search, HashMemo(None))
    told = f"{path} is another file than its name or `sha256` says (0123abcd): its SHA-256 is {sha256(b'w')}"
    assert found.missing == (
        "" if fits else f"{told}; fetch it again, or give it another name if it is a file of your own"
    )
    assert found.sha256 == (sha256(b"w") if fits else "")


@pytest.mark.parametrize("role", ["weights", "images"])
@pytest.mark.parametrize(
    ("name", "fits"),
    [("net-{start}.pt", True), ("net-0123abcd.pt", False), ("net-20240131.pt", True), ("net.pt", True)],
)
def test_the_hash_in_the_name_of_local_weights_is_checked_as_that_of_a_download(search, role, name, fits):
    path = old(search.grid / name.format(start=sha256(b"w")[:8]), b"w")
    wanted = InputSpec(role=role, parameter="path")
    found = locate(wanted, {"path": path.name}, NAMES, search, HashMemo(None))
    assert (found.missing == "") == (fits or role != "weights")


def test_a_hash_that_is_said_goes_before_the_one_in_a_name(search):
    old(search.grid / "net-0123abcd.pt", b"w")
    said = {"weights": "net-0123abcd.pt", "sha256": sha256(b"w")}
    assert locate(WEIGHTS, said, NAMES, search, HashMemo(None)).missing == ""


def test_the_question_after_an_address_is_no_part_of_the_files_name(search):
    url = "https://example.com/nets/net-0123abcd.pt?download=true#here"
    found = locate(WEIGHTS, {"weights": url}, NAMES, search, HashMemo(None))
    assert (found.sha256, found.url) == ("0123abcd", url)
    assert found.path.endswith("/net-0123abcd.pt")


@pytest.mark.parametrize("url", ["https://example.com", "https://example.com/", "https://example.com/.."])
def test_an_address_that_names_no_file_is_told(search, url):
    found = locate(WEIGHTS, {"weights": url, "sha256": "0123abcd"}, NAMES, search, HashMemo(None))
    assert found.missing == f"{url} names no file"


@pytest.mark.parametrize("content", [b"w", b"other"])
def test_weights_at_an_address_may_be_fetched_by_hand(search, content):
    url = URL.format(start=sha256(b"w")[:8])
    path = old(search.data[0] / "weights" / url.rpartition("/")[2], content)
    found = locate(WEIGHTS, {"weights": url}, NAMES, search, HashMemo(None))
    assert (found.path, found.url) == (str(path), "")
    assert (found.missing == "") == (content == b"w")


@pytest.mark.parametrize("folder", ["grid", "data"])
def test_released_weights_are_those_of_the_dataset_and_may_be_fetched_by_hand(search, folder, tmp_path):
    url = RELEASED.released["digits"]
    found = locate(RELEASED, {"weights": None}, NAMES, search, HashMemo(None))
    start = sha256(b"released")[:8]
    assert found == Input(role="weights", path=str(downloaded(search, url)), sha256=start, url=url)
    path = old(tmp_path / folder / "weights" / f"net-{start}.pt", b"released")
    found = locate(RELEASED, {"weights": None}, NAMES, search, HashMemo(None))
    assert found == Input(role="weights", path=str(path), sha256=sha256(b"released"))
    old(path, b"torn")
    assert "fetch it again" in locate(RELEASED, {}, NAMES, search, HashMemo(None)).missing
    path = old(search.data[1] / "weights" / "digits_resnet20.pt", b"own")
    assert locate(RELEASED, {}, NAMES, search, HashMemo(None)).path == str(path)


def test_released_weights_are_checked_against_a_hash_that_is_said(search):
    found = locate(RELEASED, {"weights": None, "sha256": "f" * 64}, NAMES, search, HashMemo(None))
    assert (found.sha256, found.url) == ("f" * 64, RELEASED.released["digits"])


@pytest.mark.parametrize("dataset", ["cifar10", "other"])
def test_weights_that_were_not_released_for_a_dataset_or_without_a_hash_are_missing(search, dataset):
    found = locate(RELEASED, {}, {**NAMES, "dataset": dataset}, search, HashMemo(None))
    assert f"looked for {search.grid}/weights/{dataset}_resnet20.pt, " in found.missing
    assert found.url == ""


def parts(path):
    """What a model file consists of, besides itself."""
    return tuple(path.with_suffix(suffix) for suffix in (".bin", ".txt"))


MODEL = InputSpec(role="model", parameter="path", beside="tests.inputs.test_locate:parts")


def test_the_files_beside_a_file_are_part_of_its_content(search):
    for name in ("net.xml", "net.bin", "net.txt"):
        old(search.grid / name, name.encode())
    first = locate(MODEL, {"path": "net.xml"}, NAMES, search, HashMemo(None))
    assert first.beside == (str(search.grid / "net.bin"), str(search.grid / "net.txt"))
    assert first.sha256 != sha256(b"net.xml")
    old(search.grid / "net.txt", b"other")
    assert locate(MODEL, {"path": "net.xml"}, NAMES, search, HashMemo(None)).sha256 != first.sha256


def test_sha256_of_a_file_of_several_parts_is_of_the_file_that_is_named(search):
    for name in ("net.xml", "net.bin", "net.txt"):
        old(search.grid / name, name.encode())
    asked = {"path": "net.xml", "sha256": sha256(b"net.xml")}
    found = locate(MODEL, asked, NAMES, search, HashMemo(None))
    assert not found.missing
    assert found.sha256 not in ("", asked["sha256"])
    asked["sha256"] = sha256(b"net.bin")
    missing = locate(MODEL, asked, NAMES, search, HashMemo(None)).missing
    assert "is another file than its name or `sha256` says" in missing


def test_missing_files_beside_a_file_are_named(search):
    path = old(search.grid / "net.xml", b"")
    (search.grid / "net.bin").mkdir()
    found = locate(MODEL, {"path": "net.xml"}, NAMES, search, HashMemo(None))
    absent = f"{search.grid / 'net.bin'}, {search.grid / 'net.txt'}"
    assert found.missing == f"{path} needs {absent}: put it there, or save the model in one file"


def damaged(path):
    raise DataError(f"{path} is damaged")


def test_a_file_that_does_not_tell_what_it_consists_of_is_missing_with_the_reason(search):
    path = old(search.grid / "net.xml", b"")
    wanted = InputSpec(role="model", parameter="path", beside="tests.inputs.test_locate:damaged")
    found = locate(wanted, {"path": "net.xml"}, NAMES, search, HashMemo(None))
    assert found == Input(role="model", path=str(path), missing=f"{path} is damaged")


CODE = InputSpec(role="factory", parameter="factory", code=True)


def code_at(search, function):
    return locate(CODE, {"factory": function}, {}, search, HashMemo(None))


def test_a_module_is_hashed_by_its_source(search):
    old(search.grid / "farm_test_net.py", b"raise SystemExit('imported')")
    first = code_at(search, "farm_test_net:tiny")
    content = sha256(b"raise SystemExit('imported')")
    module = str(search.grid / "farm_test_net.py")
    assert first == Input(role="factory", path=str(search.grid), sha256=content, beside=(module,), code=True)
    old(search.grid / "farm_test_net.py", b"def tiny(): ...")
    assert code_at(search, "farm_test_net:tiny").sha256 != first.sha256


def test_a_package_is_hashed_by_all_of_its_source_and_nothing_else(search):
    package = search.grid / "farm_test_package"
    old(package / "__init__.py", b"")
    old(package / "inner" / "net.py", b"one")
    first = code_at(search, "farm_test_package.inner.net:tiny")
    assert first.path == str(search.grid)
    old(package / "notes.txt", b"not source")
    old(package / "__pycache__" / "net.cpython-311.pyc", b"not source")
    old(package / ".hidden" / "x.py", b"not source")
    assert code_at(search, "farm_test_package.inner.net:tiny") == first
    old(package / "inner" / "net.py", b"two")
    assert code_at(search, "farm_test_package.inner.net:tiny").sha256 != first.sha256


def test_installed_code_is_found_too(search):
    assert code_at(search, "farm.models.resnet:resnet20").sha256


@pytest.mark.parametrize("function", ["", "tiny", ":tiny", ".net:tiny"])
def test_a_name_of_another_form_says_how_it_is_written(search, function):
    assert code_at(search, function).missing == f"{function!r} must be written package.module:function"


def test_code_that_is_nowhere_says_where_it_was_looked_for(search):
    missing = code_at(search, "farm_test_nowhere:tiny").missing
    assert missing.startswith("no module 'farm_test_nowhere' for 'farm_test_nowhere:tiny': looked in ")
    assert str(search.grid) in missing


def test_a_word_for_what_is_shipped_is_a_place_in_the_package_and_other_words_are_paths(search):
    named = InputSpec(role="weights", parameter="weights", shipped={"ours": "weights/ours.safetensors"})
    shipped = old(search.data[-1] / "weights" / "ours.safetensors", b"x")
    assert locate(named, {"weights": "ours"}, NAMES, search, HashMemo(None)).path == str(shipped)
    path = old(search.grid / "theirs", b"y")
    assert locate(named, {"weights": "theirs"}, NAMES, search, HashMemo(None)).path == str(path)


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
    shipped = default_search(tmp_path / "grid.yaml").data
    assert [folder.name for folder in shipped] == ["models", "generators"]
    assert all((folder / "weights").is_dir() for folder in shipped)
    monkeypatch.setenv("FARM_DATA", str(tmp_path / "data"))
    found = default_search(tmp_path / "grid.yaml")
    assert (found.grid, found.data) == (tmp_path, (tmp_path / "data", *shipped))


@pytest.mark.parametrize(
    ("found", "settled"),
    [
        (Input(role="weights", sha256="a" * 64), True),
        (Input(role="weights", sha256="a" * 64, url="https://example.com/w.pt"), True),
        (Input(role="weights", sha256="a" * 8, url="https://example.com/w-aaaaaaaa.pt"), False),
        (Input(role="weights"), False),
        (Input(role="weights", missing="no weights"), True),
    ],
)
def test_an_input_is_settled_when_its_whole_content_is_known_or_it_never_comes(found, settled):
    assert found.settled == settled


@pytest.mark.parametrize("address", ["s3://key:hush@bucket/photos", "gs://bucket/photos", "memory://x"])
def test_an_address_that_is_not_read_is_told_without_its_key(search, address):
    found = locate(WEIGHTS, {"weights": address}, NAMES, search, HashMemo(None))
    shown = address.replace("key:hush", "***")
    assert found.missing == f"{shown} is an address that farm does not read: fetch it, and name the file"
