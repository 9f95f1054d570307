"""`farm get`: a cell's model handed over, with all that it takes to run it."""

import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from typer import Argument

from farm.cli.options import DEFAULT_RESULTS, Cell, GridName, Results, say
from farm.codec import encode
from farm.errors import InputError
from farm.plan.parameters import Evaluate, Quantize, StageParameters
from farm.results.location import Location, cell_of
from farm.results.reading import records_table

# Of a stage's files these alone: a stranger's `numpy.py` beside the example would be run.
HANDED = {"model.xml": True, "model.bin": True, "history.parquet": False}  # name -> whether it must be there
EXAMPLES = """
farm get 'resnet20/fractal/default/CPU{threads=1}' my-int8

farm get 'resnet20/-/ir/CPU{threads=1}' my-fp32 --grid quickstart

Then: python my-int8/infer.py IMAGE
"""
INFER = '''"""Classify one image: python infer.py IMAGE. Needs: pip install openvino numpy pillow"""

import json
import sys
from pathlib import Path

import numpy as np
import openvino as ov
from PIL import Image

if len(sys.argv) != 2:
    sys.exit("usage: python infer.py IMAGE")
here = Path(__file__).parent
how = json.loads((here / "preprocessing.json").read_text())
height, width = how["size"]
image = Image.open(sys.argv[1]).convert("RGB")
filter = Image.Resampling[how["interpolation"].upper()]
if how["resize"]:  # the shorter side, then a crop of the centre
    short = min(image.size)
    image = image.resize([int(how["resize"] * side / short) for side in image.size], filter)
    left, top = round((image.width - width) / 2), round((image.height - height) / 2)
    image = image.crop((left, top, left + width, top + height))
pixels = np.asarray(image.resize((width, height), filter))[None]
if how["input"] != "u8":  # else the model normalises by itself
    pixels = (pixels * np.float32(how["scale"]) - np.float32(how["mean"])) / np.float32(how["std"])
    pixels = pixels.astype({"f32": np.float32, "f16": np.float16}[how["input"]])
tensor = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2) if how["layout"] == "NCHW" else pixels)
print(ov.Core().compile_model(here / "model.xml", "CPU")(tensor)[0].argmax())
'''


def get(
    cell: Cell,
    directory: Annotated[Path, Argument(metavar="DIR", help="A new or empty folder.")],
    grid: GridName = None,
    results: Results = DEFAULT_RESULTS,
) -> int:
    """Hand over a cell's IR with its preprocessing, its record, NNCF's parameters and an example to run it."""
    folder, store = Location.of(results).grid(grid), Location.of(results).store
    stages = cell_of(folder, cell)
    handed = stages.get("quantize", stages["export"])
    uri, how = handed.uri, stages["evaluate"].parameters_as(Evaluate)
    if how.model is not None:
        raise InputError(f"{cell} is the PyTorch model itself, which farm does not hand over")
    if not store.has(uri):
        raise InputError(f"{cell} has no model yet: run the grid, or ask: farm why '{cell}'")
    if directory.exists() and any(directory.iterdir()):
        raise InputError(f"{directory} is not empty; name a new folder")
    record = next((row for row in records_table(folder).to_pylist() if row["cell"] == cell), None)
    if record is None:
        raise InputError(f"{cell} has no record yet: run farm gather")
    with tempfile.TemporaryDirectory() as scratch:
        store.hand_over(uri, HANDED, Path(scratch))
        directory.mkdir(parents=True, exist_ok=True)
        for path in Path(scratch).iterdir():
            shutil.move(path, directory)
    _write(directory / "preprocessing.json", asdict(how.preprocessing))
    _write(directory / "quantization.json", _quantization(handed.parameters))
    _write(directory / "record.json", record)
    (directory / "infer.py").write_text(INFER, encoding="utf-8")
    names = ", ".join(sorted(path.name for path in directory.iterdir()))
    say(f"{directory}: {names}")
    return 0


def _quantization(parameters: StageParameters) -> dict[str, Any]:
    """What made the IR: the algorithm by its name and its own parameters, or those of the export."""
    words = asdict(parameters)
    if isinstance(parameters, Quantize):
        words |= {"algorithm": parameters.algorithm.name, "parameters": dict(parameters.algorithm.options)}
    return words


def _write(path: Path, value: object) -> None:
    path.write_text(encode(value, indent=1) + "\n", encoding="utf-8")
