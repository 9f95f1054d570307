"""The table that people look at."""

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from farm.analysis.analysis import analyse
from farm.analysis.rows import Assessment, Row, best_sets
from farm.record import Record
from farm.report.formats import as_bullets
from farm.report.seeds import HEADING, seed_lines
from farm.report.table import BEST, MARKS, WORSE, main_table
from farm.report.words import variant
from tests import runs

EMPTY = Record(
    grid="g", cell="resnet20/noise/default/CPU", model="resnet20", calibration="noise", algorithm="default",
    device="CPU", runtime="openvino", outcome="pending",
)  # fmt: skip
FULL = replace(
    EMPTY, outcome="ok", top1=0.91234, top1_drop=0.0125, fps=12345.678, speedup_ir=2.345, speedup_pytorch=6.789,
    latency_p50_ms=0.08123, size_mib=0.2749, verdict="valid", within=0.01, pairs=8,
)  # fmt: skip
IR = replace(FULL, cell="resnet20/-/ir/CPU", calibration=None, algorithm="ir", top1_drop=0.0, speedup_ir=1.0)
PYTORCH = replace(IR, cell="resnet20/-/pytorch/CPU", algorithm="pytorch", runtime="pytorch", top1_drop=0.0)
CRASHED = replace(
    EMPTY, outcome="failed", error_class="crash", error_type="SIGSEGV", error_message="ended by signal 11 [SIGSEGV]",
    log="/r/store/attempts/ab/1.log",
)  # fmt: skip


def rows(records, judged=None, width=200):
    """The table as a reader sees it: a list of cells a row, the header first."""
    text, best = StringIO(), best_sets(records)
    alone = [Row(record=record, assessment=Assessment(best=record.cell in best)) for record in records]
    Console(file=text, width=width).print(main_table(judged or alone))
    return [line.split() for line in text.getvalue().splitlines() if line.strip()]


def test_a_full_row_says_all_numbers_in_their_precision():
    header, row = rows([FULL])
    assert " ".join(header) == "model variant calibration top-1 drop MiB FPS x IR x PyTorch p50 ms verdict outcome"
    assert " ".join(row) == "resnet20 int8 default noise 0.9123 +0.0125 0.27 12,345.7 2.35 6.79 0.081 valid ok"


@pytest.mark.parametrize(("record", "outcome"), [(EMPTY, "pending"), (CRASHED, "crash")])
def test_what_was_not_measured_is_a_dash_and_never_0(record, outcome):
    assert rows([record, FULL])[1] == ["resnet20", "int8", "default", "noise", *"-" * 8, outcome]


def test_where_no_speed_was_measured_there_are_no_columns_of_speed():
    accuracy = replace(FULL, fps=None, verdict=None)
    header, row, other = rows([accuracy, CRASHED])
    assert " ".join(header) == "model variant calibration top-1 drop MiB outcome"
    assert " ".join(row) == "resnet20 int8 default noise 0.9123 +0.0125 0.27 ok"
    assert " ".join(other) == "int8 default noise - - - crash"


@pytest.mark.parametrize("verdict", ["valid", "noisy", "invalid"])
def test_a_measurement_says_its_verdict(verdict):
    assert rows([replace(FULL, verdict=verdict)])[1][-2:] == [verdict, "ok"]


def test_records_that_are_older_than_verdicts_have_none():
    assert rows([replace(FULL, verdict=None)])[1][-2:] == ["-", "ok"]


def test_a_speedup_has_the_greater_side_of_its_interval():
    said = {"speedup_ir_low": 2.325, "speedup_ir_high": 2.365, "speedup_pytorch_low": 5.0, "speedup_pytorch_high": 7.0}
    assert " 2.35 ±.02 6.79 ±1.79 " in " ".join(rows([replace(FULL, **said)])[1])


def test_a_measured_0_is_no_dash():
    assert "+0.0000" in rows([replace(FULL, top1_drop=0.0)])[1]


def test_the_ir_has_no_drop_from_itself_and_baselines_no_calibration():
    assert rows([IR])[1][:6] == ["resnet20", "FP32", "IR", "-", "0.9123", "-"]
    assert rows([PYTORCH])[1][:5] == ["resnet20", "PyTorch", "-", "0.9123", "+0.0000"]


def test_a_model_is_named_once_and_the_device_only_where_there_are_several():
    table = rows([PYTORCH, IR, FULL, replace(FULL, model="vgg16_bn")])
    assert [row[0] for row in table[1:]] == ["resnet20", "FP32", "int8", "vgg16_bn"]
    assert "device" not in table[0]
    devices = rows([FULL, replace(FULL, device="CPU{threads=1}")])
    assert "device" in devices[0]
    assert [row[0] for row in devices[1:]] == ["resnet20", "resnet20"]
    assert "CPU{threads=1}" in devices[2]


