"""The GPUs of this host that torch's CUDA may use. Knows device files, and imports nothing heavy."""

import os
import re
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
DEVICE_FILE = re.compile(r"nvidia\d+")


def gpu_count(devices: Path = Path("/dev")) -> int:
    """How many NVIDIA GPUs the driver shows here, as far as `VISIBLE` lets this process see them."""
    there = sum(DEVICE_FILE.fullmatch(path.name) is not None for path in devices.iterdir())
    visible = os.environ.get(VISIBLE)
    return there if visible is None else min(there, len([part for part in visible.split(",") if part.strip()]))
