"""What the scripts about measurements share: a model to measure, a core of one's own, and company that disturbs.

The model is the packaged digits ResNet20, as FP32 IR on one thread. Company is a process of this very file:

    python rounds.py busy CPU BUSY_S PERIOD_S    so many seconds of CPU time in every period
    python rounds.py infer CPU IR.xml            inferences of 64 images in a loop, as a light stage would do

It dies with the script that started it, however that script ends.
"""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from farm.catalog import CATALOG
from farm.cli.wiring import plan_of, store_of
from farm.drive import Limits, drive
from farm.engine.forkserver import leave_with_parent
from farm.engine.inline import InlineEngine
from farm.stages.job import Job

GRID: Mapping[str, Any] = {
    "name": "rounds",
    "dataset": {"name": "digits", "count": 64},
    "models": ["resnet20"],
    "baselines": ["pytorch", "ir"],
    "devices": [{"name": "CPU", "threads": 1}],
}
READY = "ready\n"
BATCH = 64
PATIENCE_S = 30


def job_of(folder: Path, measure: Mapping[str, Any], runtime: str = "openvino") -> Job:
    """The measure stage of a baseline, its model exported; it has no cores yet. measure: the grid's settings."""
    path = folder / "rounds.yaml"
    path.write_text(yaml.safe_dump({**GRID, "settings": {"measure": dict(measure)}}), encoding="utf-8")
    grid, plan = plan_of(path)
    store, limits = store_of(str(folder)), Limits(stages=CATALOG.stages, settings=grid.settings, session=session())
    measures = [stage for stage in plan.stages.values() if stage.kind == "measure"]
    stage = next(stage for stage in measures if stage.parameters["runtime"] == runtime)
    engine = InlineEngine()
    try:
        outcomes = drive(
            plan, set(stage.inputs.values()), engine=engine, store=store, limits=limits, report=lambda _: None
        )
    finally:
        engine.close()
    if failed := [outcome for outcome in outcomes.values() if not outcome.ok]:
        sys.exit(f"the export failed: {failed[0].error_message}")
    inputs = {role: store.open(uri) for role, uri in stage.inputs.items()}
    files = {role: Path(found.path) for role, found in stage.files.items()}
    return Job(parameters=stage.parameters, inputs=inputs, files=files, folder=folder, cpus=(), cores=1)


def session() -> str:
    """A new session's name."""
    return uuid.uuid4().hex[:12]


def say(text: str) -> None:
    """Progress, on stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


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
    """A process beside the measurement, busy from the start of the block to its end. See the module."""
    command = [sys.executable, __file__, what, str(cpu), *map(str, details)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != READY:
                sys.exit(f"{' '.join(command)} did not start")
            yield process
        finally:
            process.kill()


def busy(busy_s: str, period_s: str) -> None:
    """Use so much CPU time in every period, then sleep for what is left of it."""
    _ready()
    wanted_s, clock = float(busy_s), time.monotonic
    until = clock()
    while True:
        until, used_s = max(until, clock()) + float(period_s), time.process_time()
        while time.process_time() - used_s < wanted_s and clock() < until:
            pass
        time.sleep(max(0.0, until - clock()))


def infer(model: str) -> None:
    """Inferences of a model in batches, on one thread."""
    import numpy as np
    import openvino as ov

    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": 1})
    shape = compiled.input(0).partial_shape
    images = np.zeros((BATCH, *(axis.get_length() for axis in list(shape)[1:])), np.float32)
    compiled(images)
    _ready()
    while True:
        compiled(images)


def _ready() -> None:
    sys.stdout.write(READY)
    sys.stdout.flush()


def main() -> None:
    """Be company."""
    leave_with_parent()
    what, cpu, *details = sys.argv[1:]
    os.sched_setaffinity(0, {int(cpu)})
    {"busy": busy, "infer": infer}[what](*details)


if __name__ == "__main__":
    main()
