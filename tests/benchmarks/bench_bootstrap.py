"""How often the bootstrap of mean average precision claims a loss that is not there, and finds one that is.

Simulated detectors on simulated images: objects of eight classes, about four an image, each found or not and more or
less exactly; how hard an object is to find is the same for both models of a pair, so that they agree as two versions of
one network do. *A/A*: both are equally good. *lost*: the second's boxes overlap the objects by less. The true loss is
the mean over all runs.

claimed: share of runs with p below 5 %: of A/A false claims, else the power. held: share of runs whose 95 % interval
holds the true loss. `--quick`: 40 runs.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from processes import say
from publishing import NO_GOAL, goal, options, parser, publish

from farm.stats.judged import Resampled
from farm.stats.resampling import resamples
from farm.tasks.detection.found import OVERLAPS
from farm.tasks.detection.precision import Matches, average_precision, mean_over_classes

NAME = "bootstrap"
RUNS, QUICK = 1000, 40
IMAGES = (64, 128)
LOSSES = (0.0, 0.02, 0.05)  # of overlap
MOST_CLAIMED = 0.05
CLASSES, OBJECTS, STRANGE = 8, 4.0, 2.0  # an image has so many objects, and so many detections of nothing
CHANCE = 2.0  # standard errors that 1,000 runs may miss a share of 5 % by


def main() -> None:
    """Simulate, publish."""
    quick = options(parser(__doc__)).quick
    runs = QUICK if quick else RUNS
    rows = []
    for images in IMAGES[:1] if quick else IMAGES:
        drawn = resamples(images)
        for loss in LOSSES:
            say(f"{images} images, {loss:g} of overlap lost")
            rows.append(row(images, loss, [pair(images, loss, drawn, seed) for seed in range(runs)]))
    publish(NAME, rows, note=f"{runs} runs a row, {CLASSES} classes, {OBJECTS:g} objects an image.")


def row(images: int, loss: float, pairs: list[tuple[Resampled, Resampled]]) -> dict[str, Any]:
    """What is to be said of so many pairs of models."""
    losses = [before.loss(after) for before, after in pairs]
    true = float(np.mean([one.value for one in losses])) if loss else 0.0
    claimed = float(np.mean([before.p(after) < MOST_CLAIMED for before, after in pairs]))
    held = float(np.mean([one.low <= true <= one.high for one in losses]))
    allowed = CHANCE * np.sqrt(MOST_CLAIMED * (1 - MOST_CLAIMED) / len(pairs))
    goals: Mapping[str, Any] = NO_GOAL
    if not loss:
        met, reason = bool(claimed <= MOST_CLAIMED + allowed), "more of them than chance allows"
        goals = goal(f"claimed at most {MOST_CLAIMED:.0%}, give or take {allowed:.1%}", met=met, reason=reason)
    return {
        "what": f"{'lost' if loss else 'A/A'}, {images} images",
        "metric": float(np.mean([one.value for one, _ in pairs])),
        "true_loss": true,
        "standard_error": float(np.std([one.value for one in losses])),
        "claimed": claimed,
        "held": held,
        **goals,
    }


def pair(images: int, loss: float, drawn: np.ndarray, seed: int) -> tuple[Resampled, Resampled]:
    """Two models on the same images, the second of which overlaps by so much less."""
    rng = np.random.default_rng((images, seed))
    objects = rng.poisson(OBJECTS, images)
    image, category = np.repeat(np.arange(images), objects), rng.integers(0, CLASSES, objects.sum())
    ease = rng.normal(0, 1, len(image))
    return tuple(judged(images, found(rng, images, image, category, ease, lost), drawn) for lost in (0.0, loss))


def found(
    rng: np.random.Generator, images: int, image: np.ndarray, category: np.ndarray, ease: np.ndarray, loss: float
) -> Matches:
    """What a model finds: the easy objects, likelier and more exactly, and some that are not there."""
    own = ease + rng.normal(0, 0.3, len(ease))
    there = own > -0.5
    overlap = np.clip(0.78 + 0.1 * own + rng.normal(0, 0.03, len(own)) - loss, 0, 1)[there]
    strange = rng.poisson(STRANGE, images)
    bits = (OVERLAPS[:, None] <= overlap[None]) << np.arange(len(OVERLAPS))[:, None]
    scores = np.concatenate([own[there] + rng.normal(0, 0.5, there.sum()), rng.normal(-0.8, 0.7, strange.sum())])
    matched = np.concatenate([bits.sum(axis=0), np.zeros(strange.sum(), int)]).astype(np.uint16)
    return Matches(
        n=images,
        image=np.concatenate([image[there], np.repeat(np.arange(images), strange)]),
        category=np.concatenate([category[there], rng.integers(0, CLASSES, strange.sum())]),
        score=scores,
        matched=matched,
        ignored=np.zeros(len(matched), np.uint16),
        truth_image=image,
        truth_category=category,
    )


def judged(images: int, matches: Matches, drawn: np.ndarray) -> Resampled:
    """The metric, and its values of samples."""
    value = mean_over_classes(average_precision(matches, len(OVERLAPS)))[0]
    return Resampled(images, float(value), mean_over_classes(average_precision(matches, len(OVERLAPS), drawn)))


if __name__ == "__main__":
    main()
