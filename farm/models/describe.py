"""What models from elsewhere say of themselves: torchvision's, and files that OpenVINO reads.

Planning imports neither torch nor openvino: they are asked once, in a process of their own, and the cache remembers
the answer, which ``python -P describe.py torchvision`` or ``python -P describe.py FILE`` prints as JSON.
"""

import hashlib
import json
import math
import mmap
import re
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import metadata
from itertools import product
from pathlib import Path
from typing import Any, cast

from farm.axes import Preprocessing
from farm.errors import DataError, InputError
from farm.files import write_whole
from farm.inputs import Input, cache_folder

TORCHVISION = "torchvision"
AXES = {"NCHW": (1, 2, 3), "NHWC": (3, 1, 2)}  # where channels, height and width stand in a shape
CHANNELS = {3: {}, 1: {"mode": "grey"}}  # what their number tells, the likelier first
FORMAT = 6  # of the remembered answers
VARINT = rb"(?:[\x00-\x7f]|[\x80-\xff][\x00-\x7f])"
LOCATION = re.compile(  # ONNX: a tensor's external_data entry (field 13) of key "location"; the length of its value
    rb"\x6a" + VARINT + rb"\x0a\x08location\x12(" + VARINT + rb")", re.DOTALL
)

Answer = dict[str, Any]  # JSON
Inputs = Mapping[str, Any]  # by name: `IMAGE`, or the numbers of a constant


def describe(name: str, parameters: Mapping[str, object], file: Input | None) -> Answer:
    """A model's preprocessing and the `url` of its weights, as its `file` or torchvision says; of others nothing."""
    if file is not None and file.missing:
        return {}
    if file is not None:
        inputs = cast("Inputs | None", parameters.get("inputs"))
        return of_file(Path(file.path), _memos(), file.sha256, metadata.version("openvino"), inputs)
    family, _, member = name.partition("/")
    if family != TORCHVISION or "factory" in parameters:
        return {}
    weights = of_torchvision(_memos(), metadata.version(TORCHVISION))[member]
    released: Answer | None = weights.get(parameters["weights"])
    return released or {key: value for key, value in weights["DEFAULT"].items() if key != "url"}


def torchvision_names() -> Collection[str]:
    """The classifiers that the installed torchvision has."""
    return of_torchvision(_memos(), metadata.version(TORCHVISION))


def beside(path: Path) -> tuple[Path, ...]:
    """The other files that a model file consists of: an IR's weights, an ONNX file's external data.

    Raises DataError where an ONNX file names data outside its own folder: OpenVINO refuses that too.
    """
    if path.suffix.lower() == ".xml":
        return (path.with_suffix(".bin"),)
    return tuple(_inside(path, name) for name in _external(path)) if path.suffix.lower() == ".onnx" else ()


def of_torchvision(memos: Path, version: str) -> Answer:
    """All classifiers of torchvision: name -> weights' name -> url, size, resize, interpolation, mean, std.

    ``DEFAULT`` stands for the one that torchvision itself prefers. Raises InputError if it cannot be imported.
    """
    classifiers = _remembered(memos / f"torchvision-{FORMAT}-{version}.json", TORCHVISION)
    if not classifiers:
        raise InputError("torchvision's models cannot be listed; see: python -c 'import torchvision'")
    return classifiers


def of_file(path: Path, memos: Path, content: str, version: str, inputs: Inputs | None = None) -> Answer:
    """A model file's input, as far as its shape tells: size, layout, input, mode; and how many outputs it has.

    And whether it is quantized, its input's shape, and by what names each output goes. `fault`: why it is no model for
    farm. Empty if unread. content: its SHA-256. inputs: what the grid says of them, of a model that has several.
    """
    said = json.dumps(inputs, sort_keys=True) if inputs else ""
    of_inputs = f"-{hashlib.sha256(said.encode()).hexdigest()[:8]}" if said else ""
    memo = memos / f"model-{FORMAT}-{version}-{content[:16]}{of_inputs}.json"
    return _remembered(memo, str(path), *([said] if said else []))


def misnamed(wanted: str | None, outputs: Sequence[Collection[str]]) -> str:
    """Why an output cannot be taken of several, or by this name; empty if it can. outputs: by what names each goes."""
    there = ", ".join(min(names) for names in outputs)
    if wanted is None:
        return f"the model has several outputs ({there}): say which with `output: NAME`" if len(outputs) > 1 else ""
    return "" if any(wanted in names for names in outputs) else f"no output {wanted!r}: the model has {there}"


