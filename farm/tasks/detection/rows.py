"""What is kept of detections: a row an image, a row a class, a row a sample of the images. Knows no models."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from farm.columns import Column, schema_of
from farm.data.targets import Boxes
from farm.stats.resampling import resamples
from farm.tasks.detection.found import AREAS, Found, Judgement
from farm.tasks.detection.precision import Matches

DETECTIONS, CLASSES, RESAMPLES = "detections.parquet", "classes.parquet", "resamples.parquet"
SURE = 0.25  # score from which on a detection is one that a user sees
SAME = 0.5  # intersection over union of two models' boxes of one object
CORNERS = 4
BEYOND = 1.0  # pixels that a box may reach out of its image unnoticed: annotations are rounded


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    """What one cell finds in one test image, best first, and how that stands against what is there."""

    position: Annotated[int, Column("which test image, from 0 in the dataset's order", arrow="int32")]
    height: Annotated[int, Column("of the image", "pixels", "int32")]
    width: Annotated[int, Column("of the image", "pixels", "int32")]
    corners: Annotated[
        tuple[float, ...],
        Column("of each detection left, top, right, bottom in the image's pixels", arrow="list<item: float>"),
    ]
    classes: Annotated[tuple[int, ...], Column("of each detection", arrow="list<item: int32>")]
    scores: Annotated[tuple[float, ...], Column("of each detection, 0 to 1", arrow="list<item: float>")]
    matched: Annotated[
        tuple[int, ...],
        Column(
            "bit t: it is of an object at an overlap of 0.5 + 0.05 t; of each detection among objects of all sizes, "
            "then of each among small, medium and large ones",
            arrow="list<item: int16>",
        ),
    ]
    ignored: Annotated[
        tuple[int, ...], Column("bit t: it counts neither as right nor as wrong; alike", arrow="list<item: int16>")
    ]
    truth_classes: Annotated[tuple[int, ...], Column("of each object that is there", arrow="list<item: int32>")]
    truth_corners: Annotated[tuple[float, ...], Column("of each object", arrow="list<item: float>")]
    truth_counted: Annotated[
        tuple[int, ...],
        Column("bit 0: the object is to be found; 1, 2, 3: as a small, medium, large one", arrow="list<item: int8>"),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfClass:
    """What one cell is worth at one class."""

    number: Annotated[int, Column("the class", arrow="int32")]
    objects: Annotated[int, Column("of it in the test images that are to be found", arrow="int32")]
    score: Annotated[float, Column("the metric of this class alone")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resample:
    """The grid's metric of one cell on one sample of the test images."""

    resample: Annotated[int, Column("which sample, from 0: the same images of every cell", arrow="int32")]
    score: Annotated[
        float | None, Column("the metric, of the images as often as the sample has them; null of one without objects")
    ]


def row(position: int, truth: Boxes, found: Found, judgement: Judgement) -> Detected:
    """An image's."""
    counted = (judgement.counted.astype(np.int32) << np.arange(len(AREAS))[:, None]).sum(axis=0)
    return Detected(
        position=position,
        height=truth.size[0],
        width=truth.size[1],
        corners=tuple(found.corners.ravel().tolist()),
        classes=tuple(found.classes.tolist()),
        scores=tuple(found.scores.tolist()),
        matched=tuple(judgement.matched.ravel().tolist()),
        ignored=tuple(judgement.ignored.ravel().tolist()),
        truth_classes=tuple(truth.classes.tolist()),
        truth_corners=tuple(truth.corners.ravel().tolist()),
        truth_counted=tuple(counted.tolist()),
    )


def table_of(rows: Sequence[Detected]) -> pa.Table:
    """Images as a table."""
    schema = schema_of(Detected)
    return pa.table([[getattr(one, name) for one in rows] for name in schema.names], schema=schema)


