"""The page's table: what it shows, sorts by and filters by."""

import json
from dataclasses import replace
from importlib.resources import files

import pytest

from farm.analysis.analysis import analyse
from farm.analysis.rows import Assessment, Row
from farm.report.page.cells import FILTERS, summary, table
from tests.report.page.scenes import failed, study
from tests.runs import record


def rows_of(*records):
    """These cells, with nothing but their records."""
    return [Row(record=record, assessment=Assessment()) for record in records]


def titles(found):
    return [f"{each.title} {each.unit}".strip() for each in found.columns]


def test_every_cell_is_a_row_with_everything_that_is_known():
    run = study()
    found = table(analyse(run).rows)
    assert titles(found) == [
        "Model", "Variant", "Calibration", "Top-1 %", "Drop points", "Against real", "Speed-up over IR", "Verdict",
        "FPS", "Size MiB", "Speed-up over PyTorch", "Worst class points", "Median ms", "Outcome",
    ]  # fmt: skip
    assert [row.cell for row in found.rows] == [each.cell for each in run.records]
    assert found.measured


def test_a_model_is_a_row_of_the_summary_with_its_best_set():
    run = study()
    found = summary(analyse(run).rows)
    assert titles(found) == [
        "Model", "Calibration", "Top-1 %", "Drop points", "Speed-up over IR", "Size MiB", "Verdict",
    ]  # fmt: skip
    assert [[shown.text for shown in row.shown[:2]] for row in found.rows] == [
        ["resnet20", "cifar10"], ["vgg16_bn", "cifar10"], ["repvgg_a2", "cifar10"],
    ]  # fmt: skip


def test_the_summary_names_algorithms_where_they_differ_and_outcomes_where_not_all_is_well():
    aware = record("noise", model="vgg", algorithm="accuracy-aware")
    assert titles(summary(rows_of(record("noise"), aware)))[:3] == ["Model", "Calibration", "Variant"]
    assert "Variant" not in titles(summary(rows_of(record("noise"), record(algorithm="ir", model="vgg"))))
    assert "Outcome" in titles(summary(rows_of(failed("resnet20"))))
    assert summary(rows_of(record())).rows == ()


def test_columns_without_anything_to_show_are_left_out():
    found = table(rows_of(record(), record("noise", top1_drop=0.01)))
    assert titles(found) == ["Model", "Variant", "Calibration", "Top-1 %", "Drop points"]
    assert not found.measured


def test_what_is_not_there_is_a_dash_and_sorts_last():
    found = table(rows_of(failed("resnet20")))
    drop = found.rows[0].shown[titles(found).index("Drop points")]
    assert (drop.text, drop.sort, drop.note) == ("\N{EN DASH}", None, "")


def test_a_number_sorts_by_its_value_and_shows_its_interval():
    run = study()
    found = table(analyse(run).rows)
    drop = found.rows[4].shown[titles(found).index("Drop points")]
    assert drop.sort == pytest.approx(run.records[4].top1_drop)
    assert drop.text == f"{100 * run.records[4].top1_drop:.2f}"
    assert " to " in drop.note


def test_an_interval_that_says_nothing_is_words():
    wide = record("noise", fps=1.0, speedup_ir=0.7, speedup_ir_low=1e-9, speedup_ir_high=2.6e16)
    found = table(rows_of(wide))
    shown = found.rows[0].shown[titles(found).index("Speed-up over IR")]
    assert (shown.text, shown.note) == ("0.70", "known too little for an interval")


def test_seeds_of_one_source_are_one_choice_of_the_filter():
    found = table(analyse(study(seeds=3)).rows)
    assert found.choices["calibration"] == ("none", "cifar10", "fractal", "noise", "broken")
    assert found.choices["verdict"] == ("valid", "not measured", "noisy")


def test_a_filter_with_one_choice_is_none():
    assert "model" not in table(analyse(study(models=("resnet20",))).rows).choices


def test_several_devices_are_a_column_and_a_filter():
    found = table(rows_of(record(), record(device="GPU")))
    assert "Device" in titles(found)
    assert found.choices == {"device": ("CPU", "GPU")}


def test_the_page_filters_by_what_its_script_knows():
    script = files("farm.report.page").joinpath("page.js").read_text()
    assert f"const FILTERS = {json.dumps(FILTERS)};" in script


def test_a_metric_of_ones_own_is_not_called_top_1():
    own = replace(record("noise"), metric="mine:iou", top1=None, score=0.71, score_drop=0.02)
    found = table(rows_of(own))
    assert titles(found)[3:] == ["mine:iou", "Drop"]
    assert [each.text for each in found.rows[0].shown[3:]] == ["0.7100", "0.0200"]


def test_the_outcome_is_shown_where_not_all_is_well():
    missed = replace(record("noise", algorithm="accuracy-aware"), reached=False)
    assert table(rows_of(missed)).rows[0].shown[-1].text == "ok, target missed"
    assert table(rows_of(failed("resnet20"))).rows[0].shown[-1].text == "error"
