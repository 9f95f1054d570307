"""From the rounds of one measurement to what a record says of speed, verdict included. Pure."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from farm.measuring.full_speed import fast_ns, share
from farm.measuring.pairing import CELL, PARTNER, PairedRounds, interval, speeds
from farm.measuring.round import Round
from farm.measuring.runner import MEMORY_FORMAT
from farm.measuring.verdict import judge, mismatches, shares
from farm.plan import Effort
from farm.record import Ended, Record, Signal, is_fp32_ir
from farm.stats.ratios import Ratio, looks, paired_ratio, percentile, quotient

NS_PER_MS = 1e6
SLOWER = 1.25  # times as long as elsewhere: models make little difference to the probe, a neighbour makes more
ITSELF = Ratio(value=1.0, low=1.0, high=1.0)
QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a model ran: speeds of two places are not compared. host: empty if unknown."""

    model: str
    device: str
    host: str

    @classmethod
    def of(cls, record: Record) -> Self:
        """Where a cell's speed was measured."""
        return cls(model=record.model, device=record.device, host=record.host or "")


def with_speed(
    record: Record, rounds: Sequence[Round], effort: Effort, ended: Ended, *, per_node: int, preprocess: bool
) -> Record:
    """The record with its columns of speed.

    effort: what is asked for now. ended: what ended the measurement. per_node, preprocess: how rounds were measured.
    Figures are of stretches at full speed of the undisturbed pairs; of all where the cores hardly ever ran so, and of
    all pairs where too few are undisturbed.
    """
    measured = PairedRounds(rounds=list(rounds))
    used = measured.used(effort.pairs[0])
    of_cell, of_ir = ([one for one in used if one.variant == variant] for variant in (CELL, PARTNER))
    first, latencies = of_cell[0], np.concatenate([one.stretches.latencies_ns for one in of_cell])
    p50, p90, p95, p99, p999 = (_latency_ms(latencies, quantile) for quantile in QUANTILES)
    return replace(
        _judged(_with_states(record, measured), measured, interval(speeds(used), looks(*effort.pairs), ended), effort),
        ended=ended, fps=_fps(of_cell), fps_ir=_fps(of_ir),
        latency_p50_ms=p50, latency_p90_ms=p90, latency_p95_ms=p95, latency_p99_ms=p99, latency_p999_ms=p999,
        threads=first.threads, streams=first.streams, precision=first.precision,
        unsteady_rounds=sum(not one.steady for one in rounds), per_node=per_node,
        foreign_share=sum(one.foreign_s for one in rounds) / sum(one.played_s * len(one.cpus) for one in rounds),
        steal_share=sum(one.steal_s for one in rounds) / sum(one.played_s for one in rounds),
        memory_format=json.loads(first.properties).get(MEMORY_FORMAT),
        timed="preprocessing and inference" if preprocess else "inference",
    )  # fmt: skip


def _with_states(record: Record, measured: PairedRounds) -> Record:
    """The record with how often the cores were at full speed, and the speed-up while they were not."""
    rounds = measured.undisturbed() or measured.rounds
    if not rounds[0].stretches.probes_ns.size:  # of an older farm
        return record
    slow, full = paired_ratio(measured.slowed()), fast_ns(rounds)
    return replace(
        record, cores_ran="full" if measured.at_full_speed else "mixed", full_speed_share=share(rounds),
        probe_ns=float(full[PARTNER][0]), speedup_slow=slow.value if slow else None,
        speedup_slow_low=slow.low if slow else None, speedup_slow_high=slow.high if slow else None,
    )  # fmt: skip


