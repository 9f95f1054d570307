"""Whether each family of torchvision's classifiers goes through farm: its FP32 IR beside PyTorch, and its int8 model.

Of each family one member, a small one, with random weights of one seed, ten classes and images of its own size. The IR
is farm's own, made of a checkpoint; both are asked about 16 random images. difference: the largest of any logit, as a
share of the largest logit. int8 is by the default algorithm, calibrated with 20 images of noise: so many of its layers
with weights became int8. `--quick` asks two families.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import torch
import yaml
from processes import say
from publishing import goal, options, parser, publish
from torchvision import models

from farm.campaign.execute import execute
from farm.campaign.resolve import resolve
from farm.catalog import CATALOG
from farm.grid.load import load
from farm.models.ir import IR
from farm.models.torchvision import INSIDE
from farm.plan.facts import Quantized
from farm.results.location import Location

NAME = "families"
MEMBERS = (
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet", "inception_v3",
    "maxvit_t", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small", "regnet_x_400mf", "regnet_y_400mf", "resnet18",
    "resnext50_32x4d", "shufflenet_v2_x0_5", "squeezenet1_1", "swin_t", "swin_v2_t", "vgg11_bn", "vit_b_16",
    "wide_resnet50_2",
)  # fmt: skip
QUICK = ("mobilenet_v3_small", "squeezenet1_1")
SIZES = {"inception_v3": 299}
SIZE, CLASSES, IMAGES = 224, 10, 16
MOST = 1e-3


def main() -> None:
    """Ask, publish."""
    sizes = options(parser(__doc__))
    rows = []
    for name in QUICK if sizes.quick else MEMBERS:
        with tempfile.TemporaryDirectory(prefix="bench") as folder:
            rows.append(asked(name, Path(folder)))
        say(", ".join(map(str, rows[-1].values())))
    publish(NAME, rows, note="Random weights; IR and PyTorch in FP32, both on the CPU.")


def asked(name: str, folder: Path) -> dict[str, Any]:
    """A family's row."""
    torch.manual_seed(0)
    extra = {"transform_input": True, "init_weights": False} if name in INSIDE else {}
    network = models.get_model(name, weights=None, num_classes=CLASSES, **extra).eval()
    size = SIZES.get(name, SIZE)
    images = np.random.default_rng(0).standard_normal((IMAGES, 3, size, size), dtype=np.float32)
    enliven(network, torch.from_numpy(images))
    torch.save(network.state_dict(), folder / "weights.pt")
    with torch.inference_mode():
        expected = network(torch.from_numpy(images)).numpy()
    fp32, int8, failed = made(name, size, folder)
    found: dict[str, Any] = {
        "what": name, "parameters": sum(one.numel() for one in network.parameters()), "size": size, "difference": None,
        "same_class": None, "layers": int8.weighted_layers if int8 else None,
        "int8_layers": int8.int8_layers if int8 else None,
    }  # fmt: skip
    if fp32:
        logits = ov.Core().compile_model(fp32 / IR, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(images)[0]
        found["difference"] = float(np.abs(logits - expected).max() / np.abs(expected).max())
        found["same_class"] = int((logits.argmax(1) == expected.argmax(1)).sum())
    met = fp32 is not None and found["difference"] <= MOST and int8 is not None
    return found | goal(f"difference at most {MOST}, and int8", met=met, reason=failed or "another answer")


def enliven(network: torch.nn.Module, images: torch.Tensor) -> None:
    """Have random weights say something: normalised by what these images give, and no last layer of zeros."""
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0
        if isinstance(layer, torch.nn.Linear) and not layer.weight.any():  # a transformer's last one
            torch.nn.init.normal_(layer.weight, std=0.02)
    with torch.no_grad():
        network.train()(images)
    network.eval()


def made(name: str, size: int, folder: Path) -> tuple[Path | None, Quantized | None, str]:
    """The folder of the FP32 IR, what is told of the int8 one, and why there is none."""
    model = {"name": f"torchvision/{name}", "weights": "weights.pt", "size": size}
    grid = {"dataset": "digits", "models": [model], "calibrations": [{"name": "noise", "count": 20}], "baselines": []}
    path = folder / "grid.yaml"
    path.write_text(yaml.safe_dump(grid), encoding="utf-8")
    checked = load(path, CATALOG)
    plan, store = resolve(checked), Location.of(folder).store
    wanted = {uri for uri, stage in plan.stages.items() if stage.kind in ("export", "synthesize", "quantize")}
    execute(plan, wanted, store, CATALOG.stages, checked.settings)
    failed = [attempt.error_message for uri in wanted for attempt in store.attempts.of(uri)[-1:] if not attempt.ok]
    kinds = dict(_there(wanted, store.present(wanted)))
    manifest = store.manifest(kinds["quantize"]) if "quantize" in kinds else None
    fp32 = store.open(kinds["export"]) if "export" in kinds else None
    return fp32, manifest.facts_as(Quantized) if manifest else None, "; ".join(failed)


def _there(wanted: set[str], present: set[str]) -> Iterator[tuple[str, str]]:
    return ((uri.partition("/")[0], uri) for uri in wanted & present)


if __name__ == "__main__":
    main()
