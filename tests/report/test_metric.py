"""How a metric is written: shares of images in percent and points, one of the user's own as it is."""

import doctest

import pytest

from farm.report import metric
from farm.report.metric import Metric
from farm.stats.shares import Estimate

LOSS = Estimate(value=0.01, low=-0.001, high=0.03)
MINUS = "\N{MINUS SIGN}"


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(metric)[0] == 0


@pytest.mark.parametrize("name", [None, "top1"])
def test_shares_are_in_percent_and_losses_in_points(name):
    top1 = Metric(name)
    assert (top1.word, top1.title, top1.axis, top1.points) == ("top-1", "Top-1", "top-1, %", "points")
    assert (top1.score(0.8818), top1.amount(0.0123), top1.margin(0.005)) == ("88.18 %", "1.23 points", "0.5 points")
    assert top1.with_interval(LOSS) == f"1.00 points ({MINUS}0.10 to 3.00)"
    assert top1.either_way(0.01) == f"{MINUS}1 to 1 points"
    assert top1.scaled(0.5) == 50


def test_a_metric_of_ones_own_is_written_as_it_is():
    own = Metric("my:metric")
    assert (own.word, own.title, own.axis, own.points) == ("my:metric", "my:metric", "my:metric", "")
    assert (own.score(0.8818), own.amount(0.0123), own.margin(0.005)) == ("0.8818", "0.0123", "0.005")
    assert own.with_interval(LOSS) == f"0.0100 ({MINUS}0.0010 to 0.0300)"
    assert own.either_way(0.01) == f"{MINUS}0.01 to 0.01"
    assert (own.number(-0.00001), own.scaled(0.5)) == ("0.0000", 0.5)
