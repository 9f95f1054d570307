"""What a round is asked. Read in its fresh interpreter, so it imports next to nothing."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from farm.axes import Device, Model, Preprocessing


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRequest:
    """One round of one variant.

    ir: its ``model.xml``. model, files: what PyTorch runs instead, and its files by role. images: an .npy file, which
    batches rotate through. device: its threads are settled. config: for `compile_model`, in the form that the device
    takes. asked: the same by name, as it is read back and judged. memory_format: PyTorch's; empty for the faster one.
    probed: whether the probe feels what its inferences feel. fast_ns: how long the probe takes at full speed after such
    inferences, as far as is known. moved: by how many bytes lies further on what its main thread takes from the heap.
    longer: by how many letters its files' names are. The other numbers: as in `farm.grid.settings.Measuring`.
    """

    ir: str
    images: str
    device: Device
    preprocessing: Preprocessing
    cpus: tuple[int, ...]
    warmup_seconds: float
    preprocess: bool = False
    model: Model | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    python_path: tuple[str, ...] = ()
    config: Mapping[str, object] = field(default_factory=dict)
    asked: Mapping[str, object] = field(default_factory=dict)
    memory_format: str = ""
    probed: bool = False
    fast_ns: float = math.inf
    moved: int = 0
    longer: int = 0

    @property
    def runtime(self) -> str:
        """``pytorch`` or ``openvino``."""
        return "openvino" if self.model is None else "pytorch"
