"""Tables of older farms are read as those of today."""

import json
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from farm.errors import InputError
from farm.measuring.round import table_of
from farm.plan import Effort, Plan
from farm.record import SCHEMA_VERSION, Record
from farm.results import migrate, tables
from farm.results.folder import Folder
from farm.results.reading import attempts_table, files_of, read_run, records_table, rounds
from farm.stats.ratios import Ratio
from tests.measuring.rows import pairs

CELL = "r/noise{count=5}/default/CPU"
WHO = {
    "grid": "g", "cell": CELL, "model": "r", "calibration": "noise{count=5}", "algorithm": "default", "device": "CPU",
    "runtime": "openvino", "outcome": "ok",
}  # fmt: skip
RECORD = Record(**WHO)
GRID = "farm run 'my grid.yaml'"
AGAIN = f", then: {GRID} --only '{CELL}' --fresh measure"
QUIETER = "; raise settings.measure.pairs, or measure on fewer threads or a quieter host"
INTERVAL = {"speedup_ir": 2.0, "speedup_ir_low": 1.9, "speedup_ir_high": 2.1}
WITHIN = Ratio(value=2.0, low=1.9, high=2.1).within


def older(schema=5, **columns):
    """``records.parquet`` with one row, as an older farm wrote it."""
    row = {**WHO, "started_at": "2026-01-01T00:00:00.250+00:00", "finished_at": None, **columns}
    return pa.Table.from_pylist([row]).replace_schema_metadata({tables.SCHEMA: str(schema)})


def only(table, effort=None):
    [record] = tables.records_from(migrate.records(table, effort))
    return record


@pytest.mark.parametrize(
    ("verdict", "reason", "expected"),
    [
        ("valid", "within 2.4% after 30 pairs, 6 done again", {}),
        (
            "noisy",
            f"known within 8.3%, not the 5.0% asked for, after 16 pairs{QUIETER}{AGAIN}",
            {"verdict_cause": "wide", "ended": "pairs"},
        ),
        (
            "noisy",
            f"known within 8.3%, not the 5.0% asked for, after 9 pairs, 9 more disturbed; ask farm doctor{AGAIN}",
            {"verdict_cause": "wide", "ended": "disturbed"},
        ),
        ("noisy", f"one pair says nothing of its spread{QUIETER}", {"verdict_cause": "wide", "ended": "pairs"}),
        (
            "noisy",
            f"5 of at least 8 pairs were measured; the time was spent: raise settings.measure.budget_s{AGAIN}",
            {"verdict_cause": "few_pairs", "ended": "budget"},
        ),
        (
            "noisy",
            ("only 3 of 12 pairs were undisturbed: the hypervisor took 4% of the time; other programs on the cores' "
            f"sibling threads took 31% of the time; ask farm doctor what runs there{AGAIN}"),
            {
                "verdict_cause": "disturbed", "ended": "disturbed", "worst_signal": "siblings", "worst_share": 0.31,
            },
        ),
        (
            "noisy",
            f"only 3 of 12 pairs were undisturbed: the processor throttled itself 2 times; ask farm doctor{AGAIN}",
            {"verdict_cause": "disturbed", "ended": "disturbed", "worst_signal": "overheated"},
        ),
        (
            "invalid",
            ("NUM_STREAMS was 4, not 1; EXECUTION_DEVICES was GPU.0, not CPU; threads were allowed on CPUs 7, 9 "
            f"outside the lease; change the device in the grid, or measure on a host that has it{AGAIN}"),
            {
                "verdict_cause": "property",
                "mismatches": [("NUM_STREAMS", "1", "4"), ("EXECUTION_DEVICES", "CPU", "GPU.0"),
                               ("stray_cpus", "", "7, 9")],
            },
        ),
        (
            "invalid",
            f"threads were allowed on CPUs 7 outside the lease; change the device in the grid{AGAIN}",
            {"verdict_cause": "stray_cpus", "mismatches": [("stray_cpus", "", "7")]},
        ),
        ("noisy", "in words of nobody", {}),
    ],
)  # fmt: skip
def test_a_verdicts_columns_are_told_by_its_sentence(verdict, reason, expected):
    record = only(older(verdict=verdict, verdict_reason=reason, pairs=9, **INTERVAL))
    found = {
        name: getattr(record, name)
        for name in ("verdict_cause", "ended", "worst_signal", "worst_share", "mismatches")
        if getattr(record, name) is not None
    }
    if "mismatches" in found:
        found["mismatches"] = [tuple(mismatch.values()) for mismatch in json.loads(found["mismatches"])]
    assert found == expected
    assert (record.verdict, record.pairs, record.within, record.asked) == (verdict, 9, WITHIN, None)


def test_what_the_plan_asked_for_is_what_a_measurement_was_judged_by():
    record = only(older(verdict="valid", verdict_reason="within 1%"), Effort(pairs=(4, 9), target=0.05))
    assert (record.asked, record.least_pairs, record.within) == (0.05, 4, None)
    assert only(older(verdict=None, verdict_reason=None), Effort()).asked is None, "it was not measured"


