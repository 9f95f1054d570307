"""What a grid may say of a model's preprocessing, in any of the usual conventions."""

import pytest
from pydantic import ValidationError

from farm.catalog.models import ModelParameters


def test_one_number_stands_for_all_channels():
    found = ModelParameters(mean=0.5, std=0.25)
    assert (found.mean, found.std) == ((0.5,) * 3, (0.25,) * 3)
    assert ModelParameters(scale_values=255).scale_values == (255.0,) * 3


@pytest.mark.parametrize(("scale", "instead"), [(255.0, "0.00392157"), (127.5, "0.00784314"), (1.5, "0.666667")])
def test_a_scale_that_is_meant_to_divide_is_told_how_to_say_so(scale, instead):
    said = f"write {instead}, or `scale_values: {scale:g}`"
    with pytest.raises(ValidationError, match=said):
        ModelParameters(scale=scale)


@pytest.mark.parametrize("other", [{"mean": 0.5}, {"std": 0.5}, {"scale": 1.0}])
def test_the_same_thing_is_said_one_way(other):
    with pytest.raises(ValidationError, match=f"says another way what {next(iter(other))} says"):
        ModelParameters(scale_values=255.0, **other)


@pytest.mark.parametrize("parameters", [{"std": 0.0}, {"std": (1.0, 1.0, -1.0)}, {"scale_values": 0.0}, {"mean": True}])
def test_nothing_is_divided_by_zero(parameters):
    with pytest.raises(ValidationError):
        ModelParameters(**parameters)
