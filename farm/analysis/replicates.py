"""Calibration sources over several draws: the mean drop, its spread, and whether it is as good as real. Knows records.

With several seeds the unit is the draw, so a claim may be made of the *source*. It holds both doubts: of the draws,
and of the test images that all of them share. With one seed there is no such claim to make: only of the two models,
see `farm.analysis.accuracy`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from farm.analysis.accuracy import is_top1
from farm.analysis.standing import EQUIVALENCE_ALPHA, Standing, holm, standing
from farm.record import Record
from farm.results.reading import Run
from farm.stats.replicates import difference, mean, over_images, welch
from farm.stats.shares import Estimate

LEAST = 2  # draws that show a spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One source with one model, algorithm and device, over its draws; shares of 1.

    drop: the FP32 IR's top-1 minus the draws' mean, with its 95 % interval over draws, on these test images. spread:
    their standard deviation. loss: the real set's mean top-1 minus this one's, with its 90 % interval over draws and
    test images. p: of no loss, by Holm over the model's sources. loss, p and standing are None of the real set itself,
    where that has fewer than two draws, and where predictions of single images are missing.
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
Draws = dict[str, list[Record]]  # by source


def sources(run: Run) -> list[Source]:
    """The sources of which there are two or more draws, in the records' order."""
    families: dict[Group, Draws] = {}
    for record in run.records:
        if record.calibration_source is not None and record.top1_drop is not None and is_top1(record):
            family = families.setdefault((record.model, record.algorithm, record.device), {})
            family.setdefault(record.calibration_source, []).append(record)
    several = [(group, _several(draws)) for group, draws in families.items()]
    return [each for group, draws in several for each in _family(group, draws, run)]


def _several(draws: Draws) -> Draws:
    return {name: records for name, records in draws.items() if len(records) >= LEAST}


def _family(group: Group, draws: Draws, run: Run) -> Iterator[Source]:
    model, algorithm, device = group
    images = max((record.n_images or 0 for record in run.records), default=0)
    step = 1 / images if images else 0.0  # drops are multiples of it
    held = _held_against_real(draws, run, step)
    for name, records in draws.items():
        drops = _drops(records)
        source = Source(
            model=model,
            source=name,
            algorithm=algorithm,
            device=device,
            seeds=len(drops),
            drop=mean(drops, resolution=step),
            spread=float(np.std(drops, ddof=1)),
        )
        if name not in held:
            yield source
            continue
        loss, p = held[name]
        yield replace(source, loss=loss, p=p, standing=standing(loss, p, run.claims.margin))


def _held_against_real(draws: Draws, run: Run, step: float) -> dict[str, tuple[Estimate, float]]:
    """Each made source's loss against the real one, and its p by Holm over all of them."""
    reference = run.claims.reference
    if reference is None or reference not in draws:
        return {}
    real, expected = _drops(draws[reference]), _right(draws[reference], run)
    found: dict[str, tuple[Estimate, float]] = {}
    for name, records in draws.items():
        ours = _right(records, run)
        if name == reference or expected is None or ours is None or len(ours) != len(expected):
            continue
        drops, doubt = _drops(records), over_images(expected, ours)
        loss = difference(drops, real, EQUIVALENCE_ALPHA, step, doubt)
        found[name] = (loss, welch(drops, real, step, doubt))
    corrected = holm([p for _, p in found.values()])
    return {name: (loss, p) for (name, (loss, _)), p in zip(found.items(), corrected, strict=True)}


def _drops(records: Sequence[Record]) -> list[float]:
    return [record.top1_drop for record in records if record.top1_drop is not None]


def _right(records: Sequence[Record], run: Run) -> NDArray[np.float64] | None:
    """The share of the draws that were right on each test image, (n,); None if that is not known of all of them."""
    said = [run.predictions.get(record.cell) for record in records]
    known = [each for each in said if each is not None]
    if len(known) < len(said) or len({len(each.label) for each in known}) != 1 or not len(known[0].label):
        return None
    shares: NDArray[np.float64] = np.mean([each.prediction == each.label for each in known], axis=0, dtype=np.float64)
    return shares
