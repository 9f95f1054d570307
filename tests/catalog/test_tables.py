"""Every entry of every table: its functions are there, and take what their callers give."""

import inspect
import warnings

import numpy as np
import pytest

from farm.catalog import CATALOG
from farm.catalog.sources import SOURCES
from farm.catalog.stages import ALONE
from farm.data import imageset
from farm.spec import resolve

IMAGES = ("parameters", "files")
COMPUTED = (*IMAGES, "equipment")


def functions():
    """(function, the names of what it is given) of each entry, once."""
    named = {(spec.function, ("classes",)) for spec in CATALOG.models.values() if spec.function}
    named |= {(spec.function, IMAGES) for spec in CATALOG.datasets.values()}
    named |= {(spec.function, COMPUTED if spec.equipped else IMAGES) for spec in CATALOG.sources.values()}
    named |= {(spec.network, COMPUTED) for spec in CATALOG.sources.values() if spec.network}
    named |= {(spec.function, ("quantization",)) for spec in CATALOG.algorithms.values()}
    named |= {(spec.function, ("job",)) for spec in (CATALOG.stages | ALONE).values()}
    loaded = (*CATALOG.models.values(), *CATALOG.datasets.values(), *CATALOG.sources.values())
    return sorted(named | {(each.beside, ("path",)) for spec in loaded for each in spec.inputs if each.beside})


@pytest.mark.parametrize(("function", "given"), functions())
def test_a_function_named_in_a_table_takes_what_it_is_given(function, given):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what libraries say of themselves while they are imported
        signature = inspect.signature(resolve(function))
    assert tuple(name.lstrip("_") for name in signature.parameters) == given


@pytest.mark.parametrize("table", ["models", "datasets", "sources"])
def test_what_an_input_is_read_from_is_a_parameter_of_its_entry(table):
    for name, spec in getattr(CATALOG, table).items():
        named = {each.parameter for each in spec.inputs if each.parameter}
        assert named <= set(spec.parameters.model_fields), name


@pytest.mark.parametrize("name", ["digits", "fractal", "noise"])
def test_a_source_without_files_survives_a_shard_with_its_defaults(name, tmp_path):
    spec = SOURCES[name]
    parameters = spec.parameters.model_validate({"count": 70}).model_dump() | {"size": (32, 32)}
    images = resolve(spec.function)(parameters, {})
    imageset.write(tmp_path / "shard.parquet", images, 10, 70)
    shard = imageset.read(tmp_path / "shard.parquet")
    assert shard.classes == images.classes
    assert np.array_equal(shard.block(0, 60).images, images.block(10, 70).images)
