"""Pickles that tests make in the layout of NVIDIA's StyleGAN2-ADA snapshots, with random weights."""

import pickle
import struct
import sys
from collections import OrderedDict
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

PERSISTENCE, UTIL = "torch_utils.persistence", "dnnlib.util"
SOURCE = "import os\nos.mkdir('it_ran')\n"  # what module_src holds, were it ever run


def _reconstruct_persistent_obj(meta: dict[str, Any]) -> None:
    raise AssertionError("pickles are never loaded by pickle")


class EasyDict(dict):
    """A dict whose class is NVIDIA's."""


_reconstruct_persistent_obj.__module__, EasyDict.__module__ = PERSISTENCE, UTIL


class Persistent:
    """An object of one of NVIDIA's classes."""

    def __init__(self, class_name: str, state: dict[str, Any]) -> None:
        self.class_name, self.state = class_name, state

    def __reduce__(self) -> tuple[Any, ...]:
        meta = {"type": "class", "version": 6, "module_src": SOURCE, "class_name": self.class_name, "state": self.state}
        return _reconstruct_persistent_obj, (meta,)


@contextmanager
def nvidias_modules():
    """The modules by which NVIDIA's pickles name their classes."""
    for name, member in ((PERSISTENCE, _reconstruct_persistent_obj), (UTIL, EasyDict)):
        package, made = ModuleType(name.partition(".")[0]), ModuleType(name)
        setattr(made, member.__name__, member)
        sys.modules |= {package.__name__: package, name: made}
    try:
        yield
    finally:
        for name in (PERSISTENCE, UTIL):
            del sys.modules[name], sys.modules[name.partition(".")[0]]


def write(path: Path, content: Any, protocol: int = 4) -> Path:
    if isinstance(content, bytes):
        path.write_bytes(content)
        return path
    with nvidias_modules():
        path.write_bytes(pickle.dumps(content, protocol))
    return path


def snapshot(**generator: Any) -> dict[str, Any]:
    """What a training saves; the keywords are `generator`'s."""
    made = generator_of(**generator)
    return {"G": None, "D": None, "G_ema": made, "augment_pipe": None, "training_set_kwargs": EasyDict(use_labels=True)}


