"""Which devices a piece of work asks for."""

import pytest

from farm.engine.preflight import _devices


@pytest.mark.parametrize(
    ("device", "parts"),
    [
        ("CPU", ("CPU",)),
        ("GPU.0", ("GPU.0",)),
        ("AUTO", ("AUTO",)),
        ("AUTO:GPU,CPU", ("AUTO", "GPU", "CPU")),
        ("MULTI:GPU(2),CPU(4)", ("MULTI", "GPU", "CPU")),
        ("AUTO:-NPU", ("AUTO",)),
        ("AUTO:-NPU,GPU", ("AUTO", "GPU")),
        (None, ()),
    ],
)
@pytest.mark.parametrize("form", ["measure", "evaluate"])
def test_a_device_is_asked_for_by_its_parts_without_weights_and_what_is_left_out(maker, device, parts, form):
    said = {"name": device} if form == "measure" and device else device
    assert _devices(maker.work("fine", stage={"device": said})) == parts
