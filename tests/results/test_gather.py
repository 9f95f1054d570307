"""From plan.json and the store to Parquet: the numbers, the nulls, and the same again."""

import io
import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from farm.inputs import Input
from farm.record import COLUMNS, SCHEMA_VERSION
from farm.results import tables
from farm.results.gather import gather
from farm.results.reading import command_of
from tests.results.conftest import FINISHED, HOST, STARTED, predicted, rounds, shard

PYTORCH, IR, INT8 = "resnet20/-/pytorch/CPU", "resnet20/-/ir/CPU", "resnet20/noise/default/CPU"
WHOSE = ("cell", "model", "calibration", "algorithm", "device", "baseline")
PREDICTED = (*WHOSE, "position", "label", "prediction", "score")
ALWAYS = {"grid", "cell", "model", "algorithm", "device", "runtime", "outcome", "attempts", "precision"}


def by_cell(bench):
    gather(bench.folder, bench.store)
    rows = bench.folder.read(tables.RECORDS).to_pylist()
    assert [row["cell"] for row in rows] == list(bench.cells)
    return {row["cell"]: row for row in rows}


def all_done(bench):
    bench.all_done(PYTORCH, own_fps=50.0, ir_fps=100.0)
    bench.all_done(IR, own_fps=110.0, ir_fps=100.0)
    bench.all_done(INT8, (1, 2, 3, 0), own_fps=200.0, ir_fps=100.0, evaluate={"facts": {"top1": 0.25}})


def test_records_has_exactly_the_promised_columns_with_their_types(bench):
    one = bench()
    by_cell(one)
    schema = one.folder.read(tables.RECORDS).schema
    assert tuple(schema.names) == COLUMNS
    assert schema.metadata[b"farm_schema"] == str(SCHEMA_VERSION).encode()
    assert [schema.field(name).type for name in ("cell", "calibration", "attempts", "n_images", "top1", "fps")] == [
        pa.string(), pa.string(), pa.int64(), pa.int64(), pa.float64(), pa.float64()
    ]  # fmt: skip


def test_a_cell_that_did_not_run_is_pending_and_all_it_would_have_measured_is_null(bench):
    for row in by_cell(bench()).values():
        told = {name for name, value in row.items() if value is not None}
        assert told <= ALWAYS | {"calibration", "calibration_source", "calibration_seed"}
        assert (row["outcome"], row["attempts"], row["grid"]) == ("pending", 0, "small")


def test_a_finished_cell_has_all_its_numbers(bench):
    one = bench()
    all_done(one)
    row = by_cell(one)[INT8]
    assert {name: row[name] for name in ("outcome", "model", "calibration", "algorithm", "device", "runtime")} == {
        "outcome": "ok", "model": "resnet20", "calibration": "noise", "algorithm": "default", "device": "CPU",
        "runtime": "openvino",
    }  # fmt: skip
    assert (row["top1"], row["top1_drop"], row["agreement"], row["n_images"]) == (0.25, 0.25, 0.75, 4)
    assert (row["int8_layers"], row["subset_size"], row["size_mib"]) == (21, 100, 0.25)
    assert row["fps"] == pytest.approx(200.0)
    assert row["speedup_ir"] == pytest.approx(2.0)
    assert row["speedup_pytorch"] == pytest.approx(4.0)
    assert row["latency_p50_ms"] == pytest.approx(0.0105)  # of 8 x (1, ..., 20) microseconds
    assert row["latency_p90_ms"] == pytest.approx(0.0181)
    assert [row[f"latency_{name}_ms"] for name in ("p95", "p99", "p999")] == [None] * 3  # 160 are too few
    assert {name: row[name] for name in ("host", "cpu_model", "isa", "cores")} == {
        name: HOST[name] for name in ("host", "cpu_model", "isa", "cores")
    }
    assert (row["threads"], row["streams"], row["precision"]) == (2, 1, "f32")
    assert [row[f"{kind}_s"] for kind in ("export", "quantize", "evaluate", "measure")] == [1.0] * 4
    assert row["peak_rss_mib"] == 100.0
    assert json.loads(row["versions"]).keys() == {"farm", "synthesize", "export", "quantize", "evaluate", "measure"}
    assert (row["started_at"], row["finished_at"]) == (STARTED, FINISHED)
    assert row["attempts"] == 6
    assert [row[name] for name in ("error_class", "error_message", "log")] == [None] * 3
    assert (row["verdict"], row["verdict_cause"], row["ended"]) == ("valid", None, "target")
    assert (row["pairs"], row["disturbed_pairs"], row["per_node"], row["timed"]) == (8, 0, 1, "inference")


