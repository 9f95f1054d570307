"""Samples of images: the same ones for every model, and what metrics of them say."""

import doctest

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from farm.stats import resampling
from farm.stats.judged import Resampled
from farm.stats.resampling import SAMPLES, resamples

Z = float(ndtri(0.975))


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(resampling)[0] == 0


def test_a_sample_has_as_many_images_drawn_with_replacement_and_is_the_same_each_time():
    drawn = resamples(50)
    assert drawn.shape == (SAMPLES, 50)
    assert (drawn.sum(axis=1) == 50).all()
    assert (drawn == 0).mean() == pytest.approx(np.exp(-1), abs=0.01)
    assert np.array_equal(drawn, resamples(50))
    assert np.array_equal(drawn[:10], resamples(50, 10)), "fewer are the first of more"


def judged(scores):
    """The mean of these, as a metric of all images together."""
    drawn = resamples(len(scores))
    return Resampled(len(scores), float(scores.mean()), drawn @ scores / len(scores))


def scores(seed, n=200, loss=0.0):
    base = np.random.default_rng(1).normal(0.5, 0.1, n)
    return base - loss + np.random.default_rng(seed).normal(0, 0.02, n)


def test_of_a_mean_the_samples_say_what_its_formula_says():
    before, after = scores(2), scores(3, loss=0.005)
    error = (before - after).std(ddof=1) / np.sqrt(200)
    loss = judged(before).loss(judged(after))
    assert loss.value == pytest.approx((before - after).mean())
    assert (loss.high - loss.low) / 2 == pytest.approx(Z * error, rel=0.08)
    alone = judged(before).interval()
    assert (alone.high - alone.low) / 2 == pytest.approx(Z * before.std(ddof=1) / np.sqrt(200), rel=0.08)
    assert judged(before).p(judged(after)) == pytest.approx(2 * float(ndtr(-(before - after).mean() / error)), rel=0.5)


def test_what_is_the_same_of_all_samples_is_no_loss():
    one = judged(scores(2))
    assert one.is_as(one)
    assert not one.is_as(judged(scores(3)))
    assert one.p(one) == 1.0
    assert one.loss(one).high == -one.loss(one).low == pytest.approx(Z / 202, rel=0.02), "no surer than by one image"
    shifted = Resampled(200, one.value - 0.1, one.values - 0.1)
    assert one.p(shifted) < 1e-9


def test_a_share_has_no_interval_beyond_0_and_1():
    found = Resampled(200, 0.99, 0.99 + np.random.default_rng(0).normal(0, 0.02, 1000)).interval()
    assert (found.high, found.low) == (1.0, pytest.approx(0.95, abs=0.005))


def test_only_as_many_samples_of_as_many_images_are_comparable():
    one = judged(scores(2))
    assert one.comparable(judged(scores(3)))
    assert not one.comparable(judged(scores(3, n=100)))
    assert not one.comparable(Resampled(200, 1.0, one.values[:10]))
    assert one.n == 200


def test_samples_without_a_value_are_left_out():
    one, other = judged(scores(2)), judged(scores(3))
    values = one.values.copy()
    values[:5] = np.nan
    lacking = Resampled(200, one.value, values)
    assert lacking.loss(other).low == pytest.approx(one.loss(other).low, rel=0.05)


def test_a_loss_that_is_not_there_is_seldom_claimed_and_one_that_is_is_found():
    """400 pairs of models that differ by chance, and as many of which one lost as much as 3 standard errors."""
    rng, n = np.random.default_rng(5), 100
    base = rng.normal(1, 1, n)
    drawn = resamples(n) / n

    def model(loss):
        own = base - loss + rng.normal(0, 0.3, n)
        return Resampled(n, float(own.mean()), drawn @ own)

    lost = 3 * 0.3 * np.sqrt(2 / n)
    alike, unlike = ([model(0).p(model(loss)) < 0.05 for _ in range(400)] for loss in (0, lost))
    assert np.mean(alike) < 0.08
    assert np.mean(unlike) > 0.75


def test_over_seeds_samples_leave_the_doubt_of_their_mean():
    before, after = [judged(scores(2)), judged(scores(3))], [judged(scores(4)), judged(scores(5))]
    values = np.mean([one.values for one in before], axis=0) - np.mean([one.values for one in after], axis=0)
    doubt = Resampled.doubt(before, after)
    assert (doubt.square, doubt.freedom) == (pytest.approx(values.var(ddof=1)), 199)