@pytest.mark.parametrize(
    ("metric", "header", "accuracy", "drop"),
    [
        (None, "top-1", "0.9123", "+0.0125"),
        ("top1", "top-1", "0.7500", "+0.2500"),
        ("top5", "top-5", "0.7500", "+0.2500"),
        ("my_scores:mine", "my_scores:mine", "0.7500", "+0.2500"),
    ],
)
def test_the_accuracy_is_the_grids_metric_or_top1_of_older_records(metric, header, accuracy, drop):
    said = {"metric": metric, "score": 0.75, "score_drop": 0.25} if metric else {}
    table = rows([EMPTY, replace(FULL, **said)])
    assert table[0][3] == header
    assert table[2][3:5] == [accuracy, drop]
    assert "-" not in table[2]


def test_a_metric_of_the_users_own_needs_no_top1():
    mine = replace(FULL, metric="m:f", score=-1.5, score_drop=None, top1=None, top1_drop=None)
    assert rows([mine])[1][3:6] == ["noise", "-1.5000", "-"]


AWARE = replace(
    FULL, cell="resnet20/noise/accuracy-aware/CPU", algorithm="accuracy-aware", control_drop=0.0123, control_images=300,
    control_labels="given", validate_on="calibration", stopped_by="target", reached=True, iterations=2,
    reverted_layers=1,
)  # fmt: skip


@pytest.mark.parametrize(("reached", "outcome"), [(True, "ok"), (False, "ok, target missed"), (None, "ok")])
def test_a_cell_that_missed_its_target_is_ok_and_says_so(reached, outcome):
    assert " ".join(rows([replace(AWARE, reached=reached)])[1]).endswith(f" valid {outcome}")


@pytest.mark.parametrize("ended", [EMPTY, CRASHED])
def test_a_cell_that_is_not_there_has_missed_no_target(ended):
    assert "missed" not in " ".join(rows([replace(ended, reached=False)])[1])


def test_names_are_text_and_no_markup():
    assert "[red]mine" in rows([replace(FULL, model="[red]mine")])[1]


@pytest.mark.parametrize(
    ("algorithm", "text"),
    [("pytorch", "PyTorch"), ("ir", "FP32 IR"), ("default{subset_size=5}", "int8 default{subset_size=5}")],
)
def test_a_variant_is_named_for_people(algorithm, text):
    assert variant(replace(EMPTY, algorithm=algorithm)) == text


def test_no_records_make_an_empty_table():
    assert len(rows([])) == 1


RUN_IR, REAL, NOISE = runs.record(), runs.record("real"), runs.record("noise")


def test_the_best_set_and_those_that_are_worse_than_real_are_marked_and_the_marks_explained():
    run = runs.run({RUN_IR: range(100), REAL: range(105), NOISE: range(160)})
    header, ir, real, noise, *legend = rows(run.records, analyse(run).rows)
    assert " ".join(header) == "model variant calibration top-1 drop worst class MiB outcome"
    assert " ".join(ir) == "resnet20 FP32 IR - 0.9000 - - - ok"
    assert " ".join(real) == "int8 default real * 0.8950 +0.0050 0: +0.0100 - ok"
    assert " ".join(noise) == "int8 default noise 0.8400 ! +0.0600 0: +0.0600 - ok"
    assert [" ".join(line) for line in legend] == [f"{mark} {MARKS[mark]}" for mark in (BEST, WORSE)]


def test_without_predictions_only_the_best_set_is_marked():
    records = runs.run({RUN_IR: range(100), REAL: range(105), NOISE: range(160)}).records
    header, _, real, noise, *legend = rows(records)
    assert "worst" not in header
    assert "*" in real
    assert "!" not in noise
    assert [line[0] for line in legend] == [BEST]


def test_where_no_class_lost_anything_none_is_named():
    run = runs.run({RUN_IR: range(100), REAL: range(100)})
    assert rows(run.records, analyse(run).rows)[2][-4:] == ["+0.0000", "+0.0000", "-", "ok"]


def test_several_seeds_have_a_line_a_source():
    cells = [runs.record(name, seed=seed) for name in ("real", "noise") for seed in (0, 1, 2)]
    wrong = dict(zip(cells, (range(n) for n in (100, 101, 102, 160, 161, 162)), strict=True))
    run = runs.run({RUN_IR: range(100), **wrong})
    [entry] = seed_lines(analyse(run), run.records)
    heading, real, noise = entry.split("\n    ")
    assert heading == HEADING
    assert real.startswith("resnet20 real default: mean drop +0.0010 (-0.0016 to +0.0036), spread 0.0010 over 3 seeds")
    assert noise.endswith("spread 0.0010 over 3 seeds; worse than real")
    assert seed_lines(analyse(run), [RUN_IR]) == [], "its rows are not shown"
    bullets = as_bullets([entry, "another"]).splitlines()
    assert [bullet.partition("-")[0] for bullet in bullets] == ["", "  ", "  ", ""]
