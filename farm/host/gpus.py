"""The GPUs of this host that torch's CUDA may use. Knows device files, and imports nothing heavy."""

import os
import re
from itertools import takewhile
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
NONE = "-1"  # CUDA sees none of the devices that are named from here on
DEVICE_FILE = re.compile(r"nvidia\d+")


def gpu_count(devices: Path = Path("/dev")) -> int:
    """How many NVIDIA GPUs the driver shows here, as far as `VISIBLE` lets this process see them."""
    there = sum(DEVICE_FILE.fullmatch(path.name) is not None for path in devices.iterdir())
    visible = os.environ.get(VISIBLE)
    if visible is None:
        return there
    named = takewhile(lambda part: part != NONE, (part.strip() for part in visible.split(",")))
    return min(there, sum(map(bool, named)))
