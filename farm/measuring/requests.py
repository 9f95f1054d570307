"""What the rounds of a measurement are asked. Knows neither processes nor pairs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from farm.axes import Device
from farm.data import imageset
from farm.data.datasets import open_dataset
from farm.host.devices import configured
from farm.measuring.pairing import CELL
from farm.measuring.request import RoundRequest
from farm.measuring.runner import PRECISION, REQUESTS, STREAMS, THREADS, Images
from farm.models.ir import IR
from farm.plan.parameters import Measure

FP32 = "f32"


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
            warmup_seconds=wanted.rounds.warmup_seconds,
            preprocess=wanted.rounds.preprocess,
            model=model,
            files={role: str(path) for role, path in self.files.items()},
            python_path=tuple(map(str, self.code)),
            config=config,
            asked=asked,
            probed=device.name == "CPU",
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
