"""What the 2022 study did in its notebooks, with today's libraries: one process, one image at a time.

For each model: load it in PyTorch, convert it to OpenVINO IR, quantize that with each calibration set, and evaluate
each variant on the whole test set. An image goes as PIL image through torchvision's transforms to the model, as a
batch of one; the same loop gives the top-1 accuracy and, as images / seconds, the FPS. The study's calibration images
lay on disk; here farm's sources make them (the same ones as `farm run` uses) before the clock starts.

Run by `bench_campaign.py`, or alone::

    python tests/benchmarks/study_way.py --models resnet20 --calibrations cifar10 noise --count 100 study.json
"""

import argparse
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nncf
import numpy as np
import openvino as ov
import pyarrow.parquet as pq
import torch
from PIL import Image
from torchvision import transforms

from farm.catalog.models import MODELS, PREPROCESSING
from farm.catalog.sources import SOURCES
from farm.data import digits, real
from farm.data.sampling import sampled
from farm.host.topology import usable_cores
from farm.inputs import default_search
from farm.models import zoo
from farm.spec import resolve

CALIBRATION_IMAGES = 300
SIDE = 32
STEPS = ("load", "export", "quantize", "evaluate")

Labelled = list[tuple[Image.Image, int]]
Predict = Callable[[torch.Tensor], Any]  # float32 (1, 3, 32, 32) -> logits


def main() -> None:
    """Prepare calibration images, then do all of the study's work against the clock."""
    said = arguments()
    torch.set_num_threads(said.threads)
    begun = time.perf_counter()
    calibrations = {name: calibration_images(name) for name in said.calibrations}
    prepare_s = time.perf_counter() - begun
    seconds = dict.fromkeys(STEPS, 0.0)
    with timed(seconds, "load"):
        images = test_images(said.dataset, said.count)
    study = Study(said.dataset, images, calibrations, said.threads)
    variants = [variant for model in said.models for variant in study.variants(model)]
    for step in STEPS:
        seconds[step] += sum(variant["seconds"].get(step, 0.0) for variant in variants)
    answer = {"images": len(images), "threads": said.threads, "prepare_s": prepare_s, "seconds": seconds}
    said.answer.write_text(json.dumps({**answer, "variants": variants}, indent=1), encoding="utf-8")


def arguments() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", choices=("cifar10", "digits"), default="cifar10")
    parser.add_argument("--models", nargs="+", required=True)
    parser.add_argument("--calibrations", nargs="+", required=True, help="farm's image sources")
    parser.add_argument("--count", type=int, help="only the first COUNT test images")
    parser.add_argument("--threads", type=int, default=len(usable_cores()))
    parser.add_argument("answer", type=Path, help="JSON file for top-1, FPS and seconds")
    return parser.parse_args()


class Study:
    """The study's notebook: its test images, its calibration images, its transforms."""

    def __init__(
        self, dataset: str, images: Labelled, calibrations: dict[str, list[Image.Image]], threads: int
    ) -> None:
        self.dataset, self.images, self.calibrations = dataset, images, calibrations
        known = PREPROCESSING[dataset]
        self.transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(known.mean, known.std)])
        self.config = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads,
        }

    def variants(self, model: str) -> Iterator[dict[str, Any]]:
        """The PyTorch model, its IR and an int8 IR for each calibration set: top-1, FPS and seconds by step."""
        seconds: dict[str, float] = {}
        with timed(seconds, "load"):
            network = zoo.load(MODELS[model].function, weights(self.dataset, model))
        with torch.no_grad():
            yield self.evaluated(network, seconds, model, "pytorch")
        with tempfile.TemporaryDirectory() as folder:
            ir, seconds = Path(folder, "ir.xml"), {}
            with timed(seconds, "export"):
                converted = ov.convert_model(network, example_input=torch.zeros(1, 3, SIDE, SIDE))
                converted.reshape([1, 3, SIDE, SIDE])
                ov.save_model(converted, ir, compress_to_fp16=False)
            yield self.evaluated(ir, seconds, model, "ir")
            for calibration, images in self.calibrations.items():
                int8, seconds = Path(folder, f"{calibration}.xml"), {}
                with timed(seconds, "quantize"):
                    quantized = nncf.quantize(
                        ov.Core().read_model(ir),
                        nncf.Dataset(images, lambda image: self.transform(image).unsqueeze(0).numpy()),
                        subset_size=CALIBRATION_IMAGES,
                        target_device=nncf.TargetDevice.CPU,
                    )
                    ov.save_model(quantized, int8, compress_to_fp16=False)
                yield self.evaluated(int8, seconds, model, calibration)

    def evaluated(
        self, what: torch.nn.Module | Path, seconds: dict[str, float], model: str, variant: str
    ) -> dict[str, Any]:
        """A variant's top-1 and FPS, from one loop over the test images."""
        with timed(seconds, "evaluate"):
            predict = what if isinstance(what, torch.nn.Module) else self.compiled(what)
            correct, begun = 0, time.perf_counter()
            for image, label in self.images:
                logits = predict(self.transform(image).unsqueeze(0))
                correct += int(logits.argmax()) == label
            loop_s = time.perf_counter() - begun
        count = len(self.images)
        print(f"{model} {variant}: top-1 {correct / count:.4f}, {count / loop_s:.1f} FPS", flush=True)
        figures = {"top1": correct / count, "fps": count / loop_s}
        return {"model": model, "variant": variant, **figures, "seconds": seconds}

    def compiled(self, ir: Path) -> Predict:
        """An IR on the CPU."""
        model = ov.Core().compile_model(ir, "CPU", self.config)
        return lambda image: model(image.numpy())[0]


def test_images(dataset: str, count: int | None) -> Labelled:
    """All test images, or the `count` that farm takes, decoded as PIL images, with their labels."""
    if dataset == "digits":
        images = digits.test({"count": count}, {})
        block = images.block(0, len(images))
        return list(zip(map(Image.fromarray, block.images), block.labels.tolist(), strict=True))
    table = pq.read_table(found("cifar10/test.parquet"))
    if count is not None:
        labels = table["label"].to_numpy()
        table = table.take(np.sort(sampled(len(labels), labels, count, real.SEED)))
    rows = table.to_pylist()
    return [(Image.open(io.BytesIO(row["img"]["bytes"])).convert("RGB"), row["label"]) for row in rows]


def calibration_images(name: str) -> list[Image.Image]:
    """The first images of one of farm's calibration sets with default parameters."""
    spec = SOURCES[name]
    parameters = spec.parameters().model_dump()
    if "size" in parameters:
        parameters["size"] = (SIDE, SIDE)
    files = {"images": found("cifar10/train.parquet")} if name == "cifar10" else {}
    images = resolve(spec.function)(parameters, files).block(0, CALIBRATION_IMAGES).images
    return list(map(Image.fromarray, images))


def weights(dataset: str, model: str) -> Path:
    """A model's checkpoint, from FARM_DATA or the package."""
    return found(f"weights/{dataset}_{model}.*")


def found(pattern: str) -> Path:
    """The first file of this name in FARM_DATA or the package. Exits if there is none."""
    for folder in default_search(Path()).data:
        for path in sorted(folder.glob(pattern)):
            return path
    sys.exit(f"no {pattern}: set FARM_DATA to a folder that has it")


@contextmanager
def timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    """Add the block's wall time to a step's seconds."""
    begun = time.perf_counter()
    yield
    seconds[step] = seconds.get(step, 0.0) + time.perf_counter() - begun


if __name__ == "__main__":
    main()
