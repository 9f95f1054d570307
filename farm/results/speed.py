"""From the rounds of one measurement to what a record says of speed, verdict included. Pure."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from farm.measuring.pairing import CELL, PARTNER, Played, interval, speeds
from farm.measuring.verdict import Ended, Evidence, judge, mismatch
from farm.record import Record, is_fp32_ir
from farm.stats.ratios import Ratio, looks, percentile, quotient

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}
NS_PER_MS = 1e6


def speed(rows: Sequence[dict[str, Any]], settings: Mapping[str, Any], ended: Ended, again: str) -> dict[str, Any]:
    """A record's columns of speed.

    rows: of ``rounds.parquet``. settings: how the rounds were played, and the
    effort that is asked for now. ended: what ended the measurement. again: the
    command that measures it again. Figures are of the undisturbed pairs, or of all where too few are.
    """
    played = Played(rows=list(rows))
    least, _ = settings["pairs"]
    enough = len(played.pairs()) >= least
    counted = [row for row in rows if not row["disturbed"]] if enough else list(rows)
    own, beside = ([row for row in counted if row["variant"] == variant] for variant in (CELL, PARTNER))
    ratio = interval(speeds(counted), looks(*settings["pairs"]))
    evidence = Evidence(
        mismatch="; ".join(dict.fromkeys(filter(None, map(_mismatch, rows)))),
        pairs=len(played.pairs()),
        disturbed=played.disturbed(),
        worst=max(rows, key=_lost)["disturbed"],
        least=least,
        target=settings["target"],
        ended=ended,
        ratio=ratio,
    )
    verdict = judge(evidence, again)
    return {
        "fps": _fps(own),
        "fps_ir": _fps(beside),
        **_columns("speedup_ir", ratio),
        **_latencies(own),
        **{key: own[0][key] for key in ("threads", "streams", "precision")},
        "verdict": verdict.word,
        "verdict_reason": verdict.reason,
        "pairs": evidence.pairs,
        "unsteady_rounds": sum(not row["steady"] for row in rows),
        "disturbed_pairs": evidence.disturbed,
        "foreign_share": sum(row["foreign_s"] for row in rows) / sum(_wall_s(row) * len(row["cpus"]) for row in rows),
        "steal_share": sum(row["steal_s"] for row in rows) / sum(map(_wall_s, rows)),
        "per_node": settings["per_node"],
        "memory_format": json.loads(own[0]["properties"]).get("MEMORY_FORMAT"),
        "timed": "preprocessing and inference" if settings["preprocess"] else "inference",
    }


def again(command: str, *only: str) -> str:
    """The command that measures cells again. command: the one that ran the grid. only: which; all if none is named."""
    return f"{command}{''.join(f' --only {shlex.quote(text)}' for text in only)} --fresh measure"


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


def _lost(row: Mapping[str, Any]) -> tuple[bool, float]:
    """How badly a round was disturbed."""
    lost_s = sum(row[name] for name in ("steal_s", "foreign_s", "delayed_s", "siblings_s", "throttled_s"))
    return bool(row["disturbed"]), lost_s / _wall_s(row)


def _wall_s(row: Mapping[str, Any]) -> float:
    return float(row["wall_ns"]) / 1e9


def _mismatch(row: Mapping[str, Any]) -> str:
    return mismatch(json.loads(row["asked"]), json.loads(row["properties"]), row["stray_cpus"])


def _fps(rows: Sequence[Mapping[str, Any]]) -> float | None:
    wall_ns = sum(row["wall_ns"] for row in rows)
    return sum(row["batch"] * row["inferences"] for row in rows) / wall_ns * 1e9 if wall_ns else None


def _latencies(rows: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    latencies = np.concatenate([np.asarray(row["latencies_ns"]) for row in rows])
    found = {name: percentile(latencies, q) for name, q in PERCENTILES.items()}
    return {f"latency_{name}_ms": None if value is None else value / NS_PER_MS for name, value in found.items()}
