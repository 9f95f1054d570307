"""What a host is: processor, instruction sets, memory, GPUs. Knows /proc and /dev, not what the facts are for."""

import os
import platform
import re
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import psutil

from farm.host.topology import text, usable_cores

VISIBLE = "CUDA_VISIBLE_DEVICES"
ISA_LEVELS = (
    ("amx_int8", "amx_int8"),
    ("avx512_vnni", "avx512_vnni"),
    ("avx_vnni", "avx_vnni"),
    ("avx512f", "avx512"),
    ("avx2", "avx2"),
    ("asimddp", "neon_dotprod"),
    ("asimd", "neon"),
    ("sse4_2", "sse4_2"),
)


@cache
def host_facts() -> dict[str, Any]:
    """host, cpu_model, isa (the highest level that matters to int8), cores (physical, usable), memory_gib."""
    cpuinfo = text(Path("/proc/cpuinfo"))
    return {
        "host": platform.node(),
        "cpu_model": cpu_model(cpuinfo) or platform.processor() or platform.machine(),
        "isa": isa(cpuinfo) or platform.machine(),
        "cores": len(usable_cores()),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
    }


def cpu_model(cpuinfo: str) -> str:
    """The processor's name in the text of /proc/cpuinfo."""
    return _after(r"model name\s*:", cpuinfo)


def isa(cpuinfo: str) -> str:
    """The highest instruction set in the text of /proc/cpuinfo that changes how int8 runs."""
    flags = _after(r"(?:flags|Features)\s*:", cpuinfo).split()
    return next((name for flag, name in ISA_LEVELS if flag in flags), "")


def oom_kills() -> int:
    """How often the kernel ended a process for memory since boot."""
    return int(_after("oom_kill ", text(Path("/proc/vmstat"))) or 0)


def gpu_count(devices: Path = Path("/dev")) -> int:
    """How many NVIDIA GPUs the driver shows here, as far as `VISIBLE` lets this process see them."""
    there = sum(re.fullmatch(r"nvidia\d+", path.name) is not None for path in devices.iterdir())
    visible = os.environ.get(VISIBLE)
    if visible is None:
        return there
    named = takewhile(lambda part: part != "-1", map(str.strip, visible.split(",")))  # it hides all from there on
    return min(there, sum(map(bool, named)))


def _after(begin: str, lines: str) -> str:
    """What follows in the first line that begins so; empty if none does. begin: a regular expression."""
    match = re.search(rf"^{begin}(.*)$", lines, re.MULTILINE)
    return match[1].strip() if match else ""
