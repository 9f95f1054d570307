"""Rounds of a measurement: what each is asked, and how one runs in a fresh interpreter. Knows no pairs."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from farm.axes import Device
from farm.codec import decode, encode
from farm.data import imageset
from farm.data.datasets import open_dataset
from farm.host.devices import configured
from farm.measuring import one_round
from farm.measuring.pairing import CELL
from farm.measuring.request import RoundRequest
from farm.measuring.round import Round
from farm.measuring.runner import PRECISION, REQUESTS, STREAMS, THREADS, Images
from farm.models.ir import IR
from farm.plan.parameters import Measure

FP32 = "f32"
MEMORY_FORMATS = ("contiguous_format", "channels_last")
TRIAL_S = 0.3  # of a round in each of PyTorch's memory formats, to choose one


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What all rounds of a measurement have in common: what is measured, and where.

    ir, variant: folders of the FP32 IR and of what is paired with it, unless the parameters name a model that PyTorch
    runs. files: of the dataset and the model, by role. images: the file of `rotating_images`. cpus: the
    leased ones, of so many cores. code: folders that a user's modules are imported from.
    """

    parameters: Measure
    ir: Path
    variant: Path
    files: Mapping[str, Path]
    images: Path
    cpus: tuple[int, ...]
    cores: int
    code: tuple[Path, ...] = ()

    def request(self, variant: str) -> RoundRequest:
        """What a round of the cell or of its partner, the FP32 IR, is asked."""
        wanted, of_cell = self.parameters, variant == CELL
        device = replace(wanted.device, threads=wanted.device.threads or self.cores)
        if not of_cell:
            device = replace(device, precision=FP32)
        model = wanted.model if of_cell else None
        asked = _asked(device, in_pytorch=model is not None)
        config = {} if model else configured(device.name, {"PERFORMANCE_HINT": device.hint.upper(), **asked})
        if model is None and (device.name == "CPU" or "." in device.name):
            asked |= {"EXECUTION_DEVICES": device.name}  # GPU alone is read back as GPU.0, AUTO as its choice
        return RoundRequest(
            ir=str((self.variant if of_cell else self.ir) / IR),
            images=str(self.images),
            device=device,
            preprocessing=wanted.preprocessing,
            cpus=self.cpus,
            min_seconds=wanted.rounds.min_seconds,
            min_inferences=wanted.rounds.min_inferences,
            warmup_seconds=wanted.rounds.warmup_seconds,
            preprocess=wanted.rounds.preprocess,
            model=model,
            files={role: str(path) for role, path in self.files.items()},
            python_path=tuple(map(str, self.code)),
            config=config,
            asked=asked,
        )


def rotating_images(wanted: Measure, files: Mapping[str, Path]) -> Images:
    """As many test images as a round rotates through: prepared, or raw where preparing them is timed too."""
    dataset = open_dataset(wanted.dataset, files)
    block = dataset.block(0, min(REQUESTS * wanted.device.batch, len(dataset)))
    return block.images if wanted.rounds.preprocess else imageset.prepare(block.images, wanted.preprocessing)


def _asked(device: Device, *, in_pytorch: bool) -> dict[str, object]:
    if in_pytorch:
        return {THREADS: device.threads}
    streams = {STREAMS: 1} if device.hint == "latency" else {}
    return {THREADS: device.threads, PRECISION: device.precision, "ENABLE_CPU_PINNING": True, **streams}


def faster_format(request: RoundRequest, scratch: Path) -> str:
    """PyTorch's memory format in which the network runs faster: a short round of each."""
    short = replace(request, min_seconds=TRIAL_S, min_inferences=1)
    return max(MEMORY_FORMATS, key=lambda name: run_round(replace(short, memory_format=name), scratch).fps)


def round_environment() -> dict[str, str]:
    """This process's environment without OpenMP's settings.

    The fork server's passive waiting suits stages that share cores; here, where the cores are leased, it
    would only make PyTorch slower: its threads would fall asleep between two layers.
    """
    return {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "OMP_NUM_THREADS")}


class RoundCrashed(RuntimeError):  # noqa: N818 - it says what happened
    """A signal ended a round."""

    def __init__(self, runtime: str, number: int) -> None:
        super().__init__(runtime, number)
        self.runtime = runtime
        self.number = number

    def __str__(self) -> str:
        return f"a round of {self.runtime} was ended by signal {self.number} ({signal.Signals(self.number).name})"


def run_round(request: RoundRequest, scratch: Path) -> Round:
    """Run one round in a fresh interpreter. Raises RuntimeError if it fails, RoundCrashed if a signal ends it."""
    question, answer = scratch / "round.json", scratch / "round.npz"
    question.write_text(encode(request), encoding="utf-8")
    command = [sys.executable, "-P", "-m", one_round.__name__, str(question), str(answer)]
    ended = subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=round_environment()
    )
    sys.stderr.write(ended.stderr)
    if ended.returncode < 0:
        raise RoundCrashed(request.runtime, -ended.returncode)
    if ended.returncode != 0:
        last = (ended.stderr.strip().splitlines() or ["no word"])[-1]
        raise RuntimeError(f"a round of {request.runtime} failed with exit code {ended.returncode}: {last}")
    with np.load(answer) as arrays:
        request_facts = {"asked": json.dumps(request.asked, sort_keys=True), "cpus": request.cpus}
        return decode(
            Round, {**json.loads(str(arrays["answer"])), **request_facts, "latencies_ns": arrays["latencies_ns"]}
        )
