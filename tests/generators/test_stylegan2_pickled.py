"""NVIDIA's pickles as data: what they hold comes out, and nothing that a file says is run."""

import gzip
import io
import os
import pickle
import struct
from collections import OrderedDict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.errors import DataError
from farm.generators.stylegan2.layout import layout
from farm.generators.stylegan2.pickled import Persistent, read
from tests.generators import nvidia
from tests.generators.nvidia import BEGIN, LOAD, PERSISTENT, call, held, name, number, numbers, tensor, text


@pytest.fixture
def saved(tmp_path):
    """Bytes or an object -> the path of a pickle of them."""
    return lambda content, protocol=4: nvidia.write(tmp_path / "network.pkl", content, protocol)


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_every_protocol_gives_the_same_tensors_by_name(saved, protocol):
    snapshot = nvidia.snapshot(seed=3)
    found = layout(saved(snapshot, protocol)).arrays
    expected = nvidia.tensors_of(snapshot["G_ema"])
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[each], expected[each].numpy()) for each in expected)


def test_containers_come_out_as_they_were(saved):
    content = {"a": [1, -2, 2**70, 0.5, None, True], "b": {"c": ("x", b"y", (), (1,), (1, 2), (1, 2, 3, 4))}}
    content |= {"s": {"k", "l"}, "o": OrderedDict(p=1), "e": nvidia.EasyDict(q=2), "n": np.float64(0.25)}
    found = read(saved(content))
    assert found == content
    assert {type(found[each]) for each in "bone"} == {dict, float}


@pytest.mark.parametrize("kind", ["float16", "float32", "float64", "int64", "int32", "uint8", "bool"])
def test_tensors_of_every_type_come_out(saved, kind):
    value = torch.tensor([[1, 0, 3], [4, 5, 6]]).to(getattr(torch, kind))
    found = read(saved({"t": value.T}))["t"]
    assert np.array_equal(found, value.T.double().numpy())
    assert not found.flags.writeable


def test_an_object_is_its_classs_name_and_its_state(saved):
    found = read(saved(nvidia.module("Any", {"a": torch.ones(2)}, up=2)))
    assert (type(found), found.class_name, found.state["up"]) == (Persistent, "Any", 2)


KIND = call("numpy", "dtype", text("f4"), number(False), number(True))