def test_what_must_be_known_of_a_set_is_in_the_rows_that_it_calibrates(bench):
    one = bench()
    one.all_done(INT8, calibration={"facts": {"note": "not distilled"}})
    rows = by_cell(one)
    assert (rows[INT8]["calibration_note"], rows[IR]["calibration_note"]) == ("not distilled", None)


def test_what_must_be_known_of_the_test_images_is_in_every_row(bench):
    one = bench()
    one.all_done(INT8, evaluate={"facts": {"note": "no cats"}})
    assert by_cell(one)[INT8]["dataset_note"] == "no cats"


def test_a_cell_says_its_metric_its_score_and_what_the_score_lost(bench):
    one = bench(metric="top5")
    exact, rough = ({"metric": "top5", "score": score, "top1": 0.5} for score in (0.875, 0.75))
    one.done(INT8, "fp32", facts=exact, files=[predicted((1, 2, 3, 4))])
    one.all_done(INT8, evaluate={"facts": rough | {"top1": 0.125}})
    row = by_cell(one)[INT8]
    assert (row["metric"], row["score"], row["score_drop"]) == ("top5", 0.75, 0.125)
    assert (row["top1"], row["top1_drop"]) == (0.125, 0.375)


def test_a_metric_of_the_users_own_has_no_top1(bench):
    one = bench(metric="scores:mine")
    said = [{"metric": "scores:mine", "score": score, "top1": None} for score in (-2.0, -3.5)]
    one.done(INT8, "fp32", facts=said[0], files=[predicted((1, 2, 3, 4))])
    one.all_done(INT8, (1, 2, 0, 0), evaluate={"facts": said[1]})
    row = by_cell(one)[INT8]
    assert (row["outcome"], row["metric"], row["score"], row["score_drop"]) == ("ok", "scores:mine", -3.5, 1.5)
    assert (row["top1"], row["top1_drop"], row["agreement"]) == (None, None, 0.5)


def test_artefacts_that_are_older_than_metrics_are_gathered_all_the_same(bench):
    one = bench()
    older = {"metric": None, "score": None}
    one.done(INT8, "fp32", facts=older, files=[predicted((1, 2, 3, 4))])
    one.all_done(INT8, (1, 2, 3, 0), evaluate={"facts": older | {"top1": 0.25}})
    row = by_cell(one)[INT8]
    assert (row["outcome"], row["top1"], row["top1_drop"]) == ("ok", 0.25, 0.25)
    assert (row["metric"], row["score"], row["score_drop"]) == (None, None, None)


CONTROL = {
    "control_drop": 0.015625, "control_images": 1000, "control_labels": "given", "validate_on": "train",
    "stopped_by": "target", "reached": True, "iterations": 3, "reverted_layers": 2,
}  # fmt: skip


def test_an_accuracy_aware_cell_says_how_its_control_ended(bench):
    one = bench(algorithms=["default", "accuracy-aware"])
    one.all_done(INT8)
    aware = INT8.replace("default", "accuracy-aware")
    one.all_done(aware, quantize={"facts": CONTROL})
    rows = by_cell(one)
    assert {name: rows[aware][name] for name in CONTROL} == CONTROL
    assert rows[aware]["subset_size"] == 100
    for cell in (INT8, IR):
        assert [rows[cell][name] for name in CONTROL] == [None] * len(CONTROL)


def test_a_cell_fails_of_the_images_that_it_is_validated_on_too(bench):
    one = bench(algorithms=[{"name": "accuracy-aware", "validate_on": "train"}])
    aware = next(cell for cell in one.cells if "aware" in cell)
    one.tried(aware, "validation", error_class="error", error_type="DataError", error_message="too few")
    row = by_cell(one)[aware]
    assert (row["outcome"], row["attempts"]) == ("failed", 1)
    label = one.plan.stages[one.cells[aware]["validation"]].label
    assert row["error_message"] == f"synthesize {label}: too few"


def test_a_control_that_missed_its_target_is_false_and_not_null(bench):
    one = bench(algorithms=["accuracy-aware"])
    aware = INT8.replace("default", "accuracy-aware")
    one.all_done(aware, quantize={"facts": CONTROL | {"reached": False, "reverted_layers": 0}})
    row = by_cell(one)[aware]
    assert (row["outcome"], row["reached"], row["reverted_layers"]) == ("ok", False, 0)


