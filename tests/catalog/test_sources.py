"""The tables of datasets and sources."""

import numpy as np
import pytest

from farm.catalog.datasets import DATASETS
from farm.catalog.sources import SOURCES
from farm.data import imageset
from farm.spec import resolve

TABLES = [("dataset", name, spec) for name, spec in DATASETS.items()]
TABLES += [("source", name, spec) for name, spec in SOURCES.items()]


@pytest.mark.parametrize(("kind", "name", "spec"), TABLES, ids=lambda value: value if isinstance(value, str) else "")
def test_every_entry_names_a_function(kind, name, spec):
    assert callable(resolve(spec.function)), f"{kind} {name}"


@pytest.mark.parametrize("name", ["digits", "fractal", "noise"])
def test_a_source_without_files_survives_a_shard_with_its_defaults(name, tmp_path):
    spec = SOURCES[name]
    parameters = spec.parameters.model_validate({"count": 70}).model_dump() | {"size": (32, 32)}
    images = resolve(spec.function)(parameters, {})
    imageset.write(tmp_path / "shard.parquet", images, 10, 70)
    shard = imageset.read(tmp_path / "shard.parquet")
    assert shard.classes == images.classes
    assert np.array_equal(shard.block(0, 60).images, images.block(10, 70).images)