class Attack:
    """What runs code when it is loaded."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


def shell(folder):
    return Attack(os.system, f"touch {folder}/it_ran")


def in_a_state(folder):
    snapshot = nvidia.snapshot()
    snapshot["G_ema"].state["hook"] = shell(folder)
    return snapshot


def in_a_storage(folder):
    return BEGIN + call(*LOAD, held(pickle.dumps(shell(folder), 2))) + b"."


def in_a_zip_in_a_storage(folder):
    file = io.BytesIO()
    torch.save(shell(folder), file)
    return BEGIN + call(*LOAD, held(file.getvalue())) + b"."


def as_a_storages_type(folder):
    content = numbers().replace(b"ctorch\nFloatStorage\n", b"cos\nsystem\n")
    return BEGIN + call(*LOAD, held(content)) + b"."


def in_a_discriminator(folder):
    return nvidia.snapshot() | {"D": nvidia.module("Discriminator", extra=shell(folder))}


ATTACKS = {
    "at the top": (shell, "system.*, which is code: none of it was run"),
    "in a state": (in_a_state, "system.*, which is code"),
    "in a network that is not needed": (in_a_discriminator, "system.*, which is code"),
    "in a storage": (in_a_storage, "system.*, which is code"),
    "in a zip in a storage": (in_a_zip_in_a_storage, "damaged"),
    "as a storage's type": (as_a_storages_type, "'os.system', which is code"),
    "eval": (lambda folder: Attack(eval, f"open('{folder}/it_ran', 'w')"), "'builtins.eval', which is code"),
    "torch.load": (lambda _: BEGIN + call("torch", "load", text("a")) + b".", "'torch.load', which is code"),
    "a name within a name": (
        lambda _: BEGIN + name("torch", "storage._load_from_bytes.__globals__") + b".",
        "'torch.storage._load_from_bytes.__globals__', which is code",
    ),
    "a name within a name that is known": (
        lambda _: BEGIN + name("torch.storage", "_load_from_bytes.__globals__") + b".",
        "which is code",
    ),
    "getattr": (lambda _: Attack(getattr, (), "__class__"), "'builtins.getattr', which is code"),
    "a name that is no text": (lambda _: BEGIN + b"K\x01K\x02\x93.", "a name that is no text"),
    "more arguments than any call has": (
        lambda _: BEGIN + call("collections", "OrderedDict", *[b"N"] * 17) + b".",
        "a call with 17 arguments",
    ),
    "a call of a string": (lambda _: BEGIN + text("os.system") + b")R.", "calls what is no function"),
    "a call without a tuple": (lambda _: BEGIN + name(*LOAD) + b"]R.", "calls what is no function"),
    "INST": (lambda _: BEGIN + b"(S'true'\nios\nsystem\n.", "opcode STRING"),
    "OBJ": (lambda _: BEGIN + b"(" + name("collections", "OrderedDict") + b"o.", "opcode OBJ"),
    "an extension": (lambda _: BEGIN + b"\x82\x01.", "opcode EXT1"),
    "a persistent id": (lambda _: BEGIN + text("x") + b"Q.", "kept elsewhere"),
    "a class for an object": (
        lambda _: BEGIN + call(*PERSISTENT, pickle.dumps({"class_name": "A", "state": {}})[2:-1]) + b"}b.",
        "a state for an object that takes none",
    ),
    "a state for a dict": (
        lambda _: BEGIN + b"}" + pickle.dumps((None, {"__class__": "A"}))[2:-1] + b"b.",
        "a state for an object that takes none",
    ),
    "a state in a storage": (lambda _: BEGIN + call(*LOAD, held(b"\x80\x02}}b.")) + b".", "a state for an object"),
    "a state of a type in which a tensor is its byte order": (
        lambda _: BEGIN + KIND + b"(" + number(3) + tensor() + b"Ntb.",
        "a state for an object that takes none",
    ),
    "a state of a type in which a type is its byte order": (
        lambda _: BEGIN + KIND + b"(" + number(3) + KIND + b"Ntb.",
        "a state for an object that takes none",
    ),
    "a type of the other byte order": (lambda _: BEGIN + KIND + number((3, ">")) + b"b.", "big-endian"),
    "an array's state": (lambda _: BEGIN + tensor() + b"}b.", "a state for an object that takes none"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_attack_runs_anything(saved, tmp_path, monkeypatch, attack):
    make, says = ATTACKS[attack]
    monkeypatch.chdir(tmp_path)
    path = saved(make(tmp_path))
    with pytest.raises(DataError, match=rf"network.pkl: .*({says})"):
        read(path)
    assert [each.name for each in tmp_path.iterdir()] == ["network.pkl"]


def test_the_source_code_in_a_file_is_never_run(saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = saved(nvidia.snapshot())
    assert nvidia.SOURCE.encode() in path.read_bytes()
    assert layout(path).config.classes == 3
    assert [each.name for each in tmp_path.iterdir()] == ["network.pkl"]
    exec(nvidia.SOURCE)  # noqa: S102 - it would have been seen
    assert (tmp_path / "it_ran").is_dir()


def test_a_type_of_numbers_comes_out_as_nothing_that_reads_text_it_is_compared_with(saved):
    assert np.dtype("f4") == "f4"
    assert read(saved(BEGIN + KIND + b".")) != "f4"


def nested(depth, outer, inner):
    """What lies within itself, many times."""
    return BEGIN + outer * depth + b"N" + inner * depth + b"."


OBJECT = name(*PERSISTENT) + b"}" + text("class_name") + text("A") + b"s" + text("state") + b"}" + text("a")


@pytest.mark.parametrize(
    ("outer", "inner", "depth"),
    [(b"", b"\x85", 100_000), (b"]", b"a", 60_000), (b"}" + text("a"), b"s", 50_000), (OBJECT, b"ss\x85R", 15_000)],
    ids=["tuples", "lists", "dicts", "objects"],
)
def test_what_is_deeply_nested_neither_ends_the_stack_nor_takes_long(saved, outer, inner, depth):
    with pytest.raises(DataError, match="no snapshot of"):
        layout(saved(nested(depth, outer, inner)))


DOUBLED = b")\x94" + b"".join(b"h" + bytes([level]) + b"h" + bytes([level]) + b"\x86\x94" for level in range(200))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (BEGIN + b"}" + DOUBLED + b"Ns.", "keys that are no text"),  # to hash it takes 2 ** 200 steps
        (BEGIN + b"\x8f(" + DOUBLED + b"\x90.", "no set, or keys that are no text"),
        (BEGIN + b"}" + b")" + b"\x85" * 200_000 + b"Ns.", "keys that are no text"),  # to hash it ends the stack
        (BEGIN + b"]" * 310_000 + b".", "more than 300,000 steps"),
        (
            BEGIN + held((b"\x80\x02" + b"N" * 70_000 + b".") * 5) + b"\x94" + name(*LOAD) + b"h\x00\x85R.",
            "more than 300,000",
        ),
        (BEGIN + b"\x8e" + struct.pack("<Q", 2**62) + b"few.", "damaged or truncated"),
        (BEGIN + b"B" + struct.pack("<I", 2**32 - 1) + b"few.", "damaged or truncated"),
        (BEGIN + b"\x8b" + struct.pack("<i", 2**31 - 1) + b"few.", "damaged or truncated"),
        (BEGIN + b"I" + b"9" * 100_000 + b"\n.", "damaged or truncated"),  # quadratic, were it not limited
        (BEGIN + b"L" + b"9" * 100_000 + b"L\n.", "damaged or truncated"),
        (BEGIN + b"Nr" + struct.pack("<I", 2**32 - 1) + b".", "a pickled NoneType"),  # a memo by index: 32 GiB
        (BEGIN + tensor(size=(10**6, 10**6), stride=(0, 0)) + b".", "larger than its numbers"),
        (BEGIN + tensor(size=(17,), stride=(0,)) + b".", "larger than its numbers"),
        (BEGIN + tensor(size=(1 << 62,) * 8, stride=(0,) * 8) + b".", "impossible shape"),
        (BEGIN + tensor(size=(1,) * 9, stride=(0,) * 9) + b".", "of no shape"),
        (BEGIN + tensor(size=(2, 2), stride=(1,)) + b".", "of no shape"),
        (BEGIN + tensor(size=(2, 2), stride=(15, 1)) + b".", "damaged"),
        (BEGIN + tensor(offset=13) + b".", "damaged"),
        (BEGIN + tensor(offset=-1) + b".", "impossible shape"),
        (BEGIN + tensor(stride=(-2, 1)) + b".", "impossible shape"),
        (BEGIN + tensor(size=(True, 2)) + b".", "impossible shape"),
        (BEGIN + tensor(size=(2**4000, 2)) + b".", "impossible shape"),
        (BEGIN + tensor(storage=b"N") + b".", "a tensor without numbers"),
        (BEGIN + tensor(storage=tensor(size=(4,), stride=(1,))) + b".", "a tensor without numbers"),
        (BEGIN + call(*LOAD, held(numbers(declared=10**12))) + b".", "another length than it says"),
        (BEGIN + call(*LOAD, held(numbers(declared=-1))) + b".", "another length than it says"),
        (BEGIN + call(*LOAD, held(numbers(tail=b"more"))) + b".", "another length than it says"),
        (BEGIN + call(*LOAD, held(numbers()[:-1])) + b".", "another length than it says"),
        (BEGIN + call(*LOAD, held(numbers(magic=5))) + b".", "torch did not write"),
        (BEGIN + call(*LOAD, held(numbers(little=False))) + b".", "big-endian"),
        (BEGIN + call(*LOAD, held(numbers(kind="Tensor"))) + b".", "'torch.Tensor', which is code"),
        (BEGIN + call(*LOAD, held(b"")) + b".", "damaged"),
        (BEGIN + call(*LOAD, b"N") + b".", "a storage that is no bytes"),
        (BEGIN + call(*LOAD) + b".", "damaged"),
    ],
    ids=range(34),
)
def test_bombs_and_nonsense_are_refused_in_no_time(saved, content, says):
    with pytest.raises(DataError, match=rf"network.pkl: .*{says}"):
        layout(saved(content))


def test_a_storage_cut_off_anywhere_is_told(saved):
    whole = numbers()
    for length in range(len(whole)):
        with pytest.raises(DataError, match=r"network.pkl: "):
            layout(saved(BEGIN + call(*LOAD, held(whole[:length])) + b"."))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"hello", "no pickle"),
        (b"(dp0\n.", "no pickle"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (gzip.compress(b"a", mtime=0), "compressed with gzip"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\x80", "damaged or truncated"),
        (BEGIN, "damaged or truncated"),
        (BEGIN + b".", "damaged or truncated"),
        (BEGIN + b"h\x05.", "damaged or truncated"),
        (BEGIN + b"t.", "damaged or truncated"),
        (BEGIN + b"\xff", "damaged or truncated"),
        (BEGIN + b"}" + text("a") + b"N(uu.", "items of what is no dict"),
        (BEGIN + b"}Na.", "items of what is no list"),
    ],
)
def test_what_is_no_pickle_or_a_broken_one_is_told(saved, content, says):
    with pytest.raises(DataError, match=rf"network.pkl: .*{says}.*: give a `.pkl`"):
        read(saved(content))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(DataError, match=r"none.pkl: cannot be read \(No such file"):
        read(tmp_path / "none.pkl")


@pytest.fixture(scope="module")
def small():
    """The bytes of a small snapshot."""
    with nvidia.nvidias_modules():
        return pickle.dumps(nvidia.snapshot(resolution=4, base=8, most=2, z_dim=1, w_dim=1, layers=1), 4)


@settings(max_examples=50)
@given(data=st.data())
def test_a_truncated_file_is_told(small, tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "truncated.pkl"
    path.write_bytes(small[: data.draw(st.integers(0, len(small) - 1))])
    with pytest.raises(DataError, match=r"truncated.pkl: .*(empty|no pickle|damaged|another length)"):
        layout(path)


@settings(max_examples=200)
@given(data=st.data())
def test_a_file_with_any_bytes_changed_is_read_or_told(small, tmp_path_factory, data):
    path, content = tmp_path_factory.getbasetemp() / "changed.pkl", bytearray(small)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(small) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        layout(path)
    except DataError as error:
        told = str(error)
        assert told.startswith(str(path)), told