def test_cells_whose_accuracy_alone_is_asked_for_are_ok_without_any_speed(bench):
    one = bench(accuracy_only=[{"algorithm": "default"}])
    all_done(one)
    row = by_cell(one)[INT8]
    assert (row["outcome"], row["top1"], row["size_mib"], row["attempts"]) == ("ok", 0.25, 0.25, 5)
    speed = ("fps", "speedup_ir", "speedup_pytorch", "latency_p50_ms", "measure_s", "threads", "precision")
    assert [row[name] for name in (*speed, "verdict", "pairs")] == [None] * (len(speed) + 2)
    assert row["host"] == HOST["host"], "it is the host that evaluated"
    assert cells_in(one, tables.PREDICTIONS) == {PYTORCH, IR, INT8}
    assert cells_in(one, tables.LATENCIES) == {PYTORCH, IR}


def test_a_grid_whose_accuracy_alone_is_asked_for_has_no_latencies(bench):
    one = bench(accuracy_only=[{"device": "CPU"}])
    all_done(one)
    assert {row["outcome"] for row in by_cell(one).values()} == {"ok"}
    assert not one.folder.has(tables.LATENCIES)


def rows_in(one, folder):
    """The rows of each cell that has some in a subfolder."""
    found = [each for name in one.folder.names(folder) for each in tables.cells_in(one.folder.read(name))]
    assert len(dict(found)) == len(found)
    return dict(found)


def cells_in(one, folder):
    """The cells that have rows in a subfolder."""
    return set(rows_in(one, folder))


def test_baselines_have_no_calibration_and_their_own_speedups(bench):
    one = bench()
    all_done(one)
    rows = by_cell(one)
    assert [rows[name]["calibration"] for name in (PYTORCH, IR)] == [None, None]
    assert [rows[name]["runtime"] for name in (PYTORCH, IR)] == ["pytorch", "openvino"]
    assert rows[PYTORCH]["speedup_ir"] == pytest.approx(0.5)
    assert rows[PYTORCH]["speedup_pytorch"] == pytest.approx(1.0)
    assert rows[IR]["speedup_ir"] == pytest.approx(1.1), "the host's own noise"
    assert rows[IR]["speedup_pytorch"] == pytest.approx(2.0), "PyTorch was paired with this very IR"
    assert rows[IR]["fps"] == pytest.approx(110.0)
    assert (rows[IR]["top1_drop"], rows[IR]["agreement"]) == (0.0, 1.0)
    assert rows[IR]["int8_layers"] is None
    assert rows[IR]["size_mib"] == 1.0


def test_a_stage_that_has_two_roles_in_a_cell_counts_its_attempts_once(bench):
    one = bench()
    all_done(one)
    assert by_cell(one)[IR]["attempts"] == 3  # export, evaluate (its own reference), measure


def test_a_batch_counts_each_of_its_images(bench):
    one = bench()
    for role, files in (("export", []), ("fp32", [predicted([1])]), ("measure", [rounds(100.0, 100.0, batch=8)])):
        one.done(IR, role, files=files)
    assert by_cell(one)[IR]["fps"] == pytest.approx(100.0)


def test_speeds_of_two_hosts_are_never_mixed(bench):
    one = bench()
    one.all_done(PYTORCH, own_fps=50.0, ir_fps=100.0)
    one.all_done(INT8, measure={"host": {"host": "beta"}})
    row = by_cell(one)[INT8]
    assert row["host"] == "beta"
    assert row["speedup_ir"] == pytest.approx(2.0)
    assert row["speedup_pytorch"] is None


def test_speeds_of_two_models_or_devices_are_never_mixed(bench):
    one = bench(models=["resnet20", "vgg16_bn"], devices=["CPU", {"name": "CPU", "threads": 1}])
    one.all_done(PYTORCH, own_fps=50.0, ir_fps=100.0)
    for cell in one.cells:
        if "default" in cell:
            one.all_done(cell)
    filled = [name for name, row in by_cell(one).items() if "default" in name and row["speedup_pytorch"] is not None]
    assert filled == [INT8]


