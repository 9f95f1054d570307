"""The parameters of a StyleGAN2-ADA generator by name and shape, as NVIDIA lays them down. Knows no arithmetic."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from farm.checkpoint import first_few
from farm.errors import DataError
from farm.generators.stylegan2.config import HELP, RGB, SMALLEST, Config, config_of
from farm.generators.stylegan2.machine import Refused, shown
from farm.generators.stylegan2.pickled import Array, Persistent, read

MOST = 2_000  # modules or parameters, or of them in one dict; a generator for 1024x1024 has about 200
LONGEST = 100  # characters of a parameter's name
TAPS = 4  # of the filter between resolutions, along a side


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A generator as a file holds it. arrays: its parameters and buffers, as ``synthesis.b8.conv0.weight``."""

    config: Config
    arrays: Mapping[str, Array]


def layout(path: Path) -> Layout:
    """The averaged generator ``G_ema`` of NVIDIA's snapshot.

    Raises DataError if the file is no such snapshot, its generator is none that farm can compute, or the parameters
    are not those that its configuration tells of.
    """
    snapshot = read(path)
    try:
        modules = _modules(_generator(snapshot))
        arrays = _arrays(modules)
        config = config_of(modules)
        _check(shapes(config), arrays, path.stat().st_size)
    except Refused as error:
        raise DataError(f"{path}: {error}: {HELP}") from error
    return Layout(config=config, arrays=arrays)


def shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """The shapes of all parameters and buffers, by name."""
    shapes: dict[str, tuple[int, ...]] = {"mapping.w_avg": (config.w_dim,)} if config.averaged else {}
    if config.classes:
        shapes |= _linear("mapping.embed", config.classes, config.embedded)
    widths = [config.z_dim + config.embedded, *[config.hidden] * (config.layers - 1), config.w_dim]
    for index in range(config.layers):
        shapes |= _linear(f"mapping.fc{index}", widths[index], widths[index + 1])
    before = config.channels[0]
    shapes["synthesis.b4.const"] = (before, SMALLEST, SMALLEST)
    for side, channels in zip(config.sides, config.channels, strict=True):
        block = f"synthesis.b{side}"
        shapes[f"{block}.resample_filter"] = (TAPS, TAPS)
        if side > SMALLEST:
            shapes |= _layer(f"{block}.conv0", config, before, channels, side)
        shapes |= _layer(f"{block}.conv1", config, channels, channels, side)
        shapes |= {f"{block}.torgb.weight": (RGB, channels, 1, 1), f"{block}.torgb.bias": (RGB,)}
        shapes |= _linear(f"{block}.torgb.affine", config.w_dim, channels)
        before = channels
    return shapes


def _linear(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _layer(name: str, config: Config, inputs: int, outputs: int, side: int) -> dict[str, tuple[int, ...]]:
    noise = {f"{name}.noise_const": (side, side), f"{name}.noise_strength": ()} if config.noisy else {}
    filters: dict[str, tuple[int, ...]] = {f"{name}.resample_filter": (TAPS, TAPS)}
    convolution = {f"{name}.weight": (outputs, inputs, 3, 3), f"{name}.bias": (outputs,)}
    return convolution | noise | filters | _linear(f"{name}.affine", config.w_dim, inputs)


def _check(expected: Mapping[str, tuple[int, ...]], arrays: Mapping[str, Array], size: int) -> None:
    if wrong := list(_disagreements(expected, arrays)):
        raise Refused(f"not the weights that its `_init_kwargs` tell of: {first_few(wrong)}")
    if sum(array.size for array in arrays.values()) > size:
        raise Refused("its weights are more numbers than the file has bytes")


def _disagreements(expected: Mapping[str, tuple[int, ...]], arrays: Mapping[str, Array]) -> Iterator[str]:
    """What is missing, of another shape or kind, or not the generator's, one by one."""
    for name, shape in expected.items():
        if name not in arrays:
            yield f"{name} is missing"
        elif arrays[name].shape != shape:
            yield f"{name} is {arrays[name].shape}, not {shape}"
        elif arrays[name].dtype.kind != "f":
            yield f"{name} is of {arrays[name].dtype}, not floating"
    yield from (f"{shown(name)} is not the generator's" for name in arrays if name not in expected)


def _generator(snapshot: object) -> Persistent:
    """The averaged generator. Raises Refused with what the snapshot is instead."""
    if type(snapshot) is Persistent:
        raise Refused(f"one {shown(snapshot.class_name)} alone, no snapshot of a training with `G_ema`")
    if type(snapshot) is not dict or not {"G", "D", "G_ema"} & set(snapshot):
        raise Refused(f"a pickled {type(snapshot).__name__}, no snapshot of a StyleGAN2-ADA training")
    if "G_ema" not in snapshot:
        has = ", ".join(f"`{name}`" for name in ("G", "D") if name in snapshot)
        raise Refused(f"a snapshot with {has} but no `G_ema`, the averaged generator that makes the images")
    generator = snapshot["G_ema"]
    if type(generator) is not Persistent:
        raise Refused(f"its `G_ema` is a {type(generator).__name__}, no network")
    if generator.class_name != "Generator":
        raise Refused(f"its `G_ema` is a {shown(generator.class_name)}, no StyleGAN2-ADA `Generator`")
    synthesis = _part(generator, "_modules").get("synthesis")
    if type(synthesis) is Persistent and "input" in _part(synthesis, "_modules"):
        raise Refused("a StyleGAN3 generator, which begins with Fourier features: farm computes StyleGAN2-ADA alone")
    return generator


def _modules(generator: Persistent) -> dict[str, Persistent]:
    """The generator and all modules in it, by what their parameters' names begin with."""
    modules, waiting = {"": generator}, [("", generator)]
    while waiting:
        prefix, module = waiting.pop()
        for name, child in _part(module, "_modules").items():
            if type(child) is not Persistent:
                raise Refused(f"{shown(prefix + name)} is a {type(child).__name__}, no module")
            inner = f"{prefix}{name}."
            _check_bounds(inner, len(modules))
            modules[inner] = child
            waiting.append((inner, child))
    return modules


def _arrays(modules: Mapping[str, Persistent]) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    for prefix, module in modules.items():
        for part in ("_parameters", "_buffers"):
            for name, value in _part(module, part).items():
                if type(value) is not np.ndarray:
                    raise Refused(f"{shown(prefix + name)} is a {type(value).__name__}, no tensor")
                _check_bounds(prefix + name, len(arrays))
                arrays[prefix + name] = value
    return arrays


def _part(module: Persistent, name: str) -> dict[str, object]:
    part = module.state.get(name)
    if type(part) is not dict or len(part) > MOST:
        raise Refused(f"a {shown(module.class_name)} without {name}, or with more than {MOST:,} of them")
    return {key: value for key, value in part.items() if value is not None}


def _check_bounds(name: str, count: int) -> None:
    if len(name) > LONGEST or count >= MOST:
        raise Refused(f"more than {MOST:,} modules or parameters, or names of more than {LONGEST} characters")
