"""NVIDIA's pickles as data: nested dicts, arrays, and `Persistent` objects that do nothing. Knows no network.

Of an object only its ``__dict__`` is kept; the code of its class, ``module_src``, is never looked at. A tensor's
numbers are a pickle of torch's within the pickle: the same machine reads it, with a shorter table. Arrays are views of
the file's bytes, no larger than what they are views of.
"""

import io
import mmap
import struct
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import IO, Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from farm.errors import DataError
from farm.generators.stylegan2.machine import MOST_STEPS, STEP, Budget, Name, Names, Refused, Unknown, run

FIRST = b"\x80"  # of a pickle of protocol 2 or later
FOREIGN = {  # how files begin that people take for such pickles
    b"PK": "a zip archive, such as torch.save writes",
    b"\x1f\x8b": "compressed with gzip: decompress it",
    b"<": "a web page",
    b"version https://git-lfs": "a pointer to a file that Git LFS keeps: fetch that file",
}
TF_MODULE = "dnnlib.tflib"
TENSORFLOW = "a StyleGAN or StyleGAN2 of TensorFlow: convert it with `legacy.py` of NVIDIA's stylegan2-ada-pytorch"
MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001  # of what torch.save wrote before it wrote zip archives
COUNT = struct.Struct("<q")
AXES = 8
MOST = 1 << 40  # elements along an axis; a greater number is an attack
STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
DECLARED: Names = {("torch", name): partial(str, code) for name, code in STORAGES.items()}
SCALARS = {"f2": "<f2", "f4": "<f4", "f8": "<f8", "i4": "<i4", "i8": "<i8", "i1": "i1", "u1": "u1", "b1": "?"}
HELP = "give a `.pkl` of NVIDIA's stylegan2-ada-pytorch, whole and as it was saved"

