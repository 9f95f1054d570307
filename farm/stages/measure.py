"""The measure stage: rounds of a variant, paired with rounds of its FP32 IR on the same cores.

Each round is a fresh interpreter of its own (`farm.measuring.one_round`), and this process sleeps while it runs.
The FP32 IR is paired with itself: that shows the host's own noise. Keeps raw latencies and what the host says; the
verdict is passed when they are read.
"""

import random
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from farm.measuring.pairing import CELL, PARTNER, conduct
from farm.measuring.round import Round, table_of
from farm.measuring.rounds import (
    ROUNDS,
    RoundCrashed,
    faster_format,
    request_of,
    rotating_images,
    run_round,
)
from farm.stages.job import Job


def run(job: Job) -> dict[str, Any]:
    """Write ``rounds.parquet``: a row a round, in the order they ran."""
    scratch = job.folder.parent
    inputs = scratch / "inputs.npy"
    np.save(inputs, rotating_images(job))
    requests = {variant: request_of(job, variant, inputs) for variant in (CELL, PARTNER)}
    if requests[CELL]["runtime"] == "pytorch":
        requests[CELL]["memory_format"] = faster_format(requests[CELL], scratch)
    played = conduct(
        lambda variant: _play(requests[variant], scratch),
        job.effort,
        rng=random.Random(),  # noqa: S311 - orders rounds, guards nothing
        clock=time.monotonic,
        say=job.say,
    )
    pq.write_table(table_of(played.rounds), job.folder / ROUNDS, compression="zstd")
    own = next(one for one in played.rounds if one.variant == CELL)
    facts = {"threads": own.threads, "streams": own.streams, "precision": own.precision}
    counts = {"pairs": len(played.pairs()), "disturbed": played.disturbed()}
    return {**counts, "ended": played.ended, "effort": dict(job.effort), **facts}


def _play(request: Mapping[str, Any], scratch: Path) -> Round:
    """One round.

    If a signal ends it, this process ends the same way: then the stage's attempt says `crash` and which signal.
    """
    try:
        return run_round(request, scratch)
    except RoundCrashed as crash:
        if crash.number != signal.SIGKILL:
            signal.signal(crash.number, signal.SIG_DFL)
        signal.raise_signal(crash.number)
        raise
