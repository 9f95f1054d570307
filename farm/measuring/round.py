"""Rounds as they are kept: a row a stretch of their turns in ``turns.parquet``. Knows not how a turn runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from farm.codec import decode
from farm.columns import Column, schema_of
from farm.record import Signal

TURNS = "turns.parquet"  # the file of a measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What the inferences between two probes have that their round has not: columns of ``turns.parquet``."""

    turn: Annotated[int, Column("which turn of its pair, from 0", arrow="int32")]
    inferences: Annotated[int, Column("timed ones")]
    wall_ns: Annotated[int, Column("wall time of all timed inferences", "ns")]
    probe_before_ns: Annotated[
        tuple[int, ...],
        Column(
            "the probe right before; of several leased CPUs, also on each before the turn", "ns", "list<item: int32>"
        ),
    ]
    probe_after_ns: Annotated[
        tuple[int, ...],
        Column("the probe right after; of several leased CPUs, also on each after the turn", "ns", "list<item: int32>"),
    ]
    full_speed: Annotated[bool | None, Column("whether the probes say that the cores ran at full speed")]
    latencies_ns: Annotated[NDArray[np.int64], Column("of every timed inference", "ns", "list<item: int64>")]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stretches:
    """The stretches of all turns of a round, an entry each, in the order in which they were played.

    turn, inferences, wall_ns: (stretches,) int64, as in `Stretch`. probes_ns: (stretches, 2, probes) int64, before and
    after it: where the round ran, and of several CPUs on each around the whole turn. full_speed: (stretches,) bool; all
    where there was no probe. latencies_ns: of all inferences of all stretches, int64.
    """

    turn: NDArray[np.int64]
    inferences: NDArray[np.int64]
    wall_ns: NDArray[np.int64]
    probes_ns: NDArray[np.int64]
    full_speed: NDArray[np.bool_]
    latencies_ns: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.turn)

    def at(self, *, full_speed: bool | None) -> NDArray[np.bool_]:
        """Which were played at full speed, which were not, or (None) all."""
        return np.ones(len(self), np.bool_) if full_speed is None else self.full_speed == full_speed

    def of(self, chosen: NDArray[np.bool_], latencies: NDArray[np.bool_] | None = None) -> Self:
        """Those that are chosen. chosen: (stretches,) bool. latencies: (inferences,) bool, if which is known."""
        return replace(
            self,
            turn=self.turn[chosen],
            inferences=self.inferences[chosen],
            wall_ns=self.wall_ns[chosen],
            probes_ns=self.probes_ns[chosen],
            full_speed=self.full_speed[chosen],
            latencies_ns=self.latencies_ns[np.repeat(chosen, self.inferences) if latencies is None else latencies],
        )


