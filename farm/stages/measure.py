"""The measure stage: rounds of a variant, paired with rounds of its FP32 IR on the same cores.

Each round is a fresh interpreter, and this process sleeps while it runs. The FP32 IR is paired with itself, which shows
the host's own noise. The verdict is passed when the raw latencies are read.
"""

import random
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from farm.measuring.pairing import CELL, PARTNER, conduct
from farm.measuring.request import RoundRequest
from farm.measuring.round import ROUNDS, Round, table_of
from farm.measuring.rounds import Measurement, RoundCrashed, faster_format, rotating_images, run_round
from farm.plan import Effort
from farm.plan.facts import Measured
from farm.plan.parameters import Measure
from farm.stages.job import Job


def run(job: Job[Measure]) -> Measured:
    """Write ``rounds.parquet``: a row a round, in the order they ran."""
    scratch, effort = job.folder.parent, job.effort or Effort()
    requests = requests_of(job, scratch)
    if requests[CELL].model is not None:
        requests[CELL] = replace(requests[CELL], memory_format=faster_format(requests[CELL], scratch))
    conducted = conduct(
        lambda variant: _round(requests[variant], scratch),
        effort,
        rng=random.Random(),  # noqa: S311 - the order of rounds, which guards nothing
        clock=time.monotonic,
        say=job.say,
    )
    pq.write_table(table_of(conducted.rounds), job.folder / ROUNDS, compression="zstd")
    first = next(one for one in conducted.rounds if one.variant == CELL)
    return Measured(
        pairs=len(conducted.pairs()),
        disturbed=conducted.disturbed(),
        ended=conducted.ended,
        threads=first.threads,
        streams=first.streams,
        precision=first.precision,
    )


def requests_of(job: Job[Measure], scratch: Path) -> dict[str, RoundRequest]:
    """What a round of each variant is asked. Leaves the images in `scratch`."""
    measurement = Measurement(
        parameters=job.parameters,
        ir=job.inputs["ir"],
        variant=job.inputs.get("model", job.inputs["ir"]),
        files=job.files,
        images=scratch / "inputs.npy",
        cpus=job.cpus,
        cores=job.cores,
        code=job.code,
    )
    np.save(measurement.images, rotating_images(job.parameters, job.files))
    return {variant: measurement.request(variant) for variant in (CELL, PARTNER)}


def _round(request: RoundRequest, scratch: Path) -> Round:
    """One round. If a signal ends it, it ends this process too: the attempt then says `crash` and which signal."""
    try:
        return run_round(request, scratch)
    except RoundCrashed as crash:
        if crash.number != signal.SIGKILL:
            signal.signal(crash.number, signal.SIG_DFL)
        signal.raise_signal(crash.number)
        raise
