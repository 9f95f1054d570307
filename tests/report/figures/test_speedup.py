"""The study's Figure 3."""

from dataclasses import replace
from functools import cache

import pytest

from farm.report.figures import svg
from tests.report.figures.grids import figures_of, measured, wrong
from tests.report.figures.marks import marks, texts
from tests.runs import record, run

IR, PYTORCH, NOISE, REAL = (
    record(), record(algorithm="pytorch", runtime="pytorch"), record("noise"), record("real"),
)  # fmt: skip
PAIRS = [1.9, 2.0, 2.1, 2.0]


def measurement(**changes):
    found = run(dict.fromkeys((IR, PYTORCH, NOISE, REAL), wrong(100)))
    over = {"speedup_pytorch": 4.0, "speedup_pytorch_low": 3.8, "speedup_pytorch_high": 4.2}
    found = measured(found, IR.cell, [1.0, 1.01, 0.99], **over)
    found = measured(found, PYTORCH.cell, [0.25, 0.26])
    found = measured(found, REAL.cell, PAIRS, speedup_pytorch=8.0, speedup_pytorch_low=7.5, speedup_pytorch_high=8.5)
    return measured(found, NOISE.cell, PAIRS, **changes)


@cache
def usual():
    """The figure of such a run in which nothing is amiss, made once."""
    return figures_of(measurement())["speedup"]


def test_a_mark_stands_for_each_speed_up_of_each_variant_but_the_irs_over_itself():
    figure = usual()
    points = [(mark.number("value"), mark.said.split("over: ")[1].split(";")[0]) for mark in marks(figure, "symbol")]
    assert sorted(points) == [
        (pytest.approx(1.9987, abs=1e-3), "over the FP32 IR"), (pytest.approx(1.9987, abs=1e-3), "over the FP32 IR"),
        (4.0, "over PyTorch"), (8.0, "over PyTorch"),
    ]  # fmt: skip
    assert {"resnet20", "FP32 IR", "noise", "real"} <= set(texts(figure))


def test_each_interval_goes_from_its_low_to_its_high_end():
    found = measurement()
    lines = [mark for mark in marks(usual(), "rule") if "cell: " in mark.said]
    assert len(lines) == 4
    record_ = next(each for each in found.records if each.cell == NOISE.cell)
    line = next(mark for mark in lines if f"cell: {NOISE.cell}" in mark.said)
    assert line.number("times as fast") == pytest.approx(record_.speedup_ir_low, abs=2e-3)
    assert line.number("high") == pytest.approx(record_.speedup_ir_high, abs=2e-3)


def test_a_noisy_measurement_is_hollow_and_the_legend_says_so():
    figure = figures_of(measurement(verdict="noisy", verdict_cause="wide", within=0.09))["speedup"]
    hollow = [mark for mark in marks(figure, "symbol") if mark.look["fill-opacity"] == "0"]
    assert len(hollow) == 1
    assert f"cell: {NOISE.cell}" in hollow[0].said
    assert "known within 9.0%" in hollow[0].said
    assert "hollow: noisy" in texts(figure)
    assert "hollow mark is a noisy measurement: its interval is wider than was asked for, or too few" in figure.caption
    assert not [text for text in texts(usual()) if "hollow" in text]


def test_every_speed_up_over_a_noisy_pytorch_baseline_is_hollow():
    found = measurement()
    records = [replace(each, verdict="noisy") if each.cell == PYTORCH.cell else each for each in found.records]
    figure = figures_of(replace(found, records=tuple(records)))["speedup"]
    hollow = [mark for mark in marks(figure, "symbol") if mark.look["fill-opacity"] == "0"]
    assert len(hollow) == 2
    assert all("over: over PyTorch" in mark.said for mark in hollow)


def test_an_invalid_measurement_is_left_out_and_valid_rounds():
    figure = figures_of(measurement(verdict="invalid"))["speedup"]
    assert not [mark for mark in marks(figure, "symbol") if NOISE.cell in mark.said]
    assert "1 invalid measurement left out." in figure.caption


def test_a_single_pair_has_a_mark_without_an_interval():
    figure = figures_of(measurement(speedup_ir_low=None, speedup_ir_high=None))["speedup"]
    assert [mark for mark in marks(figure, "symbol") if NOISE.cell in mark.said]
    assert not [mark for mark in marks(figure, "rule") if NOISE.cell in mark.said]


def test_the_two_speed_ups_differ_in_shape_too():
    figure = usual()
    shapes = {mark.said.split("over: ")[1].split(";")[0]: mark.look["d"] for mark in marks(figure, "symbol")}
    assert len(set(shapes.values())) == 2


def test_the_caption_names_the_host_and_the_alternative_text_the_range():
    figure = usual()
    assert figure.caption.endswith("Measured on bench (Some CPU).")
    assert figure.alt == (
        "Speed-up over the FP32 IR 2.00 to 2.00 (median 2.00) in 2 measurements; "
        "over PyTorch 4.00 to 8.00 (median 6.00) in 2 measurements."
    )
    assert "bench" not in svg(figure), "a host is named in axes only where there are several"


def test_a_measurement_that_nobody_judged_is_not_called_noisy():
    figure = figures_of(measurement(verdict=None))["speedup"]
    assert "hollow: not judged" in texts(figure)
    assert "noisy" not in figure.caption


def test_an_ir_of_another_precision_has_a_speed_up_over_the_fp32_ir():
    found = measurement()
    records = [replace(each, precision="bf16") if each.cell == IR.cell else each for each in found.records]
    figure = figures_of(replace(found, records=tuple(records)))["speedup"]
    assert len([mark for mark in marks(figure, "symbol") if IR.cell in mark.said]) == 2
