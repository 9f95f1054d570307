"""What the scripts share: networks to measure, a core of one's own, runs of `benchmark_app`, company that disturbs.

What is measured are cells of a small grid, whose IRs are made as `farm run` makes them. A run of `benchmark_app` is
asked what a round of farm is asked, and answers with a row of the same keys: what was timed, and what the host did
meanwhile.
"""

import os
import re
import resource
import subprocess
import sys
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import company as program
import numpy as np
import yaml

from farm.campaign.execute import execute
from farm.campaign.resolve import resolve
from farm.catalog import CATALOG
from farm.grid.load import load
from farm.host.lease import host_cores, lease, lock_folder
from farm.host.topology import measurable
from farm.inputs import default_search, fetch
from farm.measuring import signals
from farm.measuring.pairing import CELL, PARTNER
from farm.measuring.request import RoundRequest
from farm.measuring.round import Round
from farm.measuring.rounds import Measurement, rotating_images
from farm.measuring.signals import Signals
from farm.measuring.verdict import mismatches
from farm.record import Ended, Record
from farm.results.location import Location
from farm.results.speed import with_speed
from farm.stages.job import Job

STUDY = (
    "resnet20",
    "vgg16_bn",
    "mobilenetv2_x1_4",
    "shufflenetv2_x2_0",
    "repvgg_a2",
)  # the networks of jobs/table1.yaml
SPLITS = ("cifar10/test.parquet", "cifar10/train.parquet")
GRID: Mapping[str, Any] = {  # the packaged digits ResNet20 on one thread
    "name": "digits",
    "dataset": {"name": "digits", "count": 64},
    "models": ["resnet20"],
    "baselines": ["pytorch", "ir"],
    "devices": [{"name": "CPU", "threads": 1}],
}
BEFORE_MEASURING = ("synthesize", "export", "quantize")
PATIENCE_S = 30
APP = Path(sys.executable).with_name("benchmark_app")
UNITS_MS = {"us": 1e-3, "ms": 1.0}
PROPERTY = re.compile(r"\[ INFO \]   ([A-Z_]+): (.+)")
MEDIAN = re.compile(r"Median: +([\d.]+) (us|ms)")
COUNT = re.compile(r"Count: +(\d+) iterations")
DURATION = re.compile(r"Duration: +([\d.]+) ms")


class Study(NamedTuple):
    """models: the study's networks with weights; none without CIFAR-10. absent: what is not at hand, in words."""

    models: tuple[str, ...]
    absent: str


def study() -> Study:
    """What of the study FARM_DATA has."""
    places = default_search(Path()).data
    lacking = [split for split in SPLITS if not any((place / split).exists() for place in places)]
    models = [name for name in STUDY if any(list(place.glob(f"weights/cifar10_{name}.*")) for place in places)]
    absent = [*lacking, *(f"weights of {name}" for name in STUDY if name not in models)]
    text = f"Left out, not in FARM_DATA: {', '.join(absent)}." if absent else ""
    return Study(() if lacking else tuple(models), text)


def digits(folder: Path, measure: Mapping[str, Any], baseline: str = "ir") -> Job:
    """The measurement of the packaged digits ResNet20. measure: the grid's settings."""
    return jobs({**GRID, "settings": {"measure": dict(measure)}}, folder)["resnet20", baseline]


def jobs(grid: Mapping[str, Any], folder: Path) -> dict[tuple[str, str], Job]:
    """The measurement of each cell but for its cores: by model, and algorithm or baseline. Measures nothing."""
    folder.mkdir(exist_ok=True)
    path = folder / "grid.yaml"
    path.write_text(yaml.safe_dump(dict(grid)), encoding="utf-8")
    checked = load(path, CATALOG)
    plan, store = resolve(checked), Location.of(folder).store
    wanted = {uri for uri, stage in plan.stages.items() if stage.kind in BEFORE_MEASURING}
    execute(plan, wanted, store, CATALOG.stages, checked.settings)
    if failed := wanted - store.present(wanted):
        last = [attempt.error_message for uri in failed for attempt in store.attempts(uri)[-1:]]
        sys.exit(f"of {grid['name']}, {len(failed)} stages before the measurements failed: {'; '.join(last)}")
    found = {}
    for planned in plan.cells:
        stage = plan.stages[planned.stages["measure"]]
        found[planned.model, planned.algorithm] = Job(
            parameters=stage.parameters,
            effort=plan.effort,
            inputs={role: store.open(uri) for role, uri in stage.inputs.items()},
            files={role: fetch(file) for role, file in stage.files.items()},
            folder=folder,
            cpus=(),
            cores=1,
        )
    return found


def speed_of(job: Job, rounds: Sequence[Round], ended: Ended) -> Record:
    """What the record of a measurement would say of its speed."""
    nobody = dict.fromkeys(("grid", "cell", "model", "algorithm", "device", "runtime", "outcome"), "")
    how = job.parameters.rounds
    return with_speed(Record(**nobody), rounds, job.effort, ended, per_node=how.per_node, preprocess=how.preprocess)


