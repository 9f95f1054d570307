"""What each kind of stage tells of what it made: returned by its function, kept in the manifest, read when gathering.

What an older farm did not tell is None.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from farm.record import Ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthesized:
    """Of a shard. size: (height, width). device: torch's name. note: what a reader must know of the set.

    converted: how many of its images were not in RGB, by what they were.
    """

    n_images: int
    size: tuple[int, int] | None = None
    classes: int | None = None
    images_per_s: float | None = None
    device: str | None = None
    note: str | None = None
    converted: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """Of an FP32 IR. probe_difference: to PyTorch, as a share of the largest logit; None where there is no PyTorch.

    int8_layers: of weighted_layers, and int8_weights_share as in `Quantized`: of a model that was quantized as it came.
    """

    size_mib: float
    int8_layers: int | None = None
    weighted_layers: int | None = None
    int8_weights_share: float | None = None
    classes: int | None = None
    dynamic_batch: bool | None = None
    probe_difference: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """Of accuracy control, as in `farm.record.Record`."""

    stopped_by: str
    reached: bool
    control_drop: float | None = None
    control_images: int | None = None
    control_labels: str | None = None
    validate_on: str | None = None
    iterations: int | None = None
    reverted_layers: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantized:
    """Of an int8 IR. int8_layers: of weighted_layers. control: where the algorithm looks at accuracy.

    int8_weights_share: of all numbers that the model holds, 0 to 1.
    """

    int8_layers: int
    size_mib: float
    weighted_layers: int | None = None
    int8_weights_share: float | None = None
    subset_size: int | None = None
    control: Control | None = None


def today(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Facts of any farm in today's form: an older one told of accuracy control beside the rest of a quantization."""
    return {"control": facts, **facts} if "stopped_by" in facts else facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """Of a model on a dataset. score: of the metric. top1: None where that is not classes' or a user's own.

    figures: all of the task's metrics by name, where it has several. truth: which images with which objects they are,
    in their order: a digest. note: what a reader must know of the test images. converted: as of `Synthesized`.
    """

    n_images: int
    metric: str | None = None
    score: float | None = None
    classes: int | None = None
    top1: float | None = None
    figures: Mapping[str, float] | None = None
    truth: str | None = None
    note: str | None = None
    converted: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Of a measurement. pairs, disturbed: undisturbed and disturbed ones. ended: by what; the rest as it was run.

    disturbers: programs last seen on its cores when disturbed pairs ended, the busiest first.
    """

    pairs: int | None = None
    disturbed: int | None = None
    full_speed_share: float | None = None
    ended: Ended | None = None
    disturbers: tuple[str, ...] = ()
    threads: int | None = None
    streams: int | None = None
    precision: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Of a set made as files. size: (height, width). n_made: images that were not there, made in made_s.

    note: what must be known of it. Of a folder, sound: ranges (start, stop) that were there; unsound: those made again,
    and why.
    """

    n_images: int
    size: tuple[int, int]
    n_made: int
    made_s: float
    note: str | None = None
    sound: tuple[tuple[int, int], ...] = ()
    unsound: tuple[tuple[int, int, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a classifier says of a student's images, beside the teacher's."""

    agreement: float
    agreement_real: float
    fid: float
    kid: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """Of a generator. finished: all epochs. hours: in all. judged_by: by classifier."""

    distilled: bool
    finished: bool
    epochs: int
    steps: int
    hours: float
    device: str
    images: int
    judged_by: Mapping[str, Judged]
