"""A plan and a store, with artefacts made by hand instead of by stages."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from farm.data import imageset
from farm.measuring.round import table_of
from farm.record import Outcome
from farm.results.folder import Folder
from farm.store import Store
from farm.store.manifest import Host, Manifest
from tests.conftest import plan_of
from tests.measuring import rows

HOST = {"host": "alpha", "cpu_model": "Xeon", "isa": "avx512_vnni", "cores": 8, "memory_gib": 64.0}
STARTED = datetime(2026, 1, 1, tzinfo=UTC)
FINISHED = STARTED + timedelta(seconds=9)


class Pictures:
    """An image set of so many images, each of one grey."""

    classes = 10

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def block(self, start, stop):
        numbers = np.arange(start, stop)
        greys = np.broadcast_to(numbers[:, None, None, None] % 256, (len(numbers), 4, 5, 3))
        return imageset.Block(greys.astype(np.uint8), numbers % 10)


class Bench:
    """A planned grid whose stages a test ends by hand: `done`, `failed`."""

    def __init__(self, folder: Path, url: str, grid) -> None:
        self.scratch = folder
        self.plan = plan_of(grid)
        self.store = Store(f"{url}/store", cache=folder / "cache")
        self.folder = Folder(f"{url}/{grid.name}")
        self.folder.write_plan(replace(self.plan, command="farm run grid.yaml"))
        self.cells = {cell.name: cell.stages for cell in self.plan.cells}

    def done(self, cell, role, *, facts=None, files=None, wall_s=1.0, peak_rss_mib=100.0, host=None):
        """Commit a stage of a cell, with what such a stage leaves by default; facts that are None are left out."""
        uri = self.cells[cell][role]
        kind = uri.partition("/")[0]
        folder = self.scratch / uuid.uuid4().hex
        folder.mkdir()
        given = {"synthesize": {"n_images": 100}, "export": {"classes": 10, "size_mib": 1.0},
                 "quantize": {"int8_layers": 21, "weighted_layers": 22, "size_mib": 0.25, "subset_size": 100},
                 "evaluate": {"n_images": 4, "metric": "top1", "score": 0.5, "top1": 0.5, "classes": 10},
                 "measure": {"pairs": 8, "disturbed": 0, "ended": "target"}}[kind]  # fmt: skip
        said = {name: value for name, value in (given | (facts or {})).items() if value is not None}
        for write in files or ():
            write(folder)
        manifest = Manifest(
            label="x", facts=said, host=Host(**HOST | (host or {})), wall_s=wall_s,
            versions={"farm": "0.1", kind: "1"}, peak_rss_mib=peak_rss_mib,
        )  # fmt: skip
        assert self.store.commit(uri, folder, manifest)
        self.tried(cell, role)
        return uri

    def tried(self, cell, role, log=None, **said):
        uri = self.cells[cell][role]
        outcome = Outcome(uri=uri, label=self.plan.stages[uri].label, started_at=STARTED, finished_at=FINISHED)
        return self.store.attempts.add(uri, replace(outcome, **said), log)

    def all_done(self, cell, predictions=(1, 2, 3, 4), *, fp32=(1, 2, 3, 4), own_fps=200.0, ir_fps=100.0, **said):
        """End every stage of a cell well; those that another cell shares stay as they are."""
        ready = {
            "calibration": [shard(100)], "export": [], "quantize": [], "fp32": [predicted(fp32)],
            "evaluate": [predicted(predictions)], "measure": [rounds(own_fps, ir_fps)],
        }  # fmt: skip
        for role, files in ready.items():
            if role in self.cells[cell] and not self.store.has(self.cells[cell][role]):
                self.done(cell, role, files=files, **said.get(role, {}))


def shard(count):
    return lambda folder: imageset.write(folder / "images.parquet", Pictures(count), 0, count)


def predicted(predictions):
    count = len(predictions)
    columns = {"index": range(count), "label": [1] * count, "prediction": predictions}
    table = pa.table({name: pa.array(values, pa.int32()) for name, values in columns.items()})
    table = table.append_column("score", pa.array([0.5] * count, pa.float32()))
    return lambda folder: pq.write_table(table, folder / "predictions.parquet")


def rounds(own_fps, ir_fps=None, *, count=8, **changes):
    """Pairs of rounds whose FPS are as told; latencies of 1, 2, 3, ... microseconds."""
    table = table_of(rows.pairs(own_fps, ir_fps, count, **changes))
    return lambda folder: pq.write_table(table, folder / "rounds.parquet")


@pytest.fixture(params=["local", "memory"])
def bench(request, tmp_path, files):
    """Makes a bench of a small grid, changed as told."""
    url = str(tmp_path / "results") if request.param == "local" else f"memory://{uuid.uuid4().hex}"
    yield lambda **changes: Bench(tmp_path, url, files.grid(**changes))
    if request.param == "memory" and fsspec.filesystem("memory").exists(url):
        fsspec.filesystem("memory").rm(url, recursive=True)
