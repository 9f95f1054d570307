"""The measure stage: rounds of a variant that take turns with rounds of its FP32 IR on the same cores.

Each round is a fresh interpreter, and this process sleeps while it runs. The FP32 IR is paired with itself, which shows
the host's own noise. The verdict is passed when the raw latencies are read.
"""

import random
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from farm.measuring.disturbers import Disturbers
from farm.measuring.full_speed import share
from farm.measuring.pairing import CELL, PARTNER, conduct
from farm.measuring.request import RoundRequest
from farm.measuring.requests import Measurement, rotating_images
from farm.measuring.round import TURNS, Round, table_of
from farm.measuring.running import RoundCrashed
from farm.measuring.turns import Conductor, probe_of
from farm.plan import Effort
from farm.plan.facts import Measured
from farm.plan.parameters import Measure
from farm.stages.job import Job


def run(job: Job[Measure]) -> Measured:
    """Write ``turns.parquet``: a row a stretch, in the order in which they were played."""
    scratch, effort = job.folder.parent, job.effort or Effort()
    conductor = conductor_of(job, scratch)
    disturbers = Disturbers(cpus=job.cpus)
    measure_pair = disturbers.amid(lambda longer: _pair(conductor, longer))
    conducted = conduct(measure_pair, effort, clock=time.monotonic, say=job.say)
    pq.write_table(table_of(conducted.rounds), job.folder / TURNS, compression="zstd")
    first = next(one for one in conducted.rounds if one.variant == CELL)
    return Measured(
        pairs=len(conducted.pairs()),
        disturbed=conducted.disturbed(),
        full_speed_share=share(conducted.undisturbed()),
        ended=conducted.ended,
        disturbers=disturbers.names(),
        threads=first.threads,
        streams=first.streams,
        precision=first.precision,
    )


def conductor_of(job: Job[Measure], scratch: Path) -> Conductor:
    """The conductor of a measurement. Leaves the images in `scratch`."""
    requests = requests_of(job, scratch)
    return Conductor(
        requests=requests,
        scratch=scratch,
        probe=probe_of(requests[CELL]),
        rng=random.Random(),  # noqa: S311 - the order of turns, which guards nothing
        seconds=job.parameters.rounds.min_seconds,
        inferences=job.parameters.rounds.min_inferences,
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


def _pair(conductor: Conductor, longer: float) -> Sequence[Round]:
    """A pair. If a signal ends a round, it ends this process too: the attempt then says `crash` and which signal."""
    try:
        return conductor.pair(longer)
    except RoundCrashed as crash:
        if crash.number != signal.SIGKILL:
            signal.signal(crash.number, signal.SIG_DFL)
        signal.raise_signal(crash.number)
        raise
