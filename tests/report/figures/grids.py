"""Runs that have something for every figure: cells with predictions, speeds, rounds and samples, in a folder."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from farm.analysis.analysis import analyse
from farm.measuring.round import table_of
from farm.report.figures import Figure, figures
from farm.results import tables
from farm.results.folder import Folder
from farm.results.reading import Run
from farm.stats.ratios import paired_ratio
from tests.measuring.rows import one_round
from tests.runs import N, record, run


def wrong(count: int, start: int = 0) -> range:
    """So many images that a cell gets wrong."""
    return range(start, start + count)


def measured(run_: Run, cell: str, ratios: Any, *, fps_ir: float = 100.0, **changes: Any) -> Run:
    """The run with what a record says of a cell that was so many times as fast as its FP32 IR, pair by pair."""
    ratio = paired_ratio([(each, 1.0) for each in ratios])
    said = {
        "fps": ratio.value * fps_ir, "fps_ir": fps_ir, "speedup_ir": ratio.value, "speedup_ir_low": ratio.low,
        "speedup_ir_high": ratio.high, "verdict": "valid", "host": "bench", "cpu_model": "Some CPU", "cores": 8,
    } | changes  # fmt: skip
    records = [replace(each, **said) if each.cell == cell else each for each in run_.records]
    return replace(run_, records=tuple(records))


def write_rounds(folder: Folder, cell: str, ratios: Any, *, fps_ir: float = 100.0, inferences: int = 40) -> None:
    """Write the rounds of a cell: each pair's, undisturbed, with latencies around what its speed says."""
    rng, rounds = np.random.default_rng(0), []
    for pair, ratio in enumerate(ratios):
        for position, (variant, fps) in enumerate((("cell", ratio * fps_ir), ("ir", fps_ir))):
            taken = (1e9 / fps * (0.97 + rng.gamma(1.0, 0.03, inferences))).astype(np.int64)
            told = {"inferences": inferences, "pair": pair, "position": position}
            rounds.append(one_round(variant, fps, **told, latencies_ns=taken))
    whose = tables.Whose(cell=cell, model="m", calibration=None, algorithm="ir", device="CPU", baseline=True)
    table = tables.of_cell(tables.LATENCIES, table_of(rounds), whose)
    folder.write(f"latencies/{abs(hash(cell))}.parquet", table)


def sampled(folder: Folder, calibrations: Any, count: int = 20, size: int = 8) -> None:
    """Write samples of these sets."""
    rng, rows = np.random.default_rng(0), []
    for name in calibrations:
        for index in range(count):
            sink = io.BytesIO()
            Image.fromarray(rng.integers(0, 256, (size, size, 3), dtype=np.uint8)).save(sink, format="PNG")
            rows.append(tables.Sample(calibration=name, index=index, label=index % 10, png=sink.getvalue()))
    folder.write(tables.SAMPLES, tables.table_of(tables.SAMPLES, rows))


def full(folder: Folder, models: Any, sets: Any, seeds: int = 1, *, pairs: int = 8, inferences: int = 40) -> Run:
    """Every model with every set (name -> images wrong, of 1,000) and seed, its baselines too; all of it measured."""
    rng = np.random.default_rng(0)
    cells: dict[Any, Any] = {}
    for model in models:
        cells[record(model=model)] = wrong(100)
        cells[record(model=model, algorithm="pytorch", runtime="pytorch")] = wrong(100)
        for name, count in sets.items():
            for seed in range(seeds):
                cells[record(name, model=model, seed=seed)] = wrong(min(N, count + int(rng.integers(0, 4))))
    found = replace(run(cells), folder=folder)
    for each in list(found.records):
        middle = {"pytorch": 0.25, "ir": 1.0}.get(each.algorithm, 2.0 + 0.3 * len(each.model) / 8)
        ratios = middle * np.exp(rng.normal(0, 0.03, pairs))
        word = "noisy" if rng.random() < 0.2 else "valid"
        over = dict(zip(("", "_low", "_high"), (4 * ratios.mean() * np.array([1, 0.9, 1.1])).tolist(), strict=True))
        said = {f"speedup_pytorch{end}": value for end, value in over.items()}
        found = measured(found, each.cell, ratios, verdict=word, **said)
        write_rounds(folder, each.cell, ratios, inferences=inferences)
    sampled(folder, dict.fromkeys(each.calibration for each in found.records if each.calibration is not None))
    return found


def figures_of(found: Run) -> dict[str, Figure]:
    """The figures of a run by name."""
    return {figure.name: figure for figure in figures(analyse(found))}
