"""How tables, figures and the page write numbers."""

import doctest

import pytest

from farm.grid import label, selection
from farm.report import numbers, words
from farm.report.numbers import count, give_or_take, listed, margin_text, points, span, times, written


@pytest.mark.parametrize("module", [label, selection, numbers, words], ids=lambda module: module.__name__)
def test_the_examples_in_the_docstrings_hold(module):
    failed, tried = doctest.testmod(module)
    assert (failed, tried > 0) == (0, True)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0.00"), (-0.0, "0.00"), (-0.00001, "0.00"), (-0.0123, "\N{MINUS SIGN}1.23"), (0.4, "40.00")],
)
def test_points_have_two_decimals_and_a_real_minus(share, text):
    assert points(share) == text


@pytest.mark.parametrize(("margin", "text"), [(0.005, "0.5 points"), (0.01, "1 point"), (0.07, "7 points")])
def test_a_margin_is_written_as_the_grid_had_it(margin, text):
    assert margin_text(margin) == text


def test_lists_end_in_and_and_long_ones_are_cut():
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(["a", "b", "c", "d", "e", "f"]) == "a, b, c, d and 2 more"


def test_counts_ratios_and_spans_read_as_words():
    assert (count(1, "cell"), count(10_000, "image")) == ("1 cell", "10,000 images")
    assert (times(2.714), times(14.08)) == ("2.71", "14.1")
    assert [times(value) for value in (9.994, 9.996, 99.94, 99.96, 142.3, 1423.0)] == [
        "9.99", "10.0", "99.9", "100", "142", "1,423"
    ]  # fmt: skip
    assert (span([5, 5]), span([3, 5])) == ("5", "3 to 5")


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (2.325, 2.365, "2.35 ±.02"),
        (2.30, 2.35, "2.35 ±.05"),
        (2.34, 2.46, "2.35 ±.11"),
        (2.3449, 2.3451, "2.35 ±.00"),
        (1.0, 4.02, "2.35 ±1.67"),
        (-8.0, 12.3, "2.35 ±10.35"),
        (-8.0, 27.3, "2.35 ±?"),
        (2.345, 2.345, "2.35"),
        (None, 2.4, "2.35"),
        (2.3, None, "2.35"),
    ],
)
def test_a_number_has_the_greater_side_of_its_interval(low, high, text):
    assert give_or_take(2.345, low, high, "{:.2f}") == text


def test_what_is_not_there_is_a_dash_and_0_is_there():
    assert give_or_take(None, 1.0, 2.0, "{:.2f}") == written(None, "{:.2f}") == "-"
    assert written(0.0, "{:+.4f}") == "+0.0000"
