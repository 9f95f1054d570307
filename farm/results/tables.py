"""The gathered tables: their columns, and rows as tables. Pure but for `first_images`."""

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import pyarrow.parquet as pq

from farm.codec import decode
from farm.columns import Column, schema_of
from farm.measuring.round import Round, Stretch
from farm.record import SCHEMA_VERSION, Outcome, Record

RECORDS = "records.parquet"
ATTEMPTS = "attempts.parquet"
SAMPLES = "samples.parquet"
PREDICTIONS = "predictions"
LATENCIES = "latencies"
SCHEMA = b"farm_schema"
CLAIMS = b"farm_claims"
COMMAND = b"farm_command"


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """Of which cell rows of ``predictions/`` and ``latencies/`` are: what they are joined by."""

    cell: Annotated[str, Column("as in `records.parquet`", arrow="dictionary")]
    model: Annotated[str, Column("as in `records.parquet`", arrow="dictionary")]
    calibration: Annotated[str | None, Column("as in `records.parquet`; null of a baseline", arrow="dictionary")]
    algorithm: Annotated[str, Column("as in `records.parquet`; of a baseline `ir` or `pytorch`", arrow="dictionary")]
    device: Annotated[str, Column("as in `records.parquet`", arrow="dictionary")]
    baseline: Annotated[bool, Column("whether the cell is one: a model that was not quantized")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What one cell says of one test image."""

    position: Annotated[int, Column("which test image, from 0 in the dataset's order", arrow="int32")]
    label: Annotated[int, Column("its class", arrow="int32")]
    prediction: Annotated[int, Column("the class that the model gives it", arrow="int32")]
    score: Annotated[float, Column("of the grid's metric", arrow="float")]
    gap: Annotated[
        float | None, Column("between the two greatest logits; published runs leave it out", arrow="float")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One image of a calibration set."""

    calibration: Annotated[str, Column("the set")]
    index: Annotated[int, Column("which image of it, from 0", arrow="int32")]
    label: Annotated[int, Column("its class; -1 without one")]
    png: Annotated[bytes, Column("the image as a PNG file", arrow="binary")]


ROWS: dict[str, tuple[type, ...]] = {
    RECORDS: (Record,),
    ATTEMPTS: (Outcome,),
    PREDICTIONS: (Whose, Prediction),
    LATENCIES: (Whose, Round, Stretch),
    SAMPLES: (Sample,),
}
SCHEMAS: dict[str, pa.Schema] = {
    name: schema_of(*rows, metadata={SCHEMA.decode(): str(SCHEMA_VERSION)}) for name, rows in ROWS.items()
}


def table_of(name: str, rows: Iterable[Record | Outcome | Sample]) -> pa.Table:
    """Rows as the table of this name."""
    return pa.Table.from_pylist([asdict(row) for row in rows], schema=SCHEMAS[name])


def records(rows: Iterable[Record], claims: Mapping[str, object], command: str = "") -> pa.Table:
    """Records as a table. In its metadata - claims: what the grid's sets are held against; command: that ran it."""
    table = table_of(RECORDS, rows)
    return table.replace_schema_metadata({**table.schema.metadata, CLAIMS: json.dumps(claims), COMMAND: command})


def of_cell(name: str, table: pa.Table, cell: Whose) -> pa.Table:
    """One cell's rows as a file of a subfolder, with whose they are before them; a column may be lacking."""
    schema = SCHEMAS[name]
    whose = {name: pa.array([value] * len(table), schema.field(name).type) for name, value in asdict(cell).items()}
    columns = {name: table[name] for name in table.column_names} | whose
    present = pa.schema([field for field in schema if field.name in columns], metadata=schema.metadata)
    return pa.table({name: columns[name] for name in present.names}).cast(present)


def whose(record: Record) -> Whose:
    """A record's cell, as its rows name it."""
    return decode(Whose, {**asdict(record), "baseline": record.calibration is None})


def records_from(table: pa.Table) -> list[Record]:
    """Records from a table; columns of a later schema are left out."""
    names = [field.name for field in fields(Record) if field.name in table.column_names]
    return [Record(**row) for row in table.select(names).to_pylist()]


def first_images(artefact: Path, count: int) -> Iterator[tuple[bytes, int]]:
    """The first images of a shard in the store as PNG bytes, with their labels."""
    from PIL import Image  # noqa: PLC0415 - 40 ms that only gathering pays

    batches = pq.ParquetFile(artefact / "images.parquet").iter_batches(batch_size=count)
    rows = (row for batch in batches for row in zip(batch["image"], batch["label"], strict=True))
    for image, label in islice(rows, count):
        sink = io.BytesIO()
        Image.fromarray(image.to_numpy().astype("uint8")).save(sink, format="PNG")
        yield sink.getvalue(), label.as_py()
