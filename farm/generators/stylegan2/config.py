"""What shapes a StyleGAN2-ADA generator, by the arguments that NVIDIA's classes were made with. Knows no weights."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeGuard

from farm.generators.stylegan2.machine import Refused, shown
from farm.generators.stylegan2.pickled import Persistent

SIDES = tuple(4 << index for index in range(11))  # pixels along a side
SMALLEST, LARGEST = SIDES[0], SIDES[-1]
ROOMIEST = 1 << 26  # numbers of a map; those of NVIDIA's networks have half as many at most
WIDEST = 1 << 14  # a greater length or number of channels is a mistake
HUGE = 1 << 63
DEEPEST = 64  # layers of a mapping
RGB = 3
LISTED = 5
HELP = "give a snapshot that NVIDIA's stylegan2-ada-pytorch saved"

SIZES = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels")
MAPPING = {  # NVIDIA's arguments and defaults
    "num_layers": 8,
    "embed_features": None,
    "layer_features": None,
    "activation": "lrelu",
    "lr_multiplier": 0.01,
    "w_avg_beta": 0.995,
}
SYNTHESIS = {
    "channel_base": 32768,
    "channel_max": 512,
    "architecture": "skip",
    "activation": "lrelu",
    "use_noise": True,
    "resample_filter": None,  # a buffer has it
    "conv_clamp": None,  # each layer has it
    "num_fp16_res": 0,  # this one and those below are about speed on a GPU alone
    "use_fp16": False,
    "fp16_channels_last": False,
    "fused_modconv_default": True,
}
ONLY = {"activation": "lrelu", "architecture": "skip"}
CLAMPED = (".conv0.", ".conv1.", ".torgb.")

Modules = Mapping[str, Persistent]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What shapes a generator.

    z_dim, w_dim: lengths of a latent and an intermediate latent. classes: 0 if it is unconditional. layers, hidden,
    rate: of the mapping, how many, how wide, and what their weights and biases are multiplied by. embedded: length
    of a class's embedding. averaged: whether the mean intermediate latent is there. channels: of the maps of 4x4,
    8x8, ... pixels, up to the image's. noisy: whether layers add noise. clamp: of what layers give, if any.
    """

    z_dim: int
    w_dim: int
    classes: int
    layers: int
    hidden: int
    rate: float
    embedded: int
    averaged: bool
    channels: tuple[int, ...]
    noisy: bool
    clamp: float | None

    @property
    def sides(self) -> tuple[int, ...]:
        """Pixels along a side of the maps, up to the image's."""
        return SIDES[: len(self.channels)]


def config_of(modules: Modules) -> Config:
    """The configuration of a generator, module "". Raises Refused if it contradicts itself or is none of farm's."""
    state = modules[""].state
    given = dict(_dict("_init_kwargs", state.get("_init_kwargs")))
    sizes = {name: _size(name, given.pop(name, None), state.get(name)) for name in SIZES}
    mapping = _known("mapping_kwargs", given.pop("mapping_kwargs", {}), MAPPING)
    mapping |= {name: sizes["w_dim"] for name in ("embed_features", "layer_features") if mapping[name] is None}
    # NVIDIA's later repository gives the arguments of the synthesis network to the generator itself
    within = _dict("synthesis_kwargs", given.pop("synthesis_kwargs", {}))
    synthesis = _known("synthesis_kwargs", within | given, SYNTHESIS)
    if sizes["img_channels"] != RGB:
        raise Refused(f"`img_channels` is {sizes['img_channels']}: farm's images have {RGB} channels")
    base = _whole("channel_base", synthesis["channel_base"], WIDEST * LARGEST)
    most = _whole("channel_max", synthesis["channel_max"], WIDEST)
    noisy = synthesis["use_noise"]
    if type(noisy) is not bool:
        raise Refused(f"`use_noise` is {shown_value(noisy)}: must be true or false")
    embedded = _whole("embed_features", mapping["embed_features"], WIDEST)
    return Config(
        z_dim=sizes["z_dim"],
        w_dim=sizes["w_dim"],
        classes=sizes["c_dim"],
        layers=_whole("num_layers", mapping["num_layers"], DEEPEST),
        hidden=_whole("layer_features", mapping["layer_features"], WIDEST),
        rate=_rate(mapping["lr_multiplier"], modules),
        embedded=embedded if sizes["c_dim"] else 0,
        averaged=mapping["w_avg_beta"] is not None,
        channels=_channels(sizes["img_resolution"], base, most),
        noisy=noisy,
        clamp=_clamp(synthesis["conv_clamp"], modules),
    )


