"""What was gathered, read back as values."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from farm.errors import DataError, InputError
from farm.grid.settings import Claims
from farm.record import Record
from farm.results import tables
from farm.results.folder import Folder
from farm.results.gather import gather
from farm.results.reading import claims_of, read_run, rounds, samples

INT8 = "resnet20/noise/default/CPU"


def said(predictions):
    columns = {"index": range(4), "label": [1, 2, 3, 4], "prediction": predictions, "score": [1.0, 1.0, 0.0, 1.0]}
    return lambda folder: pq.write_table(pa.table(columns), folder / "predictions.parquet")


def test_a_run_has_its_records_claims_and_predictions(bench):
    one = bench(calibrations=["digits", "noise"], settings={"claims": {"margin": 0.02}})
    one.done(INT8, "evaluate", files=[said([1, 2, 4, 4])])
    gather(one.folder, one.store)
    run = read_run(one.folder)
    assert (run.name, [record.cell for record in run.records]) == ("small", list(one.cells))
    assert run.claims == Claims(reference="digits", margin=0.02)
    assert list(run.predictions) == [INT8]
    assert run.predictions[INT8].prediction.tolist() == [1, 2, 4, 4]
    assert run.predictions[INT8].score.dtype == np.float32


def test_rounds_and_samples_are_read_by_cell(bench):
    one = bench()
    one.all_done(INT8)
    gather(one.folder, one.store)
    assert {cell: len(rows) for cell, rows in rounds(one.folder).items()} == {INT8: 16}
    assert {row["calibration"] for row in samples(one.folder)} == {"noise"}


def test_published_records_alone_are_a_run(tmp_path):
    folder = Folder(str(tmp_path))
    folder.write(tables.RECORDS, tables.records([], {}))
    run = read_run(folder)
    assert (run.records, run.predictions, samples(folder), rounds(folder)) == ((), {}, [], {})


def test_records_of_an_older_farm_claim_by_the_defaults():
    table = tables.records([], {}).replace_schema_metadata(None)
    assert claims_of(table) == Claims(reference=None, margin=0.005)


def test_a_folder_without_results_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match="run the grid"):
        read_run(Folder(str(tmp_path)))


NAMED = dict.fromkeys(("grid", "cell", "model", "algorithm", "device", "runtime"), "a")


@pytest.mark.parametrize("year", [-1, 10_000, 290_000])
def test_a_time_in_no_year_is_damage(tmp_path, year):
    """Found by tests/hostile.py: pyarrow raises OverflowError of it."""
    folder = Folder(str(tmp_path))
    table = tables.table_of(tables.RECORDS, [Record(**NAMED, outcome="ok")])
    place, kind = table.column_names.index("started_at"), table.schema.field("started_at")
    times = pa.array([(year - 1970) * 31_556_952_000], pa.int64()).cast(kind.type)
    folder.write(tables.RECORDS, table.set_column(place, kind, times))
    with pytest.raises(DataError, match=r"damaged: .*column started_at: a time is in no year"):
        read_run(folder)
