"""Rounds by hand: rows as a player gives them, as they are stored, and the settings of a measurement."""

import json
from collections.abc import Sequence
from typing import Any

from farm.grid import Settings

QUIET = {
    "steal_s": 0.0, "foreign_s": 0.0, "delayed_s": 0.0, "siblings_s": 0.0, "throttled_s": 0.0, "overheated": 0,
    "mhz": 3000.0,
}  # fmt: skip
ASKED = {"INFERENCE_NUM_THREADS": 2, "INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": True}
FOUND = {name: str(value) for name, value in ASKED.items()}


def settings(**changes: Any) -> dict[str, Any]:
    """The grid's `measure` as it stands in a plan, with some of it changed."""
    return Settings(measure={"pairs": (8, 32), **changes}).measure.model_dump()


def heard(fps: float, *, seconds: float = 1.0, **changes: Any) -> dict[str, Any]:
    """What one quiet synchronous round of so many images a second says, as its player gives it."""
    inferences = round(fps * seconds)
    return {
        "batch": 1, "inferences": inferences, "wall_ns": round(inferences / fps * 1e9), "synchronous": True,
        "cpus": [1], **QUIET, **changes,
    }  # fmt: skip


def row(variant: str, fps: float, *, inferences: int = 20, batch: int = 1, **changes: Any) -> dict[str, Any]:
    """A row of ``rounds.parquet``: so many images a second; latencies of 1, 2, 3, ... microseconds."""
    return {
        "pair": 0, "position": 0, "variant": variant, "runtime": "openvino", "batch": batch,
        "inferences": inferences, "wall_ns": round(batch * inferences / fps * 1e9), "synchronous": True,
        "request_p50_ns": 1000.0, "warmup_inferences": 15, "steady": True, "threads": 2, "streams": 1,
        "precision": "f32", "asked": json.dumps(ASKED), "properties": json.dumps(FOUND), "cpus": [0, 1],
        "stray_cpus": [], "disturbed": [], **QUIET,
        "latencies_ns": [1000 * (index + 1) for index in range(inferences)],
    } | changes  # fmt: skip


def pairs(
    own_fps: float | Sequence[float],
    ir_fps: float | None,
    count: int = 8,
    *,
    disturbed: Sequence[int] = (),
    **changes: Any,
) -> list[dict[str, Any]]:
    """Rows of so many pairs in ABBA order; own_fps: of all, or of each. disturbed: the pairs that were."""
    speeds = [own_fps] * count if isinstance(own_fps, (int, float)) else list(own_fps)
    rows = []
    for number, fps in enumerate(speeds):
        order = [("cell", fps), ("ir", ir_fps)][:: -1 if number % 2 else 1]
        said = {"disturbed": ["foreign"]} if number in disturbed else {}
        rows += [
            row(variant, speed, pair=number, position=position, **said | changes)
            for position, (variant, speed) in enumerate(order)
            if speed is not None
        ]
    return rows
