"""What NVIDIA's snapshots hold: the averaged generator's parameters by name, or what is wrong with them."""

from collections import OrderedDict

import numpy as np
import pytest
import torch

from farm.errors import DataError
from farm.generators.stylegan2.layout import layout
from tests.generators import nvidia
from tests.generators.nvidia import BEGIN, call, numbers


@pytest.fixture
def saved(tmp_path):
    """Bytes or an object -> the path of a pickle of them."""
    return lambda content, protocol=4: nvidia.write(tmp_path / "network.pkl", content, protocol)


def as_later(snapshot):
    """As NVIDIA's later repository saves: arguments of the synthesis network beside the others, the clamp a default."""
    kwargs = snapshot["G_ema"].state["_init_kwargs"]
    given = kwargs.pop("synthesis_kwargs")
    del given["conv_clamp"]
    kwargs |= given | {"fused_modconv_default": "inference_only", "num_fp16_res": 4}
    return snapshot


def as_converted(snapshot):
    """As NVIDIA's `legacy.py` makes them: every argument is there, the defaults too."""
    kwargs = snapshot["G_ema"].state["_init_kwargs"]
    kwargs["mapping_kwargs"] |= {"embed_features": None, "layer_features": None, "activation": "lrelu"}
    kwargs["synthesis_kwargs"] |= {"architecture": "skip", "resample_filter": [1, 3, 3, 1], "num_fp16_res": 0}
    return snapshot


def as_positional(snapshot):
    """As of a generator whose sizes were positional arguments."""
    for size in ("z_dim", "c_dim", "img_resolution"):
        del snapshot["G_ema"].state["_init_kwargs"][size]
    return snapshot


@pytest.mark.parametrize("other", [as_later, as_converted, as_positional])
def test_every_way_in_which_nvidia_saves_is_the_same_generator(saved, other):
    assert layout(saved(other(nvidia.snapshot()))).config == layout(saved(nvidia.snapshot())).config


def test_modules_that_hold_one_another_are_refused(saved):
    inner = nvidia.module("Module")
    for _ in range(40):  # 2 ** 40 of them, walked through
        inner = nvidia.module("Module", modules={"a": inner, "b": inner})
    with pytest.raises(DataError, match="more than 2,000 modules"):
        layout(saved({"G_ema": nvidia.module("Generator", modules={"mapping": inner})}))


def test_weights_that_share_their_numbers_are_refused(saved):
    class Same:
        """One storage, pickled once."""

        def __init__(self):
            self.bytes = numbers(8192)

        def __reduce__(self):
            return torch.storage._load_from_bytes, (self.bytes,)

    class View:
        def __init__(self, shape, storage):
            self.size, self.storage = tuple(shape), storage

        def __reduce__(self):
            strides = tuple(np.empty(self.size, np.int8).strides)
            return torch._utils._rebuild_tensor_v2, (self.storage, 0, self.size, strides, False, OrderedDict())

    def shared(made, storage):
        for part in ("_parameters", "_buffers"):
            made.state[part] = {key: View(value.shape, storage) for key, value in made.state[part].items()}
        for child in made.state["_modules"].values():
            shared(child, storage)

    snapshot = nvidia.snapshot(base=1024, most=30, resolution=32, w_dim=30)
    shared(snapshot["G_ema"], Same())
    with pytest.raises(DataError, match="more numbers than the file has bytes"):
        layout(saved(snapshot))


STYLEGAN3 = nvidia.module(
    "Generator",
    modules={"synthesis": nvidia.module("SynthesisNetwork", modules={"input": nvidia.module("SynthesisInput")})},
)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"G": nvidia.generator_of(), "D": None}, "a snapshot with `G`, `D` but no `G_ema`, the averaged"),
        ({"D": None}, "a snapshot with `D` but no `G_ema`"),
        ({"G_ema": None}, "its `G_ema` is a NoneType, no network"),
        ({"G_ema": nvidia.module("Discriminator")}, "its `G_ema` is a 'Discriminator', no StyleGAN2-ADA"),
        ({"G_ema": STYLEGAN3}, "a StyleGAN3 generator"),
        (nvidia.generator_of(), "one 'Generator' alone"),
        ({"a": 1}, "a pickled dict, no snapshot"),
        ([1], "a pickled list, no snapshot"),
        (BEGIN + call("dnnlib.tflib.network", "Network") + b".", "of TensorFlow: convert it with `legacy.py`"),
    ],
)
def test_another_pickle_is_told_what_it_is(saved, content, says):
    with pytest.raises(DataError, match=rf"network.pkl: .*{says}"):
        layout(saved(content))