def matches(table: pa.Table, area: int = 0) -> Matches:
    """All images' detections and objects, of one of `AREAS`."""
    found, objects = _counts(table, "classes"), _counts(table, "truth_classes")
    images = np.repeat(np.arange(len(table)), found)
    truths = np.repeat(np.arange(len(table)), objects)
    counted = _flat(table, "truth_counted").astype(np.int64) >> area & 1 > 0
    return Matches(
        n=len(table),
        image=images,
        category=_flat(table, "classes").astype(np.int64),
        score=_flat(table, "scores").astype(np.float64),
        matched=_of_area(table, "matched", found, area),
        ignored=_of_area(table, "ignored", found, area),
        truth_image=truths[counted],
        truth_category=_flat(table, "truth_classes").astype(np.int64)[counted],
    )


def beyond(table: pa.Table) -> int:
    """How many objects' boxes reach out of their images by more than `BEYOND`."""
    objects = _counts(table, "truth_classes")
    corners = _flat(table, "truth_corners").astype(np.float64).reshape(-1, CORNERS)
    ends = np.stack([table["width"].to_numpy(), table["height"].to_numpy()], axis=1).repeat(objects, axis=0)
    out = (corners[:, :2] < -BEYOND).any(axis=1) | (corners[:, 2:] > ends + BEYOND).any(axis=1)
    return int(out.sum())


def truth(table: pa.Table) -> str:
    """Which images these are, in their order, with which objects, and how samples are drawn: the start of a SHA-256."""
    content = hashlib.sha256(resamples(len(table), 10).tobytes())
    for name in ("height", "width", "truth_classes", "truth_corners", "truth_counted"):
        content.update(json.dumps(table[name].to_pylist()).encode())
    return content.hexdigest()[:16]


def _counts(table: pa.Table, name: str) -> NDArray[np.int64]:
    column = table[name].combine_chunks()
    return np.diff(column.offsets.to_numpy()).astype(np.int64)


def _flat(table: pa.Table, name: str) -> NDArray[np.generic]:
    return np.asarray(table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False))


def _of_area(table: pa.Table, name: str, found: NDArray[np.int64], area: int) -> NDArray[np.uint16]:
    """Each image has its detections' flags area by area."""
    flags, starts = _flat(table, name), np.cumsum(found) - found
    within = np.arange(found.sum()) - np.repeat(starts, found)
    at = np.repeat(len(AREAS) * starts + area * found, found) + within
    return flags[at].astype(np.uint16)


def agreement(ours: pa.Table, theirs: pa.Table) -> float:
    """Of the boxes that either of two models is sure of, the share that both have: Dice's coefficient (1945).

    Sure is a score of `SURE` or more; two boxes are one where class and image are the same and they overlap by `SAME`.
    1 where neither is sure of any.
    """
    counts = [_shared(one, other) for one, other in zip(_sure(ours), _sure(theirs), strict=True)]
    both, total = sum(each for each, _ in counts), sum(each for _, each in counts)
    return 2 * both / total if total else 1.0


def _sure(table: pa.Table) -> list[tuple[NDArray[np.float64], NDArray[np.int64]]]:
    """Of each image the corners and classes that a model is sure of, best first."""
    found = []
    for corners, classes, scores in zip(table["corners"], table["classes"], table["scores"], strict=True):
        sure = int((np.array(scores.as_py(), np.float32) >= np.float32(SURE)).sum())
        found.append(
            (
                np.array(corners.as_py(), np.float64).reshape(-1, CORNERS)[:sure],
                np.array(classes.as_py(), np.int64)[:sure],
            )
        )
    return found


def _shared(
    ours: tuple[NDArray[np.float64], NDArray[np.int64]], theirs: tuple[NDArray[np.float64], NDArray[np.int64]]
) -> tuple[int, int]:
    """How many boxes both have, each once, ours best first; and how many there are of both together."""
    (corners, classes), (others, of_others) = ours, theirs
    overlaps = overlap(corners, others) * (classes[:, None] == of_others[None])
    both = 0
    for one in overlaps:
        best = int(one.argmax()) if one.size else 0
        if one.size and one[best] >= SAME:
            both += 1
            overlaps[:, best] = 0.0
    return both, len(classes) + len(of_others)


def overlap(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of each box with each, (k, m). first, second: corners, (k, 4) and (m, 4)."""
    upper = np.maximum(first[:, None, :2], second[None, :, :2])
    lower = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(lower - upper, 0, None).prod(axis=2)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
