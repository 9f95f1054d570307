"""An input that goes to another host and is there what it was here."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from farm.errors import DataError
from farm.inputs import HashMemo, Input, astray, place, ship
from farm.inputs.locate import CODE
from farm.inputs.ship import TooLargeError, packed, unpacked


def a_file(folder):
    (folder / "net.onnx").write_bytes(b"onnx")
    return Input(role="model", path=str(folder / "net.onnx"))


def files_beside(folder):
    (folder / "net.xml").write_text("<net/>")
    (folder / "more").mkdir()
    (folder / "more" / "net.bin").write_bytes(b"bin")
    return Input(role="model", path=str(folder / "net.xml"), beside=(str(folder / "more" / "net.bin"),))


def a_folder(folder):
    images = folder / "images"
    (images / "cats" / "small").mkdir(parents=True)
    (images / "empty").mkdir()
    (images / "cats" / "1.png").write_bytes(b"cat")
    (images / "cats" / "small" / "2.png").write_bytes(b"kitten")
    (images / "felines").symlink_to("cats")
    (images / "cats" / "up").symlink_to("..")
    (images / "gone").symlink_to("/nowhere/at/all")
    (images / "alike.png").symlink_to("cats/1.png")
    (images / ".hidden").write_bytes(b"x")
    return Input(role="images", path=str(images))


def a_module(folder):
    (folder / "mine.py").write_text("def net(): ...\n")
    return Input(role="code", path=str(folder), beside=(str(folder / "mine.py"),), code=True)


def a_package(folder):
    package = folder / "mine"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "inner" / "net.py").write_text("def net(): ...\n")
    (package / "notes.txt").write_text("not code")
    return Input(role="code", path=str(folder), beside=(str(package),), code=True)


def known(file):
    """The input with its content."""
    beside = [] if file.code else map(Path, file.beside)
    return replace(file, sha256=HashMemo(None).content(Path(place(file)), CODE if file.code else (), beside=beside))


KINDS = [a_file, files_beside, a_folder, a_module, a_package]


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_shipped_is_there_what_it_was_here(kind, tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    file = known(kind(here))
    content = packed(file)
    shutil.rmtree(here)
    assert astray(file, HashMemo(None)) == "absent"
    there = unpacked(file, content, tmp_path / "cache")
    assert astray(there, HashMemo(None)) == ""
    assert place(there).startswith(str(tmp_path / "cache" / "shipped" / file.sha256))
    assert unpacked(file, b"not even looked at", tmp_path / "cache") == there
    first = next(path for path in Path(place(there)).parent.rglob("*") if path.is_file())
    first.unlink()
    assert astray(unpacked(file, content, tmp_path / "cache"), HashMemo(None)) == "", "it was swept in part"


def test_only_code_is_shipped_of_a_package(tmp_path):
    there = unpacked(file := known(a_package(tmp_path)), packed(file), tmp_path / "cache")
    found = {path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    assert (found, there.code) == ({"__init__.py", "net.py"}, True)


def test_what_is_too_large_is_not_shipped(tmp_path, monkeypatch):
    monkeypatch.setattr(ship, "MOST_BYTES", 3)
    with pytest.raises(TooLargeError, match=r"net\.onnx is larger than 0 MiB"):
        packed(known(a_file(tmp_path)))


def test_a_damaged_shipment_is_told(tmp_path):
    file = known(a_file(tmp_path))
    with pytest.raises(DataError, match=r"net\.onnx, as it was shipped, is damaged"):
        unpacked(file, packed(file)[:100], tmp_path / "cache")
    assert not (tmp_path / "cache" / "shipped" / file.sha256).exists()