def test_a_round_that_lost_its_partner_is_in_no_pair(bench):
    one = bench()
    one.done(INT8, "measure", files=[rounds(100.0, None)])
    row = by_cell(one)[INT8]
    assert row["fps"] == pytest.approx(100.0)
    assert (row["speedup_ir"], row["fps_ir"], row["pairs"], row["verdict"]) == (None, None, 0, "noisy")


def test_a_measurement_that_does_not_hold_has_its_cause_and_the_table_the_command_that_made_it(bench):
    one = bench()
    one.done(INT8, "measure", facts={"ended": "budget"}, files=[rounds(100.0, 50.0, count=3)])
    one.done(IR, "measure", files=[rounds(100.0, 50.0, precision="bf16", properties=json.dumps({"NUM_STREAMS": "4"}))])
    rows = by_cell(one)
    assert (rows[INT8]["verdict"], rows[INT8]["verdict_cause"], rows[INT8]["ended"]) == ("noisy", "few_pairs", "budget")
    assert (rows[IR]["verdict"], rows[IR]["verdict_cause"], rows[IR]["precision"]) == ("invalid", "property", "bf16")
    assert json.loads(rows[IR]["mismatches"]) == [{"property": "NUM_STREAMS", "asked": "1", "found": "4"}]
    assert rows[IR]["fps"] == pytest.approx(100.0), "it is shown all the same"
    assert command_of(one.folder.read(tables.RECORDS)) == "farm run grid.yaml"


def test_a_run_gathers_the_plan_that_it_ran_whatever_run_has_begun_meanwhile(bench):
    one, other = bench(), bench(models=["vgg16_bn"])
    assert one.folder.url == other.folder.url
    cells = {record.cell for record in gather(one.folder, one.store, one.plan)}
    assert cells == set(one.cells)
    assert cells.isdisjoint(other.cells)


def test_the_grids_own_settings_are_what_a_measurement_is_judged_by(bench):
    one = bench(settings={"measure": {"pairs": [2, 4], "target": 0.5, "preprocess": True, "per_node": 2}})
    one.done(INT8, "measure", files=[rounds(100.0, 50.0, count=2)])
    row = by_cell(one)[INT8]
    assert (row["verdict"], row["pairs"], row["per_node"]) == ("valid", 2, 2)
    assert row["timed"] == "preprocessing and inference"


def test_percentiles_come_where_there_are_samples_enough(bench):
    one = bench()
    one.done(INT8, "measure", files=[rounds(100.0, 50.0, count=1, inferences=1000)])
    row = by_cell(one)[INT8]
    assert row["latency_p99_ms"] == pytest.approx(np.quantile(np.arange(1, 1001), 0.99) / 1000)
    assert row["latency_p999_ms"] is None


def test_a_failed_cell_keeps_what_was_measured_and_says_what_failed_and_why(bench, tmp_path):
    one = bench()
    files = {"calibration": [shard(3)], "fp32": [predicted([1, 1])], "evaluate": [predicted([1, 2])]}
    for role in ("calibration", "export", "quantize", "fp32", "evaluate"):
        one.done(INT8, role, files=files.get(role))
    log = tmp_path / "log.txt"
    log.write_text("boom")
    first = one.tried(INT8, "measure", log, error_class="lost", error_type="X", error_message="gone")
    last = one.tried(
        INT8, "measure", log, error_class="crash", error_type="SIGSEGV", error_message="ended by signal 11"
    )
    row = by_cell(one)[INT8]
    assert (row["outcome"], row["error_class"], row["error_type"]) == ("failed", "crash", "SIGSEGV")
    assert row["error_message"] == f"measure {INT8}: ended by signal 11"
    assert row["log"] == last.log != first.log
    assert row["attempts"] == 7
    assert (row["top1"], row["agreement"]) == (0.5, 0.5)
    speed = ("fps", "speedup_ir", "speedup_pytorch", "latency_p50_ms", "measure_s", "threads", "streams")
    assert [row[name] for name in speed] == [None] * len(speed)


def test_a_stage_that_failed_before_and_is_fine_now_is_ok(bench):
    one = bench()
    one.tried(INT8, "export", error_class="error", error_type="ValueError", error_message="no")
    all_done(one)
    row = by_cell(one)[INT8]
    assert (row["outcome"], row["error_class"], row["attempts"]) == ("ok", None, 7)


