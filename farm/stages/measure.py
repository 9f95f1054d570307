"""The measure stage: rounds of a variant, paired with rounds of its FP32 IR on the same cores.

Conducts; each round is a fresh interpreter of its own (`round.py`), and this process sleeps while it
runs. Keeps raw latencies; judges nothing.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from farm.images import imageset
from farm.spec import Preprocessing
from farm.stages.device import configured
from farm.stages.evaluate import open_dataset
from farm.stages.export import IR
from farm.stages.job import Job

ROUNDS = "rounds.parquet"
ROUND_SCRIPT = Path(__file__).with_name("round.py")
ROTATING_IMAGES = 64
CELL, PARTNER = "cell", "ir"
FP32 = "f32"

SCHEMA = pa.schema([
    ("pair", pa.int32()),
    ("position", pa.int32()),
    ("variant", pa.string()),
    ("runtime", pa.string()),
    ("batch", pa.int32()),
    ("inferences", pa.int64()),
    ("wall_ns", pa.int64()),
    ("threads", pa.int32()),
    ("streams", pa.int32()),
    ("precision", pa.string()),
    ("properties", pa.string()),
    ("latencies_ns", pa.list_(pa.int64())),
])  # fmt: skip


def run(job: Job) -> dict[str, Any]:
    """Write ``rounds.parquet``: a row a round, in the order they ran."""
    scratch = job.folder.parent
    inputs = scratch / "inputs.npy"
    np.save(inputs, _rotating_images(job))
    variants = {name: _request(job, name, inputs) for name in _variants(job)}
    settings = job.parameters["measure"]
    begun = time.monotonic()
    rounds: list[dict[str, Any]] = []
    for pair in range(settings["pairs"]):
        order = list(variants) if pair % 2 == 0 else list(reversed(variants))
        for position, name in enumerate(order):
            said = run_round(variants[name], scratch)
            rounds.append({"pair": pair, "position": position, "variant": name, **said})
        if time.monotonic() - begun > settings["budget_s"]:
            break
    pq.write_table(pa.Table.from_pylist(rounds, schema=SCHEMA), job.folder / ROUNDS, compression="zstd")
    own = next(each for each in rounds if each["variant"] == CELL)
    return {"pairs": rounds[-1]["pair"] + 1, **{key: own[key] for key in ("threads", "streams", "precision")}}


def _variants(job: Job) -> tuple[str, ...]:
    """The cell's own rounds, and its FP32 IR's unless it is the FP32 IR itself."""
    device = job.parameters["device"]
    alone = job.parameters["runtime"] == "openvino" and "model" not in job.inputs and device["precision"] == FP32
    return (CELL,) if alone else (CELL, PARTNER)


def _rotating_images(job: Job) -> np.ndarray[Any, Any]:
    dataset = open_dataset(job.parameters["dataset"], job.files)
    block = dataset.block(0, min(ROTATING_IMAGES, len(dataset)))
    return imageset.prepare(block.images, Preprocessing(**job.parameters["preprocessing"]))


def _request(job: Job, variant: str, inputs: Path) -> dict[str, Any]:
    device, settings = job.parameters["device"], job.parameters["measure"]
    runtime = job.parameters["runtime"] if variant == CELL else "openvino"
    folder = job.inputs.get("model", job.inputs["ir"]) if variant == CELL else job.inputs["ir"]
    threads = device["threads"] or job.cores
    asked = {
        "PERFORMANCE_HINT": device["hint"].upper(),
        "INFERENCE_PRECISION_HINT": device["precision"] if variant == CELL else FP32,
        "INFERENCE_NUM_THREADS": threads,
    }
    return {
        "runtime": runtime,
        "model": str(folder / IR),
        "network": job.parameters.get("model"),
        "files": {role: str(path) for role, path in job.files.items()},
        "python_path": [str(path) for path in job.code],
        "inputs": str(inputs),
        "device": device["name"],
        "config": configured(device["name"], asked),
        "threads": threads,
        "hint": device["hint"],
        "batch": device["batch"],
        **{key: settings[key] for key in ("min_seconds", "min_inferences", "warmup_seconds")},
    }


def _environment() -> dict[str, str]:
    """A user's own.

    The fork server's passive OpenMP waiting suits stages that share cores; here, where the cores are
    leased, it would only make PyTorch slower: its threads would fall asleep between two layers.
    """
    return {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "OMP_NUM_THREADS")}


def run_round(request: Mapping[str, Any], scratch: Path) -> dict[str, Any]:
    """Run one round in a fresh interpreter; what it measured, latencies in nanoseconds.

    Raises RuntimeError if it fails. If a signal ends it, this process ends the same way: then the
    stage's attempt says `crash` and which signal.
    """
    asked, answer = scratch / "round.json", scratch / "round.npz"
    asked.write_text(json.dumps(request), encoding="utf-8")
    command = [sys.executable, "-P", str(ROUND_SCRIPT), str(asked), str(answer)]
    ended = subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=_environment()
    )
    sys.stderr.write(ended.stderr)
    if ended.returncode < 0:
        signal.signal(-ended.returncode, signal.SIG_DFL) if -ended.returncode != signal.SIGKILL else None
        signal.raise_signal(-ended.returncode)
    if ended.returncode != 0:
        said = (ended.stderr.strip().splitlines() or ["no word"])[-1]
        raise RuntimeError(f"a round of {request['runtime']} failed with exit code {ended.returncode}: {said}")
    with np.load(answer) as found:
        measured: dict[str, Any] = json.loads(str(found["said"]))
        return {**measured, "latencies_ns": found["latencies_ns"]}
