"""Patches, colours and blur of fractals."""

import numpy as np
import pytest
import torch

from farm.generators.fractal import colouring, random_numbers


def test_a_hit_is_stamped_as_the_images_pattern():
    counts = torch.zeros((1, 4, 7, 8))
    counts[:, :, 3, 4] = 2
    pattern = torch.tensor([0b000_010_000, 0b000_000_001, 0b100_000_000, 0b111_101_011])
    stamped = colouring.stamped(counts.flatten(2), pattern, 8).reshape(4, 7, 8)
    for image, places in zip(stamped, ([4], [0], [8], [0, 1, 3, 5, 6, 7, 8]), strict=True):
        assert image[2:5, 3:6].flatten().nonzero().flatten().tolist() == places
        assert image.sum() == 2 * len(places)


def test_what_hit_the_border_is_never_seen():
    counts = torch.zeros((2, 3, 6, 7))
    counts[0, :, [0, -1]] = counts[0, :, :, [0, -1]] = 5
    counts[1] = counts[0] / 2
    given = colouring.looks(random_numbers.numbers(0, 9, 0, 3, colouring.NUMBERS), patches=True, blur=0)
    found = colouring.paint(counts.flatten(2), given, (4, 5))
    expected = (given.background[..., 0] + 0.5).to(torch.uint8)[:, None, None].expand(3, 4, 5, 3)
    assert np.array_equal(found, expected.numpy())


def test_patterns_are_all_but_the_empty_one():
    numbers = torch.zeros((2**16, colouring.NUMBERS), dtype=torch.int16)
    numbers[:, -2] = torch.arange(-(2**15), 2**15).to(torch.int16)
    given = colouring.looks(numbers, patches=True, blur=3)
    assert set(given.pattern.tolist()) == set(range(1, 512))
    assert set(colouring.looks(numbers, patches=False, blur=3).pattern.tolist()) == {0b000_010_000}


@pytest.mark.parametrize("blur", [0, 1, 3])
def test_an_image_has_up_to_the_wanted_passes_of_blur(blur):
    numbers = torch.zeros((2**16, colouring.NUMBERS), dtype=torch.int16)
    numbers[:, -1] = torch.arange(-(2**15), 2**15).to(torch.int16)
    passes = colouring.looks(numbers, patches=True, blur=blur).passes
    assert torch.bincount(passes).tolist() == [2**16 // (blur + 1)] * (blur + 1)


def test_a_blur_is_that_of_its_kernel():
    layers = torch.zeros((3, 1, 7, 8))
    layers[:, 0, 3, 4] = 64
    inside = torch.zeros((7, 8))
    inside[1:-1, 1:-1] = 1 / 16
    flat = layers.flatten(2)
    colouring.blurred(flat, torch.tensor([2, 1, 0]), 8, inside.flatten())
    twice, once, none = flat.reshape(3, 7, 8)
    assert torch.equal(none, layers[2, 0])
    assert torch.equal(once[2:5, 3:6], 4 * torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]))
    assert torch.equal(twice[3, 2:7], 64 * 6 / 256 * torch.tensor([1.0, 4, 6, 4, 1]))
    assert once.sum() == twice.sum() == 64
    assert not flat.reshape(3, 7, 8)[:, [0, -1]].any()
