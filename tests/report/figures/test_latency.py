"""Latency distributions from raw rounds."""

from dataclasses import replace

import numpy as np
import pytest

from farm.report.figures.latency import ecdf, valid_rounds
from farm.results.folder import Folder
from tests.measuring.rows import pairs
from tests.report.figures.grids import figures_of, full, measured, write_rounds, wrong
from tests.report.figures.marks import marks, texts
from tests.runs import record, run


def test_quantiles_are_those_of_the_raw_latencies_in_ms():
    raw = np.random.default_rng(0).gamma(2.0, 1e6, 5000)
    ms, shares = ecdf(raw, 52)
    assert len(ms) == len(shares) == 51  # 5,000 leave ten beyond 99.5 % but not beyond 99.9 %
    assert ms[0] == pytest.approx(raw.min() / 1e6)
    assert shares[-2:] == [0.99, 0.995]
    for value, share in zip(ms, shares, strict=True):
        assert (raw / 1e6 <= value).mean() == pytest.approx(share, abs=2 / 5000)


PAIRS = [*pairs(100, 50, 1), *(replace(one, pair=1) for one in pairs(10, 5, 1, disturbed=[0]))]


def test_only_undisturbed_rounds_of_the_cell_itself_count():
    [one] = valid_rounds(PAIRS, 1)
    assert (one.variant, one.fps) == ("cell", 100)


def test_where_too_few_are_undisturbed_all_of_its_rounds_count():
    assert [one.fps for one in valid_rounds(PAIRS, 2)] == [100, 10]


def test_each_measured_cell_is_a_line_by_colour_and_dash(tmp_path):
    figure = figures_of(full(Folder(str(tmp_path)), ["resnet20"], {"real": 103, "noise": 180}, 1))["latency"]
    lines = marks(figure, "line")
    assert len(lines) == 4
    assert len({mark.look["stroke"] for mark in lines}) == 4
    assert len({(mark.look.get("stroke-dasharray")) for mark in lines}) > 1
    assert {"FP32 IR", "PyTorch", "real", "noise", "latency, ms"} <= set(texts(figure))


def test_an_invalid_measurement_is_left_out(tmp_path):
    folder = Folder(str(tmp_path))
    found = measured(run({record("noise"): wrong(10)}), record("noise").cell, [2.0, 2.1], verdict="invalid")
    write_rounds(folder, record("noise").cell, [2.0, 2.1])
    assert "latency" not in figures_of(replace(found, folder=folder))


def test_the_alternative_text_has_the_medians(tmp_path):
    folder = Folder(str(tmp_path))
    cells = {record("noise"): wrong(10), record("real"): wrong(10)}
    found = replace(run(cells), folder=folder)
    for cell, ratio in zip(cells, (2.0, 4.0), strict=True):
        found = measured(found, cell.cell, [ratio, ratio])
        write_rounds(folder, cell.cell, [ratio, ratio], fps_ir=100.0, inferences=500)
    alt = figures_of(found)["latency"].alt
    assert "medians from 2.48 ms (resnet20/real/default/CPU) to 4.96 ms (resnet20/noise/default/CPU)" in alt
