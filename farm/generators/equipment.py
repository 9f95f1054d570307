"""What a source may compute with. Knows devices by name, no source."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

NO_MEMORY = ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """What a source is lent where it is computed; none of it is in a key.

    device: torch's name of it, ``cpu`` or ``cuda``. workers: blocks computed at once on a CPU, by one thread each.
    say: tells the user something, in a line.
    """

    device: str = "cpu"
    workers: int = 1
    say: Callable[[str], None] = lambda _: None


PLAIN = Equipment()


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether a GPU's memory was too small: torch has a class for that, CUDA's libraries only have words."""
    return type(error).__name__ == "OutOfMemoryError" or any(word in str(error) for word in NO_MEMORY)


@cache
def fast_bfloat16() -> bool:
    """Whether the CPU has AMX, which multiplies bfloat16 matrices faster than float32 ones."""
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.exists() and "amx_bf16" in cpuinfo.read_text(encoding="utf-8")
