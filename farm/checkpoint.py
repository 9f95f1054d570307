"""Checkpoints as tensors by name: data, never code. One that needs code to be read is refused. Knows no network."""

import pickle
import re
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from farm.errors import DataError
from farm.record import OUT_OF_MEMORY

BROKEN = (  # what torch.load raises on files that are damaged or something else altogether
    OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError, LookupError, AttributeError, TypeError,
    AssertionError,
)  # fmt: skip
NESTED = ("state_dict", "model_state_dict", "model", "net", "ema")  # where trainers put a state dict, first come first
WRAPPERS = ("module.", "_orig_mod.", "model.", "net.")  # what one puts before all names that it wraps
NUMPY = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")  # a number of its own, by its version
TORCHSCRIPT = "TorchScript archive"  # in torch.load's complaint
LISTED = 5  # names in a message
NO_SAFETENSORS = "not a safetensors file, or truncated ({}): fetch or save it again"


def read_weights(path: Path) -> dict[str, Tensor]:
    """A checkpoint's tensors on the CPU in the file's order (safetensors: by name), floating ones as float32.

    path: a ``.safetensors`` file, or what `torch.save` wrote of a state dict, or of one below a key of `NESTED`.
    Raises DataError if it is neither, is truncated, holds anything but tensors, or needs code to be read, and
    MemoryError if its tensors are too large.
    """
    state: object = _safetensors(path) if path.suffix == ".safetensors" else _pickled(path)
    if isinstance(state, Mapping):
        nested = [state[key] for key in NESTED if isinstance(state.get(key), Mapping)]
        state = next((inner for inner in nested if _all_tensors(inner)), next(iter(nested), state))
    if not isinstance(state, Mapping):
        raise DataError(f"{path}: holds a {type(state).__name__}, not a state dict: save `model.state_dict()`")
    tensors: dict[str, Tensor] = {}
    for key, value in state.items():
        if not isinstance(key, str) or not isinstance(value, Tensor) or value.layout != torch.strided:
            kind = type(value).__name__
            raise DataError(f"{path}: {key!r} is a {kind}, not a dense tensor: save `model.state_dict()` alone")
        tensors[key] = value.float() if value.is_floating_point() else value
    return tensors


def _all_tensors(state: Mapping[object, object]) -> bool:
    return bool(state) and all(isinstance(value, Tensor) for value in state.values())


def unwrapped(tensors: Mapping[str, Tensor], names: Collection[str] = ()) -> Mapping[str, Tensor]:
    """The tensors without a prefix that all of them have from what wrapped their network, or several.

    names: of the network that is to take them; what it has itself stays.
    """
    while tensors and not any(name in tensors for name in names):
        prefix = next((prefix for prefix in WRAPPERS if all(key.startswith(prefix) for key in tensors)), None)
        if prefix is None:
            break
        tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
    return tensors


def read_metadata(path: Path) -> dict[str, str]:
    """What a ``.safetensors`` file says of itself. Raises DataError if it is none, or truncated."""
    try:
        with safetensors.safe_open(path, "pt") as file:
            return dict(file.metadata() or {})
    except (OSError, safetensors.SafetensorError) as error:
        raise DataError(f"{path}: {NO_SAFETENSORS.format(error)}") from error


def misfits(state: Mapping[str, Tensor], tensors: Mapping[str, Tensor], optional: str = "") -> str:
    """Why a network of this state cannot take tensors; else empty. optional: the end of names that may be missing."""
    both = [(name, state[name], tensors[name]) for name in state if name in tensors]
    shapes = [(name, tuple(ours.shape), tuple(theirs.shape)) for name, ours, theirs in both]
    types = [(name, ours.dtype, theirs.dtype) for name, ours, theirs in both]
    faults = {
        "missing": [name for name in state if name not in tensors and not (optional and name.endswith(optional))],
        "unexpected": [name for name in tensors if name not in state],
        "of another shape": [f"{name} is {theirs}, not {ours}" for name, ours, theirs in shapes if ours != theirs],
        "of another type": [
            f"{name} is {theirs}, not {ours}"
            for name, ours, theirs in types
            if ours.is_floating_point != theirs.is_floating_point
        ],
    }
    return "; ".join(f"{fault}: {first_few(names)}" for fault, names in faults.items() if names)


def first_few(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")


def _safetensors(path: Path) -> object:
    try:
        return safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise DataError(f"{path}: {NO_SAFETENSORS.format(error)}") from error


def _pickled(path: Path) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch remarks on odd files; the error after it says enough
            with torch.serialization.safe_globals(_numpy_scalars()):
                return torch.load(path, map_location="cpu", weights_only=True)
    except BROKEN as error:
        if any(words in str(error) for words in OUT_OF_MEMORY):
            raise MemoryError(f"{path}: {error}".partition("\n")[0]) from error
        if TORCHSCRIPT in str(error):
            way_out = "ov.save_model(ov.convert_model(torch.jit.load(FILE), example_input=...), 'model.xml')"
            raise DataError(f"{path}: a TorchScript model, not a state dict: {way_out}, and name model.xml") from error
        code = re.search(r"(?:Unsupported global:|unsupported) GLOBAL (\S+)", str(error))  # unknown or blocked
        if code:
            text = f"needs code to be read ({code[1]}), and is read with weights_only, which runs none"
            raise DataError(f"{path}: {text}: save `model.state_dict()` with torch.save") from error
        first = (str(error).splitlines() or [""])[0].partition(". ")[0]  # then comes advice to switch weights_only off
        text = f"not a checkpoint, or truncated ({type(error).__name__}: {first}): fetch it again"
        raise DataError(f"{path}: {text}, or save `model.state_dict()` with torch.save") from error


def _numpy_scalars() -> list[Callable[..., Any] | tuple[Callable[..., Any], str]]:
    """What builds numpy's numbers, which trainers keep beside a state dict: data, and no code."""
    numbers = {type(np.dtype(code)) for code in np.typecodes["AllInteger"] + np.typecodes["AllFloat"] + "?"}
    build: Any = np.float64(0).__reduce__()[0]
    return [np.dtype, *numbers, *((build, name) for name in NUMPY)]
