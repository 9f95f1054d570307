"""What answers to images are worth: shares of right ones, means of scores."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp, ttest_rel

from farm.stats.judged import Right, Scored
from farm.stats.replicates import over_images
from farm.stats.shares import Disagreement, mcnemar, tango, wilson

N = 200


def right(*wrong):
    """Right about all images but these."""
    return Right(np.isin(np.arange(N), wrong, invert=True))


def scored(seed, loss=0.0):
    """Scores about 1 of images, of which one seed's are alike but for what is lost, give or take a tenth."""
    base, own = np.random.default_rng(1).normal(1, 1, N), np.random.default_rng(seed)
    return Scored(base - loss + own.normal(0, 0.1, N))


def test_images_that_are_right_or_not_are_shares_with_exact_methods():
    before, after = right(1, 2), right(2, 3, 4, 5)
    counts = Disagreement(first=3, second=1, n=N)
    assert before.disagreement(after) == counts
    assert before.interval() == wilson(198, N)
    assert (before.loss(after), before.loss(after, 0.1)) == (tango(counts), tango(counts, 0.1))
    assert before.p(after) == mcnemar(counts)
    assert before.n == N


def test_images_with_scores_are_means_with_student_s_intervals():
    before, after = scored(2), scored(3, loss=0.05)
    alone, paired = ttest_1samp(before.scores, 0), ttest_rel(before.scores, after.scores)
    assert (before.interval().low, before.interval().high) == pytest.approx(alone.confidence_interval())
    loss = before.loss(after, 0.1)
    assert (loss.low, loss.high) == pytest.approx(paired.confidence_interval(0.9), abs=1e-3)
    assert before.p(after) == pytest.approx(paired.pvalue, abs=1e-5)
    assert before.n == N


def test_few_or_equal_scores_are_not_sure():
    same = scored(2)
    loss = same.loss(same)
    assert loss.high == pytest.approx(1.972 * np.ptp(same.scores) / (N + 2), rel=1e-3)
    assert (loss.low, same.p(same)) == (-loss.high, 1.0)
    ones, four = Scored(np.ones(1000)), Scored(np.where(np.arange(1000) < 4, 0.0, 1.0))
    assert 0.05 < ones.p(four) < 0.125, "as sure as images that are right or not are, nearly"


@pytest.mark.parametrize(("one", "other"), [(right(1), right(2)), (scored(2), scored(3))])
def test_what_is_judged_alike_on_every_image_is_the_same(one, other):
    assert one.is_as(one)
    assert not one.is_as(other)
    assert one.p(one) == 1
    assert one.loss(one).value == 0


def test_only_what_is_alike_is_comparable():
    assert right().comparable(right(1))
    assert not right().comparable(Right(np.ones(N - 1, bool)))
    assert not right().comparable(scored(2))


def test_scores_that_are_alike_but_for_chance_seldom_differ_surely():
    """Of 60 images with scores from 0 to 1, most of them 1, as F-scores are; 1,000 A/A comparisons."""
    rng = np.random.default_rng(7)
    found = (Scored(np.minimum(1.0, rng.gamma(6, 0.2, 60))).p(Scored(np.minimum(1.0, rng.gamma(6, 0.2, 60)))) < 0.05
             for _ in range(1000))  # fmt: skip
    assert 0.035 < sum(found) / 1000 < 0.066


def test_over_seeds_images_leave_the_doubt_of_their_mean():
    seeds, others = [right(1), right(1, 2)], [right(1, 3, 4), right(3)]
    shares = [np.mean([one.right for one in of], axis=0) for of in (seeds, others)]
    assert Right.doubt(seeds, others) == over_images(*shares)
    before, after = [scored(2), scored(3)], [scored(4), scored(5)]
    lost = np.mean([one.scores for one in before], axis=0) - np.mean([one.scores for one in after], axis=0)
    doubt = Scored.doubt(before, after)
    assert (doubt.square, doubt.freedom) == (
        pytest.approx(lost.var(ddof=1) / N + (np.abs(lost).max() / (N + 2)) ** 2),
        N - 1,
    )
