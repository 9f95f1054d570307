"""What models from elsewhere say of themselves: torchvision's, and files that OpenVINO reads.

Planning imports neither torch nor openvino, so they are asked in a process of their own, once: answers are
remembered in the cache. Run as ``python -P describe.py torchvision`` or ``python -P describe.py FILE``, this
file prints the answer as JSON.
"""

import json
import mmap
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

LAYOUTS = {"NCHW": (1, 2, 3), "NHWC": (3, 1, 2)}  # where channels, height and width stand in a shape
INPUTS = {"f32": "f32", "f16": "f16", "u8": "u8"}
CHANNELS = 3
LOCATION = re.compile(rb"\x0a\x08location\x12([\x01-\x7f])")  # ONNX: key "location", and the length of its value


def beside(path: Path) -> tuple[Path, ...]:
    """The other files that a model file consists of: an IR's weights, an ONNX file's external data."""
    if path.suffix == ".xml":
        return (path.with_suffix(".bin"),)
    return tuple(path.parent / name for name in _external(path)) if path.suffix == ".onnx" else ()


def torchvision(cache_folder: Path, version: str) -> dict[str, Any]:
    """All classifiers of torchvision: name -> weights' name -> url, size, resize, interpolation, mean, std.

    ``DEFAULT`` stands for the one that torchvision itself prefers.
    """
    found: dict[str, Any] = _remembered(cache_folder / f"torchvision-{version}.json", "torchvision")
    return found


def file(path: Path, cache_folder: Path, content: str) -> dict[str, Any]:
    """A model file's input, as far as its shape tells: size, layout, input. Empty if it cannot be read.

    content: the file's SHA-256, under which the answer is remembered.
    """
    found: dict[str, Any] = _remembered(cache_folder / f"model-{content[:16]}.json", str(path))
    return found


@cache
def _remembered(memo: Path, question: str) -> Any:
    try:
        return json.loads(memo.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        answer = _asked(question)
    try:
        memo.parent.mkdir(parents=True, exist_ok=True)
        memo.write_text(json.dumps(answer), encoding="utf-8")
    except OSError:
        return answer  # a cache that cannot be written only costs time
    return answer


def _asked(question: str) -> Any:
    """The answer of a process of its own; none where it fails, and then the export says why."""
    ended = subprocess.run([sys.executable, "-P", __file__, question], check=False, capture_output=True, text=True)
    return json.loads(ended.stdout.splitlines()[-1]) if ended.returncode == 0 else {}


def _external(path: Path) -> list[str]:
    """The files that an ONNX file's tensors lie in, found in its bytes: no tensor is parsed."""
    if path.stat().st_size == 0:
        return []
    with path.open("rb") as source, mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = {content[at.end() : at.end() + at[1][0]].decode(errors="replace") for at in LOCATION.finditer(content)}
    return sorted(found)


def _torchvision_now() -> dict[str, Any]:
    from torchvision import models  # noqa: PLC0415 - only in a process of its own

    found: dict[str, Any] = {}
    for name in models.list_models(module=models):
        weights = models.get_model_weights(name)
        said = {each.name: _weights(each) for each in weights}
        found[name] = {**said, "DEFAULT": _weights(weights.DEFAULT)}
    return found


def _weights(each: Any) -> dict[str, Any]:
    how = each.transforms()
    (crop,) = how.crop_size
    (resize,) = how.resize_size
    return {
        "url": each.url,
        "size": [crop, crop],
        "resize": resize,
        "interpolation": how.interpolation.value,
        "mean": how.mean,
        "std": how.std,
    }


def _file_now(path: str) -> dict[str, Any]:
    import openvino as ov  # noqa: PLC0415 - only in a process of its own

    model = ov.Core().read_model(path)
    value = model.input(0)
    shape = value.partial_shape
    found: dict[str, Any] = {"input": INPUTS.get(value.element_type.to_string(), "f32")}
    if shape.rank.is_dynamic or len(shape) != 4:  # noqa: PLR2004 - a batch of images
        return found
    for layout, (channels, height, width) in LAYOUTS.items():
        if shape[channels].is_static and shape[channels].get_length() == CHANNELS:
            found["layout"] = layout
            if shape[height].is_static and shape[width].is_static:
                found["size"] = [shape[height].get_length(), shape[width].get_length()]
            break
    return found


if __name__ == "__main__":
    said = _torchvision_now() if sys.argv[1] == "torchvision" else _file_now(sys.argv[1])
    sys.stdout.write(json.dumps(said) + "\n")
