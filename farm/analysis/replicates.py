"""Calibration sources over several seeds: the mean drop, its spread, and whether it is as good as real. Knows records.

With several seeds the unit is the set of one seed, so a claim may be made of the *source*. It holds the uncertainty of
the seeds and of the test images that all of them share. With one seed there is no such claim to make: only of the two
models, see `farm.analysis.accuracy`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from farm.analysis.accuracy import judged_of
from farm.analysis.families import Family, together
from farm.analysis.standing import EQUIVALENCE_ALPHA, Standing, holm, standing
from farm.record import Record, drop_of
from farm.results.reading import Run
from farm.stats.judged import Judged
from farm.stats.replicates import difference, mean, welch
from farm.stats.shares import Estimate

LEAST = 2  # seeds that show a spread
Seeds = Mapping[str, Sequence[Record]]  # by source


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One source within a family, over its seeds; of the grid's metric.

    drop: the FP32 IR's score minus the seeds' mean, with its 95 % interval over seeds, on these test images. spread:
    their standard deviation. loss: the real set's mean score minus this one's, with its 90 % interval over seeds and
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
    there = [record for record in run.records if drop_of(record) is not None]
    families = together((Family.of(record), record) for record in there if record.calibration_source is not None)
    return [source for family, records in families.items() for source in _family(family, records, run)]


def _family(family: Family, records: Sequence[Record], run: Run) -> Iterator[Source]:
    by_source = together((str(record.calibration_source), record) for record in records)
    seeds = {name: members for name, members in by_source.items() if len(members) >= LEAST}
    step = step_of(records)
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
    real, expected = drops_of(seeds[reference]), _judged(seeds[reference], run)
    losses: dict[str, tuple[Estimate, float]] = {}
    for name, records in seeds.items():
        judged = _judged(records, run)
        if name == reference or not expected or not judged or not judged[0].comparable(expected[0]):
            continue
        drops, images = drops_of(records), type(judged[0]).doubt(expected, judged)
        loss = difference(drops, real, EQUIVALENCE_ALPHA, step, images)
        losses[name] = (loss, welch(drops, real, step, images))
    corrected = holm([p for _, p in losses.values()])
    return {name: (loss, p) for (name, (loss, _)), p in zip(losses.items(), corrected, strict=True)}


def drops_of(records: Sequence[Record]) -> list[float]:
    """What these cells lost of the grid's metric, as far as it is known."""
    return [drop for record in records if (drop := drop_of(record)) is not None]


def step_of(records: Sequence[Record]) -> float:
    """What the scores of these cells are known to: one image, of shares of 1; 0 of a metric of the user's own."""
    images = max((record.n_images or 0 for record in records if ":" not in (record.metric or "")), default=0)
    return 1 / images if images else 0.0


def _judged(records: Sequence[Record], run: Run) -> list[Judged]:
    """What the seeds' predictions are worth; none if they are not there of all, or not of the same images."""
    found = [judged for record in records if (judged := judged_of(run, record)) is not None]
    return found if len(found) == len(records) and all(map(found[0].comparable, found)) else []