def test_times_are_times_and_what_an_early_schema_did_not_know_is_null():
    record = only(older(schema=1, top1=0.5))
    assert (record.started_at, record.finished_at) == (datetime(2026, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC), None)
    assert (record.top1, record.score, record.verdict) == (0.5, None, None)


def test_the_command_and_the_claims_stand_in_the_metadata_and_the_schema_is_todays():
    wide = older(verdict="noisy", verdict_reason=f"known within 8.3%{QUIETER}{AGAIN}")
    metadata = {**wide.schema.metadata, tables.CLAIMS: b'{"margin": 0.01}'}
    table = migrate.records(wide.replace_schema_metadata(metadata), None)
    assert table.schema.metadata[tables.COMMAND] == GRID.encode()
    assert table.schema.metadata[tables.CLAIMS] == b'{"margin": 0.01}'
    assert table.schema.metadata[tables.SCHEMA] == str(SCHEMA_VERSION).encode()
    assert not migrate.is_older(table, "x")
    assert table.schema.equals(tables.SCHEMAS[tables.RECORDS])


@pytest.mark.parametrize("columns", [{"index": [0, 1]}, {}])
def test_predictions_of_a_cell_get_whose_they_are_and_their_images_position(tmp_path, columns):
    folder = Folder(str(tmp_path))
    folder.write(tables.RECORDS, older())
    old = {"cell": [CELL] * 2, **columns, "label": [1, 2], "prediction": [1, 3], "score": [1.0, 0.0]}
    folder.write(f"{tables.PREDICTIONS}/a.parquet", pa.table(old))
    [(name, table)] = files_of(folder, tables.PREDICTIONS)
    assert name == f"{tables.PREDICTIONS}/a.parquet"
    first, second = table.to_pylist()
    assert first == {
        "cell": CELL, "model": "r", "calibration": "noise{count=5}", "algorithm": "default", "device": "CPU",
        "baseline": False, "position": 0, "label": 1, "prediction": 1, "score": 1.0,
    }  # fmt: skip
    assert (second["position"], second["prediction"]) == (1, 3)
    assert read_run(folder).predictions[CELL].prediction.tolist() == [1, 3]


def test_rounds_of_an_older_farm_say_their_signals_by_name(tmp_path):
    folder = Folder(str(tmp_path))
    folder.write(tables.RECORDS, older())
    table = table_of(pairs(200.0, 100.0, 2))
    words = ["other programs took 9% of the time; other programs kept it waiting 7% of the time"] * 2 + [""] * 2
    table = table.set_column(table.column_names.index("disturbed"), "disturbed", pa.array(words))
    folder.write(f"{tables.LATENCIES}/a.parquet", table.add_column(0, "cell", pa.array([CELL] * 4)))
    found = rounds(folder)[CELL]
    assert [one.disturbed for one in found] == [("foreign", "delayed")] * 2 + [()] * 2
    assert np.array_equal(found[0].stretches.latencies_ns, pairs(200.0, 100.0, 1)[0].stretches.latencies_ns)


def test_files_of_a_cell_that_has_no_record_are_left_out(tmp_path):
    folder = Folder(str(tmp_path))
    folder.write(tables.RECORDS, older())
    folder.write(f"{tables.PREDICTIONS}/a.parquet", pa.table({"cell": ["gone"], "prediction": [1]}))
    assert list(files_of(folder, tables.PREDICTIONS)) == []


def test_times_of_attempts_are_times(tmp_path):
    folder = Folder(str(tmp_path))
    row = {"uri": "export/1", "label": "x", "started_at": "2026-01-01T00:00:00.250+00:00", "finished_at": ""}
    folder.write(tables.ATTEMPTS, pa.Table.from_pylist([row]))
    [attempt] = attempts_table(folder).to_pylist()
    assert attempt["started_at"] == datetime(2026, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC)
    assert (attempt["uri"], attempt["finished_at"], attempt["signal"]) == ("export/1", None, None)


def test_records_beside_their_plan_are_judged_by_it(tmp_path):
    folder = Folder(str(tmp_path))
    folder.write_plan(Plan(effort=Effort(target=0.05)))
    folder.write(tables.RECORDS, older(verdict="valid", verdict_reason="within 1%"))
    assert records_table(folder)["asked"].to_pylist() == [0.05]


@pytest.mark.parametrize("name", [tables.RECORDS, f"{tables.PREDICTIONS}/a.parquet"])
def test_a_newer_schema_is_refused_in_a_sentence(tmp_path, name):
    folder = Folder(str(tmp_path))
    folder.write(tables.RECORDS, tables.records([RECORD], {}))
    folder.write(name, older(schema=SCHEMA_VERSION + 1))
    schemas = f"its schema is {SCHEMA_VERSION + 1}, and this one reads up to {SCHEMA_VERSION}"
    newer = rf"{name} is of a newer farm: {schemas}; update farm$"
    with pytest.raises(InputError, match=newer):
        read_run(folder)
