"""A measurement pair by pair."""

import json
from dataclasses import replace

import pytest

from farm.plan import Effort, Plan
from farm.results.folder import Folder
from farm.stats.ratios import paired_ratio
from tests.report.figures.grids import figures_of, measured, write_rounds, wrong
from tests.report.figures.marks import marks, texts
from tests.runs import record, run

RATIOS = [2.0, 2.2, 1.9, 2.1, 2.05, 2.0]
CELL = record("noise")


def measurement(folder, **changes):
    found = measured(run({CELL: wrong(10)}), CELL.cell, RATIOS, **changes)
    write_rounds(folder, CELL.cell, RATIOS)
    return replace(found, folder=folder)


def test_each_pair_adds_a_dot_and_moves_the_interval(tmp_path):
    figure = figures_of(measurement(Folder(str(tmp_path))))["convergence"]
    dots = marks(figure, "symbol")
    assert [round(mark.number("this pair alone"), 2) for mark in dots] == [2.0, 2.2, 1.9, 2.1, 2.05, 2.0]
    for seen, mark in enumerate(dots, start=1):
        so_far = paired_ratio([(each, 1.0) for each in RATIOS[:seen]])
        assert mark.number("x IR so far") == pytest.approx(so_far.value, abs=2e-3)
        if so_far.within is not None and so_far.within < 0.3:
            assert mark.number("99 % interval from") == pytest.approx(so_far.low, abs=3e-3)
            assert mark.number("to") == pytest.approx(so_far.high, abs=3e-3)
        else:
            assert "99 % interval from: null" in mark.said
    assert "resnet20\nnoise" in texts(figure)


def test_the_target_is_a_band_where_the_plan_says_it(tmp_path):
    folder = Folder(str(tmp_path))
    found = measurement(folder)
    assert len(marks(figures_of(found)["convergence"], "area")) == 1
    folder.write_plan(Plan(effort=Effort(pairs=(4, 8), target=0.05)))
    figure = figures_of(found)["convergence"]
    assert len(marks(figure, "area")) == 2
    assert "target, 5.0%" in figure.caption
    assert json.loads((tmp_path / "plan.json").read_text())["effort"]["target"] == 0.05


def test_a_noisy_measurement_is_called_so_above_its_panel(tmp_path):
    assert "resnet20\nnoise, noisy" in texts(
        figures_of(measurement(Folder(str(tmp_path)), verdict="noisy"))["convergence"]
    )


def test_of_many_measurements_those_that_ended_widest_are_shown(tmp_path):
    folder = Folder(str(tmp_path))
    cells = {record(f"set{index:02}"): wrong(10) for index in range(30)}
    found = replace(run(cells), folder=folder)
    for index, cell in enumerate(cells):
        spread = 0.002 * (index + 1)
        ratios = [2.0, 2.0 + spread, 2.0 - spread]
        found = measured(found, cell.cell, ratios)
        write_rounds(folder, cell.cell, ratios, inferences=4)
    figure = figures_of(found)["convergence"]
    assert figure.caption.startswith("The 24 of 30 measurements that ended with the widest intervals; all are")
    panels = [text for text in texts(figure) if text.startswith("resnet20")]
    assert panels == [f"resnet20\nset{index:02}" for index in range(6, 30)]


def test_a_single_pair_has_nothing_to_converge(tmp_path):
    folder = Folder(str(tmp_path))
    found = measured(run({CELL: wrong(10)}), CELL.cell, [2.0])
    write_rounds(folder, CELL.cell, [2.0])
    assert "convergence" not in figures_of(replace(found, folder=folder))
