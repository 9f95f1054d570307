"""Calibration sources over several draws: the mean drop, its spread, and whether it is as good as real. Knows records.

With several seeds the unit is the draw, so a claim may be made of the *source*, on these test images. With one seed
there is no such claim to make: only of the two models, see `farm.report.accuracy`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from farm.record import Record
from farm.report.accuracy import is_top1
from farm.results.reading import Run
from farm.stats.claims import EQUIVALENCE_ALPHA, Standing, holm, standing
from farm.stats.draws import difference, mean, welch
from farm.stats.shares import Estimate

LEAST = 2  # draws that show a spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One source with one model, algorithm and device, over its draws; shares of 1.

    drop: the FP32 IR's top-1 minus the draws' mean, with its 95 % interval over draws. spread: their standard
    deviation. loss: the real set's mean top-1 minus this one's, with its 90 % interval. p: Welch's, by Holm over the
    model's sources. loss, p and standing are None of the real set itself, and where it has fewer than two draws.
    """

    model: str
    source: str
    algorithm: str
    device: str
    seeds: int
    drop: Estimate
    spread: float
    loss: Estimate | None = None
    p: float | None = None
    standing: Standing | None = None


Group = tuple[str, str, str]  # model, algorithm, device


def sources(run: Run) -> list[Source]:
    """The sources of which there are two or more draws, in the records' order."""
    found = _grouped(run.records)
    families: dict[Group, list[str]] = {}
    for (model, source, algorithm, device), drops in found.items():
        if len(drops) >= LEAST:
            families.setdefault((model, algorithm, device), []).append(source)
    return [each for group, names in families.items() for each in _family(group, names, found, run)]


def _grouped(records: Sequence[Record]) -> dict[tuple[str, str, str, str], list[float]]:
    """Drops of top-1 by model, source, algorithm and device."""
    found: dict[tuple[str, str, str, str], list[float]] = {}
    for record in records:
        if record.calibration_source is not None and record.top1_drop is not None and is_top1(record):
            key = (record.model, record.calibration_source, record.algorithm, record.device)
            found.setdefault(key, []).append(record.top1_drop)
    return found


def _family(
    group: Group, names: Sequence[str], found: dict[tuple[str, str, str, str], list[float]], run: Run
) -> Iterator[Source]:
    model, algorithm, device = group
    drops = {name: found[model, name, algorithm, device] for name in names}
    images = max((record.n_images or 0 for record in run.records), default=0)
    step = 1 / images if images else 0.0  # drops are multiples of it
    real = run.claims.reference if run.claims.reference in drops else None
    others = [name for name in names if real is not None and name != real]
    corrected = dict(zip(others, holm([welch(drops[name], drops[str(real)], step) for name in others]), strict=True))
    for name, values in drops.items():
        source = Source(
            model=model,
            source=name,
            algorithm=algorithm,
            device=device,
            seeds=len(values),
            drop=mean(values, resolution=step),
            spread=float(np.std(values, ddof=1)),
        )
        yield (
            _held_against(source, values, drops[str(real)], corrected[name], run, step) if name in corrected else source
        )


def _held_against(
    source: Source, drops: Sequence[float], real: Sequence[float], p: float, run: Run, step: float
) -> Source:
    loss = difference(drops, real, EQUIVALENCE_ALPHA, step)
    return replace(source, loss=loss, p=p, standing=standing(loss, p, run.claims.margin))
