"""`farm get`: a cell's model handed over, with all that it takes to run it."""

import shlex
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from typer import Argument

from farm.campaign.run import why_not
from farm.catalog.tasks import CLASSIFICATION, DETECTION
from farm.cli.options import DEFAULT_RESULTS, Cell, CellGrid, Results, asking_why, at, say
from farm.codec import encode
from farm.errors import InputError
from farm.plan.parameters import Evaluate, Quantize, StageParameters
from farm.results.location import Location
from farm.results.reading import records_table
from farm.store import Store

# Of a stage's files these alone: a stranger's `numpy.py` beside the example would be run.
HANDED = {"model.xml": True, "model.bin": True, "history.parquet": False}  # name -> whether it must be there
EXAMPLES = """
farm get 'resnet20/fractal/default/CPU{threads=1}' my-int8

farm get 'resnet20/-/ir/CPU{threads=1}' my-fp32 --grid quickstart

Then: python my-int8/infer.py IMAGE
"""
INFER = '''"""What the model says of one image: python infer.py IMAGE. Needs: pip install openvino numpy pillow"""

import json
import sys
from pathlib import Path

import numpy as np
import openvino as ov
from PIL import Image

if len(sys.argv) != 2:
    sys.exit("usage: python infer.py IMAGE")
if not Path(sys.argv[1]).is_file():
    sys.exit(f"{sys.argv[1]}: no such file")
here = Path(__file__).parent
how = json.loads((here / "preprocessing.json").read_text())
height, width = how["size"]
image = Image.open(sys.argv[1])
if image.mode.startswith("I;16"):  # Pillow would cut 16 bits off at 255
    image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
image = image.convert("RGB")
filter = Image.Resampling[how["interpolation"].upper()]
if how["resize"]:  # the shorter side, then a crop of the centre
    short = min(image.size)
    image = image.resize([int(how["resize"] * side / short) for side in image.size], filter)
    spare = (image.width - width, image.height - height)
    left, top = (round(more / 2) if more >= 0 else -(-more // 2) for more in spare)
    image = image.crop((left, top, left + width, top + height))
if how["whole"] == "letterbox":  # all of it, within a border
    if height * image.width <= width * image.height:
        small = image.resize((max(1, image.width * height // image.height), height), filter)
    else:
        small = image.resize((width, max(1, image.height * width // image.width)), filter)
    at = (0, 0) if how["corner"] else ((width - small.width) // 2, (height - small.height) // 2)
    image = Image.new("RGB", (width, height), (114 if how["pad"] is None else how["pad"],) * 3)
    image.paste(small, at)
image = image.resize((width, height), filter)
pixels = np.asarray(image.convert("L") if how["mode"] == "grey" else image).reshape(1, height, width, -1)
pixels = pixels[..., ::-1] if how["mode"] == "bgr" else pixels
if how["input"] != "u8":  # else the model normalises by itself
    mean, std = (np.float32(how[name][: pixels.shape[-1]]) for name in ("mean", "std"))
    pixels = (pixels * np.float32(how["scale"]) - mean) / std
    pixels = pixels.astype({"f32": np.float32, "f16": np.float16}[how["input"]])
tensor = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2) if how["layout"] == "NCHW" else pixels)
answers = ov.Core().compile_model(here / "model.xml", "CPU")(tensor)
'''
LAST = {  # by task: what is made of the answers
    CLASSIFICATION: "print(answers[0].argmax())  # the class\n",
    DETECTION: "for output, answer in answers.items():  # what `decode` of the grid makes boxes of\n"
    "    print(output.any_name, answer.shape)\n",
}


def get(
    cell: Cell,
    directory: Annotated[Path, Argument(metavar="DIR", help="A new or empty folder.")],
    grid: CellGrid = None,
    results: Results = DEFAULT_RESULTS,
) -> int:
    """Hand over a cell's IR with its preprocessing, its record, NNCF's parameters and an example to run it."""
    found, store = Location.of(results).cell(cell, grid), Location.of(results).store
    stages = found.stages
    handed = stages.get("quantize", stages["export"])
    how = stages["evaluate"].parameters_as(Evaluate)
    if how.model is not None:
        raise InputError(f"{cell} is the PyTorch model itself, which farm does not hand over")
    if not store.has(handed.uri):
        ask = asking_why(cell, grid or found.grid, results)
        raise InputError(f"{cell} has no model, for its {why_not(store, handed.uri)}; or ask: {ask}")
    if directory.exists() and not (directory.is_dir() and not any(directory.iterdir())):
        raise InputError(f"{directory} is not an empty folder; name a new one")
    record = next((row for row in records_table(found.folder).to_pylist() if row["cell"] == cell), None)
    if record is None:
        raise InputError(f"{cell} has no record yet: farm gather {shlex.quote(found.grid)}{at(results)}")
    texts = {
        "preprocessing.json": encode(asdict(how.preprocessing), indent=1) + "\n",
        "quantization.json": encode(_quantization(handed.parameters), indent=1) + "\n",
        "record.json": encode(record, indent=1) + "\n",
        "infer.py": _infer(how.task.name if how.task else CLASSIFICATION),
    }
    _hand_over(store, handed.uri, texts, directory)
    names = ", ".join(sorted(path.name for path in directory.iterdir()))
    say(f"{directory}: {names}; of the grid {found.grid}")
    return 0


def _infer(task: str) -> str:
    """The example: of a detector with the image upright as its camera says, as it was judged."""
    upright = INFER.replace("import Image\n", "import Image, ImageOps\n").replace(
        "image = Image.open(sys.argv[1])", "image = ImageOps.exif_transpose(Image.open(sys.argv[1]))"
    )
    return (upright if task == DETECTION else INFER) + LAST[task]


def _hand_over(store: Store, uri: str, texts: Mapping[str, str], directory: Path) -> None:
    """The model's files and the texts in an empty or new folder: all of them, or of what fails nothing.

    Raises InputError where one cannot be read or written, or is damaged.
    """
    place = directory.absolute()
    new = [folder for folder in (place, *place.parents) if not folder.exists()]
    try:
        with ExitStack() as undo:
            undo.callback(_remove, place, new)
            place.mkdir(parents=True, exist_ok=True)
            store.hand_over(uri, HANDED, place)
            for name, text in texts.items():
                (place / name).write_text(text, encoding="utf-8")
            undo.pop_all()
    except OSError as error:
        raise InputError(f"nothing was handed over to {directory}: {error}") from error


def _remove(place: Path, folders: Sequence[Path]) -> None:
    """All that is in a folder, and those of these folders that are empty then, the innermost first."""
    with suppress(OSError):
        for path in place.iterdir():
            path.unlink()
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def _quantization(parameters: StageParameters) -> dict[str, Any]:
    """What made the IR: the algorithm by its name and its own parameters, or those of the export."""
    words = asdict(parameters)
    if isinstance(parameters, Quantize):
        words |= {"algorithm": parameters.algorithm.name, "parameters": dict(parameters.algorithm.options)}
    return words
