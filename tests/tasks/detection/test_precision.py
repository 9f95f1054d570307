"""Average precision is the reference implementation's, of all images and of samples of them."""

import numpy as np
import pytest

from farm.stats.resampling import resamples
from farm.tasks.detection.found import AREAS, OVERLAPS
from farm.tasks.detection.precision import Matches, average_precision, mean_over_classes
from farm.tasks.detection.rows import matches
from tests.tasks.detection.scenes import reference, scene, table

ALL = len(OVERLAPS)


def mean(found, part=slice(None)):
    return mean_over_classes(found[:, :, part])[0]


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_reference_implementation_s(seed):
    truths, found = scene(60, seed)
    kept, expected = table(truths, found), reference(truths, found)
    whole = average_precision(matches(kept), ALL)
    ours = [mean(whole), mean(whole, slice(0, 1)), mean(whole, slice(5, 6))]
    ours += [mean(average_precision(matches(kept, area), ALL)) for area in range(1, len(AREAS))]
    assert ours == pytest.approx(expected, abs=1e-12)


def test_of_a_sample_it_is_that_of_its_images_each_as_often_as_it_has_them():
    truths, found = scene(40)
    drawn = resamples(40, 5)
    ours = mean_over_classes(average_precision(matches(table(truths, found)), ALL, drawn))
    for weights, value in zip(drawn, ours, strict=True):
        images = np.repeat(np.arange(40), weights)
        assert value == pytest.approx(reference(*([of[at] for at in images] for of in (truths, found)))[0], abs=1e-12)


def test_large_samples_are_worked_out_in_parts(monkeypatch):
    kept = matches(table(*scene(40)))
    drawn = resamples(40, 30)
    whole = average_precision(kept, 2, drawn)
    monkeypatch.setattr("farm.tasks.detection.precision.AT_ONCE", 100)
    assert np.array_equal(average_precision(kept, 2, drawn), whole, equal_nan=True)


def of(image=(), score=(), matched=(), truth_image=()):
    """Detections and objects of one class in two images."""
    count = len(image)
    return Matches(
        n=2, image=np.array(image, int), category=np.zeros(count, int), score=np.array(score, float),
        matched=np.array(matched, np.uint16), ignored=np.zeros(count, np.uint16),
        truth_image=np.array(truth_image, int), truth_category=np.zeros(len(truth_image), int),
    )  # fmt: skip


def test_a_class_of_which_nothing_is_found_has_none():
    assert average_precision(of(truth_image=[0]), 1).tolist() == [[[0.0]]]


def test_of_a_sample_without_objects_there_is_nothing_to_say():
    found = average_precision(of([0], [0.5], [1], [0]), 1, np.array([[0, 2], [1, 1]]))
    assert np.isnan(found[0]).all()
    assert mean_over_classes(found).tolist() == pytest.approx([np.nan, 1.0], nan_ok=True)


def test_half_of_the_objects_found_is_half_of_the_recalls():
    """0 to 0.5 are 51 of the 101 recalls."""
    assert average_precision(of([0, 1], [0.9, 0.8], [1, 0], [0, 1]), 1)[0, 0, 0] == pytest.approx(51 / 101)
