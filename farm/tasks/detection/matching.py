"""Which detections are right, by COCO's rules, as pycocotools has them (Lin et al. 2014, 1405.0312)."""

import contextlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from farm.data.targets import Boxes
from farm.tasks.detection.found import AREAS, MOST, Found, Judgement


def judge(truths: Sequence[Boxes], found: Sequence[Found]) -> list[Judgement]:
    """Each image's detections, best first, held against its objects: all of them, where they are more than `MOST`."""
    detections, objects = list(_annotations(found)), list(_objects(truths))
    classes = sorted({one["category_id"] for one in (*detections, *objects)})
    with contextlib.redirect_stdout(io.StringIO()):  # it says how far it is
        evaluation = COCOeval(_coco(len(truths), objects, classes), _coco(len(found), detections, classes), "bbox")
        evaluation.params.maxDets = [max(MOST, *(len(one.scores) for one in found))]
        evaluation.evaluate()
    judgements = [_none(len(one), len(there.scores)) for one, there in zip(truths, found, strict=True)]
    ranges = [tuple(area) for area in evaluation.params.areaRng]
    first_found, first_object = _starts(len(one.scores) for one in found), _starts(map(len, truths))
    for each in filter(None, evaluation.evalImgs):
        image, area = each["image_id"], ranges.index(tuple(each["aRng"]))
        at = np.array(each["dtIds"], int) - 1 - first_found[image]
        judgements[image].matched[area, at] = _bits(each["dtMatches"] > 0)
        judgements[image].ignored[area, at] = _bits(each["dtIgnore"] > 0)
        there = np.array(each["gtIds"], int) - 1 - first_object[image]
        judgements[image].counted[area, there] = np.asarray(each["gtIgnore"]) == 0
    return judgements


def _none(objects: int, detections: int) -> Judgement:
    shape = (len(AREAS), detections)
    return Judgement(
        matched=np.zeros(shape, np.uint16),
        ignored=np.zeros(shape, np.uint16),
        counted=np.zeros((len(AREAS), objects), bool),
    )


def _starts(counts: Iterable[int]) -> list[int]:
    """How many come before each image's."""
    return [0, *np.cumsum(list(counts)).tolist()]


def _bits(flags: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """(t, k) -> (k,), row t as bit t."""
    return (flags.astype(np.uint16) << np.arange(len(flags), dtype=np.uint16)[:, None]).sum(axis=0, dtype=np.uint16)


def _objects(truths: Sequence[Boxes]) -> Iterator[dict[str, Any]]:
    """COCO's annotations; numbered from 1, for a match with 0 would be none."""
    number = 1
    for image, truth in enumerate(truths):
        for box, category, crowd, area in zip(truth.corners, truth.classes, truth.crowd, truth.area, strict=True):
            more = {"iscrowd": int(crowd), "area": float(area)}
            yield {"id": number, "image_id": image, "category_id": int(category), "bbox": _sides(box), **more}
            number += 1


def _annotations(found: Sequence[Found]) -> Iterator[dict[str, Any]]:
    number = 1
    for image, one in enumerate(found):
        for box, category, score in zip(one.corners, one.classes, one.scores, strict=True):
            sides = _sides(box)
            more = {"iscrowd": 0, "area": sides[2] * sides[3], "score": float(score)}
            yield {"id": number, "image_id": image, "category_id": int(category), "bbox": sides, **more}
            number += 1


def _sides(box: NDArray[np.float64]) -> list[float]:
    """Left, top, width, height."""
    left, top, right, bottom = box.tolist()
    return [left, top, right - left, bottom - top]


def _coco(images: int, annotations: list[dict[str, Any]], classes: Sequence[int]) -> COCO:
    coco = COCO()
    dataset: Mapping[str, Any] = {
        "images": [{"id": image} for image in range(images)],
        "categories": [{"id": category} for category in classes],
        "annotations": annotations,
    }
    coco.dataset = dataset
    coco.createIndex()
    return coco
