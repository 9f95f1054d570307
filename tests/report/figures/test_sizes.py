"""Accuracy by the number of calibration images."""

from dataclasses import replace

import pytest

from tests.report.figures.grids import figures_of, wrong
from tests.report.figures.marks import marks, texts
from tests.runs import record, run


def sized(source, size, count, **more):
    cell = record(source, algorithm=f"default{{subset_size={size}}}", subset_size=size, **more)
    return {cell: wrong(count)}


def test_a_line_joins_the_sizes_of_one_source_however_the_size_was_asked_for():
    cells = {record(): wrong(100), **sized("real", 10, 150), **sized("real", 300, 105)}
    cells |= {
        record("noise{count=50}", subset_size=50): wrong(300),
        record("noise{count=90}", subset_size=90): wrong(200),
    }
    figure = figures_of(run(cells))["sizes"]
    points = {(mark.said.split("calibration: ")[1].split(";")[0], mark.number("images")): mark.number("top-1, %")
              for mark in marks(figure, "symbol")}  # fmt: skip
    assert points == {("real", 10): 85, ("real", 300): 89.5, ("noise", 50): 70, ("noise", 90): 80}
    assert len(marks(figure, "line")) == 2
    assert {"10", "50", "90", "300", "images that calibrated"} <= set(texts(figure))


def test_several_seeds_are_their_mean_with_its_interval_over_seeds():
    cells = {record(): wrong(100), **sized("real", 10, 148), **sized("real", 10, 152, seed=1), **sized("real", 99, 105)}
    figure = figures_of(run(cells))["sizes"]
    small = next(mark for mark in marks(figure, "symbol") if mark.number("images") == 10)
    assert small.number("top-1, %") == 85
    assert "interval over: seeds" in small.said
    assert small.number("95 % interval from") == pytest.approx(85 - 12.706 * 0.2, abs=0.01)  # t(1) times the error


def test_seeds_that_happen_to_be_equal_are_known_no_better_than_to_an_image():
    cells = {record(): wrong(100), **sized("real", 10, 150), **sized("real", 10, 150, seed=1), **sized("real", 99, 105)}
    small = next(mark for mark in marks(figures_of(run(cells))["sizes"], "symbol") if mark.number("images") == 10)
    assert small.number("95 % interval from") < 85 - 0.2


def test_the_fp32_ir_is_a_line_beside_them_with_a_legend_of_shapes():
    cells = {record(): wrong(100), **sized("real", 10, 150), **sized("real", 300, 105)}
    figure = figures_of(run(cells))["sizes"]
    assert [mark.number("top-1, %") for mark in marks(figure, "rule") if mark.look.get("stroke-dasharray")] == [90]
    assert "real" in texts(figure)


def test_without_predictions_there_are_points_without_intervals():
    cells = {**sized("real", 10, 150), **sized("real", 300, 105)}
    figure = figures_of(replace(run(cells), predictions={}))["sizes"]
    assert len(marks(figure, "symbol")) == 2
    assert not marks(figure, "rule")


def test_one_size_only_is_no_curve():
    assert "sizes" not in figures_of(run({record(): wrong(100), **sized("real", 300, 105), **sized("noise", 300, 150)}))
