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

from farm.errors import DataError, InputError
from farm.files import write_whole

AXES = {"NCHW": (1, 2, 3), "NHWC": (3, 1, 2)}  # where channels, height and width stand in a shape
INPUTS = {"f32": "f32", "f16": "f16", "u8": "u8"}
CHANNELS = 3
FORMAT = 1  # of the remembered answers
VARINT = rb"(?:[\x00-\x7f]|[\x80-\xff][\x00-\x7f])"
LOCATION = re.compile(  # ONNX: a tensor's external_data entry (field 13) of key "location"; the length of its value
    rb"\x6a" + VARINT + rb"\x0a\x08location\x12(" + VARINT + rb")", re.DOTALL
)


def beside(path: Path) -> tuple[Path, ...]:
    """The other files that a model file consists of: an IR's weights, an ONNX file's external data.

    Raises DataError where an ONNX file names data outside its own folder: OpenVINO refuses that too.
    """
    if path.suffix.lower() == ".xml":
        return (path.with_suffix(".bin"),)
    return tuple(_inside(path, name) for name in _external(path)) if path.suffix.lower() == ".onnx" else ()


def torchvision(cache_folder: Path, version: str) -> dict[str, Any]:
    """All classifiers of torchvision: name -> weights' name -> url, size, resize, interpolation, mean, std.

    ``DEFAULT`` stands for the one that torchvision itself prefers. Raises InputError if it cannot be imported.
    """
    classifiers: dict[str, Any] = _remembered(cache_folder / f"torchvision-{FORMAT}-{version}.json", "torchvision")
    if not classifiers:
        raise InputError("torchvision's models cannot be listed; see: python -c 'import torchvision'")
    return classifiers


def file(path: Path, cache_folder: Path, content: str, version: str) -> dict[str, Any]:
    """A model file's input, as far as its shape tells: size, layout, input. Empty if it cannot be read.

    content: the file's SHA-256, version: OpenVINO's, under which the answer is remembered.
    """
    interface: dict[str, Any] = _remembered(cache_folder / f"model-{FORMAT}-{version}-{content[:16]}.json", str(path))
    return interface


@cache
def _remembered(memo: Path, question: str) -> Any:
    try:
        return json.loads(memo.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        answer = _answer_of(question)
    if not answer:
        return answer  # whatever failed may not fail the next time
    try:
        memo.parent.mkdir(parents=True, exist_ok=True)
        write_whole(memo, json.dumps(answer).encode(), durable=False)
    except OSError:
        return answer  # a cache that cannot be written only costs time
    return answer


def _answer_of(question: str) -> Any:
    """The answer of a process of its own; none where it fails, and then the export says why."""
    ended = subprocess.run([sys.executable, "-P", __file__, question], check=False, capture_output=True, text=True)
    return json.loads(ended.stdout.splitlines()[-1]) if ended.returncode == 0 else {}


def _external(path: Path) -> list[str]:
    """The files that an ONNX file's tensors lie in, found in its bytes: no tensor is parsed."""
    if path.stat().st_size == 0:
        return []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        ends = ((at.end(), _number(at[1])) for at in LOCATION.finditer(content))
        return sorted({content[end : end + length].decode(errors="replace") for end, length in ends})


def _number(varint: bytes) -> int:
    """Protocol Buffers' variable-length integer: seven bits a byte, the lowest first."""
    return sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(varint))


def _inside(path: Path, name: str) -> Path:
    folder = path.parent.resolve()
    if not name or not (folder / name).resolve().is_relative_to(folder) or (folder / name).resolve() == folder:
        raise DataError(f"{path} names external data outside its own folder: {name!r}; save the model anew")
    return path.parent / name


def _torchvision_now() -> dict[str, Any]:
    from torchvision import models  # noqa: PLC0415 - only in a process of its own

    classifiers: dict[str, Any] = {}
    for name in models.list_models(module=models):
        weights = models.get_model_weights(name)
        by_weights = {member.name: _weights(member) for member in weights}
        classifiers[name] = {**by_weights, "DEFAULT": _weights(weights.DEFAULT)}
    return classifiers


def _weights(member: Any) -> dict[str, Any]:
    how = member.transforms()
    (crop,) = how.crop_size
    (resize,) = how.resize_size
    return {
        "url": member.url,
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
    interface: dict[str, Any] = {"input": INPUTS.get(value.element_type.to_string(), "f32")}
    if shape.rank.is_dynamic or len(shape) != 4:  # noqa: PLR2004 - a batch of images
        return interface
    for layout, (channels, height, width) in AXES.items():
        if shape[channels].is_static and shape[channels].get_length() == CHANNELS:
            interface["layout"] = layout
            if shape[height].is_static and shape[width].is_static:
                interface["size"] = [shape[height].get_length(), shape[width].get_length()]
            break
    return interface


if __name__ == "__main__":
    answer = _torchvision_now() if sys.argv[1] == "torchvision" else _file_now(sys.argv[1])
    sys.stdout.write(json.dumps(answer) + "\n")
