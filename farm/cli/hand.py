"""`farm gather` and `farm get`: results handed over."""

import json
import shutil
from pathlib import Path
from typing import Annotated

import typer

from farm.cli.wiring import DEFAULT_RESULTS, Results, one_grid, stdout, store_of
from farm.errors import InputError
from farm.grid.faults import did_you_mean
from farm.results import gather as gathering
from farm.results import tables

EXAMPLE = '''"""Classify one image with this model. Needs: pip install openvino numpy pillow"""

import json
import sys

import numpy as np
import openvino as ov
from PIL import Image

how = json.load(open("preprocessing.json"))
height, width = how["size"]
image = np.asarray(Image.open(sys.argv[1]).convert("RGB").resize((width, height)), np.float32)
tensor = ((image * how["scale"] - how["mean"]) / how["std"]).transpose(2, 0, 1)[None].astype(np.float32)
print(ov.Core().compile_model("model.xml", "CPU")(tensor)[0].argmax())
'''


def gather(
    grid: Annotated[
        str | None, typer.Argument(metavar="[GRID]", help="A grid's name; the one run last by default.")
    ] = None,
    results: Results = DEFAULT_RESULTS,
) -> int:
    """Rebuild a grid's Parquet files from the store: records, attempts, predictions, latencies, samples."""
    folder = one_grid(results, grid)
    records = gathering.gather(folder, store_of(results))
    stdout.print(f"{len(records)} cells: {folder.path(tables.RECORDS)}", highlight=False, soft_wrap=True)
    return 0


def get(
    cell: Annotated[str, typer.Argument(help="A cell's name, e.g. resnet20/fractal/default/CPU.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    grid: Annotated[str | None, typer.Option(help="The grid's name; the one run last by default.")] = None,
    results: Results = DEFAULT_RESULTS,
) -> int:
    """Hand over a cell's IR with its preprocessing, its record, NNCF's parameters and an example to run it."""
    folder, store = one_grid(results, grid), store_of(results)
    plan = folder.read_plan()
    found = next((each for each in plan["cells"] if each["cell"] == cell), None)
    if found is None:
        raise InputError(f"no cell {cell!r} in {folder.url}{did_you_mean(cell, [c['cell'] for c in plan['cells']])}")
    uri = found["stages"].get("quantize", found["stages"]["export"])
    if found["runtime"] == "pytorch":
        raise InputError(f"{cell} is the PyTorch model itself, which farm does not hand over")
    if not store.has(uri):
        raise InputError(f"{cell} has no model yet: run the grid, or ask: farm why '{cell}'")
    if directory.exists() and any(directory.iterdir()):
        raise InputError(f"{directory} is not empty; name a new folder")
    record = next((row for row in folder.read(tables.RECORDS).to_pylist() if row["cell"] == cell), None)
    if record is None:
        raise InputError(f"{cell} has no record yet: farm gather {plan['grid']}")
    directory.mkdir(parents=True, exist_ok=True)
    for path in store.open(uri).iterdir():
        shutil.copy(path, directory)
    parameters = plan["stages"][found["stages"]["measure"]]["parameters"]
    _write(directory / "preprocessing.json", parameters["preprocessing"])
    _write(directory / "quantization.json", plan["stages"][uri]["parameters"])
    _write(directory / "record.json", record)
    (directory / "infer.py").write_text(EXAMPLE, encoding="utf-8")
    names = ", ".join(sorted(path.name for path in directory.iterdir()))
    stdout.print(f"{directory}: {names}", highlight=False, soft_wrap=True)
    return 0


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
