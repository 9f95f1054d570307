"""What a round is asked and what it answers. Imported by its fresh interpreter: imports next to nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from farm.axes import Device, Model, Preprocessing

ROUNDS = "rounds.parquet"  # the file of a measurement: a row a round


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRequest:
    """One round of one variant.

    ir: its ``model.xml``. model, files: what PyTorch runs instead, and its files by role. images: an .npy file, which
    batches rotate through. device: its threads are settled. config: for `compile_model`, in the form that the device
    takes. asked: the same by name, as it is read back and judged. memory_format: PyTorch's. The other numbers: as in
    `farm.grid.cell.Measure`.
    """

    ir: str
    images: str
    device: Device
    preprocessing: Preprocessing
    cpus: tuple[int, ...]
    min_seconds: float
    min_inferences: int
    warmup_seconds: float
    preprocess: bool = False
    model: Model | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    python_path: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    asked: Mapping[str, Any] = field(default_factory=dict)
    memory_format: str = ""

    @property
    def runtime(self) -> str:
        """``pytorch`` or ``openvino``."""
        return "openvino" if self.model is None else "pytorch"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundAnswer:
    """What a round measured, but for its latencies; the last seven are `farm.measuring.verdict.Signals`.

    request_p50_ns: the median that the runtime itself tells. steady: whether its warm-up ended with two windows alike.
    properties: read back, as JSON. stray_cpus: outside the lease, where its threads might have run.
    """

    runtime: str
    batch: int
    inferences: int
    wall_ns: int
    synchronous: bool
    request_p50_ns: float | None = None
    warmup_inferences: int
    steady: bool
    threads: int
    streams: int
    precision: str
    properties: str
    stray_cpus: tuple[int, ...]
    steal_s: float
    foreign_s: float
    delayed_s: float
    siblings_s: float
    throttled_s: float
    overheated: int
    mhz: float | None = None
