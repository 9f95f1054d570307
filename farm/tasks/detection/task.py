"""Detection: one image in, boxes with classes and scores out. Owns how a model's boxes are held against an image's."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from farm.axes import Fit, Preprocessing
from farm.columns import schema_of
from farm.data.fit import place
from farm.data.imageset import Block
from farm.data.real import RealImages
from farm.data.targets import Boxes
from farm.errors import DataError
from farm.plan.facts import Evaluated
from farm.plan.parameters import Evaluate
from farm.spec import resolve
from farm.stats.resampling import resamples
from farm.tasks.detection.found import AREAS, OVERLAPS, Found
from farm.tasks.detection.heads import HEADS, Candidates, Decode, chosen
from farm.tasks.detection.matching import judge
from farm.tasks.detection.precision import Matches, average_precision, mean_over_classes
from farm.tasks.detection.rows import (
    CLASSES,
    DETECTIONS,
    RESAMPLES,
    OfClass,
    Resample,
    beyond,
    matches,
    row,
    table_of,
    truth,
)
from farm.tasks.task import Outputs

METRICS: Mapping[str, slice] = {"map": slice(0, 10), "ap50": slice(0, 1), "ap75": slice(5, 6)}  # of `OVERLAPS`
SMALL_TO_LARGE = {f"map_{area}": at for at, area in enumerate(AREAS) if area != "all"}


def task(wanted: Evaluate, dataset: RealImages) -> "Detection":
    """The task of an evaluation. Raises InputError if there is no such function as the user's `decode`."""
    if wanted.task is None:
        raise TypeError("an evaluation of a detector has a task")
    options, named = wanted.task.options, str(wanted.task.options["decode"])
    head = HEADS.get(named)
    return Detection(
        metric=wanted.metric,
        decode=head.decode if head else partial(own, named, resolve(named)),
        overlap=options["iou_threshold"] if head and head.suppress else None,
        least=options["score_threshold"],
        most=options["max_detections"],
        offset=options.get("label_offset") or 0,
        preprocessing=wanted.preprocessing,
        how=wanted.dataset.fit,
        batched=head is None or head.batched,
        told_apart=head.classes if head else None,
        classes=dataset.classes,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """Turns a detector's outputs into rows.

    metric: as in a grid. decode: as of `farm.tasks.detection.heads`. overlap: above which two boxes of a class are of
    one object; None where the model sees to that itself. least: the score of a detection. most: of an image. offset:
    the number that the model gives class 0. how: images are made to fit. batched: whether outputs may be of several
    images. told_apart: how many classes outputs tell apart, where that is known. classes: how many the dataset has, if
    known.
    """

    metric: str
    decode: Decode
    overlap: float | None
    least: float
    most: int
    offset: int
    preprocessing: Preprocessing
    how: Fit | None
    batched: bool
    told_apart: Callable[[Outputs], int] | None
    classes: int | None

    def rows(self, outputs: Outputs, block: Block, start: int) -> pa.Table:
        """One batch's rows. Raises DataError where outputs are not those of the head, or the images have no boxes."""
        if len(block.targets) != len(block.images):
            raise DataError("the images have no boxes: detection needs a dataset with them, such as `coco` or `yolo`")
        self._check_classes(outputs)
        candidates = self.decode(outputs, self.preprocessing.size, self.least)
        if len(candidates) != len(block.images):
            raise DataError(f"`decode` gives detections of {len(candidates)} images, not of {len(block.images)}")
        found = [self._found(*each, start + at) for at, each in enumerate(zip(candidates, block.targets, strict=True))]
        judged = judge(block.targets, found)
        each = zip(block.targets, found, judged, strict=True)
        return table_of([row(start + at, *one) for at, one in enumerate(each)])

    def facts(self, table: pa.Table) -> Evaluated:
        """The metric, and all others that COCO tells."""
        by_area = [matches(table, area) for area in range(len(AREAS))]
        precisions = average_precision(by_area[0], len(OVERLAPS))
        figures = {name: _mean(precisions[:, :, part]) for name, part in METRICS.items()}
        for name, area in SMALL_TO_LARGE.items():
            figures[name] = _mean(average_precision(by_area[area], len(OVERLAPS)))
        if np.isnan(figures[self.metric]):
            raise DataError("no test image has an object that is to be found: there is nothing to judge by")
        return Evaluated(
            n_images=len(table),
            metric=self.metric,
            score=figures[self.metric],
            classes=self.classes,
            figures={name: value for name, value in figures.items() if not np.isnan(value)},
            truth=truth(table),
            note=_reaching(beyond(table)) or None,
        )

    def tables(self, table: pa.Table) -> Mapping[str, pa.Table]:
        """Detections, and the metric of each class and of each sample of the images."""
        there = matches(table)
        return {DETECTIONS: table, CLASSES: self._by_class(there), RESAMPLES: self._resampled(there)}

    def _check_classes(self, outputs: Outputs) -> None:
        """A model that tells other classes apart than the dataset has would be judged by the wrong ones."""
        told = self.told_apart(outputs) - self.offset if self.told_apart and self.classes is not None else self.classes
        if told != self.classes:
            text = f"the model tells {told} classes apart, the dataset has {self.classes}"
            raise DataError(f"{text}: name all of the model's in `classes`, in its order, or use a model of these")

    def _found(self, candidates: Candidates, truth: Boxes, position: int) -> Found:
        """What counts of an image's candidates, in its own pixels."""
        corners, scores, classes = chosen(candidates, self.overlap, self.most)
        if not (np.isfinite(corners).all() and np.isfinite(scores).all()):
            raise DataError(f"the model gives boxes or scores that are no numbers in image {position}")
        classes = classes - self.offset
        if self.classes is not None and len(classes) and not 0 <= classes.min() <= classes.max() < self.classes:
            odd = int(classes.max() if classes.max() >= self.classes else classes.min())
            text = f"the model finds class {odd} in image {position}, the dataset has classes 0 to {self.classes - 1}"
            raise DataError(f"{text}: name all classes of the model in `classes`, or set its `label_offset`")
        at = place(truth.size, self.how, f"image {position}")
        return Found(corners=at.undone(corners, truth.size), classes=classes, scores=scores)

    def _by_class(self, there: Matches) -> pa.Table:
        precisions = average_precision(there, len(OVERLAPS))[0][:, METRICS[self.metric]].mean(axis=1)
        objects = [int((there.truth_category == number).sum()) for number in there.categories]
        return pa.table([there.categories, objects, precisions], schema=schema_of(OfClass))

    def _resampled(self, there: Matches) -> pa.Table:
        drawn, part = resamples(there.n), METRICS[self.metric]
        scores = mean_over_classes(average_precision(there, part.stop, drawn)[:, :, part])
        return pa.table([np.arange(len(drawn)), pa.array(scores, from_pandas=True)], schema=schema_of(Resample))


def own(
    name: str,
    function: Callable[[Outputs, tuple[int, int]], Iterable[Any]],
    outputs: Outputs,
    size: tuple[int, int],
    least: float,
) -> list[Candidates]:
    """What the user's function makes of a batch's outputs: of each image corners, scores and classes."""
    given = function(outputs, size)
    try:
        candidates = [_checked(*one) for one in given]
    except (TypeError, ValueError) as error:
        text = "must give of each image corners (k, 4) in pixels of the input, scores (k,) and classes (k,)"
        raise DataError(f"`decode: {name}` {text} ({error})") from error
    return [_likely(one, ~(one.scores < least)) for one in candidates]


def _likely(candidates: Candidates, kept: NDArray[np.bool_]) -> Candidates:
    corners, scores, classes = candidates
    return Candidates(corners[kept], scores[kept], classes[kept])


def _checked(corners: object, scores: object, classes: object) -> Candidates:
    boxes, likely = np.asarray(corners, np.float64).reshape(-1, 4), np.asarray(scores, np.float64)
    numbers = np.asarray(classes).astype(np.int64)
    if not len(boxes) == len(likely) == len(numbers):
        raise ValueError(f"{len(boxes)} boxes, {len(likely)} scores, {len(numbers)} classes")
    return Candidates(boxes, likely, numbers)


def _reaching(boxes: int) -> str:
    """What is said of boxes that reach out of their images."""
    return (
        "" if not boxes else "1 box reaches out of its image" if boxes == 1 else f"{boxes:,} boxes reach out of theirs"
    )


def _mean(precisions: NDArray[np.float64]) -> float:
    return float(mean_over_classes(precisions)[0])