Array = NDArray[Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Persistent:
    """An object of one of NVIDIA's classes: the name of the class, and what was in its ``__dict__``."""

    class_name: str
    state: dict[str, object]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Storage:
    """The numbers that tensors are views of: one axis, read-only."""

    numbers: Array


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Declared:
    """What a storage's pickle says of it: numpy's code of its type, and how many numbers follow."""

    code: str
    count: int


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Kind:
    """A type of numbers: numpy's code of it, and no object of numpy's, which compares itself with any text."""

    code: str


def read(path: Path) -> object:
    """What a pickle of NVIDIA's holds; tensors are read-only numpy arrays of the shape and type they were saved in.

    Raises DataError if the file cannot be read, is truncated or no pickle, or holds what such pickles do not.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(max(map(len, FOREIGN)))
            foreign = [text for start, text in FOREIGN.items() if begin.startswith(start)]
            _check(begin.startswith(FIRST), foreign[0] if foreign else "no pickle" if begin else "empty")
            budget = Budget(STEP * MOST_STEPS + 2 * path.stat().st_size)  # what is nested in arguments is read again
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return run(cast("IO[bytes]", content), _names(budget), budget, settle=_settle)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): {HELP}") from error
    except Refused as error:
        of_tensorflow = isinstance(error, Unknown) and error.module.startswith(TF_MODULE)
        raise DataError(f"{path}: {TENSORFLOW}" if of_tensorflow else f"{path}: {error}: {HELP}") from error


def _names(budget: Budget) -> Names:
    """What NVIDIA's pickles make, by module and name. budget: what the pickles within them share with the file."""
    return {
        ("torch_utils.persistence", "_reconstruct_persistent_obj"): _persistent,
        ("torch._utils", "_rebuild_parameter"): lambda data, *_: _as(np.ndarray, data, "a parameter of no tensor"),
        ("torch._utils", "_rebuild_tensor_v2"): _tensor,
        ("torch.storage", "_load_from_bytes"): partial(_storage, budget),
        ("collections", "OrderedDict"): _empty,
        ("dnnlib.util", "EasyDict"): _empty,
        ("numpy", "dtype"): _kind,
        ("numpy.core.multiarray", "scalar"): _scalar,
        ("numpy._core.multiarray", "scalar"): _scalar,
        ("builtins", "set"): partial(_set, budget),
    }


def _persistent(meta: object) -> Persistent:
    described = _as(dict, meta, "an object without a description")
    name, state = described.get("class_name"), described.get("state")
    nameless = "an object without a class or a state"
    return Persistent(class_name=_as(str, name, nameless), state=_as(dict, state, nameless))


def _empty() -> dict[str, object]:
    """An OrderedDict or an EasyDict, whose items follow: `dict` itself would take keys that are no text."""
    return {}


def _set(budget: Budget, items: object) -> set[str]:
    members = _as(list, items, "a set of no list")
    budget.spend(STEP * len(members))  # a list can be had again and again, by a step
    return {_as(str, member, "a set of what is no text") for member in members}


def _kind(code: object, *_: object) -> Kind:
    foreign = "a numpy type that NVIDIA's pickles have not"
    name = _as(str, code, foreign)
    _check(name in SCALARS, foreign)
    return Kind(SCALARS[name])


def _settle(target: object, state: object) -> None:
    """A numpy type's state is its byte order, and nothing else takes one."""
    stateless = "a state for an object that takes none"
    _as(Kind, target, stateless)
    order = next(iter(_as(tuple, state, stateless)[1:2]), None)
    _check(_as(str, order, stateless) in ("<", "|"), "numbers in big-endian order")


def _scalar(kind: object, content: object) -> object:
    typeless = "a number without a type"
    code = _as(Kind, kind, typeless).code
    return np.frombuffer(_as(bytes, content, typeless), code, count=1)[0].item()


def _tensor(storage: object, offset: object, size: object, stride: object, *_: object) -> Array:
    """A view of a storage. Raises Refused unless it lies inside, and has no more elements than the storage."""
    numbers = _as(Storage, storage, "a tensor without numbers").numbers
    shape, steps = (_as(tuple, extent, "a tensor of no shape") for extent in (size, stride))
    _check(len(shape) == len(steps) <= AXES, "a tensor of no shape")
    impossible = "a tensor of an impossible shape"
    first, *extents = (_as(int, number, impossible) for number in (offset, *shape, *steps))
    _check(all(0 <= number < MOST for number in (first, *extents)), impossible)
    _check(prod(shape) <= numbers.size, "a tensor larger than its numbers")
    width = numbers.itemsize
    strides = tuple(step * width for step in steps)
    view: Array = np.ndarray(shape, numbers.dtype, numbers, first * width, strides)  # checks that it lies inside
    return view


def _storage(budget: Budget, pickled: object) -> Storage:
    """The numbers of a storage that torch pickled: five pickles, then how many numbers, then the numbers."""
    content = _as(bytes, pickled, "a storage that is no bytes")
    file = io.BytesIO(content)
    magic, version, system, header, keys = (
        run(file, DECLARED, budget, settle=_settle, load=_declared) for _ in range(5)
    )
    _check((magic, version) == (MAGIC, VERSION), "a storage that torch did not write")
    order = "numbers in big-endian order"
    _check(_as(dict, system, order).get("little_endian") is True, order)
    declared = _as(Declared, header, "a storage that is none")
    _check(len(_as(list, keys, "a storage that is none")) == 1, "a storage that is none")
    begin = file.tell() + COUNT.size
    width = np.dtype(declared.code).itemsize
    _check(len(content) >= begin, "a storage that ends too soon")
    _check(COUNT.unpack(file.read(COUNT.size)) == (declared.count,), "a storage of another length than it says")
    _check(len(content) - begin == declared.count * width, "a storage of another length than it says")
    return Storage(np.frombuffer(content, declared.code, offset=begin))


def _declared(identity: object) -> Declared:
    """A storage by its persistent id: ("storage", type, key, where it was, count), and a view of it or None."""
    foreign = "an object that is no storage"
    parts = _as(tuple, identity, foreign)
    _check(len(parts) <= AXES, foreign)
    what, kind, _, _, count, *_ = parts
    _check(what == "storage", foreign)
    return Declared(str(_as(Name, kind, foreign).make()), _as(int, count, foreign))


def _as(kind: type[T], value: object, otherwise: str) -> T:
    """A value of exactly this type. Raises Refused with what it is otherwise."""
    if type(value) is not kind:
        raise Refused(otherwise)
    return value


def _check(good: bool, otherwise: str) -> None:
    if not good:
        raise Refused(otherwise)
