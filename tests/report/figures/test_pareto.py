"""Accuracy against speed, and the front."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.report.figures.pareto import front
from tests.report.figures.grids import figures_of, measured, wrong
from tests.report.figures.marks import marks, texts
from tests.runs import record, run

MODELS = {"slow": (100, 1.0), "quick": (150, 3.0), "bad": (300, 2.0)}


def speeds(**changes):
    cells = {record("noise", model=name): wrong(count) for name, (count, _) in MODELS.items()}
    found = run(cells)
    for cell, (_, ratio) in zip(cells, MODELS.values(), strict=True):
        found = measured(found, cell.cell, [ratio, ratio * 1.01], **changes.get(cell.model, {}))
    return found


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=30))
def test_the_front_is_what_no_other_beats_and_beats_all_the_rest(both):
    best = front(both)
    assert best
    for index, (x, y) in enumerate(both):
        beaten = any(a >= x and b >= y and (a, b) != (x, y) for a, b in (both[each] for each in best))
        assert beaten == (index not in best)


def test_each_cell_is_a_mark_with_its_accuracy_and_interval():
    figure = figures_of(speeds())["pareto"]
    points = {mark.said.split("cell: ")[1].split("/")[0]: mark for mark in marks(figure, "symbol")}
    assert {name: mark.number("top-1, %") for name, mark in points.items()} == {"slow": 90, "quick": 85, "bad": 70}
    assert points["slow"].number("95 % interval from") == pytest.approx(87.98, abs=0.01)  # Wilson, 900 of 1,000
    assert len([mark for mark in marks(figure, "rule") if "cell: " in mark.said]) == 3


def test_only_those_on_the_front_are_named_beside_their_marks():
    figure = figures_of(speeds())["pareto"]
    points = {mark.said.split("cell: ")[1].split("/")[0]: mark for mark in marks(figure, "symbol")}
    on_front = {name: "on the front: true" in mark.said for name, mark in points.items()}
    assert on_front == {"slow": True, "quick": True, "bad": False}
    assert texts(figure).count("noise") == 4  # two names, each over its white ground
    assert "2 on the Pareto front" in figure.alt
    assert "quick, noise (301 images a second, 85.00 %)" in figure.alt


def test_models_differ_in_shape_and_colour():
    found = marks(figures_of(speeds())["pareto"], "symbol")
    assert len({mark.look["d"] for mark in found}) == len({mark.look["stroke"] for mark in found}) == 3


def test_an_invalid_measurement_is_on_no_front():
    figure = figures_of(speeds(quick={"verdict": "invalid"}))["pareto"]
    assert "bad, noise" in figure.alt
    assert "quick" not in figure.alt


def test_each_host_has_its_own_front():
    figure = figures_of(speeds(bad={"host": "other", "cpu_model": "Old CPU"}))["pareto"]
    assert {"CPU of bench", "CPU of other"} <= set(texts(figure))
    assert all("on the front: true" in mark.said for mark in marks(figure, "symbol"))
    assert "bench (Some CPU, 8 cores) and other (Old CPU, 8 cores)" in figure.caption


def test_one_host_is_named_on_the_axis():
    assert "images a second on CPU of bench" in texts(figures_of(speeds())["pareto"])


def test_of_names_that_would_cover_each_other_the_fastest_stays():
    cells = {record(f"set{index}"): wrong(100 + index) for index in range(5)} | {record("far"): wrong(900)}
    found = run(cells)
    for index, cell in enumerate(cells):
        ratio = 9.0 if cell.calibration == "far" else 2 + index / 1000
        found = measured(found, cell.cell, [ratio, ratio])
    shown = texts(figures_of(found)["pareto"])
    assert [name for name in shown if name.startswith("set")].count("set4") == 3  # its legend, and twice at its mark
    assert shown.count("set3") == 1
