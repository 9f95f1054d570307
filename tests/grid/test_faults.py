"""Faults in words."""

import pytest
from pydantic import Field

from farm.grid.faults import check
from farm.spec import Parameters
from farm.suggest import did_you_mean


class Inner(Parameters):
    pairs: int = 1


class Outer(Parameters):
    inner: Inner = Inner()
    maybe: Inner | None = None
    words: tuple[str, ...] = ()
    needed: int = Field(ge=1)


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [
        ("fractle", ["noise", "fractal"], ", did you mean 'fractal'?"),
        ("cpu", ["CPU", "GPU"], ", did you mean 'CPU'?"),
        ("xyz", ["noise", "fractal"], "; there are noise, fractal"),
        ("xyz", [], ""),
        ("xyz", "abcdefghijklmnop", "; there are a, b, c, d, e, f, g, h, i, j, k, l and 4 more"),
        ("abcd", ["bcda", "abdc"], ", did you mean 'abdc'?"),
        ("abcd", ["abdc", "bcda"], ", did you mean 'abdc'?"),
        ("resnet", ["wide_resnet", "resnet1234567"], ", did you mean 'wide_resnet'?"),
        ("top2", ["top5", "top1"], ", did you mean 'top5'?"),
    ],
)
def test_a_close_name_is_offered_else_all_there_are(word, known, said):
    assert did_you_mean(word, known) == said


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"needed": 1}, []),
        ({}, [(("needed",), "missing")]),
        ({"needed": 0}, [(("needed",), "input should be greater than or equal to 1, not 0")]),
        ({"needed": 1, "inner": {"pears": 1}}, [(("inner", "pears"), "unknown parameter, did you mean 'pairs'?")]),
        ({"needed": 1, "maybe": {"pears": 1}}, [(("maybe", "pears"), "unknown parameter")]),
        ({"needed": 1, "words": ["a", 7]}, [(("words", 1), "input should be a valid string, not 7")]),
    ],
)
def test_each_fault_of_a_mapping_is_told_by_its_path(raw, said):
    told = []
    checked = check(Outer, raw, ("here",), lambda path, text: told.append((path, text)))
    assert told == [(("here", *path), text) for path, text in said]
    assert (checked is None) == bool(said)


def test_lists_become_tuples_so_that_nothing_can_change_later():
    checked = check(Outer, {"needed": 1, "words": ["a", "b"]}, (), lambda _path, _text: None)
    assert checked.words == ("a", "b")


def test_a_long_value_is_cut():
    told = []
    check(Outer, {"needed": "x" * 1000}, (), lambda _path, text: told.append(text))
    assert len(told[0]) < 120
