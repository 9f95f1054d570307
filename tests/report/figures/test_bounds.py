"""How much a figure shows of a run of many cells."""

from dataclasses import replace

import pytest

from farm.record import is_fp32_ir
from farm.report.figures.bounds import MOST_MARKS, MOST_ROWS, foremost, foremost_square, of_many
from farm.report.figures.pareto import MOST, front, fronts
from tests.report.figures.grids import figures_of
from tests.report.figures.marks import marks, texts
from tests.report.page.scenes import study

MODELS = [f"network{index}" for index in range(12)]
SETS = ["cifar10", *(f"set{index}" for index in range(34))]
CELLS = len(MODELS) * len(SETS)


def slower(record, at):
    """A cell that is slower and less accurate than the one before."""
    if record.fps is None or record.calibration is None:
        return record
    speeds = {"speedup_ir": 3 - at / 1000, "fps": 3000.0 - at}
    return replace(record, **speeds, top1=record.top1 - at / 10_000)


@pytest.fixture(scope="module")
def figures():
    run = study(MODELS, SETS)
    return figures_of(replace(run, records=tuple(slower(each, at) for at, each in enumerate(run.records))))


def test_the_greatest_are_taken_in_their_own_order():
    assert foremost({"a": 2, "b": 9, "c": 1, "d": 5}, 3) == ["a", "b", "d"]
    assert foremost({"a": 2}, 3) == ["a"]


def test_of_equals_there_are_never_more_than_asked_for():
    assert len(foremost(dict.fromkeys(range(10), 1), 4)) == 4


def test_a_square_has_few_columns_and_as_many_rows_as_its_marks_allow():
    weights = {(row, column): row + column for row in range(300) for column in range(300)}
    rows, columns = foremost_square(weights, 30)
    assert columns == list(range(270, 300))
    assert rows == list(range(300 - MOST_MARKS // 30, 300))
    assert foremost_square({(0, 0): 1}, 30) == ([0], [0])


def test_a_caption_says_nothing_where_everything_is_shown():
    assert of_many(3, 3, "sets") == ""
    assert of_many(3, 4000, "sets") == "The 3 of 4,000 sets; all are in the table. "


def test_rows_are_those_that_lose_most(figures):
    said = figures["losses"].caption
    assert said.startswith(f"The {MOST_ROWS} of {CELLS - len(MODELS)} sets that lose most; all are in the table. ")
    assert len([mark for mark in marks(figures["losses"], "rule") if "standing" in mark.said]) == MOST_ROWS
    assert figures["losses"].alt.startswith(f"Of {CELLS - len(MODELS)} sets")


def test_rows_of_speed_are_those_with_the_least_speed_up(figures):
    figure = figures["speedup"]
    assert figure.caption.startswith(f"The {MOST_ROWS} of {CELLS} models and sets with the least speed-up;")
    shown = [mark.number("value") for mark in marks(figure, "symbol") if "over the FP32 IR" in mark.said]
    assert max(shown) < 3 - (CELLS - MOST_ROWS - 20) / 1000


def test_the_heatmap_has_the_sets_that_lose_most(figures):
    figure = figures["drops"]
    assert figure.caption.startswith("The 12 of 12 models and 30 of 36 sets that lose most; all are in the table. ")
    assert len(marks(figure, "rect")) == 360
    assert len([text for text in texts(figure) if text.startswith("set")]) >= 29


def test_the_cells_nearest_the_front_are_shown(figures):
    figure = figures["pareto"]
    assert figure.caption.startswith(f"The {MOST} of ")
    assert len(marks(figure, "symbol")) == MOST
    assert any("on the front: true" in mark.said for mark in marks(figure, "symbol"))


def test_fronts_are_what_is_left_when_those_before_are_taken_away():
    both = [(x * 7 % 10, x * 3 % 11) for x in range(60)]
    ranks, left, at = fronts(both), list(both), 0
    while left:
        best = {left[index] for index in front(left)}
        assert best == {one for one, rank in zip(both, ranks, strict=True) if rank == at}
        left, at = [one for one in left if one not in best], at + 1


def test_of_a_small_run_everything_is_shown():
    run = study(MODELS[:2], SETS[:3])
    assert any(map(is_fp32_ir, run.records))
    assert not [figure for figure in figures_of(run).values() if "all are in the table" in figure.caption]