def _judged(record: Record, measured: PairedRounds, ratio: Ratio | None, effort: Effort) -> Record:
    """The record with its speed-up over the FP32 IR, the verdict, and what they rest on."""
    checked = ((json.loads(one.asked), json.loads(one.properties), one.stray_cpus) for one in measured.rounds)
    differences = tuple(dict.fromkeys(mismatch for values in checked for mismatch in mismatches(*values)))
    counts = {"pairs": len(measured.pairs()), "disturbed": measured.disturbed(), "least": effort.pairs[0]}
    verdict, cause = judge(differences, ratio, **counts, target=effort.target)
    signal, worst = _worst(measured.rounds)
    return replace(
        record, speedup_ir=ratio.value if ratio else None, speedup_ir_low=ratio.low if ratio else None,
        speedup_ir_high=ratio.high if ratio else None, verdict=verdict, verdict_cause=cause,
        within=ratio.within if ratio else None, asked=effort.target, least_pairs=counts["least"], pairs=counts["pairs"],
        disturbed_pairs=counts["disturbed"], worst_signal=signal, worst_share=worst,
        mismatches=json.dumps([asdict(mismatch) for mismatch in differences]) if differences else None,
    )  # fmt: skip


def among(records: list[Record]) -> list[Record]:
    """The records of a run with what only shows beside one another."""
    return with_pytorch_speedup(with_slow_cores(records))


def alone(records: list[Record]) -> list[Record]:
    """The same without it: what `among` was given."""
    return [
        replace(
            record, cores_ran="full" if record.cores_ran == "slow" else record.cores_ran,
            speedup_pytorch=None, speedup_pytorch_low=None, speedup_pytorch_high=None,
        )
        for record in records
    ]  # fmt: skip


def with_slow_cores(records: list[Record]) -> list[Record]:
    """Mark speeds at what passed for full speed, where beside other cells of the run the same core was faster."""
    fastest: dict[tuple[str | None, str], float] = {}
    for record in records:
        if record.probe_ns is not None:
            place = record.host, record.device
            fastest[place] = min(record.probe_ns, fastest.get(place, math.inf))
    return [
        replace(record, cores_ran="slow")
        if record.cores_ran == "full" and (record.probe_ns or 0.0) > SLOWER * fastest[record.host, record.device]
        else record
        for record in records
    ]


def with_pytorch_speedup(records: list[Record]) -> list[Record]:
    """Fill `speedup_pytorch`: both were paired with the same FP32 IR, so it is a ratio of ratios."""
    baseline = {Place.of(record): record for record in records if record.runtime == "pytorch"}
    return [_over(record, baseline.get(Place.of(record))) for record in records]


def _over(record: Record, baseline: Record | None) -> Record:
    ours, theirs = ratio_of(record), ratio_of(baseline)
    if baseline is None or ours is None or theirs is None or baseline.verdict == "invalid":
        return record
    over = ITSELF if is_fp32_ir(record) else ours  # the IR is the very thing that PyTorch was paired with
    ratio = ITSELF if record is baseline else quotient(over, theirs)
    return replace(record, speedup_pytorch=ratio.value, speedup_pytorch_low=ratio.low, speedup_pytorch_high=ratio.high)


def ratio_of(record: Record | None) -> Ratio | None:
    """The ratio to the FP32 IR, of a record that has one."""
    if record is None or record.speedup_ir is None:
        return None
    return Ratio(value=record.speedup_ir, low=record.speedup_ir_low, high=record.speedup_ir_high)


def _worst(rounds: Sequence[Round]) -> tuple[Signal | None, float | None]:
    """What took most of a disturbed round's time, and which share; none of ``overheated``, which is no share."""
    disturbed = [one for one in rounds if one.disturbed]
    by_share = [
        (shares(one)[signal], signal) for one in disturbed for signal in one.disturbed if signal != "overheated"
    ]
    if by_share:
        share, signal = max(by_share)
        return signal, min(1.0, share)  # a wait is that of one thread, which may be longer than what was timed
    return ("overheated" if disturbed else None), None


def _fps(rounds: Sequence[Round]) -> float | None:
    wall_s = sum(one.wall_s for one in rounds)
    return sum(one.images for one in rounds) / wall_s if wall_s else None


def _latency_ms(latencies_ns: NDArray[np.int64], quantile: float) -> float | None:
    latency_ns = percentile(latencies_ns, quantile)
    return None if latency_ns is None else latency_ns / NS_PER_MS
