"""Runs of `benchmark_app`: asked what a round of farm is asked, they answer as one that had a single turn.

They say what was timed, and what the host did meanwhile; nothing of how fast the cores themselves were.
"""

import re
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
from cells import bare_round

from farm.measuring import signals
from farm.measuring.request import RoundRequest
from farm.measuring.round import Round, Stretches
from farm.measuring.verdict import mismatches

APP = Path(sys.executable).with_name("benchmark_app")
UNITS_MS = {"us": 1e-3, "ms": 1.0}
PROPERTY = re.compile(r"\[ INFO \]   ([A-Z_]+): (.+)")
MEDIAN = re.compile(r"Median: +([\d.]+) (us|ms)")
COUNT = re.compile(r"Count: +(\d+) iterations")
DURATION = re.compile(r"Duration: +([\d.]+) ms")


def app_round(request: RoundRequest, seconds: int) -> Round:
    """A run of `benchmark_app` with what a round is asked. Exits if it fails or runs otherwise.

    Its figures are read from what it prints: the JSON report has its latencies to a hundredth of a millisecond. What
    the host did is judged over the whole process, its start included; `delayed_s` cannot be read from outside.
    """
    before, children_s = signals.read(request.cpus), _children_s()
    ended = subprocess.run(_command(request, seconds), check=False, capture_output=True, text=True)
    used_s = _children_s() - children_s
    meanwhile = signals.between(before, signals.read(request.cpus), len(request.cpus), used_s)
    if ended.returncode != 0:
        sys.exit(f"exit code {ended.returncode} of {' '.join(ended.args)}\n{ended.stdout}{ended.stderr}")
    told = _properties(ended.stdout)
    if wrong := mismatches(request.asked, {name: told.get(name, "not told") for name in request.asked}, ()):
        sys.exit(f"benchmark_app ran otherwise than farm: {wrong}")
    median, count, duration = (pattern.search(ended.stdout) for pattern in (MEDIAN, COUNT, DURATION))
    if not (median and count and duration):
        sys.exit(f"benchmark_app does not say what it measured:\n{ended.stdout}")
    return bare_round(
        {**meanwhile, "used_s": used_s, "delayed_s": 0.0},
        request_p50_ns=float(median[1]) * UNITS_MS[median[2]] * 1e6,
        cpus=request.cpus,
        stretches=_only_stretch(int(count[1]), round(float(duration[1]) * 1e6)),
    )


def _only_stretch(inferences: int, wall_ns: int) -> Stretches:
    """One without probes, whose inferences all took the same time."""
    return Stretches(
        turn=np.zeros(1, np.int64),
        inferences=np.array([inferences]),
        wall_ns=np.array([wall_ns]),
        probes_ns=np.empty((1, 2, 0), np.int64),
        full_speed=np.ones(1, np.bool_),
        latencies_ns=np.full(inferences, wall_ns // inferences),
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
