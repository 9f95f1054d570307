"""How much a figure shows of a run of many cells."""

from dataclasses import replace

import pytest

from farm.report.figures.bounds import MOST_MARKS, MOST_ROWS, foremost, foremost_square, of_many
from farm.report.figures.latency import MOST as MOST_LATENCIES
from farm.report.figures.pareto import MOST, front, fronts
from farm.report.figures.sizes import MOST as MOST_SIZES
from farm.results.folder import Folder
from tests.report.figures.grids import figures_of, measured, write_rounds, wrong
from tests.report.figures.marks import marks, texts
from tests.report.page.scenes import study
from tests.runs import record, run

MODELS = [f"network{index}" for index in range(12)]
SETS = ["cifar10", *(f"set{index}" for index in range(34))]
CELLS = len(MODELS) * len(SETS)


def slower(cell, at):
    """A cell that is slower and less accurate than the one before."""
    if cell.fps is None or cell.calibration is None:
        return cell
    speeds = {"speedup_ir": 3 - at / 1000, "fps": 3000.0 - at}
    return replace(cell, **speeds, top1=cell.top1 - at / 10_000)


@pytest.fixture(scope="module")
def figures():
    found = study(MODELS, SETS)
    return figures_of(replace(found, records=tuple(slower(each, at) for at, each in enumerate(found.records))))


def test_the_greatest_are_taken_in_their_own_order():
    assert foremost({"a": 2, "b": 9, "c": 1, "d": 5}, 3) == ["a", "b", "d"]
    assert foremost({"a": 2}, 3) == ["a"]


def test_of_equals_there_are_never_more_than_asked_for():
    assert len(foremost(dict.fromkeys(range(10), 1), 4)) == 4


def test_a_square_has_few_columns_and_as_many_rows_as_its_marks_allow():
    weights = {(row, column): row + column for row in range(300) for column in range(300)}
    rows, columns = foremost_square(weights, 30)
    assert columns == list(range(270, 300))
    assert rows == list(range(300 - MOST_MARKS // 60, 300))
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


def test_lines_of_latency_are_those_with_the_longest_tails(tmp_path):
    folder = Folder(str(tmp_path))
    cells = [record(f"set{index:02}") for index in range(MOST_LATENCIES + 5)]
    found = replace(run(dict.fromkeys(cells, ())), folder=folder)
    for index, cell in enumerate(cells):
        found = measured(found, cell.cell, [2.0], latency_p50_ms=1.0, latency_p95_ms=2 + index / 100)
        write_rounds(folder, cell.cell, [2.0], inferences=3)
    figure = figures_of(found)["latency"]
    assert figure.caption.startswith(
        f"The {MOST_LATENCIES} of {MOST_LATENCIES + 5} cells whose slowest twentieth takes"
    )
    shown = [mark.said.split("cell: ")[1].split("/")[1] for mark in marks(figure, "line")]
    assert sorted(shown) == [f"set{index:02}" for index in range(5, MOST_LATENCIES + 5)]


def test_lines_of_sizes_are_those_that_change_most():
    cells = {record(): wrong(0)}
    for index in range(MOST_SIZES + 2):
        few, many = (record(f"set{index:02}{{count={size}}}", subset_size=size) for size in (50, 300))
        cells |= {few: wrong(100 + index), many: wrong(100)}
    figure = figures_of(run(cells))["sizes"]
    assert figure.caption.startswith(f"The {MOST_SIZES} of {MOST_SIZES + 2} lines of model and set that change most")
    assert {"set00", "set01"}.isdisjoint(texts(figure))
    assert "set02" in texts(figure)


def test_fronts_are_what_is_left_when_those_before_are_taken_away():
    both = [(x * 7 % 10, x * 3 % 11) for x in range(60)]
    ranks, left, at = fronts(both), list(both), 0
    while left:
        best = {left[index] for index in front(left)}
        assert best == {one for one, rank in zip(both, ranks, strict=True) if rank == at}
        left, at = [one for one in left if one not in best], at + 1


def test_of_a_small_run_everything_is_shown():
    found = study(MODELS[:2], SETS[:3])
    assert not [figure for figure in figures_of(found).values() if "all are in the table" in figure.caption]