def test_a_stage_whose_artefact_was_discarded_is_pending_and_not_failed(bench):
    one = bench()
    all_done(one)
    one.store.discard(one.cells[INT8]["measure"])
    row = by_cell(one)[INT8]
    assert (row["outcome"], row["fps"], row["speedup_ir"]) == ("pending", None, None)


def test_a_failure_upstream_is_what_a_cell_failed_of(bench):
    one = bench()
    one.tried(INT8, "calibration", error_class="error", error_type="DataError", error_message="truncated")
    row = by_cell(one)[INT8]
    assert (row["outcome"], row["error_class"], row["error_message"]) == (
        "failed",
        "error",
        "synthesize noise: truncated",
    )
    assert row["log"] is None


def test_a_missing_file_is_a_failed_row_that_says_which(bench):
    one = bench(models=[{"name": "resnet20", "weights": "/nowhere/w.pt"}])
    plan = one.folder.read_plan()
    lacking = {"weights": Input(role="weights", missing="no weights of resnet20: looked for /nowhere/w.pt")}
    stages = {uri: replace(stage, files=lacking) if stage.files else stage for uri, stage in plan.stages.items()}
    one.folder.write_plan(replace(plan, stages=stages))
    for row in by_cell(one).values():
        assert (row["outcome"], row["error_class"]) == ("failed", "missing_input")
        assert "looked for /nowhere/w.pt" in row["error_message"]
        assert row["attempts"] == 0


def test_without_the_reference_a_drop_is_null(bench):
    one = bench()
    one.done(INT8, "evaluate", files=[predicted([1])])
    row = by_cell(one)[INT8]
    assert (row["top1"], row["top1_drop"], row["agreement"]) == (0.5, None, None)


def test_a_peak_that_nobody_measured_is_null_and_not_0(bench):
    one = bench()
    one.done(INT8, "export", peak_rss_mib=None)
    assert by_cell(one)[INT8]["peak_rss_mib"] is None


def test_gathering_twice_gives_the_same(bench):
    one = bench()
    all_done(one)

    def everything():
        gather(one.folder, one.store)
        paths = one.folder.fs.find(one.folder.root)
        return {str(path): one.folder.fs.cat_file(path) for path in paths}

    first = everything()
    assert everything() == first
    names = [path.removeprefix(one.folder.root).lstrip("/") for path in first]
    assert [name for name in names if "/" not in name] == [
        "attempts.parquet",
        "gathered.json",
        "plan.json",
        "records.parquet",
        "samples.parquet",
    ]
    assert len(names) == 5 + 1 + 1


def test_predictions_and_latencies_are_some_cells_a_file_and_each_row_tells_its_cell(bench):
    one = bench()
    all_done(one)
    gather(one.folder, one.store)
    for folder, columns in ((tables.PREDICTIONS, list(PREDICTED)), (tables.LATENCIES, None)):
        found = rows_in(one, folder)
        assert found.keys() == {PYTORCH, IR, INT8}
        assert all(set(rows["cell"].to_pylist()) == {cell} for cell, rows in found.items())
        assert columns is None or all(rows.column_names == columns for rows in found.values())


def test_a_file_has_the_columns_that_any_of_its_cells_has(bench):
    one = bench()

    def with_gaps(folder):
        predicted([1, 2, 3, 4])(folder)
        table = pq.read_table(folder / "predictions.parquet")
        pq.write_table(table.append_column("gap", pa.array([0.5] * 4, pa.float32())), folder / "predictions.parquet")

    one.done(IR, "evaluate", files=[with_gaps])
    one.done(INT8, "evaluate", files=[predicted([1, 2, 3, 4])])
    gather(one.folder, one.store)
    gaps = {cell: rows["gap"].to_pylist() for cell, rows in rows_in(one, tables.PREDICTIONS).items()}
    assert gaps == {IR: [0.5] * 4, INT8: [None] * 4}


def test_files_of_cells_that_left_the_grid_are_removed(bench):
    one = bench()
    all_done(one)
    gather(one.folder, one.store)
    plan = one.folder.read_plan()
    one.folder.write_plan(replace(plan, cells=(plan.cell(INT8),)))
    gather(one.folder, one.store)
    assert cells_in(one, tables.PREDICTIONS) == {INT8}
    assert [row["cell"] for row in one.folder.read(tables.RECORDS).to_pylist()] == [INT8]


