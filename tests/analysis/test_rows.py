"""Every column of a cell, and its forms for other programs."""

import csv
import io
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

from farm.analysis.analysis import analyse
from farm.analysis.rows import ASSESSED, ROW_COLUMNS, Assessment, Row, best_rows, best_sets
from farm.grid.settings import Claims
from farm.record import COLUMNS
from farm.report import comparison
from farm.report.formats import as_arrow, as_bullets, as_csv, as_markdown, escaped
from farm.results import tables
from farm.results.reading import Predicted, claims_of
from tests.runs import record, run

IR, REAL, NOISE = record(), record("real"), record("noise")
RUN = run({IR: range(100), REAL: range(105), NOISE: range(160)})


def rows(of):
    return analyse(of).rows


def best(of):
    """The cells that are marked as best of their family."""
    return [row.record.cell for row in rows(of) if row.assessment.best]


def test_what_is_said_of_a_cell_follows_its_record():
    names = "score_low score_high drop_low drop_high drop_p worst_class worst_class_drop"
    real = "real_loss real_loss_low real_loss_high real_p standing"
    assert [*ASSESSED] == [*names.split(), *real.split()]
    assert (*COLUMNS, *ASSESSED) == ROW_COLUMNS
    assert all(tuple(row.values()) == ROW_COLUMNS for row in rows(RUN))


def test_a_cell_says_how_sure_its_accuracy_is():
    ir, real, noise = (row.values() for row in rows(RUN))
    assert ir["score_low"] < ir["score"] < ir["score_high"]
    assert ir["drop_low"] is ir["worst_class"] is ir["standing"] is None
    assert real["drop_low"] < real["top1_drop"] < real["drop_high"]
    assert real["standing"] is None
    assert noise["worst_class_drop"] == pytest.approx(0.06)
    assert noise["real_loss"] == pytest.approx(0.055)
    assert noise["real_loss_low"] < noise["real_loss"] < noise["real_loss_high"]
    assert noise["real_p"] < noise["drop_p"] * 1e6
    assert noise["standing"] == "worse"


def test_the_best_set_is_one_of_those_that_differ():
    assert best(RUN) == [REAL.cell]
    assert best(run({IR: (), REAL: [1], NOISE: [2]})) == []


def best_of(*records):
    """The cells of the best rows, by model and device."""
    found = best_rows([Row(record=one, assessment=Assessment()) for one in records])
    return [row.record.cell for row in found]


def scored(calibration, score, **changes):
    return record(calibration, score=score, top1=score, **changes)


def test_of_each_model_and_device_the_set_that_keeps_most_of_the_score_is_best():
    other = [scored("noise", 0.7, model="vgg"), scored("real", 0.6, model="vgg"), scored("real", 0.1, device="GPU")]
    assert best_of(record(), scored("real", 0.8), scored("noise", 0.9), *other) == [
        "resnet20/noise/default/CPU", "vgg/noise/default/CPU", "resnet20/real/default/GPU",
    ]  # fmt: skip


def test_the_best_set_is_so_by_the_mean_over_its_seeds_and_not_by_a_lucky_one():
    lucky = [scored("noise", score, seed=seed) for seed, score in enumerate((0.99, 0.5, 0.5))]
    steady = [scored("real", score, seed=seed) for seed, score in enumerate((0.8, 0.81))]
    assert best_of(*lucky, *steady) == ["resnet20/real/default/CPU"]


def test_the_best_set_is_marked_as_such_in_the_table_too():
    """Over seeds by their mean, all of them."""
    lucky = [scored("noise", score, seed=seed) for seed, score in enumerate((0.99, 0.5, 0.5))]
    steady = [scored("real", score, seed=seed) for seed, score in enumerate((0.8, 0.81))]
    assert best_sets([*lucky, *steady]) == {record.cell for record in steady}
    assert best_of(*lucky, *steady) == [steady[0].cell]


def test_the_seed_that_stands_for_the_best_set_is_one_that_was_measured():
    cells = [scored("noise", 0.7, fps=1.0), scored("real", 0.8, seed=1), scored("real", 0.8, seed=2, fps=100.0)]
    assert best_of(*cells) == ["resnet20/real{seed=2}/default/CPU"]


