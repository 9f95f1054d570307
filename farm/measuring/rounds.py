"""Rounds of a measurement: what each is asked, and how one runs in a fresh interpreter. Knows no pairs."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from farm.data import imageset
from farm.data.datasets import open_dataset
from farm.host.devices import configured
from farm.measuring import one_round
from farm.measuring.pairing import CELL
from farm.measuring.round import Round, round_of
from farm.measuring.runner import REQUESTS
from farm.models.ir import IR
from farm.spec import Preprocessing
from farm.stages.job import Job

ROUNDS = "rounds.parquet"


FP32 = "f32"


MEMORY_FORMATS = ("contiguous_format", "channels_last")


TRIAL_S = 0.3  # of a round in each of PyTorch's memory formats, to choose one


def rotating_images(job: Job) -> np.ndarray[Any, Any]:
    """As many test images as a round rotates through: prepared, or raw where preparing them is timed too."""
    dataset = open_dataset(job.parameters["dataset"], job.files)
    count = REQUESTS * job.parameters["device"]["batch"]
    block = dataset.block(0, min(count, len(dataset)))
    if job.parameters["measure"]["preprocess"]:
        return block.images
    return imageset.prepare(block.images, Preprocessing(**job.parameters["preprocessing"]))


def request_of(job: Job, variant: str, inputs: Path) -> dict[str, Any]:
    """What a round of a variant is asked, as `farm.measuring.one_round` reads it. inputs: the file of the images."""
    device, settings = job.parameters["device"], job.parameters["measure"]
    runtime = job.parameters["runtime"] if variant == CELL else "openvino"
    folder = job.inputs.get("model", job.inputs["ir"]) if variant == CELL else job.inputs["ir"]
    threads = device["threads"] or job.cores
    return {
        "runtime": runtime,
        "model": str(folder / IR),
        "network": job.parameters.get("model"),
        "files": {role: str(path) for role, path in job.files.items()},
        "python_path": [str(path) for path in job.code],
        "inputs": str(inputs),
        "device": device["name"],
        **_asked(device, runtime, threads, device["precision"] if variant == CELL else FP32),
        "cpus": list(job.cpus),
        "threads": threads,
        "hint": device["hint"],
        "batch": device["batch"],
        "preprocessing": job.parameters["preprocessing"],
        **{key: settings[key] for key in ("min_seconds", "min_inferences", "warmup_seconds", "preprocess")},
    }


def _asked(device: Mapping[str, Any], runtime: str, threads: int, precision: str) -> dict[str, Any]:
    """asked: what is read back and judged, by name. config: for `compile_model`, in the form the device takes."""
    asked: dict[str, Any] = {"INFERENCE_NUM_THREADS": threads}
    if runtime == "pytorch":
        return {"asked": asked, "config": {}}
    asked |= {"INFERENCE_PRECISION_HINT": precision, "ENABLE_CPU_PINNING": True}
    if device["hint"] == "latency":
        asked["NUM_STREAMS"] = 1
    config = configured(device["name"], {"PERFORMANCE_HINT": device["hint"].upper(), **asked})
    named = device["name"] == "CPU" or "." in device["name"]  # GPU alone is read back as GPU.0, AUTO as its choice
    return {"asked": asked | ({"EXECUTION_DEVICES": device["name"]} if named else {}), "config": config}


def faster_format(request: Mapping[str, Any], scratch: Path) -> str:
    """PyTorch's memory format in which the network runs faster: a short round of each."""
    trials = {
        name: run_round({**request, "memory_format": name, "min_seconds": TRIAL_S, "min_inferences": 1}, scratch)
        for name in MEMORY_FORMATS
    }
    return max(trials, key=lambda name: trials[name].fps)


def round_environment() -> dict[str, str]:
    """This process's environment without OpenMP's settings.

    The fork server's passive waiting suits stages that share cores; here, where the cores are leased, it
    would only make PyTorch slower: its threads would fall asleep between two layers.
    """
    return {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "OMP_NUM_THREADS")}


class RoundCrashed(RuntimeError):  # noqa: N818 - it says what happened
    """A signal ended a round."""

    def __init__(self, runtime: str, number: int) -> None:
        """Keep both arguments, so that the error survives pickling."""
        super().__init__(runtime, number)
        self.runtime = runtime
        self.number = number

    def __str__(self) -> str:
        """Which runtime's round, and which signal."""
        return f"a round of {self.runtime} was ended by signal {self.number} ({signal.Signals(self.number).name})"


def run_round(request: Mapping[str, Any], scratch: Path) -> Round:
    """Run one round in a fresh interpreter. Raises RuntimeError if it fails, RoundCrashed if a signal ends it."""
    asked, answer = scratch / "round.json", scratch / "round.npz"
    asked.write_text(json.dumps(request), encoding="utf-8")
    command = [sys.executable, "-P", "-m", one_round.__name__, str(asked), str(answer)]
    ended = subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=round_environment()
    )
    sys.stderr.write(ended.stderr)
    if ended.returncode < 0:
        raise RoundCrashed(request["runtime"], -ended.returncode)
    if ended.returncode != 0:
        said = (ended.stderr.strip().splitlines() or ["no word"])[-1]
        raise RuntimeError(f"a round of {request['runtime']} failed with exit code {ended.returncode}: {said}")
    with np.load(answer) as measured:
        facts = {"asked": json.dumps(request["asked"], sort_keys=True), "cpus": request["cpus"]}
        return round_of(json.loads(str(measured["said"])) | facts, measured["latencies_ns"])