def _dict(name: str, value: object) -> dict[str, object]:
    if type(value) is not dict:
        raise Refused(f"a generator without `{name}`")
    return value


def _known(name: str, given: object, defaults: Mapping[str, object]) -> dict[str, object]:
    """NVIDIA's arguments, the defaults filled in. Raises Refused for others, and for values of no use to farm."""
    arguments = _dict(name, given)
    foreign = [shown(key) for key in arguments if key not in defaults]
    if foreign:
        raise Refused(f"`{name}` has {', '.join(foreign[:LISTED])}, unknown to farm's network")
    arguments = {**defaults, **arguments}
    for key, value in ONLY.items():
        if key in arguments and (type(arguments[key]) is not str or arguments[key] != value):
            raise Refused(f"`{key}` is {shown_value(arguments[key])}: farm's network is written for {value!r} alone")
    return arguments


def _size(name: str, given: object, attribute: object) -> int:
    """One of the generator's sizes: an argument that it was made with, and an attribute of the same name."""
    value = _whole(name, attribute if given is None else given, WIDEST, least=0 if name == "c_dim" else 1)
    if attribute is not None and _whole(name, attribute, WIDEST, least=0) != value:
        raise Refused(f"`{name}` is {value} in `_init_kwargs`, but {attribute} in the generator itself")
    return value


def _whole(name: str, value: object, most: int, least: int = 1) -> int:
    if type(value) is not int or not least <= value <= most:
        raise Refused(f"`{name}` is {shown_value(value)}: must be a whole number from {least} to {most}")
    return value


def _channels(resolution: int, base: int, most: int) -> tuple[int, ...]:
    if resolution not in SIDES:
        raise Refused(f"`img_resolution` is {resolution}: must be a power of two from {SMALLEST} to {LARGEST}")
    sides = SIDES[: SIDES.index(resolution) + 1]
    channels = tuple(min(base // side, most) for side in sides)
    if min(channels) < 1:
        raise Refused(f"`channel_base` is {base}: leaves no channels at {resolution}x{resolution}")
    if max(side**2 * wide for side, wide in zip(sides, channels, strict=True)) > ROOMIEST:
        raise Refused(f"`channel_base` is {base}, `channel_max` {most}: maps larger than any of NVIDIA's networks")
    return channels


def _rate(value: object, modules: Modules) -> float:
    """The learning rate's multiplier, which the first layer of the mapping has as the gain of its biases."""
    first = modules.get("mapping.fc0.")
    gain = first.state.get("bias_gain", value) if first else value
    if not _is_number(value) or not 0 < value < WIDEST:
        raise Refused(f"`lr_multiplier` is {shown_value(value)}: must be a positive number")
    if not _is_number(gain) or value != gain:
        raise Refused(f"`lr_multiplier` is {value} in `mapping_kwargs`, but {shown_value(gain)} in mapping.fc0")
    return float(value)


def _clamp(given: object, modules: Modules) -> float | None:
    """Where the layers cut off what they give: each says so itself, for NVIDIA's default has changed."""
    limits = [given] if given is not None else []
    limits += [module.state.get("conv_clamp") for name, module in modules.items() if name.endswith(CLAMPED)]
    for value in limits:
        if value is not None and not (_is_number(value) and 0 < value < math.inf):
            raise Refused(f"`conv_clamp` is {shown_value(value)}: must be a positive number or nothing")
    if len(set(limits)) > 1:
        listed = " or ".join(map(shown_value, limits[:LISTED]))
        raise Refused(f"`conv_clamp` is {listed} by layer and argument: must be one")
    return float(limits[0]) if limits and _is_number(limits[0]) else None


def _is_number(value: object) -> TypeGuard[float]:
    """Whether it is a plain number: no bool, no number of numpy's."""
    return type(value) in (int, float)


def shown_value(value: object) -> str:
    """A file's value as a message may hold it: nothing that is large or nested."""
    if type(value) is str:
        return shown(value)
    short = type(value) in (bool, float, type(None)) or (type(value) is int and abs(value) < HUGE)
    return repr(value) if short else f"a {type(value).__name__}"