def test_a_stage_that_was_done_again_replaces_its_cells_rows(bench):
    one = bench()
    all_done(one)
    gather(one.folder, one.store)
    one.store.discard(one.cells[INT8]["evaluate"])
    one.done(INT8, "evaluate", files=[predicted([9, 9, 9, 9])])
    gather(one.folder, one.store)
    found = rows_in(one, tables.PREDICTIONS)
    assert found.keys() == {PYTORCH, IR, INT8}
    assert found[INT8]["prediction"].to_pylist() == [9] * 4


def test_every_attempt_is_a_row_those_of_shared_stages_once(bench):
    one = bench()
    all_done(one)
    one.tried(INT8, "measure", error_class="oom", error_message="too much", peak_rss_mib=9.5)
    gather(one.folder, one.store)
    rows = one.folder.read(tables.ATTEMPTS).to_pylist()
    assert len(rows) == len(one.plan.stages) + 1
    assert len({(row["uri"], row["attempt"]) for row in rows}) == len(rows)
    [failed] = [row for row in rows if row["error_class"] == "oom"]
    assert (failed["attempt"], failed["peak_rss_mib"], failed["signal"]) == (2, 9.5, None)


def test_samples_are_the_first_64_images_of_each_set_as_png(bench):
    one = bench(calibrations=["noise", "fractal"])
    one.done(INT8, "calibration", files=[shard(100)])
    one.done("resnet20/fractal/default/CPU", "calibration", files=[shard(3)])
    gather(one.folder, one.store)
    rows = one.folder.read(tables.SAMPLES).to_pylist()
    assert [(row["calibration"], row["index"]) for row in rows] == [
        *(("noise", index) for index in range(64)), *(("fractal", index) for index in range(3))
    ]  # fmt: skip
    image = np.asarray(Image.open(io.BytesIO(rows[13]["png"])))
    assert rows[13]["label"] == 3
    assert image.shape == (4, 5, 3)
    assert (image == 13).all()


LARGE = "resnet20/noise{count=600}/default/CPU"


def sharded(bench, *counts):
    return bench(calibrations=[{"name": "noise", "count": n} for n in counts], settings={"shard_images": 256})


def test_a_set_of_several_shards_is_there_when_all_of_them_are(bench):
    one = sharded(bench, 600)
    all_but = [role for role in one.cells[LARGE] if role != "calibration.2"]
    files = {"fp32": [predicted([1, 1])], "evaluate": [predicted([1, 2])], "measure": [rounds(2.0, 1.0)]}
    for role in all_but:
        one.done(LARGE, role, files=files.get(role, [shard(256)] if role.startswith("calibration") else None))
    assert by_cell(one)[LARGE]["outcome"] == "pending"
    one.tried(LARGE, "calibration.2", error_class="timeout", error_message="too long")
    row = by_cell(one)[LARGE]
    assert (row["outcome"], row["error_class"]) == ("failed", "timeout")
    assert row["error_message"] == "synthesize noise{count=600} images 512 to 599: too long"
    one.done(LARGE, "calibration.2", files=[shard(88)])
    row = by_cell(one)[LARGE]
    assert row["outcome"] == "ok"
    assert row["attempts"] == 9


def test_the_last_shard_tells_what_must_be_known_of_a_set(bench):
    one = sharded(bench, 600)
    for role, note in (("calibration", None), ("calibration.1", "1 of cat"), ("calibration.2", "1 of cat, 2 of dog")):
        one.done(LARGE, role, facts={"note": note}, files=[shard(256)])
    assert by_cell(one)[LARGE]["calibration_note"] == "1 of cat, 2 of dog"


def test_a_shard_that_failed_is_told_before_the_quantization_that_needs_it(bench):
    one = sharded(bench, 600)
    one.tried(LARGE, "calibration.1", error_class="crash", error_message="ended by signal 11")
    one.tried(LARGE, "quantize", error_class="dep_failed", error_message="needs it")
    assert by_cell(one)[LARGE]["error_class"] == "crash"


def test_samples_of_sets_that_share_a_shard_are_there_for_each_and_from_the_first_shard(bench):
    one = sharded(bench, 600, 1200)
    for role in ("calibration", "calibration.1", "calibration.2"):
        one.done(LARGE, role, files=[shard(256)])
    gather(one.folder, one.store)
    rows = one.folder.read(tables.SAMPLES).to_pylist()
    assert [(row["calibration"], row["index"]) for row in rows] == [
        (name, index) for name in ("noise{count=600}", "noise{count=1200}") for index in range(64)
    ]
