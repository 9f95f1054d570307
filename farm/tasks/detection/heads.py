"""What detectors give, as boxes: the ways of the families that people have, and the user's own function.

A head takes a model's outputs of n images by name, and the height and width of its input; it gives candidates of each
image, with corners in pixels of the input. Which of these count is `chosen`'s affair.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from farm.errors import DataError

Outputs = Mapping[str, NDArray[np.float32]]
Size = tuple[int, int]

STRIDES = (8, 16, 32)  # of YOLOX's grids
ROW = 6  # numbers of a detection that is one row: corners, score, class
SSD_ROW = 7  # OpenVINO's DetectionOutput: image, class, score, corners as shares of the sides


class Candidates(NamedTuple):
    """Of one image. corners: (k, 4), left, top, right, bottom. scores: (k,). classes: int64 (k,)."""

    corners: NDArray[np.float64]
    scores: NDArray[np.float64]
    classes: NDArray[np.int64]


Decode = Callable[[Outputs, Size, float], list[Candidates]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """decode: outputs, size, least score -> candidates. suppress: whether these still hold one object several times.

    batched: whether several images' outputs can be told apart. classes: how many classes outputs tell apart, where
    their shapes say so.
    """

    decode: Decode
    suppress: bool = True
    batched: bool = True
    classes: Callable[[Outputs], int] | None = None


def yolox(outputs: Outputs, size: Size, least: float) -> list[Candidates]:
    """One output (n, anchors, 5 + classes), undecoded: centre and log size in strides, objectness, classes.

    Ge et al. 2021 (2107.08430). Scores are probabilities already.
    """
    rows = _only(outputs, 3)
    grids = [_grid(size, stride) for stride in STRIDES]
    corner = np.concatenate([grid for grid, _ in grids])
    stride = np.concatenate([each for _, each in grids])[:, None]
    if len(corner) != rows.shape[1]:
        raise DataError(f"a YOLOX of {size[0]}x{size[1]} has {len(corner)} anchors, the output {rows.shape[1]}")
    centres, sides = (rows[..., :2] + corner) * stride, np.exp(rows[..., 2:4]) * stride
    scores = rows[..., 4:5] * rows[..., 5:]
    return [_every(*one, least) for one in zip(_corners(centres, sides), scores, strict=True)]


def yolov5(outputs: Outputs, _size: Size, least: float) -> list[Candidates]:
    """One output (n, anchors, 5 + classes): centre and size in pixels, objectness, classes; as probabilities."""
    rows = _only(outputs, 3)
    scores = rows[..., 4:5] * rows[..., 5:]
    return [_every(*one, least) for one in zip(_corners(rows[..., :2], rows[..., 2:4]), scores, strict=True)]


def yolov8(outputs: Outputs, _size: Size, least: float) -> list[Candidates]:
    """One output (n, 4 + classes, anchors), as of YOLOv8, v9, 11 and 12: centre and size in pixels, classes."""
    rows = _only(outputs, 3).transpose(0, 2, 1)
    corners = _corners(rows[..., :2], rows[..., 2:4])
    return [_every(*one, least) for one in zip(corners, rows[..., 4:], strict=True)]


def rows_of_six(outputs: Outputs, _size: Size, least: float) -> list[Candidates]:
    """One output (n, k, 6), as of YOLOv10 and 26: corners in pixels, score, class; no object twice."""
    rows = _only(outputs, 3)
    if rows.shape[2] != ROW:
        raise DataError(f"a detection is {ROW} numbers (corners, score, class), the output has {rows.shape[2]}")
    return [_least(one[:, :4], one[:, 4], one[:, 5], least) for one in rows]


def detr(outputs: Outputs, size: Size, least: float) -> list[Candidates]:
    """``logits`` (n, k, classes + 1), the last for no object, and ``pred_boxes`` (n, k, 4): centres, shares of sides.

    Carion et al. 2020 (2005.12872): of each query the likeliest class.
    """
    logits, boxes = _named(outputs, "logits"), _named(outputs, "boxes")
    scores = softmax(logits, axis=2)[..., :-1]
    return [_likeliest(*one, least) for one in zip(_of_shares(boxes, size), scores, strict=True)]


def rtdetr(outputs: Outputs, size: Size, least: float) -> list[Candidates]:
    """``logits`` (n, k, classes), each by itself, and ``pred_boxes`` (n, k, 4), as of Deformable DETR and RT-DETR."""
    logits, boxes = _named(outputs, "logits"), _named(outputs, "boxes")
    return [_every(*one, least) for one in zip(_of_shares(boxes, size), expit(logits), strict=True)]


def boxes(outputs: Outputs, _size: Size, least: float) -> list[Candidates]:
    """``boxes`` (n, k, 4), ``labels`` (n, k) and ``scores`` (n, k), of one image without n: as torchvision's are."""
    corners, labels, scores = (_named(outputs, name) for name in ("boxes", "labels", "scores"))
    if corners.ndim == 2:  # noqa: PLR2004
        corners, labels, scores = corners[None], labels[None], scores[None]
    return [_least(*one, least) for one in zip(corners, scores, labels, strict=True)]


