"""Where int8 loses, layer by layer: ``python docs/making/layers.py results/study`` fills ``reference/layers.parquet``.

Each row is one layer of one cell of the run, as ``farm layers CELL --json`` tells it.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from farm.errors import FarmError, InputError
from farm.record import Record
from farm.report.numbers import points
from farm.results.folder import Folder
from farm.results.reading import read_run

PUBLISHED = Path(__file__).parents[2] / "results" / "reference" / "layers.parquet"
MODELS = ("repvgg_a2", "repvgg_a2{deploy=true}", "shufflenetv2_x2_0")
WORST = 12
IMAGES = 128  # test images that layers are compared on
Row = dict[str, Any]


def worst(model: str) -> str:
    """The worst layers of a model in the order of the network, its calibration sets side by side, as Markdown."""
    rows = [row for row in _rows() if row["model"] == model]
    sets = list(dict.fromkeys(row["calibration"] for row in rows))
    layers: dict[str, dict[str, Row]] = {}
    for row in rows:
        layers.setdefault(row["name"], {})[row["calibration"]] = row
    lowest = sorted(layers, key=lambda name: min(row["sqnr_db"] for row in layers[name].values()))[:WORST]
    lines = "".join(_line(layers[name], sets) for name in layers if name in lowest)
    return f"| layer | range | {' | '.join(sets)} |\n|---|---|{'---|' * len(sets)}\n{lines}"


def _line(layer: dict[str, Row], sets: list[str]) -> str:
    first = next(iter(layer.values()))
    return f"| `{first['name']}` | {first['range_ratio']:.1f} | {_numbers(layer[name]['sqnr_db'] for name in sets)} |\n"


def summary() -> str:
    """Each model's layers in one line: the SQNR of the lowest and of the median layer, and what it cost in points."""
    cells: dict[tuple[str, str], list[Row]] = {}
    for row in _rows():
        cells.setdefault((row["model"], row["calibration"]), []).append(row)
    lines = (
        f"| {model} | {calibration} | {_numbers((min(levels), median(levels)))} | {points(rows[0]['drop'])} |\n"
        for (model, calibration), rows in cells.items()
        for levels in [[row["sqnr_db"] for row in rows]]
    )
    head = "| model | calibration | lowest SQNR, dB | median SQNR, dB | drop, points |\n|---|---|---|---|---|\n"
    return f"{head}{''.join(lines)}\n> {_about(_rows()[0])}\n"


def _about(row: Row) -> str:
    """What the numbers rest on."""
    versions = ", ".join(f"{name} {version}" for name, version in json.loads(row["versions"]).items())
    return f"Run {row['grid']}, on {row['images']} test images; {row['cpu_model']}; {versions}."


def _numbers(values: Any) -> str:
    return " | ".join(f"{value:.1f}" for value in values)


def _rows() -> list[Row]:
    rows: list[Row] = pq.read_table(PUBLISHED).to_pylist()
    return rows


def rows_of(folder: Folder) -> list[Row]:
    """The layers of each model's int8 cells by default quantization, one seed of each set. Takes some minutes.

    Raises InputError if the run has no such cell, or one whose models are not in the store any more.
    """
    chosen = [
        record
        for record in read_run(folder).records
        if record.model in MODELS and record.algorithm == "default" and record.calibration_seed == 0
    ]
    if not chosen:
        raise InputError(f"{folder.url} has no int8 cell of {', '.join(MODELS)} by default quantization")
    return [row for record in chosen for row in _layers(record, folder)]


def _layers(record: Record, folder: Folder) -> Iterator[Row]:
    results, _, grid = folder.url.rpartition("/")
    command = ["layers", record.cell, "--grid", grid, "--results", results, "--images", str(IMAGES), "--json"]
    sys.stderr.write(f"{record.cell}\n")
    ended = subprocess.run([sys.executable, "-m", "farm", *command], stdout=subprocess.PIPE, text=True, check=False)
    if ended.returncode:
        raise InputError(f"{record.cell} has no layers to publish")
    of = {"grid": record.grid, "model": record.model, "calibration": record.calibration_source}
    facts = {"drop": record.top1_drop, "images": IMAGES, "cpu_model": record.cpu_model, "versions": record.versions}
    for layer in json.loads(ended.stdout):
        yield {**of, **layer, **facts}


def main() -> int:
    """Publish the layers of one run."""
    if len(sys.argv) != 2:  # noqa: PLR2004
        sys.stderr.write(f"{__doc__}\n")
        return 2
    try:
        table = pa.Table.from_pylist(rows_of(Folder(str(Path(sys.argv[1]).resolve()))))
    except FarmError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    pq.write_table(table, PUBLISHED, compression="zstd")
    return 0


if __name__ == "__main__":
    sys.exit(main())
