"""Holm's correction, equivalence within a margin, and the word for a loss."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.analysis.standing import holm, standing
from farm.stats.shares import Estimate

P_VALUES = st.lists(st.floats(0, 1), max_size=8)


def stepped_down(p_values, alpha):
    """Holm's procedure as he wrote it: which hypotheses are rejected."""
    rejected = [False] * len(p_values)
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[index] * (len(p_values) - rank) > alpha:
            break
        rejected[index] = True
    return rejected


@given(P_VALUES, st.floats(0.001, 0.5))
def test_a_corrected_p_value_rejects_what_holms_procedure_rejects(p_values, alpha):
    assert [p <= alpha for p in holm(p_values)] == stepped_down(p_values, alpha)


@given(P_VALUES)
def test_a_correction_never_makes_surer_and_keeps_the_order(p_values):
    corrected = holm(p_values)
    assert all(before <= after <= 1 for before, after in zip(p_values, corrected, strict=True))
    ordered = [after for _, after in sorted(zip(p_values, corrected, strict=True))]
    assert ordered == sorted(ordered)


@pytest.mark.parametrize(
    ("low", "high", "held"),
    [(-0.004, 0.004, True), (-0.005, 0.004, False), (-0.004, 0.005, False), (0.001, 0.02, False)],
)
def test_equivalence_needs_the_whole_interval_inside_the_margin(low, high, held):
    assert (standing(Estimate(value=0.0, low=low, high=high), 1.0, 0.005) == "equivalent") is held


@pytest.mark.parametrize(
    ("loss", "p", "word"),
    [
        ((0.001, 0.003), 1.0, "equivalent"),
        ((0.001, 0.003), 0.001, "equivalent"),  # a loss that is surely there, and surely does not matter
        ((0.004, 0.020), 0.001, "worse"),
        ((-0.020, -0.004), 0.001, "better"),
        ((0.000, 0.020), 0.06, "undecided"),
    ],
)
def test_the_word_for_a_loss(loss, p, word):
    low, high = loss
    assert standing(Estimate(value=(low + high) / 2, low=low, high=high), p, 0.005) == word


@pytest.mark.parametrize(("value", "word"), [(0.004, "undecided"), (0.006, "worse"), (-0.006, "better")])
def test_a_loss_that_is_surely_there_can_be_asked_to_matter_too(value, word):
    assert standing(Estimate(value=value, low=value - 0.003, high=value + 0.003), 0.001, 0.005, least=0.005) == word
