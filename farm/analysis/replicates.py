"""Calibration sources over several seeds: the mean drop, its spread, and whether it is as good as real. Knows records.

With several seeds the unit is the set of one seed, so a claim may be made of the *source*. It holds the uncertainty of
the seeds and of the test images that all of them share. With one seed there is no such claim to make: only of the two
models, see `farm.analysis.accuracy`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from farm.analysis.accuracy import is_top1
from farm.analysis.families import Family, together
from farm.analysis.standing import EQUIVALENCE_ALPHA, Standing, holm, standing
from farm.record import Record
from farm.results.reading import Run
from farm.stats.replicates import difference, mean, over_images, welch
from farm.stats.shares import Estimate

LEAST = 2  # seeds that show a spread
Seeds = Mapping[str, Sequence[Record]]  # by source


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One source within a family, over its seeds; shares of 1.

    drop: the FP32 IR's top-1 minus the seeds' mean, with its 95 % interval over seeds, on these test images. spread:
    their standard deviation. loss: the real set's mean top-1 minus this one's, with its 90 % interval over seeds and
    test images. p: of no loss, by Holm over the model's sources. loss, p and standing are None of the real set itself,
    where that has fewer than two seeds, and where predictions of single images are missing.
    """

    family: Family
    source: str
    seeds: int
    drop: Estimate
    spread: float
    loss: Estimate | None = None
    p: float | None = None
    standing: Standing | None = None


def sources(run: Run) -> list[Source]:
    """The sources of which there are two seeds or more, in the records' order."""
    there = [record for record in run.records if record.top1_drop is not None and is_top1(record)]
    families = together((Family.of(record), record) for record in there if record.calibration_source is not None)
    return [source for family, records in families.items() for source in _family(family, records, run)]


def _family(family: Family, records: Sequence[Record], run: Run) -> Iterator[Source]:
    by_source = together((str(record.calibration_source), record) for record in records)
    seeds = {name: members for name, members in by_source.items() if len(members) >= LEAST}
    images = max((record.n_images or 0 for record in run.records), default=0)
    step = 1 / images if images else 0.0  # drops are multiples of it
    losses = _against_real(seeds, run, step)
    for name, members in seeds.items():
        drops = drops_of(members)
        drop, spread = mean(drops, resolution=step), float(np.std(drops, ddof=1))
        source = Source(family=family, source=name, seeds=len(drops), drop=drop, spread=spread)
        if name in losses:
            loss, p = losses[name]
            source = replace(source, loss=loss, p=p, standing=standing(loss, p, run.claims.margin))
        yield source


def _against_real(seeds: Seeds, run: Run, step: float) -> dict[str, tuple[Estimate, float]]:
    """Each made source's loss against the real one, and its p by Holm over all of them."""
    reference = run.claims.reference
    if reference is None or reference not in seeds:
        return {}
    real, expected = drops_of(seeds[reference]), _right(seeds[reference], run)
    losses: dict[str, tuple[Estimate, float]] = {}
    for name, records in seeds.items():
        right = _right(records, run)
        if name == reference or expected is None or right is None or len(right) != len(expected):
            continue
        drops, images = drops_of(records), over_images(expected, right)
        loss = difference(drops, real, EQUIVALENCE_ALPHA, step, images)
        losses[name] = (loss, welch(drops, real, step, images))
    corrected = holm([p for _, p in losses.values()])
    return {name: (loss, p) for (name, (loss, _)), p in zip(losses.items(), corrected, strict=True)}


def drops_of(records: Sequence[Record]) -> list[float]:
    """What these cells lost of top-1, as far as it is known: shares of 1."""
    return [record.top1_drop for record in records if record.top1_drop is not None]


def _right(records: Sequence[Record], run: Run) -> NDArray[np.float64] | None:
    """The share of the seeds that were right on each test image, (n,); None if that is not known of all of them."""
    predicted = [run.predictions[record.cell] for record in records if record.cell in run.predictions]
    images = {len(one.label) for one in predicted}
    if len(predicted) < len(records) or len(images) != 1 or 0 in images:
        return None
    shares: NDArray[np.float64] = np.mean([one.prediction == one.label for one in predicted], axis=0, dtype=np.float64)
    return shares
