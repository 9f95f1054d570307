"""How one cell's accuracy and speed changed from one run to another, and what may be said of it. Knows two records.

Drops are farm's: before minus after, so that a positive one is a loss. Ratios are after over before.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from farm.analysis.accuracy import Answered
from farm.analysis.standing import Standing, standing
from farm.record import Cores, Record, accuracy_of, is_fp32_ir
from farm.results.speed import ratio_of
from farm.stats.judged import Judged, Right
from farm.stats.ratios import Ratio, quotient
from farm.stats.shares import Count, Estimate, newcombe, pearson
from farm.tasks.metric import is_share

Word = Literal["worse", "better", "alike", "undecided"]
WORDS: dict[Standing, Word] = {
    "equivalent": "alike", "worse": "worse", "better": "better", "undecided": "undecided",
}  # fmt: skip
RAN: dict[Cores, str] = {
    "full": "cores at full speed",
    "mixed": "cores slowed by neighbours",
    "slow": "cores slowed all the time",
}
HOST = ("host", "cpu_model", "threads")  # where these are the same, speeds are of one host


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """Which changes do not matter. max_drop: of the score, shares of 1 where it is top-1. max_slowdown: share of x IR.

    across_hosts: whether speeds of different hosts are shown and judged all the same.
    """

    max_drop: float = 0.005
    max_slowdown: float = 0.05
    across_hosts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyChange:
    """A cell's score in both runs.

    before, after: the score. drop: before minus after, with its 95 % interval. p: of no drop; corrected once judged.
    paired: whether both runs' predictions of the same images were compared. same: whether these are known to be judged
    alike. lost, won: the images that were right only before, and only after. n_images: the fewer of the two. unjudged:
    why there is no word.
    """

    metric: str | None
    before: float | None
    after: float | None
    n_images: int | None = None
    drop: Estimate | None = None
    p: float | None = None
    paired: bool = False
    same: bool = False
    lost: int | None = None
    won: int | None = None
    word: Word | None = None
    unjudged: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedChange:
    """A cell's speed in both runs.

    before, after: x IR. ratio: of the two, with its 99 % interval. fps, latency_p50: ratios too; None where the hosts
    differ and nobody asked for them. same_host: None where there is nothing to compare. unjudged: why there is no word.
    """

    before: float | None
    after: float | None
    same_host: bool | None = None
    ratio: Ratio | None = None
    fps: float | None = None
    latency_p50: float | None = None
    word: Word | None = None
    unjudged: str | None = None


def accuracy_change(before: Record, after: Record, first: Answered, second: Answered) -> AccuracyChange:
    """The change of a cell's score, not judged yet. first, second: what is known of its answers in either run."""
    images = [record.n_images for record in (before, after) if record.n_images is not None]
    old, new = accuracy_of(before), accuracy_of(after)
    change = AccuracyChange(metric=_metric(after), before=old, after=new, n_images=min(images, default=None))
    if old is None or new is None:
        return replace(change, unjudged=_lacking("accuracy", (before, old), (after, new)))
    if _metric(before) != _metric(after):
        return replace(change, unjudged=f"A's metric is {_metric(before)}, B's is {_metric(after)}")
    if first.images is not None and second.images is not None:
        if not np.array_equal(first.images, second.images):
            return replace(change, unjudged="other test images in B")
        return _paired(change, first.judged, second.judged)
    right_before, right_after = _count(before), _count(after)
    if right_before is None or right_after is None:
        return replace(change, unjudged=f"{change.metric} has no interval without both runs' predictions")
    return replace(change, drop=newcombe(right_before, right_after), p=pearson(right_before, right_after))


def with_word(change: AccuracyChange, p: float, tolerance: Tolerance) -> AccuracyChange:
    """The change with the word for it. p: corrected for the number of cells. Not for one without interval.

    Where every image is judged as before, there is no loss to be unsure of, however few the images are.
    """
    if change.drop is None:
        raise ValueError("a change without interval cannot be judged")
    word = "equivalent" if change.same else standing(change.drop, p, tolerance.max_drop, least=tolerance.max_drop)
    return replace(change, p=p, word=WORDS[word])


