"""What a run says of the things that the 2022 study claimed: drops with intervals, and the four conclusions on them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from farm.analysis.analysis import Analysis, analyse
from farm.errors import InputError
from farm.grid.label import Label
from farm.record import Record
from farm.report.numbers import points
from farm.results.reading import Run
from farm.stats.shares import Estimate

REPRODUCED, NOT_REPRODUCED, UNDECIDED, NOT_TESTED = "reproduced", "not reproduced", "undecided", "not tested"
MADE = ("parquet{path=cifake/fake.parquet}", "distylegan{weights=farm-cifar10}")


Key = tuple[str, str, str]  # model, source, algorithm


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A run's analysis, and its drops, each with its 95 % interval.

    several: the keys of drops that are over seeds; all others are of one seed, over test images.
    """

    analysis: Analysis
    drops: dict[Key, Estimate]
    several: frozenset[Key]


def evidence_of(run: Run) -> Evidence:
    """What a run says. Raises InputError if it has several cells of one key: on two devices, say."""
    analysis = analyse(run)
    over_seeds = _keyed(
        ((source.family.model, source.source, Label(source.family.algorithm).name), source.drop)
        for source in analysis.sources
    )
    drops = _keyed(_of_first_seeds(analysis)) | over_seeds
    return Evidence(analysis=analysis, drops=drops, several=frozenset(over_seeds))


def _of_first_seeds(analysis: Analysis) -> Iterator[tuple[Key, Estimate]]:
    for record in analysis.run.records:
        accuracy = analysis.accuracies.get(record.cell)
        if record.calibration_source and not record.calibration_seed and accuracy is not None and accuracy.fp32:
            yield (record.model, record.calibration_source, Label(record.algorithm).name), accuracy.fp32.loss


def _keyed(drops: Iterable[tuple[Key, Estimate]]) -> dict[Key, Estimate]:
    keyed: dict[Key, Estimate] = {}
    for key, drop in drops:
        if key in keyed:
            raise InputError(f"several cells of {', '.join(key)}: the study's claims are of one device and setting")
        keyed[key] = drop
    return keyed


def real(evidence: Evidence) -> str:
    """The source of real images."""
    return evidence.analysis.run.claims.reference or "cifar10"


def standings(evidence: Evidence) -> tuple[list[tuple[str, str]], str]:
    """How made images stand to real ones, with each model and source, by default quantization; and of what it holds."""
    beside = [one for one in evidence.analysis.against_real if one.source in MADE and one.family.algorithm == "default"]
    over_seeds = [one for one in beside if one.seeds is not None]
    words = [(one.family.model, str(one.standing)) for one in over_seeds or beside]
    of = "over seeds" if over_seeds else "these models, with one seed of each set"
    return words, f"{of}, on {images(evidence)} test images"


def holds(record: Record, column: str, evidence: Evidence) -> bool:
    """Whether a speed-up is known: a ratio to PyTorch holds only where PyTorch's own measurement does."""
    verdict = record.verdict if column == "speedup_ir" else evidence.analysis.over_pytorch[record.cell]
    return verdict == "valid" and getattr(record, f"{column}_low") is not None


def of_whom(evidence: Evidence, keys: Iterable[Key]) -> str:
    """With one seed of each set nothing is said of a source."""
    return "" if evidence.several.issuperset(keys) else "one seed of each set, so said of these models only; "


def images(evidence: Evidence) -> str:
    """How many test images there were, in words."""
    return f"{max((record.n_images or 0 for record in evidence.analysis.run.records), default=0):,}"


def at_most(drop: Estimate, limit: float) -> str:
    """Whether a drop is surely no greater."""
    return REPRODUCED if drop.high <= limit else NOT_REPRODUCED if drop.low > limit else UNDECIDED


def at_least(drop: Estimate, limit: float) -> str:
    """Whether a drop is surely no smaller."""
    return REPRODUCED if drop.low >= limit else NOT_REPRODUCED if drop.high < limit else UNDECIDED


def every(drops: Iterable[Estimate], judge: Callable[[Estimate], str]) -> str:
    """What holds of all of them: the worst conclusion."""
    return _joined([judge(drop) for drop in drops], (NOT_REPRODUCED, UNDECIDED, REPRODUCED))


def some(drops: Iterable[Estimate], judge: Callable[[Estimate], str]) -> str:
    """What holds of one at least: the best conclusion."""
    return _joined([judge(drop) for drop in drops], (REPRODUCED, UNDECIDED, NOT_REPRODUCED))


def _joined(words: Sequence[str], order: Sequence[str]) -> str:
    """The first of the words, in this order, that was said; nothing said is not tested."""
    return next((word for word in order if word in words), NOT_TESTED)


def in_words(drops: Mapping[str, Estimate]) -> str:
    """Drops by model, in points with their intervals."""
    if not drops:
        return "-"
    texts = (
        f"{points(drop.value)} [{points(drop.low)}, {points(drop.high)}] ({model})" for model, drop in drops.items()
    )
    return f"drop {', '.join(texts)} points"
