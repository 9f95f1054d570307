"""A round as it is kept: a row of ``rounds.parquet``. Knows no files, and not how a round runs."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Annotated

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from farm.codec import decode
from farm.columns import Column, schema_of
from farm.record import Signal

ROUNDS = "rounds.parquet"  # the file of a measurement: a row a round


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Round:
    """One round: a row of ``rounds.parquet`` and, with its cell, of ``latencies/``. Its pairing comes last."""

    pair: Annotated[int, Column("which pair of the measurement, from 0", arrow="int32")] = 0
    position: Annotated[int, Column("which round of the pair: 0 or 1", arrow="int32")] = 0
    variant: Annotated[str, Column("`cell`, or `ir`: the FP32 IR beside it")] = ""
    runtime: Annotated[str, Column("`openvino` or `pytorch`")]
    batch: Annotated[int, Column("images an inference", arrow="int32")]
    inferences: Annotated[int, Column("timed ones")]
    wall_ns: Annotated[int, Column("wall time of all timed inferences", "ns")]
    request_p50_ns: Annotated[float | None, Column("median of what the runtime itself says", "ns")]
    synchronous: Annotated[bool, Column("whether one inference ran at a time")]
    warmup_inferences: Annotated[int, Column("inferences before the clock ran")]
    steady: Annotated[bool, Column("whether two windows of warm-up had taken the same time")]
    threads: Annotated[int, Column("as read back from the runtime", arrow="int32")]
    streams: Annotated[int, Column("as read back from the runtime", arrow="int32")]
    precision: Annotated[str, Column("as read back from the runtime")]
    asked: Annotated[str, Column("the runtime properties that were asked for", "JSON: {property: value}")]
    properties: Annotated[str, Column("the runtime properties that were read back", "JSON: {property: value}")]
    cpus: Annotated[tuple[int, ...], Column("the leased CPUs", arrow="list<item: int32>")]
    stray_cpus: Annotated[tuple[int, ...], Column("CPUs beside them that it could use", arrow="list<item: int32>")]
    disturbed: Annotated[tuple[Signal, ...], Column("what disturbed the pair: signals without their unit")] = ()
    steal_s: Annotated[float, Column("taken by the hypervisor, of the CPU that lost most", "s")]
    foreign_s: Annotated[float, Column("CPU time of other programs on the leased CPUs", "s")]
    delayed_s: Annotated[float, Column("ready to run but made to wait, the thread that waited longest", "s")]
    siblings_s: Annotated[float, Column("the busiest sibling thread of the cores that is not leased", "s")]
    throttled_s: Annotated[float, Column("held back by the CPU quota", "s")]
    overheated: Annotated[int, Column("times that the processor throttled itself")]
    mhz: Annotated[float | None, Column("mean frequency of the leased CPUs at the end; not judged", "MHz")]
    latencies_ns: Annotated[NDArray[np.int64], Column("of every timed inference", "ns", "list<item: int64>")]

    @property
    def wall_s(self) -> float:
        """Wall time of all timed inferences, in seconds."""
        return self.wall_ns / 1e9

    @property
    def fps(self) -> float:
        """Images a second."""
        return self.batch * self.inferences / self.wall_s


SCHEMA: pa.Schema = schema_of(Round)


def table_of(rounds: Sequence[Round]) -> pa.Table:
    """Rounds as a table, a row each."""
    return pa.table({name: [getattr(one, name) for one in rounds] for name in SCHEMA.names}, schema=SCHEMA)


def rounds_of(table: pa.Table) -> tuple[Round, ...]:
    """The rounds of such a table, whatever columns stand beside."""
    rows = table.select([field.name for field in fields(Round) if field.name != "latencies_ns"]).to_pylist()
    latencies = (np.asarray(row.values) for row in table["latencies_ns"])
    return tuple(decode(Round, {**row, "latencies_ns": raw}) for row, raw in zip(rows, latencies, strict=True))