def speed_change(before: Record, after: Record, tolerance: Tolerance) -> SpeedChange:
    """The change of a cell's speed, judged by x IR, which each run measured side by side with its own FP32 IR."""
    old, new = before.speedup_ir, after.speedup_ir
    was, now = ratio_of(before), ratio_of(after)
    if was is None or now is None:
        return SpeedChange(before=old, after=new, unjudged=_lacking("speed", (before, old), (after, new)))
    elsewhere = [name for name in HOST if getattr(before, name) != getattr(after, name)]
    refused = f"another {' and '.join(elsewhere)} in B" if elsewhere and not tolerance.across_hosts else None
    unjudged = _why_not(before, after) or refused
    ratio = quotient(now, was)
    word = None if unjudged else _word(ratio, tolerance.max_slowdown)
    change = SpeedChange(before=old, after=new, same_host=not elsewhere, ratio=ratio, word=word, unjudged=unjudged)
    if refused or before.timed != after.timed:
        return change
    fps, latency_p50 = over(after.fps, before.fps), over(after.latency_p50_ms, before.latency_p50_ms)
    return replace(change, fps=fps, latency_p50=latency_p50)


def over(after: float | None, before: float | None) -> float | None:
    """The ratio of two facts, None where either is not known."""
    return after / before if after is not None and before else None


def _paired(change: AccuracyChange, was: Judged | None, now: Judged | None) -> AccuracyChange:
    """By images that both saw."""
    if was is None or now is None:
        return replace(change, paired=True, unjudged="images as few as these say nothing of the spread")
    if not was.comparable(now):
        return replace(change, unjudged="A and B know other things of their test images")
    paired = replace(change, paired=True, n_images=was.n)
    paired = replace(paired, drop=was.loss(now), p=was.p(now), same=was.is_as(now))
    if not (isinstance(was, Right) and isinstance(now, Right)):
        return paired
    counts = was.disagreement(now)
    return replace(paired, lost=counts.first, won=counts.second)


def _metric(record: Record) -> str | None:
    """The metric, of records that are older than metrics too."""
    return record.metric or ("top1" if record.top1 is not None else None)


def _count(record: Record) -> Count | None:
    """How many images were right, where the score is a share of images."""
    score, n = accuracy_of(record), record.n_images
    return Count(right=round(score * n), n=n) if is_share(_metric(record)) and score is not None and n else None


def _lacking(what: str, *values: tuple[Record, float | None]) -> str:
    """Which run has none of it, and how the cell ended there if not well."""
    ended = {
        name: "" if record.outcome == "ok" else f" ({record.error_class or record.outcome})"
        for name, (record, value) in zip("AB", values, strict=True)
        if value is None
    }
    return f"no {what} in " + " and ".join(f"{name}{how}" for name, how in ended.items())


def _why_not(before: Record, after: Record) -> str | None:
    """Why x IR says nothing of a change, apart from the hosts."""
    if after.runtime == "pytorch" or is_fp32_ir(after):
        return "a baseline, of which x IR says nothing"
    if before.timed != after.timed:
        return f"A timed {before.timed}, B {after.timed}"
    ran = {name: record.cores_ran for name, record in (("A", before), ("B", after)) if record.cores_ran is not None}
    if len(set(ran.values())) == 2:  # noqa: PLR2004
        return " and ".join(f"{RAN[cores]} in {name}" for name, cores in ran.items())
    verdicts = {"A": before.verdict, "B": after.verdict}
    doubtful = [f"{verdict} in {name}" for name, verdict in verdicts.items() if verdict not in (None, "valid")]
    if doubtful:
        return " and ".join(doubtful)
    ends = [end for record in (before, after) for end in (record.speedup_ir_low, record.speedup_ir_high)]
    return "x IR has no interval" if None in ends else None


def _word(ratio: Ratio, most: float) -> Word:
    low, high = ratio.low, ratio.high
    if low is None or high is None:
        raise ValueError("a ratio without interval cannot be judged")
    if not low <= 1 <= high and not 1 - most <= ratio.value <= 1 + most:
        return "worse" if ratio.value < 1 else "better"
    return "alike" if 1 - most < low <= high < 1 + most else "undecided"