def changed(**state):
    """A snapshot whose generator's own attributes are others, or not there (None)."""
    snapshot = nvidia.snapshot()
    snapshot["G_ema"].state.update(state)
    return snapshot


def given_as(**arguments):
    """A snapshot whose generator was made with other arguments."""
    snapshot = nvidia.snapshot()
    state = snapshot["G_ema"].state
    kwargs = state["_init_kwargs"]
    for key, value in arguments.items():
        if key in kwargs:
            kwargs[key] = value
            state.update({key: value} if key in state else {})
        elif key in ("num_layers", "lr_multiplier", "activation"):
            kwargs["mapping_kwargs"][key] = value
        else:
            kwargs["synthesis_kwargs"][key] = value
    return snapshot


def held_as(owner, part, key, value):
    """A snapshot in which one module, by path, holds something else."""
    snapshot = nvidia.snapshot()
    made = snapshot["G_ema"]
    for step in owner.split("."):
        made = made.state["_modules"][step]
    if value is None:
        del made.state[part][key]
    elif part:
        made.state[part][key] = value
    else:
        made.state[key] = value
    return snapshot


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (changed(_init_kwargs=None), "a generator without `_init_kwargs`"),
        (changed(z_dim=7), "`z_dim` is 6 in `_init_kwargs`, but 7 in the generator itself"),
        (given_as(z_dim=10**9), "`z_dim` is 1000000000: must be a whole number from 1 to 16384"),
        (given_as(img_channels=1), "`img_channels` is 1: farm's images have 3 channels"),
        (given_as(img_resolution=24), "`img_resolution` is 24: must be a power of two from 4 to 4096"),
        (given_as(use_noise=1), "`use_noise` is 1: must be true or false"),
        (given_as(lr_multiplier="a"), "`lr_multiplier` is 'a': must be a positive number"),
        (given_as(mapping_kwargs=3), "a generator without `mapping_kwargs`"),
        (given_as(architecture="resnet"), "`architecture` is 'resnet': farm's network is written for 'skip' alone"),
        (given_as(activation=np.float64(1)), "`activation` is 1.0: farm's network is written for 'lrelu' alone"),
        (given_as(activation=torch.ones(2)), "`activation` is a ndarray"),
        (given_as(foreign=1), "`synthesis_kwargs` has 'foreign', unknown to farm's network"),
        (given_as(num_layers=2**70), "`num_layers` is a int: must be a whole number"),
        (given_as(num_layers=3), "mapping.fc2.weight is missing, mapping.fc2.bias is missing"),
        (given_as(lr_multiplier=0.5), "`lr_multiplier` is 0.5 in `mapping_kwargs`, but 0.01 in mapping.fc0"),
        (given_as(channel_max=16), r"not the weights that its `_init_kwargs` tell of: .*const is \(12, 4, 4\), not"),
        (given_as(channel_base=2**24), r"b16.conv0.weight is \(8, 12, 3, 3\), not \(12, 12, 3, 3\), .* and 4 more"),
        (given_as(channel_base=4), r"`channel_base` is 4: leaves no channels at 16x16"),
        (given_as(img_resolution=4096, channel_base=2**15), r"maps larger than any of NVIDIA's networks"),
        (given_as(conv_clamp=255), "`conv_clamp` is 255 or 256"),
        (given_as(conv_clamp="a"), "`conv_clamp` is 'a': must be"),
        (held_as("synthesis.b8.conv0", None, "conv_clamp", 1), "`conv_clamp` is 256 or .*: must be one"),
        (held_as("synthesis.b8.conv0", "_parameters", "bias", None), "synthesis.b8.conv0.bias is missing"),
        (held_as("mapping", "_buffers", "w_avg", torch.ones(9)), r"mapping.w_avg is \(9,\), not \(8,\)"),
        (held_as("mapping", "_buffers", "w_avg", torch.ones(8).long()), "mapping.w_avg is of int64, not floating"),
        (held_as("mapping", "_buffers", "w_avg", 3), "'mapping.w_avg' is a int, no tensor"),
        (held_as("mapping", "_buffers", "x", torch.ones(9)), "'mapping.x' is not the generator's"),
        (held_as("mapping", "_modules", "x", 3), "'mapping.x' is a int, no module"),
        (held_as("mapping", "_modules", "x" * 200, nvidia.module("A")), "names of more than 100 characters"),
        (held_as("mapping", None, "_buffers", []), "a 'MappingNetwork' without _buffers"),
    ],
)  # fmt: skip
def test_a_configuration_and_weights_that_disagree_are_told_by_name(saved, content, says):
    with pytest.raises(DataError, match=rf"network.pkl: .*({says}).*: give a snapshot"):
        layout(saved(content))
