"""The content of files and folders, remembered as long as a file looks the same."""

import json
import os

import pytest

from farm.inputs import HashMemo, hash_in_name
from tests.inputs.conftest import LONG_AGO, old, sha256


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("resnet20-4118986f.pt", "4118986f"),
        ("https://example.com/a/resnet20-4118986f.pt", "4118986f"),
        (f"net-{'0123456789abcdef' * 4}.safetensors", "0123456789abcdef" * 4),
        ("net-20240131.pt", ""),
        ("net-19991231.pt", ""),
        ("net-21000101.pt", "21000101"),
        ("net-20241301.pt", "20241301"),
        ("net-20240100.pt", "20240100"),
        ("net-202401310.pt", "202401310"),
        ("net-4118986.pt", ""),
        ("net-4118986F.pt", ""),
        ("net_4118986f.pt", ""),
        ("net-4118986f", ""),
        ("net-4118986f.pt?download=true", ""),
        (f"net-{'0' * 65}.pt", ""),
        ("", ""),
    ],
)
def test_the_end_of_a_name_is_a_hash_unless_it_is_a_date(name, start):
    assert hash_in_name(name) == start


def test_a_hash_changes_with_the_content(tmp_path):
    path, memo = tmp_path / "a", HashMemo(None)
    assert memo.content(old(path, b"one")) == sha256(b"one")
    assert memo.content(old(path, b"three")) == sha256(b"three")


def test_a_settled_file_is_read_once_even_by_another_process(tmp_path):
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
def test_a_file_that_looks_different_is_read_again(tmp_path, change):
    path, memo = old(tmp_path / "a", b"one"), HashMemo(None)
    memo.content(path)
    if change == "inode":
        old(tmp_path / "b", b"two").replace(path)
    else:
        path.write_bytes(b"two" if change == "time" else b"three")
    if change != "time":
        os.utime(path, (LONG_AGO, LONG_AGO))
    assert memo.content(path) == sha256(path.read_bytes())


def test_a_file_changed_within_two_seconds_is_not_trusted(tmp_path):
    path, memo = tmp_path / "a", HashMemo(tmp_path / "hashes.json")
    path.write_bytes(b"one")
    status = path.stat()
    memo.content(path)
    assert not memo.changed
    path.write_bytes(b"two")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert memo.content(path) == sha256(b"two")


def test_a_folder_is_hashed_by_its_names_and_contents(tmp_path):
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


def made(folder, change):
    old(folder / "cat" / "a.png", b"1")
    old(folder / "dog" / "b.png", b"2")
    change(folder)
    return HashMemo(None).content(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "cow").mkdir(),
        lambda folder: (folder / "cat" / "deep").mkdir(),
        lambda folder: (folder / "cat" / "gone.png").symlink_to("nowhere"),
        lambda folder: os.mkfifo(folder / "cat" / "pipe.png"),
        lambda folder: (folder / "cow").symlink_to(folder / "cat"),
        lambda folder: old(folder / "__pycache__" / "c.png", b"3"),
    ],
    ids=["empty class", "empty folder", "dangling link", "pipe", "the same folder", "odd name"],
)
def test_all_that_reading_a_folder_depends_on_is_in_its_hash(tmp_path, change):
    assert made(tmp_path / "changed", change) != made(tmp_path / "plain", lambda _: None)


def test_which_folder_a_link_leads_to_is_in_the_hash(tmp_path):
    to_cat, to_dog = (
        made(tmp_path / name, lambda folder, name=name: (folder / "zebra").symlink_to(folder / name))
        for name in ("cat", "dog")
    )
    assert to_cat != to_dog


def test_of_code_only_its_files_are_hashed(tmp_path):
    old(tmp_path / "net.py", b"x = 1")
    first = HashMemo(None).content(tmp_path, (".py",))
    old(tmp_path / "__pycache__" / "net.pyc", b"compiled")
    (tmp_path / "gone").symlink_to("nowhere")
    assert HashMemo(None).content(tmp_path, (".py",)) == first


def test_a_linked_folder_is_hashed_once_even_where_it_leads_round_in_a_circle(tmp_path):
    old(tmp_path / "photos" / "a.png", b"1")
    old(tmp_path / "elsewhere" / "b.png", b"2")
    (tmp_path / "photos" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "photos" / "round").symlink_to(tmp_path / "photos")
    first = HashMemo(None).content(tmp_path / "photos")
    old(tmp_path / "elsewhere" / "b.png", b"3")
    assert HashMemo(None).content(tmp_path / "photos") != first


def test_a_file_whose_name_is_no_utf8_is_hashed_by_its_bytes(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.png")).write_bytes(b"1")
    first = HashMemo(None).content(tmp_path)
    (tmp_path / os.fsdecode(b"caf\xe9.png")).rename(tmp_path / "cafe.png")
    assert HashMemo(None).content(tmp_path) != first


@pytest.mark.parametrize("torn", ["", "{", "\x00"])
def test_a_torn_memo_only_costs_time(tmp_path, torn):
    (tmp_path / "hashes.json").write_text(torn)
    memo = HashMemo(tmp_path / "hashes.json")
    assert memo.content(old(tmp_path / "a", b"one")) == sha256(b"one")
    memo.save()
    assert json.loads((tmp_path / "hashes.json").read_text())[str(tmp_path / "a")][3] == sha256(b"one")


@pytest.mark.parametrize("odd", ["[]", "null", '{"FILE": []}', '{"FILE": 5}'])
def test_a_memo_of_another_form_is_forgotten(tmp_path, odd):
    path = old(tmp_path / "a", b"one")
    (tmp_path / "hashes.json").write_text(odd.replace("FILE", str(path)))
    assert HashMemo(tmp_path / "hashes.json").content(path) == sha256(b"one")


def test_a_cache_that_cannot_be_written_is_no_fault(tmp_path):
    (tmp_path / "file").write_text("")
    memo = HashMemo(tmp_path / "file" / "hashes.json")
    memo.content(old(tmp_path / "a", b"one"))
    memo.save()
    assert memo.changed


def test_nothing_is_written_where_nothing_was_learnt(tmp_path):
    memo = HashMemo(tmp_path / "cache" / "hashes.json")
    memo.save()
    HashMemo(None).save()
    assert not (tmp_path / "cache").exists()


def test_a_file_that_consists_of_several_is_hashed_by_all_of_them(tmp_path):
    path, other, third = (old(tmp_path / name, name.encode()) for name in ("m.xml", "m.bin", "n.bin"))
    memo = HashMemo(None)
    alone, both = memo.content(path), memo.content(path, beside=[other])
    assert alone == sha256(b"m.xml") != both
    assert memo.content(path, beside=()) == alone
    assert memo.content(path, beside=[third]) not in (alone, both)
    old(other, b"longer than before")
    assert memo.content(path, beside=[other]) != both
    assert memo.content(path) == alone
