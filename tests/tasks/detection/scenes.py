"""Images with objects, and detectors that find most of them, by lot."""

import contextlib
import io

import numpy as np
from pycocotools.cocoeval import COCOeval

from farm.data.targets import Boxes
from farm.tasks.detection import matching
from farm.tasks.detection.found import Found
from farm.tasks.detection.matching import judge
from farm.tasks.detection.rows import row, table_of

SIZE, CLASSES = (480, 640), 6


def boxes(rng, count, least=5, most=200):
    corner = rng.uniform(0, 300, (count, 2))
    return np.hstack([corner, corner + rng.uniform(least, most, (count, 2))])


def truth(rng):
    """Up to seven objects of six classes, one in ten of them a crowd."""
    count = rng.integers(0, 8)
    objects = Boxes.of(SIZE, boxes(rng, count), rng.integers(0, CLASSES, count))
    objects.crowd[:] = rng.random(count) < 0.1
    return objects


def seen(rng, there, worse=0.0):
    """What a detector makes of them: four in five, some pixels off, some of another class; and what is not there."""
    kept = rng.random(len(there)) < 0.8
    corners = there.corners[kept] + rng.normal(0, 6 + 20 * worse, (kept.sum(), 4))
    classes = np.where(rng.random(kept.sum()) < 0.9, there.classes[kept], rng.integers(0, CLASSES, kept.sum()))
    more = rng.integers(0, 6)
    corners, classes = np.vstack([corners, boxes(rng, more)]), np.r_[classes, rng.integers(0, CLASSES, more)]
    scores = np.round(rng.random(len(classes)), 2)
    order = np.argsort(-scores, kind="stable")
    return Found(corners=corners[order], classes=classes[order], scores=scores[order])


def scene(count, seed=0, worse=0.0):
    """So many images: what is there, and what is found. worse: the same with boxes that are farther off."""
    rng = np.random.default_rng(seed)
    truths = [truth(rng) for _ in range(count)]
    return truths, [seen(rng, there, worse) for there in truths]


def table(truths, found):
    """What an evaluation keeps of them."""
    judged = judge(truths, found)
    return table_of([row(at, *one) for at, one in enumerate(zip(truths, found, judged, strict=True))])


def reference(truths, found):
    """The reference implementation's own figures: mAP, AP50, AP75, small, medium, large."""
    detections, objects = list(matching._annotations(found)), list(matching._objects(truths))
    classes = sorted({one["category_id"] for one in (*detections, *objects)})
    with contextlib.redirect_stdout(io.StringIO()):
        there = matching._coco(len(truths), objects, classes)
        evaluation = COCOeval(there, matching._coco(len(found), detections, classes), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats[:6]