def misshapen(shape: str, sides: Sequence[int | None] | None, interface: Preprocessing) -> str:
    """Why images that are prepared like this are none for a model's input; empty if they may be.

    shape: the input's, in OpenVINO's words. sides: its axes' lengths, as far as they are known.
    """
    wanted = input_shape(interface, -1)
    if sides is None:
        return ""
    if len(sides) == len(wanted) and all(
        side in (None, length) or length == -1 for side, length in zip(sides, wanted, strict=True)
    ):
        return ""
    height, width = interface.size
    channels = f"{interface.channels} {'channel' if interface.channels == 1 else 'channels'}"
    kind = f"{interface.layout} images of {height}x{width} (height x width) with {channels}"
    return f"the model takes {shape}, not {kind}: set `size: [HEIGHT, WIDTH]`, `layout` or `mode` of the model"


def input_shape(interface: Preprocessing, batch: int) -> tuple[int, ...]:
    """The input's shape; -1 is a free batch."""
    channels, size = interface.channels, interface.size
    return (batch, channels, *size) if interface.layout == "NCHW" else (batch, *size, channels)


def _memos() -> Path:
    return cache_folder() / "described"


@cache
def _remembered(memo: Path, *question: str) -> Answer:
    """An answer, from the cache or of a process of its own; none where that fails, and then the export says why."""
    answer: Answer
    with suppress(OSError, ValueError):
        answer = json.loads(memo.read_text(encoding="utf-8"))
        return answer
    ended = subprocess.run([sys.executable, "-P", __file__, *question], check=False, capture_output=True, text=True)
    answer = json.loads(ended.stdout.splitlines()[-1]) if ended.returncode == 0 else {}
    if answer and "fault" not in answer:  # whatever failed may not fail the next time
        with suppress(OSError):  # a cache that cannot be written only costs time
            memo.parent.mkdir(parents=True, exist_ok=True)
            write_whole(memo, json.dumps(answer).encode(), durable=False)
    return answer


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
    if (
        not name
        or "\0" in name
        or not (folder / name).resolve().is_relative_to(folder)
        or (folder / name).resolve() == folder
    ):
        raise DataError(f"{path} names external data outside its own folder: {name!r}; save the model anew")
    return path.parent / name


def _torchvision_now() -> Answer:
    from torchvision import models  # noqa: PLC0415 - only in a process of its own

    def released(member: models.WeightsEnum) -> Answer:
        how = member.transforms()
        (crop,), (resize,), interpolation = how.crop_size, how.resize_size, how.interpolation.value
        scaled = {"size": [crop, crop], "resize": resize, "interpolation": interpolation}
        return {"url": member.url, **scaled, "mean": how.mean, "std": how.std}

    families = {name: models.get_model_weights(name) for name in models.list_models(module=models)}
    return {
        name: {**{member.name: released(member) for member in family}, "DEFAULT": released(family.DEFAULT)}
        for name, family in families.items()
    }


def _file_now(path: str, inputs: str = "") -> Answer:
    from farm.models import int8, modelfile  # noqa: PLC0415 - imports openvino

    interface: Answer = {}
    try:
        model = modelfile.opened(Path(path), constants=json.loads(inputs) if inputs else None)
    except DataError as error:
        return {"fault": str(error).removeprefix(f"{path}: ")}
    interface["named"] = [sorted({modelfile.name_of(value), *value.names}) for value in model.outputs]
    interface["input"], shape = model.input(0).element_type.to_string(), model.input(0).partial_shape
    interface |= {"shape": shape.to_string(), "sides": modelfile.sides_of(shape)}
    if int8.of_model(model).quantized:
        interface["quantized"] = True
    if outputs := _outputs(model):
        interface["outputs"] = outputs
    if shape.rank.is_dynamic or len(shape) != 4:  # noqa: PLR2004 - a batch of images
        return interface
    for (count, told), (layout, (channels, height, width)) in product(CHANNELS.items(), AXES.items()):
        if shape[channels].is_static and shape[channels].get_length() == count:
            interface |= {"layout": layout, **told}
            if shape[height].is_static and shape[width].is_static:
                interface["size"] = [shape[height].get_length(), shape[width].get_length()]
            break
    return interface


def _outputs(model: Any) -> int | None:
    """How many numbers the model gives an image, where its only output's shape says so."""
    shape = model.output(0).partial_shape if len(model.outputs) == 1 else None
    if shape is None or shape.rank.is_dynamic or any(side.is_dynamic for side in list(shape)[1:]):
        return None
    sides = [side.get_length() for side in list(shape)[1:]]
    outputs = math.prod(sides)
    return outputs if sides and outputs == max(sides) else None  # else no logits


if __name__ == "__main__":
    printed = _torchvision_now() if sys.argv[1] == TORCHVISION else _file_now(*sys.argv[1:])
    sys.stdout.write(json.dumps(printed) + "\n")
