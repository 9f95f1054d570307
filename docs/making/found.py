"""What a run says of the things that the 2022 study claimed: drops with intervals, and the four verdicts of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from farm.analysis.accuracy import accuracies
from farm.analysis.replicates import Source, sources
from farm.errors import InputError
from farm.record import Record
from farm.report.numbers import points
from farm.results.reading import Run
from farm.stats.shares import Estimate

REPRODUCED, NOT_REPRODUCED, UNDECIDED, NOT_TESTED = "reproduced", "not reproduced", "undecided", "not tested"
MADE = ("parquet{path=cifake/fake.parquet}", "distylegan{weights=farm-cifar10}")


Key = tuple[str, str, str]  # model, source, algorithm


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The drops of a run, each with its 95 % interval, and what its draws say.

    several: the keys of drops that are over draws; all others are of one draw, over test images.
    """

    run: Run
    drops: dict[Key, Estimate]
    several: frozenset[Key]
    draws: tuple[Source, ...]


def found_in(run: Run) -> Found:
    """What a run says. Raises InputError if it has several cells of one key: on two devices, say."""
    drawn = tuple(sources(run))
    over_draws = _keyed(((each.model, each.source, _algorithm(each.algorithm)), each.drop) for each in drawn)
    one_each = _keyed(_of_first_draws(run))
    return Found(run=run, drops=one_each | over_draws, several=frozenset(over_draws), draws=drawn)


def _of_first_draws(run: Run) -> Iterator[tuple[Key, Estimate]]:
    judged = accuracies(run)
    for record in run.records:
        known = judged.get(record.cell)
        if record.calibration_source and known is not None and known.fp32 is not None and not record.calibration_seed:
            yield (record.model, record.calibration_source, _algorithm(record.algorithm)), known.fp32.loss


def _keyed(drops: Iterable[tuple[Key, Estimate]]) -> dict[Key, Estimate]:
    found: dict[Key, Estimate] = {}
    for key, drop in drops:
        if key in found:
            raise InputError(f"several cells of {', '.join(key)}: the study's claims are of one device and setting")
        found[key] = drop
    return found


def _algorithm(label: str) -> str:
    return label.partition("{")[0]


def real(found: Found) -> str:
    """The source of real images."""
    return found.run.claims.reference or "cifar10"


def standings(found: Found) -> tuple[list[tuple[str, str]], str]:
    """How made images stand to real ones, with each model and source, by default quantization; and of what it holds."""
    draws = [each for each in found.draws if each.standing and each.source in MADE and each.algorithm == "default"]
    if draws:
        return [(each.model, str(each.standing)) for each in draws], f"over draws, on {images(found)} test images"
    judged = accuracies(found.run)
    records = [each for each in found.run.records if each.calibration_source in MADE and each.algorithm == "default"]
    beside = [(each.model, judged[each.cell].real) for each in records if each.cell in judged]
    held = [(model, str(real.standing)) for model, real in beside if real is not None]
    return held, f"these models, with one draw of each set, on {images(found)} test images"


def holds(record: Record, column: str, found: Found) -> bool:
    """Whether a speed-up is known: a ratio to PyTorch holds only where PyTorch's own measurement does."""
    baseline = [
        each.verdict
        for each in found.run.records
        if each.runtime == "pytorch" and (each.model, each.device) == (record.model, record.device)
    ]
    sound = column == "speedup_ir" or baseline == ["valid"]
    return record.verdict == "valid" and sound and getattr(record, f"{column}_low") is not None


def of_whom(found: Found, keys: Iterable[Key]) -> str:
    """With one draw of each set nothing is said of a source."""
    return "" if found.several.issuperset(keys) else "one draw of each set, so said of these models only; "


def images(found: Found) -> str:
    """How many test images there were, in words."""
    return f"{max((record.n_images or 0 for record in found.run.records), default=0):,}"


def at_most(drop: Estimate, limit: float) -> str:
    """Whether a drop is surely no greater."""
    return REPRODUCED if drop.high <= limit else NOT_REPRODUCED if drop.low > limit else UNDECIDED


def at_least(drop: Estimate, limit: float) -> str:
    """Whether a drop is surely no smaller."""
    return REPRODUCED if drop.low >= limit else NOT_REPRODUCED if drop.high < limit else UNDECIDED


def every(drops: Iterable[Estimate], judge: Callable[[Estimate], str]) -> str:
    """What holds of all of them: the worst verdict."""
    return _joined([judge(drop) for drop in drops], (NOT_REPRODUCED, UNDECIDED, REPRODUCED))


def some(drops: Iterable[Estimate], judge: Callable[[Estimate], str]) -> str:
    """What holds of one at least: the best verdict."""
    return _joined([judge(drop) for drop in drops], (REPRODUCED, UNDECIDED, NOT_REPRODUCED))


def _joined(words: Sequence[str], order: Sequence[str]) -> str:
    """The first of the words, in this order, that was said; nothing said is not tested."""
    return next((word for word in order if word in words), NOT_TESTED)


def in_words(drops: Mapping[str, Estimate]) -> str:
    """Drops by model, in points with their intervals."""
    if not drops:
        return "-"
    said = (f"{points(drop.value)} [{points(drop.low)}, {points(drop.high)}] ({each})" for each, drop in drops.items())
    return f"drop {', '.join(said)} points"
