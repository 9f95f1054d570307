"""The Arrow schemas of the gathered files, and rows as tables. Pure but for `first_images`."""

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from farm.record import SCHEMA_VERSION, Outcome, Record

RECORDS = "records.parquet"
ATTEMPTS = "attempts.parquet"
SAMPLES = "samples.parquet"
PREDICTIONS = "predictions"
LATENCIES = "latencies"
CLAIMS = b"farm_claims"
COMMAND = b"farm_command"

_ARROW = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}


def schema_of(row: type) -> pa.Schema:
    """A dataclass's fields as Arrow columns, with the schema version in the metadata."""
    columns = [(each.name, _arrow_type(str(each.type))) for each in fields(row)]
    return pa.schema(columns, metadata={"farm_schema": str(SCHEMA_VERSION)})


def _arrow_type(annotation: str) -> pa.DataType:
    for name, kind in _ARROW.items():
        if annotation.startswith((name, f"<class '{name}'")):
            return kind
    return pa.string()


RECORD_SCHEMA = schema_of(Record)
ATTEMPT_SCHEMA = schema_of(Outcome)
SAMPLE_SCHEMA = pa.schema(
    [("calibration", pa.string()), ("index", pa.int32()), ("label", pa.int64()), ("png", pa.binary())]
)


def records(rows: Sequence[Record], claims: Mapping[str, Any], command: str = "") -> pa.Table:
    """Records as a table. In its metadata - claims: what the grid's sets are held against; command: that ran it."""
    schema = RECORD_SCHEMA.with_metadata({**RECORD_SCHEMA.metadata, CLAIMS: json.dumps(claims), COMMAND: command})
    return pa.Table.from_pylist([asdict(row) for row in rows], schema=schema)


def attempts(rows: Iterable[Outcome]) -> pa.Table:
    """Attempts as a table."""
    return pa.Table.from_pylist([asdict(row) for row in rows], schema=ATTEMPT_SCHEMA)


def samples(rows: list[dict[str, Any]]) -> pa.Table:
    """Sample images as a table."""
    return pa.Table.from_pylist(rows, schema=SAMPLE_SCHEMA)


def records_from(table: pa.Table) -> list[Record]:
    """Records from a table; columns of a later schema are left out."""
    known = {each.name for each in fields(Record)}
    return [Record(**{k: v for k, v in row.items() if k in known}) for row in table.to_pylist()]


def first_images(shard: Path, count: int) -> Iterator[tuple[bytes, int]]:
    """The first images of a shard as PNG bytes, with their labels."""
    from PIL import Image  # noqa: PLC0415 - 40 ms that only gathering pays

    file = pq.ParquetFile(shard)
    rows = (
        row for batch in file.iter_batches(batch_size=count) for row in zip(batch["image"], batch["label"], strict=True)
    )
    for image, label in islice(rows, count):
        sink = io.BytesIO()
        Image.fromarray(image.to_numpy().astype("uint8")).save(sink, format="PNG")
        yield sink.getvalue(), label.as_py()
