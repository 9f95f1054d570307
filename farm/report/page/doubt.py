"""Sentences on how sure all this is: images, draws, verdicts, the host's own noise, cells that are missing."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

from farm.analysis.accuracy import Accuracy
from farm.record import Record, Verdict, is_fp32_ir, source_of
from farm.report.numbers import count, listed, points, span, times
from farm.results.reading import Run

WORDS = get_args(Verdict)


def how_sure(run: Run, found: Mapping[str, Accuracy]) -> list[str]:
    """What the numbers rest on, and what is not there."""
    return [
        *_images(run.records, found),
        *_draws(run.records),
        *_verdicts(run.records),
        *_against_itself(run.records),
        *_missing(run.records),
    ]


def _images(records: Sequence[Record], found: Mapping[str, Accuracy]) -> Iterator[str]:
    seen = [record.n_images for record in records if record.n_images]
    if not seen:
        return
    text = f"Accuracy is that of {span(seen)} test images"
    halves = [max(each.top1.high - each.top1.value, each.top1.value - each.top1.low) for each in found.values()]
    if halves:
        text += f"; a single model's top-1 is known within {points(max(halves))} points or better (95 %)"
    yield f"{text}."


def _draws(records: Sequence[Record]) -> Iterator[str]:
    seeds: dict[str, set[int | None]] = {}
    for record in records:
        if record.calibration is not None and record.outcome == "ok":
            seeds.setdefault(source_of(record) or record.calibration, set()).add(record.calibration_seed)
    if not seeds:
        return
    drawn = span([len(each) for each in seeds.values()])
    sets = count(len(seeds), "calibration source")
    yield f"{sets}, {drawn} {'draw' if drawn == '1' else 'draws'} of {'it' if len(seeds) == 1 else 'each'}."


def _verdicts(records: Sequence[Record]) -> Iterator[str]:
    said = Counter(record.verdict for record in records if record.verdict is not None)
    if said:
        parts = [f"{said[word]} {'is' if said[word] == 1 else 'are'} {word}" for word in WORDS if said[word]]
        yield f"Of {count(sum(said.values()), 'measurement')} of speed, {listed(parts)}."
    noisy = [record.cell for record in records if record.verdict not in (None, "valid")]
    if noisy:
        yield f"Not to be relied on: the speed of {listed(noisy)}."


def _against_itself(records: Sequence[Record]) -> Iterator[str]:
    """The A/A ratios: the host's own noise."""
    known = [each for each in records if is_fp32_ir(each) and each.speedup_ir]
    if not known:
        return
    farthest = max(known, key=lambda each: abs((each.speedup_ir or 1) - 1))
    low, high = farthest.speedup_ir_low, farthest.speedup_ir_high
    between = f" ({times(low)} to {times(high)})" if low and high else ""
    most = ", in the worst case," if len(known) > 1 else ""
    itself = f"An FP32 IR measured against itself ran{most} {times(farthest.speedup_ir or 1)} times as fast"
    yield f"{itself}{between}: the host's own noise."


def _missing(records: Sequence[Record]) -> Iterator[str]:
    said = Counter(record.outcome for record in records)
    rest = [f"{said[word]} {word}" for word in ("failed", "pending") if said[word]]
    if rest:
        yield f"Of {count(len(records), 'cell')}, {listed(rest)}: nothing is said of them."
    else:
        # published records may leave out cells that failed
        yield f"All {count(len(records), 'cell')} in these records ran."