def test_of_equal_sets_the_one_that_is_surely_faster_is_best():
    speeds = {"real": (2.0, "valid"), "noise": (2.5, "valid"), "fractal": (9.0, "noisy")}
    cells = [scored(name, 0.9, speedup_ir=speed, verdict=verdict) for name, (speed, verdict) in speeds.items()]
    assert best_of(*cells) == ["resnet20/noise/default/CPU"]


def test_the_seed_that_stands_for_the_best_set_is_one_with_a_valid_speed():
    seeds = [scored("real", 0.9, seed=seed, verdict=verdict) for seed, verdict in enumerate(("noisy", "valid"))]
    assert best_of(*seeds) == ["resnet20/real{seed=1}/default/CPU"]


def test_a_set_that_failed_is_best_only_where_all_did():
    failed = scored("real", None, outcome="failed")
    assert best_of(failed, scored("noise", 0.1)) == ["resnet20/noise/default/CPU"]
    assert best_of(failed, scored("real", 0.1, seed=1)) == ["resnet20/real{seed=1}/default/CPU"]
    assert best_of(record(), failed) == ["resnet20/real/default/CPU"]
    assert best_of(record()) == []


def test_without_predictions_only_the_record_speaks():
    without = type(RUN)(name="n", folder=RUN.folder, records=RUN.records, claims=RUN.claims, predictions={})
    values = [row.values() for row in rows(without)]
    assert {row[name] for row in values for name in ASSESSED} == {None}
    assert best(without) == [REAL.cell]


def test_csv_gives_every_text_back_and_nothing_for_null():
    text = as_csv(["a", "b"], [['x,"y"\nz', None], [True, 0.5]])
    assert list(csv.reader(io.StringIO(text))) == [["a", "b"], ['x,"y"\nz', ""], ["true", "0.5"]]


def test_markdown_keeps_its_columns_whatever_the_texts():
    text = as_markdown(["a", "b"], [["x|y", "one\ntwo"], ["\\|", ""]], {1})
    assert text == "| a | b |\n| --- | ---: |\n| x\\|y | one two |\n| \\\\\\| |  |\n"


def test_what_hangs_below_a_line_is_a_list_in_it():
    text = as_bullets(["noisy: a{b=1}\n    because\n    of this", "one\ntwo"])
    assert text == "- noisy: a\\{b=1\\}\n  - because\n  - of this\n- one two\n"
    assert as_bullets([]) == ""


@pytest.mark.parametrize("text", ["</script>", "[x](y)", "a*b*", "a_b_", "`x`", "~~x~~", "&lt;", "#1"])
def test_markdown_shows_a_text_as_it_is_in_tables_and_in_comparisons(text):
    shown = escaped(text)
    assert shown.replace("\\", "") == text
    assert all(f"\\{sign}" in shown for sign in text if sign in "<>[]*_`~&#")
    assert f"| {shown} |" in as_markdown(["name"], [[text]])
    assert comparison.escaped is escaped


def test_parquet_holds_every_column_and_reads_as_records(tmp_path):
    claims = Claims(reference="real", margin=0.01)
    pq.write_table(as_arrow([row.values() for row in rows(RUN)], claims), tmp_path / "all.parquet")
    table = pq.read_table(tmp_path / "all.parquet")
    assert tuple(table.column_names) == ROW_COLUMNS
    assert table["standing"].to_pylist() == [None, None, "worse"]
    assert tables.records_from(table) == list(RUN.records)
    assert claims_of(table) == claims


def test_a_study_of_150_cells_is_judged_within_a_second():
    random, n = np.random.default_rng(0), 10_000
    label = random.integers(0, 10, n)
    names = [f"m{number}" for number in range(5)]
    sets = ["real", *(f"set{number}" for number in range(28))]
    cells = [record(name, model=model) for model in names for name in (None, *sets)]
    said = {cell.cell: np.where(random.random(n) < 0.08, (label + 1) % 10, label) for cell in cells}
    score = np.ones(n, np.float32)
    study = type(RUN)(
        name="study",
        folder=RUN.folder,
        records=tuple(cells),
        claims=RUN.claims,
        predictions={name: Predicted(label=label, prediction=guess, score=score) for name, guess in said.items()},
    )
    started = time.process_time()
    judged = rows(study)
    assert len(judged) == 150
    assert sum(row.assessment.standing is not None for row in judged) == 5 * 28
    assert time.process_time() - started < 1.0
