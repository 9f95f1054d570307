"""`farm layers`: where in a model quantization hurts."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from farm.cli.wiring import DEFAULT_RESULTS, Json, Results, cell_of, one_grid, stdout, store_of
from farm.errors import InputError


def layers(
    cell: Annotated[str, typer.Argument(help="An int8 cell's name, e.g. resnet20/fractal/default/CPU.")],
    images: Annotated[int, typer.Option(min=1, help="Calibration images to compare on.")] = 128,
    grid: Annotated[str | None, typer.Option(help="The grid's name; the one run last by default.")] = None,
    as_json: Json = False,
    results: Results = DEFAULT_RESULTS,
) -> int:
    """Compare a cell's int8 model with its FP32 IR layer by layer, on its own calibration images.

    SQNR is the signal-to-quantization-noise ratio of a layer's output in dB, with all error from the layers
    before it; 0 dB is an error as great as the signal. RANGE is the greatest output over the median channel's
    greatest: one step size serves all channels, so a great ratio leaves most of them few of its 256 levels.
    """
    stages = cell_of(one_grid(results, grid), cell)
    if "quantize" not in stages:
        raise InputError(f"{cell} is a baseline: name an int8 cell")
    store = store_of(results)
    for role in ("export", "calibration", "quantize"):
        if not store.has(stages[role]["uri"]):
            raise InputError(f"{cell} has no {role} yet: run the grid, or ask: farm why '{cell}'")
    from farm.stages import layers as comparing  # noqa: PLC0415 - openvino is for those who ask

    folders = {role: store.open(stages[role]["uri"]) for role in ("export", "calibration", "quantize")}
    batches = _batches(folders["calibration"], stages["quantize"]["parameters"]["preprocessing"], images)
    found = comparing.compare(folders["export"] / "model.xml", folders["quantize"] / "model.xml", batches)
    if as_json:
        stdout.print_json(json.dumps([asdict(layer) for layer in found]))
        return 0
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("layer", overflow="fold")
    table.add_column("kind")
    for name in ("SQNR dB", "range"):
        table.add_column(name, justify="right")
    for layer in found:
        table.add_row(layer.name, layer.kind, f"{layer.sqnr_db:.1f}", f"{layer.range_ratio:,.1f}")
    stdout.print(table)
    return 0


def _batches(shard: Any, preprocessing: dict[str, Any], count: int) -> Iterator[Any]:
    """The first prepared calibration images; a model's fixed batch of 1 takes them one by one."""
    from farm.images import imageset  # noqa: PLC0415
    from farm.spec import Preprocessing  # noqa: PLC0415
    from farm.stages.synthesize import SHARD  # noqa: PLC0415

    found = imageset.read(shard / SHARD)
    for index in range(min(count, len(found))):
        yield imageset.prepare(found.block(index, index + 1).images, Preprocessing(**preprocessing))
