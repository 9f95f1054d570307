"""Which detections are right, by COCO's rules."""

import numpy as np
import pytest

from farm.data.targets import Boxes
from farm.tasks.detection.found import Found
from farm.tasks.detection.matching import judge

SQUARE = [10.0, 10.0, 110.0, 110.0]


def there(*corners, classes=None, crowd=()):
    found = Boxes.of((480, 640), np.array(corners, float).reshape(-1, 4), np.array(classes or [0] * len(corners), int))
    found.crowd[list(crowd)] = True
    return found


def found(*corners, classes=None, scores=None):
    count = len(corners)
    scores = np.array(scores or np.linspace(0.9, 0.5, count))
    return Found(
        corners=np.array(corners, float).reshape(-1, 4), classes=np.array(classes or [0] * count), scores=scores
    )


def test_a_box_is_right_up_to_the_overlap_that_it_has():
    """80 of 100 columns are shared: right at 0.5 to 0.8, not from 0.85 on."""
    (judged,) = judge([there(SQUARE)], [found([10, 10, 90, 110])])
    assert judged.matched[0].tolist() == [0b1111111]
    assert judged.counted[:, 0].tolist() == [True, False, False, True]  # large: more than 96 x 96


def test_an_object_is_found_once_and_of_its_own_class():
    (judged,) = judge([there(SQUARE)], [found(SQUARE, SQUARE, SQUARE, classes=[1, 0, 0])])
    assert judged.matched[0].tolist() == [0, 0b1111111111, 0]


def test_what_lies_in_a_crowd_is_neither_right_nor_wrong():
    (judged,) = judge([there(SQUARE, crowd=[0])], [found(SQUARE)])
    assert judged.ignored[0].tolist() == [0b1111111111]
    assert not judged.counted.any()


def test_images_are_judged_each_by_itself():
    judged = judge([there(), there(SQUARE), there()], [found(SQUARE), found(SQUARE), found()])
    assert [one.matched[0].tolist() for one in judged] == [[0], [0b1111111111], []]


def test_without_any_object_or_detection_nothing_is_judged():
    (judged,) = judge([there()], [found()])
    assert (judged.matched.shape, judged.counted.shape) == ((4, 0), (4, 0))


def test_it_does_not_speak(capsys):
    judge([there(SQUARE)], [found(SQUARE)])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("count", [1, 5])
def test_bits_of_all_overlaps_fit(count):
    (judged,) = judge([there(*[SQUARE] * count)], [found(*[SQUARE] * count)])
    assert judged.matched[0].tolist() == [0b1111111111] * count


def test_more_than_a_hundred_of_a_class_are_all_judged():
    (judged,) = judge([there(*[SQUARE] * 120)], [found(*[SQUARE] * 120)])
    assert (judged.matched[0] == 0b1111111111).all()
