"""NVIDIA's pickles as data: nested dicts, arrays, and `Persistent` objects that do nothing. Knows no network.

The files hold objects of NVIDIA's own classes, each with the source code of its class in ``module_src``, which is
never looked at, and its ``__dict__``, which is all that is kept of it here. The numbers of a tensor are a pickle of
torch's within the pickle: the same machine reads it, with a shorter table. Arrays are views of the file's bytes, no
larger than what they are views of.
"""

import io
import mmap
import struct
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from farm.errors import DataError
from farm.generators.stylegan2.machine import Name, Names, no_objects, no_state, run
from farm.generators.stylegan2.refused import STEP, Budget, Refused, Unknown, budget_of

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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Persistent:
    """An object of one of NVIDIA's classes: the name of the class, and what was in its ``__dict__``."""

    class_name: str
    state: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Kind:
    """The type of a numpy scalar. code: numpy's."""

    code: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Storage:
    """The numbers that tensors are views of: one axis, read-only."""

    numbers: Array


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Declared:
    """What a storage's pickle says of it: numpy's code of its type, and how many numbers follow."""

    code: str
    count: int


def read(path: Path) -> Any:
    """What a pickle of NVIDIA's holds; tensors are read-only numpy arrays of the shape and type they were saved in.

    Raises DataError if the file cannot be read, is truncated or no pickle, or holds what such pickles do not.
    """
    try:
        with path.open("rb") as file:
            _check_begin(file.read(max(map(len, FOREIGN))))
            budget = budget_of(path.stat().st_size)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return run(cast("IO[bytes]", content), _names(budget), budget, no_objects, _settle)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): {HELP}") from error
    except Unknown as error:
        text = TENSORFLOW if error.module.startswith(TF_MODULE) else f"{error}: {HELP}"
        raise DataError(f"{path}: {text}") from error
    except Refused as error:
        raise DataError(f"{path}: {error}: {HELP}") from error


def _check_begin(begin: bytes) -> None:
    if not begin.startswith(FIRST):
        nothing = "no pickle" if begin else "empty"
        raise Refused(next((text for start, text in FOREIGN.items() if begin.startswith(start)), nothing))


def _names(budget: Budget) -> Names:
    """What NVIDIA's pickles make, by module and name. budget: what the pickles within them share with the file."""
    return {
        ("torch_utils.persistence", "_reconstruct_persistent_obj"): _persistent,
        ("torch._utils", "_rebuild_parameter"): _parameter,
        ("torch._utils", "_rebuild_tensor_v2"): _tensor,
        ("torch.storage", "_load_from_bytes"): partial(_storage, budget),
        ("collections", "OrderedDict"): _empty,
        ("dnnlib.util", "EasyDict"): _empty,
        ("numpy", "dtype"): _kind,
        ("numpy.core.multiarray", "scalar"): _scalar,
        ("numpy._core.multiarray", "scalar"): _scalar,
        ("builtins", "set"): partial(_set, budget),
    }


def _persistent(meta: Any) -> Persistent:
    _check(type(meta) is dict, "an object without a description")
    name, state = meta.get("class_name"), meta.get("state")
    _check(type(name) is str and type(state) is dict, "an object without a class or a state")
    return Persistent(class_name=name, state=state)


def _empty() -> dict[str, Any]:
    """An OrderedDict or an EasyDict, whose items follow: dicts have an order too."""
    return {}


def _set(budget: Budget, items: Any) -> set[str]:
    _check(type(items) is list, "a set of no list")
    budget.spend(STEP * len(items))  # a list can be had again and again, by a step
    _check(all(type(item) is str for item in items), "a set of what is no text")
    return set(items)


def _kind(code: Any, *_: Any) -> Kind:
    _check(type(code) is str and code in SCALARS, "a numpy type that NVIDIA's pickles have not")
    return Kind(SCALARS[code])


def _settle(target: Any, state: Any) -> None:
    """A numpy type's state is its byte order, and nothing else takes one."""
    _check(type(target) is Kind and type(state) is tuple, "a state for an object that takes none")
    _check(state[1:2] in (("<",), ("|",)), "numbers in big-endian order")


def _scalar(kind: Any, content: Any) -> Any:
    """A number of Python's."""
    _check(type(kind) is Kind and type(content) is bytes, "a number without a type")
    return np.frombuffer(content, kind.code, count=1)[0].item()


def _parameter(data: Any, _requires_grad: Any, _hooks: Any) -> Array:
    _check(type(data) is np.ndarray, "a parameter that is no tensor")
    return data  # type: ignore[no-any-return]


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Array:
    """A view of a storage. Raises Refused unless it lies inside, and has no more elements than the storage."""
    _check(type(storage) is Storage, "a tensor without numbers")
    held = storage.numbers
    _check(type(size) is type(stride) is tuple and len(size) == len(stride) <= AXES, "a tensor of no shape")
    numbers = (offset, *size, *stride)
    _check(all(type(number) is int and 0 <= number < MOST for number in numbers), "a tensor of an impossible shape")
    _check(prod(size) <= held.size, "a tensor larger than its numbers")
    width = held.itemsize
    places = tuple(step * width for step in stride)
    view: Array = np.ndarray(size, held.dtype, held, offset * width, places)  # checks that it lies inside
    return view


def _storage(budget: Budget, content: Any) -> Storage:
    """The numbers of a storage that torch pickled: five pickles, then how many numbers, then the numbers."""
    _check(type(content) is bytes, "a storage that is no bytes")
    file = io.BytesIO(content)
    magic, version, system, declared, keys = (run(file, DECLARED, budget, _declared, no_state) for _ in range(5))
    _check((magic, version) == (MAGIC, VERSION), "a storage that torch did not write")
    _check(type(system) is dict and system.get("little_endian") is True, "numbers in big-endian order")
    _check(type(declared) is Declared and type(keys) is list and len(keys) == 1, "a storage that is none")
    begin = file.tell() + COUNT.size
    width = np.dtype(declared.code).itemsize
    _check(len(content) >= begin, "a storage that ends too soon")
    _check(COUNT.unpack(file.read(COUNT.size)) == (declared.count,), "a storage of another length than it says")
    _check(len(content) - begin == declared.count * width, "a storage of another length than it says")
    return Storage(np.frombuffer(content, declared.code, offset=begin))


def _declared(given: Any) -> Declared:
    """A storage by its persistent id: ("storage", type, key, where it was, count), and a view of it or None."""
    _check(type(given) is tuple and len(given) <= AXES, "an object that is no storage")
    what, kind, _, _, count, *_ = given
    _check(what == "storage" and type(kind) is Name and type(count) is int, "an object that is no storage")
    return Declared(kind.make(), count)


def _check(good: bool, otherwise: str) -> None:
    if not good:
        raise Refused(otherwise)
