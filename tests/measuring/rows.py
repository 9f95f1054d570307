"""Rounds by hand, as they are measured and as they are kept, and the effort of a measurement."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from farm.codec import decode
from farm.measuring.round import Round, Stretches
from farm.plan import Effort

QUIET = {
    "steal_s": 0.0, "foreign_s": 0.0, "delayed_s": 0.0, "siblings_s": 0.0, "throttled_s": 0.0, "overheated": 0,
    "mhz": 3000.0,
}  # fmt: skip
ASKED = {"INFERENCE_NUM_THREADS": 2, "INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": True}
FOUND = {name: str(value) for name, value in ASKED.items()}


def effort(**changes: Any) -> Effort:
    """The effort that a grid asks for by default but for the numbers of pairs, with some of it changed."""
    return Effort(**{"pairs": (8, 32), **changes})


def heard(fps: float, *, seconds: float = 1.0, **changes: Any) -> Round:
    """What one quiet synchronous round of so many images a second says, before it is paired."""
    return one_round("", fps, inferences=round(fps * seconds), cpus=[1], **changes)


def one_round(variant: str, fps: float, *, inferences: int = 20, batch: int = 1, **changes: Any) -> Round:
    """A round of one stretch, at full speed, of so many images a second; latencies of 1, 2, 3, ... microseconds."""
    wall_ns = changes.pop("wall_ns", round(batch * inferences / fps * 1e9))
    latencies_ns = changes.pop("latencies_ns", 1000 * np.arange(1, inferences + 1))
    only = stretch_of(wall_ns, latencies_ns, turn=changes.pop("turn", 0))
    stretches = changes.pop("stretches", only)
    values = {
        "pair": 0, "variant": variant, "runtime": "openvino", "batch": batch, "synchronous": True,
        "request_p50_ns": 1000.0, "warmup_inferences": 15, "steady": True, "threads": 2, "streams": 1,
        "precision": "f32", "asked": json.dumps(ASKED), "properties": json.dumps(FOUND), "cpus": [0, 1],
        "stray_cpus": [], "disturbed": [], "played_s": wall_ns / 1e9, "used_s": wall_ns / 1e9, **QUIET,
    } | changes  # fmt: skip
    return replace(decode(Round, values), stretches=stretches)


def stretch_of(wall_ns: int, latencies_ns: Any, *, turn: int = 0, full_speed: bool = True) -> Stretches:
    """One stretch, without a probe."""
    return Stretches(
        turn=np.array([turn]),
        inferences=np.array([len(latencies_ns)]),
        wall_ns=np.array([wall_ns]),
        probes_ns=np.empty((1, 2, 0), np.int64),
        full_speed=np.array([full_speed]),
        latencies_ns=np.asarray(latencies_ns, dtype=np.int64),
    )


def stretches_at(speeds: Sequence[float], *, turns: Sequence[int] = (), probes: Any = None) -> Stretches:
    """A stretch of some tenth of a second at each speed, in images a second, none of them marked.

    turns: of the pair, to which each belongs; 0, 1, 2, ... by default. probes: (stretches, 2, probes); none by default.
    """
    inferences = np.array([max(1, round(fps / 10)) for fps in speeds])
    wall_ns = np.array([round(count / fps * 1e9) for count, fps in zip(inferences, speeds, strict=True)])
    return Stretches(
        turn=np.array(turns or range(len(speeds))),
        inferences=inferences,
        wall_ns=wall_ns,
        probes_ns=np.empty((len(speeds), 2, 0), np.int64) if probes is None else np.asarray(probes),
        full_speed=np.zeros(len(speeds), np.bool_),
        latencies_ns=np.repeat(wall_ns // inferences, inferences),
    )


def pairs(
    own_fps: float | Sequence[float],
    ir_fps: float | None,
    count: int = 8,
    *,
    disturbed: Sequence[int] = (),
    **changes: Any,
) -> list[Round]:
    """So many pairs in ABBA order; own_fps: of all, or of each. disturbed: the pairs that were."""
    speeds = [own_fps] * count if isinstance(own_fps, (int, float)) else list(own_fps)
    rounds = []
    for number, fps in enumerate(speeds):
        order = [("cell", fps), ("ir", ir_fps)][:: -1 if number % 2 else 1]
        told = {"disturbed": ["foreign"]} if number in disturbed else {}
        rounds += [
            one_round(variant, speed, pair=number, turn=position, **told | changes)
            for position, (variant, speed) in enumerate(order)
            if speed is not None
        ]
    return rounds
