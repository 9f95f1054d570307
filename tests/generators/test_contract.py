"""What every source that computes its images must keep: image i is a function of (parameters, seed, i) alone.

Shards, batches, order, workers, torch's threads and a new process change no byte.
"""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.catalog.sources import SOURCES
from farm.data import imageset
from farm.generators.equipment import Equipment
from farm.stages.synthesize import opened
from tests.generators import checkpoints, nvidia

SHARED = Path(os.environ.get("FARM_SHARED", Path(__file__).parents[3] / "shared"))
COUNT = 600  # two of a shard's blocks and a part of the third
COMPUTED = ("noise", "fractal", "distylegan", "stylegan2-ada")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A source with small images. parameters: all but count. weights: where the source needs some."""

    name: str
    parameters: dict[str, Any]
    weights: Path | None
    classes: int | None

    def made(self, count: int = COUNT, workers: int = 1, **changes: Any) -> imageset.ImageSet:
        files = {"weights": self.weights} if self.weights else {}
        return opened(self.name, {**self.parameters, "count": count, **changes}, files, Equipment(workers=workers))


@pytest.fixture(scope="module", params=[name for name in COMPUTED if name in SOURCES])
def case(request, tmp_path_factory):
    """Each source of the table that computes its images."""
    name, given_, weights, classes = request.param, {}, None, None
    if name in ("noise", "fractal"):
        given_ = {"size": (12, 16)}
    elif name == "distylegan":
        weights, classes = checkpoints.distylegan(tmp_path_factory.mktemp("contract") / "small"), 3
    else:
        snapshot = nvidia.snapshot(seed=3)
        weights, classes = nvidia.write(tmp_path_factory.mktemp("contract") / "small.pkl", snapshot), 3
    given_ |= {"weights": str(weights)} if weights else {}
    parameters = SOURCES[name].parameters.model_validate({"seed": 3, **given_}).model_dump()
    return Case(name=name, parameters=parameters, weights=weights, classes=classes)


@pytest.fixture(scope="module")
def whole(case):
    return case.made().block(0, COUNT)


def test_every_source_that_computes_its_images_is_tested_here():
    assert {name for name, spec in SOURCES.items() if spec.equipped} <= set(COMPUTED)
    assert {name for name, spec in SOURCES.items() if spec.network} <= set(COMPUTED)


@settings(max_examples=15)
@given(data=st.data())
def test_any_count_slicing_and_number_of_workers_give_the_same_bytes(case, whole, data):
    count = data.draw(st.integers(1, COUNT), label="count")
    start = data.draw(st.integers(0, count), label="start")
    stop = data.draw(st.integers(start, count), label="stop")
    block = case.made(count, data.draw(st.integers(1, 3), label="workers")).block(start, stop)
    assert np.array_equal(block.images, whole.images[start:stop])
    assert np.array_equal(block.labels, whole.labels[start:stop])


@settings(max_examples=6)
@given(slices=st.lists(st.tuples(st.integers(0, COUNT - 1), st.integers(1, 300)), min_size=2, max_size=5))
def test_the_order_of_reading_changes_no_byte(case, whole, slices):
    images = case.made(count=10_000)  # another length of blocks
    for start, length in slices:
        stop = min(start + length, COUNT)
        assert np.array_equal(images.block(start, stop).images, whole.images[start:stop])


@settings(max_examples=6)
@given(cuts=st.lists(st.integers(1, COUNT - 1), max_size=3, unique=True), together=st.sampled_from([256, 512, 1024]))
def test_shards_and_batches_change_no_byte(case, whole, tmp_path_factory, cuts, together):
    folder, ends = tmp_path_factory.mktemp("shards"), [0, *sorted(cuts), COUNT]
    paths = []
    for start, stop in pairwise(ends):
        paths.append(folder / f"{start}.parquet")
        images = case.made(count=stop, workers=together // 256)
        imageset.write(paths[-1], images, start, stop, together=together)
    joined = imageset.read(*paths)
    assert joined.classes == case.classes
    assert np.array_equal(joined.block(0, COUNT).images, whole.images)
    assert np.array_equal(joined.block(0, COUNT).labels, whole.labels)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_torchs_threads_change_no_byte_and_are_left_as_they_were(case, whole, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        images = case.made().block(200, 300).images
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(images, whole.images[200:300])


AGAIN = """
import hashlib, json, sys
from pathlib import Path
from farm.generators.equipment import Equipment
from farm.stages.synthesize import opened

for line in sys.stdin:
    name, parameters, weights, start, stop = json.loads(line)
    images = opened(name, {**parameters, "count": stop}, {"weights": Path(weights)}, Equipment(workers=2))
    print(hashlib.sha256(images.block(start, stop).images.tobytes()).hexdigest(), flush=True)
"""


@pytest.fixture(scope="module")
def elsewhere():
    """Another process, which answers each set that it is told with the digest of its images."""
    environment, pipes = {**os.environ, "OMP_NUM_THREADS": "2"}, {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", AGAIN], text=True, env=environment, **pipes) as process:
        yield process


def test_another_process_that_begins_in_the_middle_changes_no_byte(case, whole, elsewhere):
    said = json.dumps([case.name, case.parameters, str(case.weights), 300, 500])
    print(said, file=elsewhere.stdin, flush=True)
    digest = elsewhere.stdout.readline().strip()
    assert digest == hashlib.sha256(whole.images[300:500].tobytes()).hexdigest()


def test_every_prefix_is_balanced_where_there_are_classes_and_unlabelled_where_not(case, whole):
    labels = whole.labels
    assert case.made().classes == case.classes
    assert labels.tolist() == ([-1] * COUNT if case.classes is None else [i % case.classes for i in range(COUNT)])


def test_images_differ_and_those_of_another_seed_too(case, whole):
    other = case.made(count=100, seed=4).block(0, 100)
    blocks = (whole.images[:100], other.images)
    assert len({image.tobytes() for block in blocks for image in block}) == 200


def test_images_are_uint8_of_one_size_that_is_known_without_computing_any(case, whole):
    block = whole
    assert (block.images.dtype, block.labels.dtype) == (np.uint8, np.int64)
    assert block.images.shape == (COUNT, *imageset.size_of(case.made()), 3)


def test_images_outside_the_set_are_an_index_error(case):
    with pytest.raises(IndexError, match=f"of a set of {COUNT}"):
        case.made().block(COUNT - 1, COUNT + 1)