def generator_of(
    *,
    seed: int = 0,
    resolution: int = 16,
    classes: int = 3,
    z_dim: int = 6,
    w_dim: int = 8,
    base: int = 128,
    most: int = 12,
    layers: int = 2,
    clamp: float | None = 256,
    noisy: bool = True,
) -> Persistent:
    random = Random(seed, w_dim, clamp)
    blocks, before = {}, None
    side = 4
    while side <= resolution:
        channels = min(base // side, most)
        blocks[f"b{side}"] = random.block(side, before, channels, noisy)
        before, side = channels, side * 2
    mapping = {"embed": random.linear(classes, w_dim)} if classes else {}
    widths = [z_dim + (w_dim if classes else 0), *[w_dim] * layers]
    for index in range(layers):
        mapping[f"fc{index}"] = random.linear(widths[index], widths[index + 1], rate=0.01)
    modules = {
        "synthesis": module("SynthesisNetwork", modules=blocks),
        "mapping": module("MappingNetwork", buffers={"w_avg": random.normal(w_dim)}, modules=mapping),
    }
    sizes = {
        "z_dim": z_dim, "c_dim": classes, "w_dim": w_dim, "img_resolution": resolution, "img_channels": 3,
    }  # fmt: skip
    kwargs = sizes | {
        "mapping_kwargs": EasyDict(num_layers=layers),
        "synthesis_kwargs": EasyDict(channel_base=base, channel_max=most, conv_clamp=clamp, use_noise=noisy),
    }
    return module("Generator", modules=modules, **sizes, _init_args=(), _init_kwargs=kwargs)


def module(
    class_name: str,
    parameters: dict[str, Any] | None = None,
    buffers: dict[str, Any] | None = None,
    modules: dict[str, Any] | None = None,
    **attributes: Any,
) -> Persistent:
    held = {
        "training": False,
        "_parameters": {name: torch.nn.Parameter(value) for name, value in (parameters or {}).items()},
        "_buffers": buffers or {},
        "_non_persistent_buffers_set": set(),
        "_forward_hooks": OrderedDict(),
        "_modules": modules or {},
    }
    return Persistent(class_name, held | attributes)


class Random:
    """Random modules. w_dim, clamp: as all layers of a network have them."""

    def __init__(self, seed: int, w_dim: int, clamp: float | None) -> None:
        self.numbers, self.w_dim, self.clamp = np.random.default_rng(seed), w_dim, clamp
        taps = torch.tensor([1.0, 3, 3, 1])
        self.taps = taps.outer(taps) / 64

    def normal(self, *shape: int) -> torch.Tensor:
        return torch.from_numpy(self.numbers.standard_normal(shape, np.float32))

    def linear(self, inputs: int, outputs: int, *, rate: float = 1.0, bias: float = 0.0) -> Persistent:
        parameters = {"weight": self.normal(outputs, inputs) / rate, "bias": (self.normal(outputs) * 0.3 + bias) / rate}
        gains = {"weight_gain": rate / np.sqrt(inputs), "bias_gain": rate}  # a numpy scalar, as in NVIDIA's
        return module("FullyConnectedLayer", parameters, **gains)

    def block(self, side: int, before: int | None, channels: int, noisy: bool) -> Persistent:
        layers = {"conv0": self.layer(side, before, channels, noisy)} if before else {}
        layers |= {"conv1": self.layer(side, channels, channels, noisy), "torgb": self.to_rgb(channels)}
        const = {} if before else {"const": self.normal(channels, 4, 4)}
        return module("SynthesisBlock", const, {"resample_filter": self.taps}, layers, architecture="skip")

    def layer(self, side: int, inputs: int, outputs: int, noisy: bool) -> Persistent:
        parameters = {"weight": self.normal(outputs, inputs, 3, 3), "bias": self.normal(outputs) * 0.3}
        buffers = {"resample_filter": self.taps}
        if noisy:
            parameters["noise_strength"] = self.normal(1)[0] * 0.3
            buffers["noise_const"] = self.normal(side, side)
        modules = {"affine": self.linear(self.w_dim, inputs, bias=1.0)}
        return module("SynthesisLayer", parameters, buffers, modules, conv_clamp=self.clamp, act_gain=np.sqrt(2))

    def to_rgb(self, channels: int) -> Persistent:
        parameters = {"weight": self.normal(3, channels, 1, 1), "bias": self.normal(3) * 0.3}
        modules = {"affine": self.linear(self.w_dim, channels, bias=1.0)}
        return module("ToRGBLayer", parameters, modules=modules, conv_clamp=self.clamp)


def tensors_of(made: Persistent, prefix: str = "") -> dict[str, torch.Tensor]:
    """A module's parameters and buffers by name."""
    own = made.state["_parameters"] | made.state["_buffers"]
    found = {prefix + name: value.detach() for name, value in own.items()}
    for name, child in made.state["_modules"].items():
        found |= tensors_of(child, f"{prefix}{name}.")
    return found


# pickles by hand
BEGIN = b"\x80\x04"
LOAD = ("torch.storage", "_load_from_bytes")
REBUILD = ("torch._utils", "_rebuild_tensor_v2")
PERSISTENT = (PERSISTENCE, "_reconstruct_persistent_obj")


def text(said):
    return b"\x8c" + bytes([len(said)]) + said.encode()


def name(module, member):
    return text(module) + text(member) + b"\x93"


def call(module, member, *arguments):
    return name(module, member) + b"(" + b"".join(arguments) + b"tR"


def held(content):
    return b"B" + struct.pack("<I", len(content)) + content


def number(value):
    return pickle.dumps(value, 2)[2:-1]


def numbers(values=16, *, tail=b"", declared=None, kind="FloatStorage", magic=0x1950A86A20F9469CFC6C, little=True):
    """A storage as torch pickles it within a pickle."""
    said = [magic, 1001, {"little_endian": little}]
    where = b"(X\x07\x00\x00\x00storagectorch\n" + kind.encode() + b"\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu"
    count = values if declared is None else declared
    pickled = [pickle.dumps(each, 2) for each in said]
    pickled += [b"\x80\x02" + where + number(count) + b"NtQ.", pickle.dumps(["0"], 2)]
    return b"".join(pickled) + struct.pack("<q", count) + bytes(4 * values) + tail


def tensor(*, storage=None, offset=0, size=(2, 2), stride=(2, 1)):
    storage = call(*LOAD, held(numbers())) if storage is None else storage
    return call(*REBUILD, storage, *map(number, (offset, size, stride, False)), call("collections", "OrderedDict"))
