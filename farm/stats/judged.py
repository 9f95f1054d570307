"""What a model's answers to n test images are worth, alone and beside another's to the same images. Pure.

Where an image is right or not there are shares of images, for which the methods of `farm.stats.shares` hold few images
too. Where it has a score there are means, by Student's t (1908, Biometrika 6). Where the metric is of all images
together there are its values of samples of them, by their standard deviation (`farm.stats.resampling`).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from farm.stats.replicates import Uncertainty, around, mean, of_scores, over_images, p_value
from farm.stats.shares import ALPHA, Disagreement, Estimate, mcnemar, tango, wilson

LEAST_IMAGES = 10  # of which scores, or samples, say how sure a mean is


class Judged(ABC):
    """Of one model. What it is held against must be `comparable`, and of the same images."""

    @property
    @abstractmethod
    def n(self) -> int:
        """How many images."""

    def comparable(self, other: "Judged") -> bool:
        """Whether another is of the same kind, and of as many images."""
        return type(self) is type(other) and self.n == other.n

    @abstractmethod
    def interval(self, alpha: float = ALPHA) -> Estimate:
        """The metric with its interval."""

    @abstractmethod
    def loss(self, after: Self, alpha: float = ALPHA) -> Estimate:
        """This one's metric minus the other's, with its interval over images."""

    @abstractmethod
    def p(self, after: Self) -> float:
        """The two-sided p-value of no loss."""

    @abstractmethod
    def is_as(self, after: Self) -> bool:
        """Whether every image is judged alike."""

    @classmethod
    @abstractmethod
    def doubt(cls, before: Sequence[Self], after: Sequence[Self]) -> Uncertainty:
        """What the images leave unknown of the difference of two means over seeds."""


@dataclass(frozen=True, slots=True)
class Right(Judged):
    """right: (n,), whether an image was; the metric is the share of them."""

    right: NDArray[np.bool_]

    @property
    def n(self) -> int:
        """How many images."""
        return len(self.right)

    def interval(self, alpha: float = ALPHA) -> Estimate:
        """The share with Wilson's score interval."""
        return wilson(int(self.right.sum()), self.n, alpha)

    def loss(self, after: Self, alpha: float = ALPHA) -> Estimate:
        """Of the share, with Tango's score interval."""
        return tango(self.disagreement(after), alpha)

    def p(self, after: Self) -> float:
        """McNemar's, exact."""
        return mcnemar(self.disagreement(after))

    def is_as(self, after: Self) -> bool:
        """Whether both are right about the same images."""
        return bool(np.array_equal(self.right, after.right))

    def disagreement(self, after: Self) -> Disagreement:
        """On how many images one alone is right."""
        first, second = int((self.right & ~after.right).sum()), int((after.right & ~self.right).sum())
        return Disagreement(first=first, second=second, n=self.n)

    @classmethod
    def doubt(cls, before: Sequence[Self], after: Sequence[Self]) -> Uncertainty:
        """By the share of seeds that are right about an image."""
        first, second = (
            np.mean([one.right for one in seeds], axis=0, dtype=np.float64).reshape(-1) for seeds in (before, after)
        )
        return over_images(first, second)


class _Estimated(Judged):
    """What has a standard error: means, and metrics of all images together."""

    @property
    @abstractmethod
    def value(self) -> float:
        """The metric."""

    def loss(self, after: Self, alpha: float = ALPHA) -> Estimate:
        """Of the metric, with its t-interval."""
        return around(self.value - after.value, self.doubt([self], [after]), alpha)

    def p(self, after: Self) -> float:
        """By the same standard error."""
        return p_value(self.value - after.value, self.doubt([self], [after]))


@dataclass(frozen=True, slots=True)
class Scored(_Estimated):
    """scores: float64 (n,), of `LEAST_IMAGES` or more; the metric is their mean."""

    scores: NDArray[np.float64]

    @property
    def n(self) -> int:
        """How many images."""
        return len(self.scores)

    @property
    def value(self) -> float:
        """The mean."""
        return float(self.scores.mean())

    def interval(self, alpha: float = ALPHA) -> Estimate:
        """The mean with its t-interval."""
        return mean(self.scores, alpha)

    def is_as(self, after: Self) -> bool:
        """Whether all scores are the same."""
        return bool(np.array_equal(self.scores, after.scores))

    @classmethod
    def doubt(cls, before: Sequence[Self], after: Sequence[Self]) -> Uncertainty:
        """By the mean of an image's scores over the seeds."""
        every = np.concatenate([one.scores for one in (*before, *after)])
        first, second = (np.mean([one.scores for one in seeds], axis=0) for seeds in (before, after))
        return of_scores(first - second, float(np.ptp(every)))


@dataclass(frozen=True, slots=True)
class Resampled(_Estimated):
    """The metric of `LEAST_IMAGES` or more, 0 to 1, and its values of samples of them.

    values: float64 (b,), of the same samples for all models; NaN of samples that have none.
    """

    images: int
    metric: float
    values: NDArray[np.float64]

    @property
    def n(self) -> int:
        """How many images."""
        return self.images

    @property
    def value(self) -> float:
        """The metric."""
        return self.metric

    def comparable(self, other: Judged) -> bool:
        """Whether there are as many samples of as many images."""
        return isinstance(other, Resampled) and (self.n, len(self.values)) == (other.n, len(other.values))

    def interval(self, alpha: float = ALPHA) -> Estimate:
        """The metric, give or take its standard error."""
        found = around(self.metric, self._doubt(self.values, self.n), alpha)
        return Estimate(value=self.metric, low=max(0.0, found.low), high=min(1.0, found.high))

    def is_as(self, after: Self) -> bool:
        """Whether it is the same of all samples."""
        return bool(np.array_equal(self.values, after.values, equal_nan=True))

    @classmethod
    def doubt(cls, before: Sequence[Self], after: Sequence[Self]) -> Uncertainty:
        """By the mean over the seeds of each sample's values."""
        first, second = (np.mean([one.values for one in seeds], axis=0) for seeds in (before, after))
        return cls._doubt(first - second, before[0].n)

    @staticmethod
    def _doubt(values: NDArray[np.float64], n: int) -> Uncertainty:
        """By the variance of samples' values, without those that have none; of equal ones, what one image more is."""
        return Uncertainty(float(np.nanvar(values, ddof=1)) or (1 / (n + 2)) ** 2, n - 1)