def no_stretches() -> Stretches:
    """Those of a round that has not played yet."""
    none = np.empty(0, np.int64)
    return Stretches(
        turn=none,
        inferences=none,
        wall_ns=none,
        probes_ns=np.empty((0, 2, 0), np.int64),
        full_speed=np.empty(0, np.bool_),
        latencies_ns=none,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Round:
    """One round: what its rows of ``turns.parquet`` and, with its cell, of ``latencies/`` have in common."""

    pair: Annotated[int, Column("which pair of the measurement, from 0", arrow="int32")] = 0
    variant: Annotated[str, Column("`cell`, or `ir`: the FP32 IR that it takes turns with")] = ""
    runtime: Annotated[str, Column("`openvino` or `pytorch`")]
    batch: Annotated[int, Column("images an inference", arrow="int32")]
    request_p50_ns: Annotated[float | None, Column("median of what the runtime itself says", "ns")]
    synchronous: Annotated[bool, Column("whether one inference ran at a time")]
    warmup_inferences: Annotated[int, Column("inferences before the first turn")]
    steady: Annotated[bool, Column("whether two windows of warm-up had taken the same time")]
    threads: Annotated[int, Column("as read back from the runtime", arrow="int32")]
    streams: Annotated[int, Column("as read back from the runtime", arrow="int32")]
    precision: Annotated[str, Column("as read back from the runtime")]
    asked: Annotated[str, Column("the runtime properties that were asked for", "JSON: {property: value}")]
    properties: Annotated[str, Column("the runtime properties that were read back", "JSON: {property: value}")]
    cpus: Annotated[tuple[int, ...], Column("the leased CPUs", arrow="list<item: int32>")]
    stray_cpus: Annotated[tuple[int, ...], Column("CPUs beside them that it could use", arrow="list<item: int32>")]
    disturbed: Annotated[tuple[Signal, ...], Column("what disturbed the pair: signals without their unit")] = ()
    played_s: Annotated[float, Column("wall time from the pair's first turn to its last", "s")]
    used_s: Annotated[float, Column("CPU time of the round meanwhile", "s")]
    steal_s: Annotated[float, Column("taken by the hypervisor, of the CPU that lost most", "s")]
    foreign_s: Annotated[float, Column("CPU time of other programs on the leased CPUs", "s")]
    delayed_s: Annotated[
        float, Column("ready to run in its turns but made to wait, the thread that waited longest", "s")
    ]
    siblings_s: Annotated[float, Column("the busiest sibling thread of the cores that is not leased", "s")]
    throttled_s: Annotated[float, Column("held back by the CPU quota", "s")]
    overheated: Annotated[int, Column("times that the processor throttled itself")]
    mhz: Annotated[float | None, Column("mean frequency of the leased CPUs at the end; not judged", "MHz")]
    stretches: Stretches = field(default_factory=no_stretches)

    @property
    def wall_s(self) -> float:
        """Wall time of all timed inferences, in seconds."""
        return float(self.stretches.wall_ns.sum()) / 1e9

    @property
    def images(self) -> int:
        """Of all timed inferences."""
        return self.batch * int(self.stretches.inferences.sum())

    @property
    def fps(self) -> float:
        """Images a second, of all stretches."""
        return self.fps_of(full_speed=None)

    def fps_of(self, *, full_speed: bool | None) -> float:
        """Images a second, of stretches at full speed, of the others, or (None) of all."""
        chosen = self.stretches.at(full_speed=full_speed)
        images = self.batch * int(self.stretches.inferences[chosen].sum())
        return images / (float(self.stretches.wall_ns[chosen].sum()) / 1e9)


SCHEMA: pa.Schema = schema_of(Round, Stretch)
FACTS = tuple(member.name for member in fields(Round) if member.name != "stretches")
PROBES = ("probe_before_ns", "probe_after_ns")


def table_of(rounds: Sequence[Round]) -> pa.Table:
    """Rounds as a table, a row a stretch, in the order in which they were played."""
    rows = [SCHEMA.empty_table(), *map(_rows, rounds)]
    return pa.concat_tables(rows).sort_by([("pair", "ascending"), ("turn", "ascending")])


def _rows(one: Round) -> pa.Table:
    played = one.stretches
    facts = {name: [getattr(one, name)] * len(played) for name in FACTS}
    single = {name: getattr(played, name) for name in ("turn", "inferences", "wall_ns", "full_speed")}
    probes = {name: list(played.probes_ns[:, when]) for when, name in enumerate(PROBES)}
    ends = np.concatenate([[0], np.cumsum(played.inferences)]).astype(np.int32)
    latencies = {"latencies_ns": pa.ListArray.from_arrays(ends, played.latencies_ns)}
    return pa.table({**facts, **single, **probes, **latencies}, schema=SCHEMA)


def rounds_of(table: pa.Table) -> tuple[Round, ...]:
    """The rounds of one measurement's table, whatever columns stand beside, in the order of their first turns."""
    variants = table["variant"].combine_chunks().dictionary_encode()
    whose = table["pair"].to_numpy().astype(np.int64) * (len(variants.dictionary) + 1) + variants.indices.to_numpy()
    rounds, firsts, of_rows = np.unique(whose, return_index=True, return_inverse=True)
    order = np.argsort(firsts)
    facts = table.select(FACTS).take(pa.array(firsts[order])).to_pylist()
    played = _stretches(table)
    of_latencies = np.repeat(of_rows, played.inferences)
    return tuple(
        replace(decode(Round, told), stretches=played.of(of_rows == number, of_latencies == number))
        for told, number in zip(facts, np.arange(len(rounds))[order], strict=True)
    )


def _stretches(table: pa.Table) -> Stretches:
    """All stretches of all rounds."""
    probes = [table[name].combine_chunks().flatten().to_numpy().astype(np.int64) for name in PROBES]
    full_speed = table["full_speed"].fill_null(True)
    count = len(table)
    return Stretches(
        turn=table["turn"].to_numpy().astype(np.int64),
        inferences=table["inferences"].to_numpy(),
        wall_ns=table["wall_ns"].to_numpy(),
        probes_ns=np.stack([each.reshape(count, len(each) // max(1, count)) for each in probes], axis=1),
        full_speed=full_speed.to_numpy(),
        latencies_ns=table["latencies_ns"].combine_chunks().flatten().to_numpy(),
    )