def ssd(outputs: Outputs, size: Size, least: float) -> list[Candidates]:
    """One output (1, 1, k, 7), OpenVINO's DetectionOutput: image, class, score, corners as shares of the sides.

    Of one image: the models that end in it have a batch of 1.
    """
    rows = _only(outputs, 4)[0, 0]
    if rows.shape[1] != SSD_ROW:
        raise DataError(f"a detection is {SSD_ROW} numbers (image, class, score, corners), not {rows.shape[1]}")
    ends = np.flatnonzero(rows[:, 0] < 0)  # what comes after is left from before
    rows = rows[: ends[0]] if len(ends) else rows
    corners = rows[:, 3:] * np.tile(np.array(size, np.float64)[::-1], 2)
    return [_least(corners, rows[:, 2], rows[:, 1], least)]


HEADS = {
    "yolox": Head(decode=yolox, classes=lambda outputs: _only(outputs, 3).shape[2] - 5),
    "yolov5": Head(decode=yolov5, classes=lambda outputs: _only(outputs, 3).shape[2] - 5),
    "yolov8": Head(decode=yolov8, classes=lambda outputs: _only(outputs, 3).shape[1] - 4),
    "yolov10": Head(decode=rows_of_six, suppress=False),
    "detr": Head(decode=detr, suppress=False, classes=lambda outputs: _named(outputs, "logits").shape[2] - 1),
    "rt-detr": Head(decode=rtdetr, suppress=False, classes=lambda outputs: _named(outputs, "logits").shape[2]),
    "boxes": Head(decode=boxes, suppress=False, batched=False),
    "ssd": Head(decode=ssd, suppress=False, batched=False),
}


def chosen(candidates: Candidates, overlap: float | None, most: int) -> Candidates:
    """The best of each object, by classes, greatest scores first. overlap: above which two are of one; None: of all."""
    corners, scores, classes = candidates
    if overlap is not None and len(scores):
        import torch  # noqa: PLC0415
        from torchvision.ops import batched_nms  # noqa: PLC0415 - 2 s, which heads that suppress by themselves need not

        kept = batched_nms(*map(torch.from_numpy, (corners, scores, classes)), overlap).numpy()
    else:
        kept = np.argsort(-scores, kind="stable")
    kept = kept[:most]
    return Candidates(corners[kept], scores[kept], classes[kept])


def _only(outputs: Outputs, axes: int) -> NDArray[np.float64]:
    """The only output, of so many axes."""
    (first, *others) = outputs.values()
    if others or first.ndim != axes:
        shapes = ", ".join(f"{name} {'x'.join(map(str, one.shape))}" for name, one in outputs.items())
        raise DataError(f"this head takes one output of {axes} axes, the model gives {shapes}: choose another `decode`")
    return first.astype(np.float64)


def _named(outputs: Outputs, word: str) -> NDArray[np.float64]:
    """The output whose name has this word."""
    found = [one for name, one in outputs.items() if word in name]
    if len(found) != 1:
        there = ", ".join(outputs)
        raise DataError(f"this head takes an output named {word!r}, the model gives {there}: choose another `decode`")
    return found[0].astype(np.float64)


def _grid(size: Size, stride: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The left upper corners of a grid's places, row by row: (k, 2), in strides; and the stride of each."""
    down, across = size[0] // stride, size[1] // stride
    places = np.stack(np.meshgrid(np.arange(across), np.arange(down)), axis=2).reshape(-1, 2).astype(np.float64)
    return places, np.full(len(places), float(stride))


def _corners(centres: NDArray[np.float64], sides: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([centres - sides / 2, centres + sides / 2], axis=-1)


def _of_shares(boxes: NDArray[np.float64], size: Size) -> NDArray[np.float64]:
    """Corners in pixels of centres and sides that are shares of the input's."""
    return _corners(boxes[..., :2], boxes[..., 2:]) * np.tile(np.array(size, np.float64)[::-1], 2)


def _likeliest(corners: NDArray[np.float64], scores: NDArray[np.float64], least: float) -> Candidates:
    """Of each place the likeliest class. corners: (k, 4). scores: (k, classes)."""
    classes = scores.argmax(axis=1)
    return _least(corners, scores[np.arange(len(scores)), classes], classes, least)


def _every(corners: NDArray[np.float64], scores: NDArray[np.float64], least: float) -> Candidates:
    """Every class of a place that is likely enough. corners: (k, 4). scores: (k, classes)."""
    places, classes = np.nonzero(~(scores < least))  # what is no number stays, and is told of
    return Candidates(corners[places], scores[places, classes], classes)


def _least(
    corners: NDArray[np.float64], scores: NDArray[np.float64], classes: NDArray[np.generic], least: float
) -> Candidates:
    kept = ~(scores < least)
    return Candidates(corners[kept], scores[kept], classes[kept].astype(np.int64))
