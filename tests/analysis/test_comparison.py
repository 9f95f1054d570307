"""Two runs by hand, cell by cell: what is a regression, what stands first, and what else is said."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.analysis.changes import Tolerance
from farm.analysis.comparison import as_json, compare
from farm.errors import InputError
from tests.compared import HERE, NOISE, REAL, compared, fast, lost
from tests.runs import N, record, run

IR, FRACTAL = record(**HERE), record("fractal")


def accuracies(before, after):
    """The change of accuracy by calibration: all the same model's, with the images that each gets wrong."""
    return {each.cell.split("/")[1]: each.accuracy for each in compared(before, after).cells}


def test_a_run_beside_itself_shows_no_difference():
    one = {IR: lost(0), fast(2.7): lost(5), fast(2.7, calibration="noise"): lost(40)}
    found = compared(one, one)
    assert found.regressions == ()
    assert found.differences == ()
    assert {each.accuracy.word for each in found.cells} == {"alike"}
    assert {each.accuracy.drop.value for each in found.cells} == {0}
    assert [each.speed.word for each in found.cells] == [None, "alike", "alike"]


@given(*(st.lists(st.sets(st.integers(0, N - 1), max_size=60), min_size=3, max_size=3) for _ in "AB"))
@settings(max_examples=25)
def test_what_is_worse_one_way_is_better_the_other_way(before, after):
    cells = (IR, REAL, NOISE)
    first, second = (
        {cell: sorted(images) for cell, images in zip(cells, wrong, strict=True)} for wrong in (before, after)
    )
    turned = {"worse": "better", "better": "worse"}
    there, back = accuracies(first, second), accuracies(second, first)
    assert {name: turned.get(each.word, each.word) for name, each in there.items()} == {
        name: each.word for name, each in back.items()
    }


@pytest.mark.parametrize(("wrong", "times", "word"), [(lost(0), 1, "worse"), (lost(1)[1:], 10, "undecided")])
def test_many_cells_find_less_by_chance_unless_they_are_as_they_were(wrong, times, word):
    alone = accuracies({REAL: lost(0)}, {REAL: lost(8)})["real"]
    others = [record("real", seed=seed) for seed in range(1, 10)]
    before, after = (dict.fromkeys(others, images) for images in (lost(0), wrong))
    among = accuracies({REAL: lost(0), **before}, {REAL: lost(8), **after})["real"]
    assert (alone.word, among.word) == ("worse", word)
    assert among.p == pytest.approx(times * alone.p)


def test_ratios_of_size_are_shown():
    (cell,) = compared({replace(REAL, size_mib=0.5): ()}, {replace(REAL, size_mib=1.0): ()}).cells
    assert (cell.size, cell.regressions) == (2.0, ())


@pytest.mark.parametrize(
    ("before", "after", "regressions"),
    [
        ("ok", "failed", ("outcome",)),
        ("ok", "pending", ("outcome",)),
        ("failed", "failed", ()),
        ("failed", "ok", ()),
        ("pending", "failed", ()),
    ],
)
def test_a_cell_that_has_no_result_now_and_had_one_before_is_a_regression(before, after, regressions):
    said = {"failed": {"error_class": "crash", "error_message": "signal 11"}}
    old, new = (replace(REAL, outcome=each, **said.get(each, {})) for each in (before, after))
    (cell,) = compared({old: ()}, {new: ()}).cells
    assert cell.regressions == regressions
    errors = {"failed": "failed: crash: signal 11", "pending": "was not run"}
    assert cell.error == (errors[after] if regressions else None)


def test_regressions_stand_first_and_the_worst_at_the_top():
    names = "same", "slow", "slower", "drop", "deeper", "broken"
    before = {fast(2.7, calibration=name): lost(0) for name in names}
    x_ir, wrong = {"slow": 2.4, "slower": 2.0}, {"drop": 30, "deeper": 60}
    after = {
        fast(x_ir.get(name, 2.7), calibration=name, outcome="failed" if name == "broken" else "ok"):
        lost(wrong.get(name, 0))
        for name in names
    }  # fmt: skip
    found = compared(before, after)
    assert [each.cell.split("/")[1] for each in found.cells] == ["broken", "deeper", "drop", "slower", "slow", "same"]
    assert (len(found.regressions), found.accuracies, found.speeds) == (5, 6, 6)


def test_cells_of_one_run_only_are_listed():
    found = compared({REAL: (), NOISE: ()}, {FRACTAL: (), REAL: ()})
    assert (found.only_first, found.only_second) == ((NOISE.cell,), (FRACTAL.cell,))
    assert [each.cell for each in found.cells] == [REAL.cell]


def test_runs_without_a_common_cell_are_bad_input():
    with pytest.raises(InputError, match="no cell in common"):
        compared({REAL: ()}, {NOISE: ()})


def test_what_differs_between_the_runs_is_named():
    before = [
        replace(each, versions='{"openvino": "2026.4.1", "torch": "2.14.1"}', isa="avx2") for each in (REAL, NOISE)
    ]
    after = [replace(each, versions='{"openvino": "2026.5.0", "torch": "2.14.1"}', cores=4) for each in (REAL, NOISE)]
    found = compared(dict.fromkeys(before, ()), dict.fromkeys([after[0], before[1]], ()))
    assert [(each.name, each.before, each.after) for each in found.differences] == [
        ("openvino", ("2026.4.1",), ("2026.4.1", "2026.5.0"))
    ]


def test_runs_of_which_nothing_can_be_judged_compare_in_vain():
    bare = [replace(run({REAL: ()}), records=(replace(REAL, top1=None, score=None, metric=None),)) for _ in "AB"]
    found = compare(*bare, Tolerance())
    assert found.vain
    assert found.cells[0].accuracy.unjudged == "no accuracy in A and B"
    assert not compared({REAL: ()}, {REAL: ()}).vain


def test_json_says_of_each_cell_what_got_worse():
    said = as_json(compared({REAL: lost(0)}, {REAL: lost(50)}))
    assert (said["regressions"], said["tolerance"]["max_drop"]) == (1, 0.005)
    assert said["cells"][0]["regressions"] == ("accuracy",)
    assert said["cells"][0]["accuracy"]["drop"]["value"] == 0.05
