"""Images computed in whole blocks, whatever part of them is asked for."""

import threading

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from farm.generators import aligned
from farm.generators.aligned import Aligned

COUNT, STEP = 30, 8


def blocks(workers=1, count=COUNT, computed=None):
    """Images whose pixels tell their index."""

    def compute(base):
        if computed is not None:
            computed.append((base, torch.get_num_threads()))
        pixels = np.arange(base, base + STEP)[:, None, None, None]
        return np.broadcast_to(pixels, (STEP, 2, 3, 3)).astype(np.uint8)

    return Aligned(count=count, size=(2, 3), step=STEP, compute=compute, classes=5, workers=workers)


@given(ends=st.tuples(st.integers(0, COUNT), st.integers(0, COUNT)), workers=st.integers(1, 4))
def test_any_part_is_cut_out_of_whole_blocks(ends, workers):
    start, stop = sorted(ends)
    computed = []
    block = blocks(workers, computed=computed).block(start, stop)
    assert block.images[:, 1, 2, 0].tolist() == list(range(start, stop))
    assert block.labels.tolist() == [i % 5 for i in range(start, stop)]
    wanted = sorted({i // STEP * STEP for i in range(start, stop)})
    assert sorted(base for base, _ in computed) == wanted


@given(ranges=st.lists(st.tuples(st.integers(0, COUNT), st.integers(0, COUNT)), max_size=5), workers=st.integers(1, 3))
def test_the_block_that_is_kept_is_never_given_out_for_another(ranges, workers):
    images = blocks(workers)
    for start, stop in map(sorted, ranges):
        assert images.block(start, stop).images[:, 0, 0, 0].tolist() == list(range(start, stop))


@pytest.mark.parametrize("workers", [1, 3])
def test_torch_computes_on_one_thread_and_has_its_threads_back_afterwards(workers):
    computed, before = [], torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        blocks(workers, computed=computed).block(0, COUNT)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert {threads for _, threads in computed} == {1}


def test_blocks_are_computed_at_once_by_as_many_workers_as_there_are():
    meeting = threading.Barrier(3, timeout=30)  # nobody goes on before all three are there

    def compute(_base):
        meeting.wait()
        return np.zeros((STEP, 2, 3, 3), np.uint8)

    Aligned(count=3 * STEP, size=(2, 3), step=STEP, compute=compute, workers=3).block(0, 3 * STEP)
    assert not meeting.broken


def test_what_a_block_raises_is_raised():
    def compute(base):
        raise ValueError(base)

    for workers in (1, 2):
        with pytest.raises(ValueError, match="0"):
            Aligned(count=COUNT, size=(2, 3), step=STEP, compute=compute, workers=workers).block(0, COUNT)


def test_five_thousand_images_of_ten_classes_are_five_hundred_of_each():
    assert np.bincount(aligned.labels(0, 5000, 10)).tolist() == [500] * 10
    assert np.bincount(aligned.labels(3, 13, 10)).tolist() == [1] * 10
    assert set(aligned.labels(0, 5000, None).tolist()) == {-1}
