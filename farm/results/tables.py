"""The gathered tables: their columns, and rows as tables. Pure but for `first_images`."""

import io
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import islice, pairwise
from operator import attrgetter
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from farm.columns import Column, schema_of
from farm.measuring.round import Round, Stretch
from farm.record import SCHEMA_VERSION, Outcome, Record
from farm.tasks.detection.rows import Detected, OfClass, Resample

RECORDS = "records.parquet"
ATTEMPTS = "attempts.parquet"
SAMPLES = "samples.parquet"
PREDICTIONS = "predictions"
LATENCIES = "latencies"
DETECTIONS = "detections"
CLASSES = "classes"
RESAMPLES = "resamples"
SCHEMA = b"farm_schema"
CLAIMS = b"farm_claims"
COMMAND = b"farm_command"
GATHERED = b"farm_gathered"


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
    DETECTIONS: (Whose, Detected),
    CLASSES: (Whose, OfClass),
    RESAMPLES: (Whose, Resample),
    SAMPLES: (Sample,),
}
SCHEMAS: dict[str, pa.Schema] = {
    name: schema_of(*rows, metadata={SCHEMA.decode(): str(SCHEMA_VERSION)}) for name, rows in ROWS.items()
}


def table_of(name: str, rows: Iterable[Record | Outcome | Sample]) -> pa.Table:
    """Rows as the table of this name."""
    schema, rows = SCHEMAS[name], list(rows)
    columns = zip(*map(attrgetter(*schema.names), rows), strict=True) if rows else [()] * len(schema)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def records(rows: Iterable[Record], claims: Mapping[str, object], command: str = "") -> pa.Table:
    """Records as a table. In its metadata - claims: what the grid's sets are held against; command: that ran it."""
    table = table_of(RECORDS, rows)
    return table.replace_schema_metadata({**table.schema.metadata, CLAIMS: json.dumps(claims), COMMAND: command})


def gathered(table: pa.Table, whole: str) -> pa.Table:
    """The table, with what all of the grid's tables were gathered from in its metadata: a digest."""
    return table.replace_schema_metadata({**(table.schema.metadata or {}), GATHERED: whole})


def gathered_from(table: pa.Table) -> str:
    """What `gathered` has noted."""
    return str((table.schema.metadata or {}).get(GATHERED, b"").decode())


def of_cell(name: str, table: pa.Table, cell: Whose) -> pa.Table:
    """One cell's rows as a file of a subfolder, with whose they are before them; a column may be lacking."""
    schema = SCHEMAS[name]
    whose = {name: pa.array([value] * len(table), schema.field(name).type) for name, value in asdict(cell).items()}
    columns = {name: table[name] for name in table.column_names} | whose
    present = pa.schema([field for field in schema if field.name in columns], metadata=schema.metadata)
    return pa.table({name: columns[name] for name in present.names}).cast(present)


def alike(name: str, parts: Sequence[pa.Table]) -> list[pa.Table]:
    """Tables of this name with the columns that any of them has; where one has not, it has nulls."""
    if all(part.column_names == parts[0].column_names for part in parts):
        return list(parts)
    schema = SCHEMAS[name]
    wanted = pa.schema([field for field in schema if any(field.name in part.column_names for part in parts)])
    lacking = {field.name: field.type for field in wanted}
    return [
        pa.table(
            {
                name: part[name] if name in part.column_names else pa.nulls(len(part), lacking[name])
                for name in wanted.names
            },
            schema=wanted.with_metadata(schema.metadata),
        )
        for part in parts
    ]


def joined(name: str, parts: Sequence[pa.Table]) -> pa.Table:
    """The rows of several tables of this name in one."""
    return pa.concat_tables([SCHEMAS[name].empty_table(), *parts])


def where(table: pa.Table, column: str, values: Collection[str]) -> pa.Table:
    """The rows whose column has one of these values."""
    return table.filter(pc.is_in(table[column], pa.array(sorted(values), pa.string())))


def in_order(table: pa.Table, column: str, values: Sequence[str]) -> pa.Table:
    """The rows in the order of the values of a column, those of one value as they were."""
    places = pc.index_in(table[column], pa.array(values, pa.string())).to_numpy(zero_copy_only=False)
    return table.take(pa.array(np.argsort(places, kind="stable")))


def cells_in(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """The cells whose rows a table of ``predictions/`` or ``latencies/`` has, one after another, and their rows."""
    column = pc.cast(table["cell"], pa.string()).combine_chunks().dictionary_encode()
    numbers = column.indices.to_numpy()
    starts = [0, *(np.flatnonzero(np.diff(numbers)) + 1), len(numbers)]
    for start, stop in pairwise(starts):
        if start < stop:
            yield column.dictionary[numbers[start]].as_py(), table.slice(start, stop - start)


def whose(record: Record) -> Whose:
    """A record's cell, as its rows name it."""
    return Whose(
        cell=record.cell, model=record.model, calibration=record.calibration, algorithm=record.algorithm,
        device=record.device, baseline=record.calibration is None,
    )  # fmt: skip


def records_from(table: pa.Table) -> list[Record]:
    """Records from a table; columns of a later schema are left out."""
    names = [field.name for field in fields(Record) if field.name in table.column_names]
    columns = [table[name].to_pylist() for name in names]
    return [Record(**dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]


def samples(name: str, images: Sequence[tuple[bytes, int]]) -> pa.Table:
    """The first images of a set as rows. images: as PNG bytes, with their labels."""
    rows = [Sample(calibration=name, index=index, label=label, png=png) for index, (png, label) in enumerate(images)]
    return table_of(SAMPLES, rows)


def first_images(artefact: Path, count: int) -> Iterator[tuple[bytes, int]]:
    """The first images of a shard in the store as PNG bytes, with their labels."""
    from PIL import Image  # noqa: PLC0415 - 40 ms that only gathering pays

    batches = pq.ParquetFile(artefact / "images.parquet").iter_batches(batch_size=count)
    rows = (row for batch in batches for row in zip(batch["image"], batch["label"], strict=True))
    for image, label in islice(rows, count):
        sink = io.BytesIO()
        Image.fromarray(image.to_numpy().astype("uint8")).save(sink, format="PNG")
        yield sink.getvalue(), label.as_py()
