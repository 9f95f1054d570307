"""What the speed benchmarks measure, and the two that measure it: a round of farm and a run of `benchmark_app`.

The subjects are cells of a small grid whose IRs are made as `farm run` makes them. Both sides run in a process of
their own on the same leased core, with the same IR, threads, streams, pinning and precision, and answer with a row of
the same keys: what was timed, and what the host did meanwhile.
"""

import json
import os
import re
import resource
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from farm.catalog import CATALOG
from farm.cli.run import carry_out
from farm.cli.wiring import plan_of, store_of
from farm.drive import Limits
from farm.host import signals
from farm.host.lease import host_cores, lease, lock_folder
from farm.host.topology import measurable
from farm.inputs import fetch
from farm.pairing import CELL, PARTNER
from farm.plan import Stage
from farm.stages.job import Job
from farm.stages.measure import request_of, rotating_images, run_round
from farm.store import Store
from farm.verdict import Signals, mismatch

THREADS = 1
BEFORE_MEASURING = ("synthesize", "export", "quantize")
APP = Path(sys.executable).with_name("benchmark_app")
UNITS_MS = {"us": 1e-3, "ms": 1.0}
PROPERTY = re.compile(r"\[ INFO \]   ([A-Z_]+): (.+)")
MEDIAN = re.compile(r"Median: +([\d.]+) (us|ms)")
COUNT = re.compile(r"Count: +(\d+) iterations")
DURATION = re.compile(r"Duration: +([\d.]+) ms")

Request = Mapping[str, Any]
Row = dict[str, Any]


def jobs(grid: Mapping[str, Any], folder: Path) -> dict[tuple[str, str], Job]:
    """The measurement of each cell, ready to be played: by model, and algorithm or baseline. Measures nothing."""
    folder.mkdir()
    path = folder / "grid.yaml"
    path.write_text(yaml.safe_dump({**grid, "devices": [{"name": "CPU", "threads": THREADS}]}), encoding="utf-8")
    checked, plan = plan_of(path)
    store = store_of(str(folder))
    wanted = {uri for uri, stage in plan.stages.items() if stage.kind in BEFORE_MEASURING}
    limits = Limits(stages=CATALOG.stages, settings=checked.settings, session=uuid.uuid4().hex[:12])
    carry_out(plan, wanted, set(), store, limits, engine="inline", address=None, quiet=True)
    if failed := wanted - store.present(wanted):
        last = [attempt.error_message for uri in failed for attempt in store.attempts(uri)[-1:]]
        sys.exit(f"of {grid['name']}, {len(failed)} stages before the measurements failed: {'; '.join(last)}")
    return {
        (planned.cell.model.name, planned.cell.algorithm.name): _job(plan.stages[planned.stages["measure"]], store)
        for planned in plan.cells
    }


def _job(stage: Stage, store: Store) -> Job:
    """A measure stage's job but for its cores and its folder."""
    inputs = {role: store.open(uri) for role, uri in stage.inputs.items()}
    files = {role: fetch(found) for role, found in stage.files.items()}
    return Job(parameters=stage.parameters, inputs=inputs, files=files, folder=Path(), cpus=(), cores=THREADS)


@contextmanager
def leased_core() -> Iterator[tuple[int, ...]]:
    """A core leased as farm leases it, with this process, and so all that it starts, on it. Gives its CPUs."""
    mask = os.sched_getaffinity(0)
    with lease(measurable(host_cores()), 1, lock_folder()) as held:
        os.sched_setaffinity(0, held.cpus)
        try:
            yield held.cpus
        finally:
            os.sched_setaffinity(0, mask)


def requests_of(job: Job, cpus: tuple[int, ...], scratch: Path) -> dict[str, Request]:
    """What a round of the cell, and one of its FP32 IR, is asked. Leaves the images in `scratch`."""
    lent = replace(job, cpus=cpus, folder=scratch)
    inputs = scratch / "inputs.npy"
    np.save(inputs, rotating_images(lent))
    return {variant: request_of(lent, variant, inputs) for variant in (CELL, PARTNER)}


def farm_round(request: Request, scratch: Path) -> Row:
    """A round as the measure stage plays and keeps it."""
    asked = json.dumps(request["asked"], sort_keys=True)
    return {**run_round(request, scratch), "asked": asked, "cpus": request["cpus"]}


def app_round(request: Request, seconds: int) -> Row:
    """A run of `benchmark_app` with what a round is asked. Exits if it fails or runs otherwise.

    Its figures are read from what it prints: the JSON report has its latencies to a hundredth of a millisecond. What
    the host did is judged over the whole process, its start included.
    """
    before, children_s = signals.read(request["cpus"]), _children_s()
    ended = subprocess.run(_command(request, seconds), check=False, capture_output=True, text=True)
    own_s = _children_s() - children_s
    meanwhile = signals.between(before, signals.read(request["cpus"]), len(request["cpus"]))
    if ended.returncode != 0:
        sys.exit(f"exit code {ended.returncode} of {' '.join(ended.args)}\n{ended.stdout}{ended.stderr}")
    told = _properties(ended.stdout)
    if wrong := mismatch(request["asked"], {name: told.get(name, "not told") for name in request["asked"]}, ()):
        sys.exit(f"benchmark_app ran otherwise than farm: {wrong}")
    return _app_row(ended.stdout, replace(meanwhile, foreign_s=max(0.0, meanwhile.foreign_s - own_s)))


def _command(request: Request, seconds: int) -> list[str]:
    """`-hint none`: with another it refuses `-nthreads`, `-nstreams` and `-pin`; OpenVINO's own default is latency.

    `-ip f32`: without it, whatever looks like an image becomes a uint8 input with a conversion before the network.
    """
    asked, shape = request["asked"], (request["batch"], *np.load(request["inputs"], mmap_mode="r").shape[1:])
    said = {
        "-m": request["model"],
        "-d": request["device"],
        "-api": "sync",
        "-hint": "none",
        "-nstreams": asked["NUM_STREAMS"],
        "-nthreads": asked["INFERENCE_NUM_THREADS"],
        "-pin": "YES" if asked["ENABLE_CPU_PINNING"] else "NO",
        "-infer_precision": asked["INFERENCE_PRECISION_HINT"],
        "-ip": "f32",
        "-shape": f"[{','.join(map(str, shape))}]",
        "-t": seconds,
    }
    return [str(APP), *(str(part) for option in said.items() for part in option)]


def _properties(said: str) -> dict[str, str]:
    """What the compiled model says of itself, in farm's words: of precisions, f32 for <Type: 'float32'>."""
    return {name: re.sub(r"<Type: '(\w)\w*?(\d+)'>", r"\1\2", value) for name, value in PROPERTY.findall(said)}


def _app_row(said: str, meanwhile: Signals) -> Row:
    median, count, duration = MEDIAN.search(said), COUNT.search(said), DURATION.search(said)
    if not (median and count and duration):
        sys.exit(f"benchmark_app does not say what it measured:\n{said}")
    return {
        "batch": 1,
        "inferences": int(count[1]),
        "wall_ns": round(float(duration[1]) * 1e6),
        "request_p50_ns": float(median[1]) * UNITS_MS[median[2]] * 1e6,
        "synchronous": True,
        **asdict(meanwhile),
    }


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
