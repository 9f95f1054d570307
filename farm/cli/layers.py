"""`farm layers`: where in a model quantization hurts."""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from farm.campaign.run import why_not
from farm.cli.options import DEFAULT_RESULTS, CellGrid, Json, Results, asking_why, say, stdout, table
from farm.errors import InputError
from farm.host.lease import host_cores, lease, lock_folder
from farm.plan import Stage
from farm.plan.parameters import Evaluate
from farm.results.location import Location

LEGEND = "SQNR: 0 dB is an error as great as the signal, above 100 dB none. range: greatest output / median channel's."

EXAMPLES = """
farm layers 'resnet20/fractal/default/CPU{threads=1}'

farm layers 'resnet20/noise/default/CPU{threads=1}' --images 512 --json
"""


def layers(
    cell: Annotated[
        str, Argument(help="An int8 cell's name, e.g. 'resnet20/fractal/default/CPU{threads=1}', in quotes.")
    ],
    images: Annotated[int, Option(min=1, help="Test images to compare on, as many of each class.")] = 128,
    grid: CellGrid = None,
    as_json: Json = False,
    results: Results = DEFAULT_RESULTS,
) -> int:
    """Compare a cell's int8 model with its FP32 IR layer by layer, on test images.

    SQNR is the signal-to-quantization-noise ratio of a layer's output in dB, with all error from the layers
    before it; 0 dB is an error as great as the signal. RANGE is the greatest output over the median channel's
    greatest: one step size serves all channels, so a great ratio leaves most of them few of its 256 levels.
    Both are medians over the images.
    """
    found = Location.of(results).cell(cell, grid)
    stages = found.stages
    if "quantize" not in stages:
        raise InputError(f"{cell} is a baseline: name an int8 cell")
    store = Location.of(results).store
    for role in ("export", "quantize"):
        if not store.has(stages[role].uri):
            ask = asking_why(cell, grid or found.grid, results)
            raise InputError(f"{cell} has no layers, for its {why_not(store, stages[role].uri)}; or ask: {ask}")
    from farm.quantization import layers as comparing  # noqa: PLC0415 - openvino is for those who ask

    fp32, int8 = (store.open(stages[role].uri) / "model.xml" for role in ("export", "quantize"))
    with lease(host_cores(), 1, lock_folder()) as held:  # as any stage: a measurement is not disturbed
        os.sched_setaffinity(0, held.cpus)
        compared = comparing.compare(fp32, int8, _batches(stages["evaluate"], images))
    if as_json:
        stdout.print_json(json.dumps([asdict(layer) for layer in compared]))
        return 0
    rows = table("layer", "kind", numbers=("SQNR dB", "range"), caption=LEGEND)
    for layer in compared:
        rows.add_row(layer.name, layer.kind, f"{layer.sqnr_db:.1f}", f"{layer.range_ratio:,.1f}")
    say(f"{cell} of the grid {found.grid}:")
    stdout.print(rows)
    return 0


def _batches(evaluate: Stage, count: int) -> Iterator[Any]:
    """So many test images, prepared, one at a time: a model's batch may be fixed at 1."""
    from farm.data import imageset  # noqa: PLC0415
    from farm.data.datasets import open_part  # noqa: PLC0415

    files = {role: Path(file.path) for role, file in evaluate.files.items()}
    gone = [str(path) for path in files.values() if not path.exists()]
    if gone:
        raise InputError(f"the test images are not on this host: {', '.join(gone)}")
    sys.path[:0] = [file.path for file in evaluate.files.values() if file.code]
    wanted = evaluate.parameters_as(Evaluate)
    images = open_part(wanted.dataset, files, count)
    for index in range(len(images)):
        yield imageset.prepare(images.block(index, index + 1).images, wanted.preprocessing)
