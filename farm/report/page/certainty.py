"""Sentences on how sure all this is: images, seeds, verdicts, the host's own noise, cells that are missing."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import get_args

from farm.analysis.analysis import Analysis
from farm.analysis.families import together
from farm.record import Record, Verdict, is_fp32_ir, source_of
from farm.report.metric import Metric
from farm.report.numbers import count, listed, span, times

WORDS = get_args(Verdict)


def how_sure(analysis: Analysis) -> list[str]:
    """What the numbers rest on, and what is not there."""
    records = analysis.run.records
    return [
        *_images(analysis),
        *_seeds(records),
        *_verdicts(records),
        *_against_itself(records),
        *_missing(records),
    ]


def _images(analysis: Analysis) -> Iterator[str]:
    images = [record.n_images for record in analysis.run.records if record.n_images]
    if not images:
        return
    text, metric = f"Accuracy is that of {span(images)} test images", Metric(analysis.metric)
    scores = [accuracy.score for accuracy in analysis.accuracies.values()]
    halves = [max(score.high - score.value, score.value - score.low) for score in scores]
    if halves:
        text += f"; a single model's {metric.word} is known within {metric.amount(max(halves))} or better (95 %)"
    yield f"{text}."


def _seeds(records: Sequence[Record]) -> Iterator[str]:
    int8 = [record for record in records if record.calibration is not None and record.outcome == "ok"]
    seeds = together((source_of(record), record.calibration_seed) for record in int8)
    if not seeds:
        return
    numbers = span([len({*numbers}) for numbers in seeds.values()])
    sets = count(len(seeds), "calibration source")
    yield f"{sets}, {numbers} {'seed' if numbers == '1' else 'seeds'} of {'it' if len(seeds) == 1 else 'each'}."


def _verdicts(records: Sequence[Record]) -> Iterator[str]:
    verdicts = Counter(record.verdict for record in records if record.verdict is not None)
    if verdicts:
        there = [(verdicts[word], word) for word in WORDS if verdicts[word]]
        parts = [f"{number} {'is' if number == 1 else 'are'} {word}" for number, word in there]
        yield f"Of {count(sum(verdicts.values()), 'measurement')} of speed, {listed(parts)}."
    noisy = [record.cell for record in records if record.verdict not in (None, "valid")]
    if noisy:
        yield f"Not to be relied on: the speed of {listed(noisy)}."


def _against_itself(records: Sequence[Record]) -> Iterator[str]:
    """The A/A ratios: the host's own noise."""
    itself = [record for record in records if is_fp32_ir(record) and record.speedup_ir]
    if not itself:
        return
    farthest = max(itself, key=lambda record: abs((record.speedup_ir or 1) - 1))
    low, high = farthest.speedup_ir_low, farthest.speedup_ir_high
    between = f" ({times(low)} to {times(high)})" if low and high else ""
    most = ", in the worst case," if len(itself) > 1 else ""
    speed = f"An FP32 IR measured against itself ran{most} {times(farthest.speedup_ir or 1)} times as fast"
    yield f"{speed}{between}: the host's own noise."


def _missing(records: Sequence[Record]) -> Iterator[str]:
    outcomes = Counter(record.outcome for record in records)
    rest = [f"{outcomes[word]} {word}" for word in ("failed", "pending") if outcomes[word]]
    if rest:
        yield f"Of {count(len(records), 'cell')}, {listed(rest)}: nothing is said of them."
    else:
        # published records may leave out cells that failed
        yield f"All {count(len(records), 'cell')} in these records ran."
