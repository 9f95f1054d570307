"""Stage functions that behave well and badly, for the engines' contract."""

import ctypes
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import nncf
import numpy as np
import openvino as ov
import torch

from farm.errors import DataError


def fine(job):
    (job.folder / "said.txt").write_text(str(job.parameters.images.options["word"]))
    sys.stdout.write("a line for the log\n")
    return {"word": job.parameters.images.options["word"], "pid": os.getpid()}


def reads_its_input(job):
    (job.folder / "said.txt").write_text((job.inputs["first"] / "said.txt").read_text() + "!")
    return {}


def surroundings(job):
    (job.folder / "empty").touch()
    return {
        "mask": sorted(os.sched_getaffinity(0)),
        "cpus": list(job.cpus),
        "torch_threads": torch.get_num_threads(),
        "threads": threading.active_count(),
        "ray": "ray" in sys.modules,
        "niceness": os.nice(0),
    }


def converts(job):
    """Does what OpenVINO and NNCF would report."""
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(144, 10))
    forked = []
    os.register_at_fork(before=lambda: forked.append(threading.current_thread().name))
    model = ov.convert_model(network, example_input=torch.zeros(1, 3, 8, 8), input=[1, 3, 8, 8])
    nncf.quantize(model, nncf.Dataset([np.zeros((1, 3, 8, 8), np.float32)]))
    (job.folder / "empty").touch()
    return {"forked": forked}


def equipped(job):
    (job.folder / "empty").touch()
    return {
        "visible": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "device": job.device,
        "limited": resource.getrlimit(resource.RLIMIT_DATA)[0] != resource.RLIM_INFINITY,
        "sum": float(torch.ones(3, device=job.device).sum()),
    }


def raises(job):
    raise DataError("the <file> is not what it should be")


def segfaults(job):
    ctypes.string_at(0)


def hangs(job):
    Path(job.parameters.images.options["pid_file"]).write_text(str(os.getpid()))
    subprocess.Popen(["sleep", "86400"])
    while True:
        time.sleep(60)


def eats(job):
    kept = []
    while True:
        kept.append(b"x" * (64 << 20))


def leaves(job):
    os._exit(7)


def exits(job):
    sys.exit("enough")


def talks(job):
    """Say lines, as many and of what form the parameters tell."""
    for line in job.parameters.images.options["lines"]:
        job.say(line)
    (job.folder / "empty").touch()
    return {}


def chatters(job):
    """Say more lines at once than anybody listens to."""
    for number in range(job.parameters.images.options["count"]):
        job.say(f"line {number}")
    (job.folder / "empty").touch()
    return {}


def never_stops_talking(job):
    while True:
        job.say("still here")


def talks_and_raises(job):
    job.say("so far so good")
    raises(job)


def timed(job):
    """Hold on for a while and say from when to when, on the host's monotonic clock."""
    begun = time.monotonic()
    time.sleep(job.parameters.images.options["seconds"])
    (job.folder / "empty").touch()
    return {"from": begun, "to": time.monotonic()}
