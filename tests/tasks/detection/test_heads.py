"""What detectors give, as boxes."""

import numpy as np
import pytest

from farm.catalog.tasks import DECODES
from farm.errors import DataError
from farm.tasks.detection.heads import HEADS, Candidates, chosen

SIZE = (64, 32)  # height, width
PLACES = 8 * 4 + 4 * 2 + 2 * 1  # of YOLOX's grids


def decoded(head, outputs, least=0.3):
    arrays = {name: np.asarray(one, np.float32) for name, one in outputs.items()}
    (found,) = HEADS[head].decode(arrays, SIZE, least)
    return found.corners.round(3).tolist(), found.scores.round(3).tolist(), found.classes.tolist()


def test_a_grid_names_the_heads_that_there_are():
    assert tuple(HEADS) == DECODES


def test_yolox_counts_in_strides_from_each_place_of_its_grids():
    rows = np.zeros((1, PLACES, 7), np.float32)
    rows[0, 5] = [0.5, 0.25, np.log(2), np.log(1), 0.8, 0.5, 0.9]  # second row, second column of stride 8
    rows[0, 32 + 8 + 1] = [0, 0, 0, 0, 1, 1, 0]  # the last of stride 32: second row
    corners, scores, classes = decoded("yolox", {"output": rows}, 0.5)
    assert corners == [[4, 6, 20, 14], [-16, 16, 16, 48]]
    assert (scores, classes) == ([0.72, 1], [1, 0])


def test_yolox_of_another_size_is_refused():
    with pytest.raises(DataError, match="a YOLOX of 64x32 has 42 anchors, the output 41"):
        decoded("yolox", {"output": np.zeros((1, 41, 7))})


def test_yolov5_and_v8_give_centres_and_sizes_in_pixels_every_class_that_is_likely():
    place = [16, 32, 8, 4]
    five = np.array([[[*place, 0.5, 0.8, 0.7], [0, 0, 1, 1, 0.1, 1, 1]]])
    eight = np.array([[[*place, 0.4, 0.35], [0, 0, 1, 1, 0.1, 0.1]]]).transpose(0, 2, 1)
    expected = ([[12, 30, 20, 34]] * 2, [0.4, 0.35], [0, 1])
    assert decoded("yolov5", {"output0": five}) == decoded("yolov8", {"output0": eight}) == expected


def test_rows_of_six_are_detections_as_they_are():
    rows = [[[1, 2, 3, 4, 0.9, 5], [1, 2, 3, 4, 0.1, 5]]]
    assert decoded("yolov10", {"output0": rows}) == ([[1, 2, 3, 4]], [0.9], [5])
    with pytest.raises(DataError, match="a detection is 6 numbers"):
        decoded("yolov10", {"output0": [[[1, 2, 3, 4, 0.9]]]})


def test_detr_gives_shares_of_the_sides_and_a_class_for_no_object():
    outputs = {"pred_boxes": [[[0.5, 0.5, 0.25, 0.5], [0.5, 0.5, 1, 1]]], "logits": [[[9, 0, 0], [0, 0, 9]]]}
    assert decoded("detr", outputs) == ([[12, 16, 20, 48]], [1.0], [0])
    several = {**outputs, "logits": [[[9, 9], [-9, -9]]]}
    assert decoded("rt-detr", several) == ([[12, 16, 20, 48]] * 2, [1.0, 1.0], [0, 1])


@pytest.mark.parametrize("batched", [True, False])
def test_boxes_labels_and_scores_are_found_by_name_with_a_batch_or_without(batched):
    outputs = {"a/boxes": [[1, 2, 3, 4]], "labels": [7], "scores:0": [0.5]}
    given = {name: [one] for name, one in outputs.items()} if batched else outputs
    assert decoded("boxes", given) == ([[1, 2, 3, 4]], [0.5], [7])


def test_ssd_ends_where_no_image_is_named():
    rows = [[[[0, 2, 0.9, 0.25, 0.5, 0.5, 1], [-1, 0, 0, 0, 0, 0, 0], [0, 3, 0.9, 0, 0, 1, 1]]]]
    assert decoded("ssd", {"detection_out": rows}) == ([[8, 32, 16, 64]], [0.9], [2])
    with pytest.raises(DataError, match="a detection is 7 numbers"):
        decoded("ssd", {"detection_out": [[[[0, 2, 0.9]]]]})


@pytest.mark.parametrize(
    ("head", "outputs", "says"),
    [
        (
            "yolov8",
            {"a": np.zeros((1, 2)), "b": np.zeros(1)},
            "one output of 3 axes, the model gives a 1x2, b 1: choose",
        ),
        ("yolov8", {"a": np.zeros((1, 2))}, "one output of 3 axes, the model gives a 1x2: choose another `decode`"),
        ("boxes", {"boxes": np.zeros((1, 4))}, "an output named 'labels', the model gives boxes: choose another"),
        ("detr", {"boxes": np.zeros((1, 1, 4))}, "an output named 'logits'"),
    ],
)
def test_outputs_of_another_head_are_refused(head, outputs, says):
    with pytest.raises(DataError, match=says):
        decoded(head, outputs)


BOX, NEAR, FAR = [0.0, 0, 10, 10], [0.0, 0, 10, 9], [50.0, 50, 60, 60]


def candidates(classes, scores=(0.5, 0.9, 0.7)):
    return Candidates(np.array([BOX, NEAR, FAR]), np.array(scores), np.array(classes))


@pytest.mark.parametrize(
    ("classes", "overlap", "most", "kept"),
    [
        ([0, 0, 0], 0.65, 100, [1, 2]),
        ([0, 1, 0], 0.65, 100, [1, 2, 0]),  # of two classes both are kept
        ([0, 0, 0], 0.95, 100, [1, 2, 0]),
        ([0, 0, 0], None, 100, [1, 2, 0]),
        ([0, 0, 0], None, 1, [1]),
    ],
)
def test_of_boxes_that_overlap_the_best_of_a_class_is_kept(classes, overlap, most, kept):
    given = candidates(classes)
    found = chosen(given, overlap, most)
    assert found.scores.tolist() == given.scores[kept].tolist()
    assert np.array_equal(found.corners, given.corners[kept])


def test_of_nothing_nothing_is_chosen():
    found = chosen(Candidates(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int)), 0.5, 100)
    assert len(found.scores) == 0