def bare_round(meanwhile: Signals, **values: Any) -> Round:
    """A round of one synchronous inference at a time, of which only these are known."""
    unknown = dict.fromkeys(("runtime", "precision", "asked", "properties"), "")
    counts = {"warmup_inferences": 0, "steady": True, "threads": 1, "streams": 1, "stray_cpus": ()}
    given = {"batch": 1, "synchronous": True, "request_p50_ns": None, **unknown, **counts, **asdict(meanwhile)}
    return Round(**given | values, latencies_ns=np.array([], np.int64))


def session() -> str:
    """A new session's name."""
    return uuid.uuid4().hex[:12]


def say(text: str) -> None:
    """Progress, on stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


@contextmanager
def leased_core() -> Iterator[tuple[int, ...]]:
    """A core leased as farm leases it, with this process, and so all that it starts, on it. Gives its CPUs."""
    with lease(measurable(host_cores()), 1, lock_folder()) as held, pinned(held.cpus):
        yield held.cpus


@contextmanager
def pinned(cpus: Collection[int]) -> Iterator[None]:
    """This thread, and what it starts, on these CPUs only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def running(command: Sequence[str], **how: Any) -> Iterator[subprocess.Popen[Any]]:
    """A command. If it still runs at the block's end, it is asked to end, and then made to."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, **how) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def company(what: str, cpu: int, *details: object) -> Iterator[subprocess.Popen[str]]:
    """A process on that CPU, busy from the start of the block to its end, as `company.py` says."""
    command = [sys.executable, program.__file__, what, str(cpu), *map(str, details)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != program.READY:
                sys.exit(f"{' '.join(command)} did not start")
            yield process
        finally:
            process.kill()


def requests_of(job: Job, cpus: tuple[int, ...], scratch: Path) -> dict[str, RoundRequest]:
    """What a round of the cell, and one of its FP32 IR, is asked. Leaves the images in `scratch`."""
    measurement = Measurement(
        parameters=job.parameters,
        ir=job.inputs["ir"],
        variant=job.inputs.get("model", job.inputs["ir"]),
        files=job.files,
        images=scratch / "inputs.npy",
        cpus=cpus,
        cores=job.cores,
    )
    np.save(measurement.images, rotating_images(job.parameters, job.files))
    return {variant: measurement.request(variant) for variant in (CELL, PARTNER)}


def app_round(request: RoundRequest, seconds: int) -> Round:
    """A run of `benchmark_app` with what a round is asked. Exits if it fails or runs otherwise.

    Its figures are read from what it prints: the JSON report has its latencies to a hundredth of a millisecond. What
    the host did is judged over the whole process, its start included; `delayed_s` is not its own, which cannot be
    read from outside, but of this process, which sleeps.
    """
    before, children_s = signals.read(request.cpus), _children_s()
    ended = subprocess.run(_command(request, seconds), check=False, capture_output=True, text=True)
    own_s = _children_s() - children_s
    meanwhile = signals.between(before, signals.read(request.cpus), len(request.cpus))
    if ended.returncode != 0:
        sys.exit(f"exit code {ended.returncode} of {' '.join(ended.args)}\n{ended.stdout}{ended.stderr}")
    told = _properties(ended.stdout)
    if wrong := mismatches(request.asked, {name: told.get(name, "not told") for name in request.asked}, ()):
        sys.exit(f"benchmark_app ran otherwise than farm: {wrong}")
    median, count, duration = (pattern.search(ended.stdout) for pattern in (MEDIAN, COUNT, DURATION))
    if not (median and count and duration):
        sys.exit(f"benchmark_app does not say what it measured:\n{ended.stdout}")
    return bare_round(
        replace(meanwhile, foreign_s=max(0.0, meanwhile.foreign_s - own_s)),
        inferences=int(count[1]),
        wall_ns=round(float(duration[1]) * 1e6),
        request_p50_ns=float(median[1]) * UNITS_MS[median[2]] * 1e6,
        cpus=request.cpus,
    )


def _command(request: RoundRequest, seconds: int) -> list[str]:
    """`-hint none`: with another it refuses `-nthreads`, `-nstreams` and `-pin`; OpenVINO's own default is latency.

    `-ip f32`: without it, whatever looks like an image becomes a uint8 input with a conversion before the network.
    """
    asked, shape = request.asked, (request.device.batch, *np.load(request.images, mmap_mode="r").shape[1:])
    said = {
        "-m": request.ir,
        "-d": request.device.name,
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
    """What the compiled model says of itself, in farm's words: f32 for <Type: 'float32'>, CPU for ['CPU']."""
    plain = {name: re.sub(r"<Type: '(\w)\w*?(\d+)'>", r"\1\2", value) for name, value in PROPERTY.findall(said)}
    return {name: re.sub(r"^\['(.+)'\]$", r"\1", value) for name, value in plain.items()}


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
