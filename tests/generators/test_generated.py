"""Sets of a network's images: latents, blocks, grey levels, and a GPU whose memory is too small."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.errors import DataError
from farm.generators import generated, latents
from farm.generators.equipment import Equipment
from tests.generators.networks import telling

COUNT = 30  # three whole blocks of 8 and a part of the fourth


def made(network=None, count=COUNT, seed=5, workers=1, **how):
    equipment = Equipment(workers=workers, say=how.pop("say", lambda _: None))
    return generated.generated(network or telling(), "weights.pt", count, seed, equipment, **how)


def test_an_image_is_made_of_its_latent_its_class_the_seed_and_its_index():
    block = made().block(0, COUNT)
    assert block.images.shape == (COUNT, 2, 3, 3)
    assert block.labels.tolist() == [i % 4 for i in range(COUNT)]
    z = generated.normal(5, 0, COUNT, 3)
    told = np.stack([z[:, 0], np.arange(COUNT) % 4 / 10, (5 + np.arange(COUNT)) / 1000], axis=1)
    assert np.array_equal(block.images[:, 0, 0], np.rint(np.clip(told.astype(np.float32) + 1, 0, 2) * 127.5))


def test_of_an_unconditional_network_images_have_no_class():
    images = made(telling(classes=None))
    assert (images.classes, set(images.block(0, COUNT).labels.tolist())) == (None, {-1})


@given(start=st.integers(0, COUNT), stop=st.integers(0, COUNT), count=st.integers(1, COUNT), workers=st.integers(1, 3))
def test_any_count_slicing_and_number_of_workers_give_the_same_bytes(start, stop, count, workers):
    start, stop = sorted((min(start, count), min(stop, count)))
    whole, part = made().block(0, COUNT), made(count=count, workers=workers).block(start, stop)
    assert np.array_equal(part.images, whole.images[start:stop])
    assert np.array_equal(part.labels, whole.labels[start:stop])


def test_blocks_are_computed_whole_and_only_once_when_they_are_read_one_by_one():
    network = telling()
    images = made(network)
    for index in range(6, 18):
        images.block(index, index + 1)
    assert network.batches == [8, 8, 8]


def test_what_the_network_gives_is_written_as_it_is_and_no_further_than_the_set(tmp_path):
    images = made()
    assert list(latents.write_raw(tmp_path / "raw.npz", images, images.floats)) == [8, 16, 24, 30]
    floats = np.load(tmp_path / "raw.npz")["images"]
    assert (floats.dtype, floats.shape) == (np.float32, (COUNT, 3, 2, 3))
    assert np.array_equal(generated.grey_levels(floats), made().block(0, COUNT).images)
    assert np.abs(floats).max() > 1, "what lies outside the grey levels is cut off there only"


def test_latents_and_classes_of_ones_own_are_taken_by_index():
    images = made(
        latents=lambda start, stop: np.full((stop - start, 3), 0.5, np.float32) * np.arange(start, stop)[:, None] / 30,
        classes=lambda start, stop: np.arange(start, stop) // 10 - 1,
    )
    block = images.block(5, 25)
    assert block.labels.tolist() == [i // 10 - 1 for i in range(5, 25)]
    assert np.array_equal(block.images[:, 0, 0, 0], np.rint((np.float32(0.5) * np.arange(5, 25) / 30 + 1) * 127.5))


@pytest.mark.parametrize(("fits", "batches", "said"), [(5, [4, 4], [(8, 4)]), (1, [1] * 8, [(8, 4), (4, 2), (2, 1)])])
def test_a_gpu_without_memory_for_a_block_gets_half_as_many_at_once_and_the_images_are_the_same(fits, batches, said):
    lines, network = [], telling(fits=fits)
    images = made(network, count=8, say=lines.append)
    assert np.array_equal(images.block(0, 8).images, made(count=8).block(0, 8).images)
    assert network.batches == batches
    assert lines == [f"GPU memory is too small for {a} images at once: going on with {b}" for a, b in said]


def test_what_was_learnt_of_the_gpus_memory_is_kept_for_the_next_block():
    network = telling(fits=4)
    made(network, count=16).block(0, 16)
    assert network.batches == [4, 4, 4, 4]


def test_a_gpu_without_memory_for_one_image_is_told():
    with pytest.raises(DataError, match=r"weights.pt: the GPU's memory is too small for one image: use a CPU"):
        made(telling(fits=0)).block(0, 1)


@pytest.mark.parametrize("text", ["CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"])
def test_libraries_that_have_words_only_for_a_full_gpu_are_understood(text):
    network = telling(fits=4, error=RuntimeError(text))
    made(network, count=8).block(0, 8)
    assert network.batches == [4, 4]


def test_another_error_of_the_network_is_not_taken_for_a_full_gpu():
    with pytest.raises(RuntimeError, match="illegal memory access"):
        made(telling(fits=4, error=RuntimeError("CUDA error: an illegal memory access"))).block(0, 8)


def test_weights_that_give_nan_are_told():
    with pytest.raises(DataError, match=r"weights.pt: the weights give NaN"):
        made(latents=lambda start, stop: np.full((stop - start, 3), np.nan, np.float32)).block(0, 1)


def test_latents_are_standard_normal_and_all_their_own():
    z = generated.normal(2**63 - 1, 0, 500, 64)
    assert (z.shape, z.dtype) == ((500, 64), np.float32)
    assert abs(z.mean()) < 0.03  # of 32,000 numbers: five standard errors
    assert abs(z.std() - 1) < 0.02
    assert len(np.unique(z)) > 31_900
    assert np.array_equal(generated.normal(2**63 - 1, 300, 310, 64), z[300:310])


def test_what_a_seed_gives_stays_as_it_is():
    """If it has to change, the stage `synthesize` needs a new version."""
    numbers = generated.normal(3, 7, 8, 3)
    np.testing.assert_allclose(numbers, [[-0.5789085, -0.1895353, 2.1445162]], rtol=1e-6)
