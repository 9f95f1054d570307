"""Whether an input is on this host what it was where the run was planned."""

import pytest

from farm.inputs import HashMemo, Input, astray, place


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "nets"
    (folder / "inner").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "inner" / "small.py").write_text("KERNEL = 3")
    content = HashMemo(None).content(folder, (".py",))
    return Input(role="factory", path=str(tmp_path), sha256=content, beside=(str(folder),), code=True)


def test_the_code_of_a_package_is_all_of_its_source(package, tmp_path):
    assert place(package) == str(tmp_path / "nets")
    assert astray(package, HashMemo(None)) == ""
    (tmp_path / "nets" / "notes.txt").write_text("not source")
    assert astray(package, HashMemo(None)) == ""
    (tmp_path / "nets" / "inner" / "small.py").write_text("KERNEL = 5")
    assert astray(package, HashMemo(None)) == "another"


@pytest.mark.parametrize("lacking", ["net.xml", "net.bin"])
def test_a_file_without_what_lies_beside_it_is_absent(tmp_path, lacking):
    path, beside = tmp_path / "net.xml", tmp_path / "net.bin"
    path.write_text("layers")
    beside.write_text("weights")
    content = HashMemo(None).content(path, beside=[beside])
    file = Input(role="model", path=str(path), sha256=content, beside=(str(beside),))
    assert place(file) == str(path)
    assert astray(file, HashMemo(None)) == ""
    (tmp_path / lacking).unlink()
    assert astray(file, HashMemo(None)) == "absent"


def test_a_folder_is_all_that_lies_in_it(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "1.png").write_bytes(b"1")
    file = Input(role="images", path=str(tmp_path), sha256=HashMemo(None).content(tmp_path))
    assert astray(file, HashMemo(None)) == ""
    (tmp_path / "cat" / "2.png").write_bytes(b"2")
    assert astray(file, HashMemo(None)) == "another"


def test_what_comes_from_an_address_is_checked_when_it_is_fetched():
    assert (
        astray(Input(role="weights", path="/nowhere", sha256="0" * 64, url="https://example.com/w.pt"), HashMemo(None))
        == ""
    )
