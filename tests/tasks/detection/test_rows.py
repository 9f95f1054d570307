"""What is kept of detections, and how far two models find the same."""

import numpy as np
import pytest

from farm.columns import schema_of
from farm.data.targets import Boxes
from farm.tasks.detection.found import AREAS, Found
from farm.tasks.detection.matching import judge
from farm.tasks.detection.rows import Detected, agreement, beyond, matches, overlap
from tests.tasks.detection.scenes import scene, table

SIZE = (100, 200)
BOXES = [[10.0, 10, 60, 60], [100.0, 20, 180, 90], [5.0, 5, 15, 15]]


def found(*which, shift=0.0, scores=None, classes=None):
    """These of the boxes."""
    corners = np.array([BOXES[at] for at in which], float).reshape(-1, 4) + shift
    scores = np.array(scores or [0.9] * len(which), float)
    return Found(corners=corners, classes=np.array(classes or which, int), scores=scores)


def of(*images):
    """A table of images of which nothing is known but what is found."""
    nothing = Boxes.of(SIZE, np.zeros((0, 4)), np.zeros(0, int))
    return table([nothing] * len(images), list(images))


def test_a_row_is_an_image_with_all_that_its_metric_needs():
    truths, seen = scene(30)
    kept = table(truths, seen)
    assert kept.schema.equals(schema_of(Detected))
    judged = judge(truths, seen)
    for area in range(len(AREAS)):
        whole = matches(kept, area)
        assert whole.matched.tolist() == [bits for one in judged for bits in one.matched[area].tolist()]
        assert whole.ignored.tolist() == [bits for one in judged for bits in one.ignored[area].tolist()]
        assert len(whole.truth_image) == sum(int(one.counted[area].sum()) for one in judged)
        assert np.bincount(whole.image, minlength=30).tolist() == [len(one.scores) for one in seen]


@pytest.mark.parametrize(
    ("ours", "theirs", "shared"),
    [
        (found(0, 1), found(0, 1), 1.0),
        (found(0, 1), found(1, 2), 0.5),
        (found(0), found(0, shift=4), 1.0),  # overlaps by 0.73
        (found(0), found(0, shift=20), 0.0),
        (found(0), found(0, classes=[5]), 0.0),
        (found(0, 1, scores=[0.9, 0.2]), found(0), 1.0),  # of the second it is not sure
        (found(0, 0), found(0), 2 / 3),  # found twice is found once
        (found(), found(0), 0.0),
        (found(), found(), 1.0),
    ],
)
def test_two_models_agree_on_the_boxes_that_both_are_sure_of(ours, theirs, shared):
    assert agreement(of(ours), of(theirs)) == pytest.approx(shared)
    assert agreement(of(theirs), of(ours)) == pytest.approx(shared)


def test_boxes_of_other_images_are_others():
    assert agreement(of(found(0), found()), of(found(), found(0))) == 0


def test_overlaps_are_shares_of_what_either_covers():
    shared = overlap(np.array([[0, 0, 10, 10], [0, 0, 0, 0]], float), np.array([[5, 0, 15, 10], [0, 0, 10, 10]], float))
    assert shared.tolist() == [[pytest.approx(1 / 3), 1.0], [0.0, 0.0]]


def test_objects_that_reach_out_of_their_image_are_counted():
    corners = np.array([[0, 0, 200, 100], [-0.5, 0, 10, 10], [-2, 0, 10, 10], [0, 0, 10, 102]], float)
    truth = Boxes.of(SIZE, corners, np.zeros(4, int))
    assert beyond(table([truth], [found()])) == 2
