"""From the rounds of one measurement to what a record says of speed, verdict included. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from farm.measuring.pairing import CELL, PARTNER, Played, interval, signals_of, speeds
from farm.measuring.verdict import Evidence, Mismatch, judge, mismatches, shares
from farm.record import Ended, Record, Signal, is_fp32_ir
from farm.stats.ratios import Ratio, looks, percentile, quotient

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}
NS_PER_MS = 1e6


def speed(rows: Sequence[dict[str, Any]], settings: Mapping[str, Any], ended: Ended) -> dict[str, Any]:
    """A record's columns of speed.

    rows: of ``rounds.parquet``. settings: how the rounds were played, and the effort that is asked for now. ended:
    what ended the measurement. Figures are of the undisturbed pairs, or of all where too few are.
    """
    played = Played(rows=list(rows))
    least, _ = settings["pairs"]
    enough = len(played.pairs()) >= least
    counted = [row for row in rows if not row["disturbed"]] if enough else list(rows)
    own, beside = ([row for row in counted if row["variant"] == variant] for variant in (CELL, PARTNER))
    ratio = interval(speeds(counted), looks(*settings["pairs"]))
    evidence = Evidence(
        mismatches=tuple(dict.fromkeys(mismatch for row in rows for mismatch in _mismatches(row))),
        pairs=len(played.pairs()),
        disturbed=played.disturbed(),
        least=least,
        target=settings["target"],
        ratio=ratio,
    )
    verdict, cause = judge(evidence)
    signal, share = _worst(rows)
    return {
        "fps": _fps(own),
        "fps_ir": _fps(beside),
        **_columns("speedup_ir", ratio),
        **_latencies(own),
        **{key: own[0][key] for key in ("threads", "streams", "precision")},
        "verdict": verdict,
        "verdict_cause": cause,
        "within": ratio.within if ratio else None,
        "asked": evidence.target,
        "least_pairs": least,
        "ended": ended,
        "worst_signal": signal,
        "worst_share": share,
        "mismatches": json.dumps([asdict(mismatch) for mismatch in evidence.mismatches])
        if evidence.mismatches
        else None,
        "pairs": evidence.pairs,
        "unsteady_rounds": sum(not row["steady"] for row in rows),
        "disturbed_pairs": evidence.disturbed,
        "foreign_share": sum(row["foreign_s"] for row in rows) / sum(_wall_s(row) * len(row["cpus"]) for row in rows),
        "steal_share": sum(row["steal_s"] for row in rows) / sum(map(_wall_s, rows)),
        "per_node": settings["per_node"],
        "memory_format": json.loads(own[0]["properties"]).get("MEMORY_FORMAT"),
        "timed": "preprocessing and inference" if settings["preprocess"] else "inference",
    }


def with_pytorch_speedup(records: list[Record]) -> list[Record]:
    """Fill `speedup_pytorch`: both were paired with the same FP32 IR, so it is a ratio of ratios."""
    baseline = {_where(record): record for record in records if record.runtime == "pytorch"}
    return [_over(record, baseline.get(_where(record))) for record in records]


def _where(record: Record) -> tuple[str | None, ...]:
    return (record.model, record.device, record.host)


def _over(record: Record, baseline: Record | None) -> Record:
    ours, theirs = (_ratio(each) for each in (record, baseline))
    if ours is None or theirs is None:
        return record
    if baseline is not None and baseline.verdict == "invalid":
        return record
    if record is baseline:
        return replace(record, speedup_pytorch=1.0, speedup_pytorch_low=1.0, speedup_pytorch_high=1.0)
    if is_fp32_ir(record):  # the very thing that PyTorch was paired with
        ours = Ratio(value=1.0, low=1.0, high=1.0)
    return replace(record, **_columns("speedup_pytorch", quotient(ours, theirs)))


def _ratio(record: Record | None) -> Ratio | None:
    if record is None or record.speedup_ir is None:
        return None
    return Ratio(value=record.speedup_ir, low=record.speedup_ir_low, high=record.speedup_ir_high)


def _columns(name: str, ratio: Ratio | None) -> dict[str, Any]:
    if ratio is None:
        return {}
    return {name: ratio.value, f"{name}_low": ratio.low, f"{name}_high": ratio.high}


def _worst(rows: Sequence[Mapping[str, Any]]) -> tuple[Signal | None, float | None]:
    """What took most of a disturbed round's time, and which share; none of ``overheated``, which is no share."""
    by_share = [
        (shares(signals_of(row), _wall_s(row), len(row["cpus"]))[signal], signal)
        for row in rows
        for signal in row["disturbed"]
        if signal != "overheated"
    ]
    if by_share:
        share, signal = max(by_share)
        return signal, share
    return ("overheated" if any(row["disturbed"] for row in rows) else None), None


def _wall_s(row: Mapping[str, Any]) -> float:
    return float(row["wall_ns"]) / 1e9


def _mismatches(row: Mapping[str, Any]) -> tuple[Mismatch, ...]:
    return mismatches(json.loads(row["asked"]), json.loads(row["properties"]), row["stray_cpus"])


def _fps(rows: Sequence[Mapping[str, Any]]) -> float | None:
    wall_ns = sum(row["wall_ns"] for row in rows)
    return sum(row["batch"] * row["inferences"] for row in rows) / wall_ns * 1e9 if wall_ns else None


def _latencies(rows: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    latencies = np.concatenate([np.asarray(row["latencies_ns"]) for row in rows])
    found = {name: percentile(latencies, q) for name, q in PERCENTILES.items()}
    return {f"latency_{name}_ms": None if value is None else value / NS_PER_MS for name, value in found.items()}
