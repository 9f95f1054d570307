"""Two runs by hand, one beside the other: cells with speeds, with scores, and with so many mistakes."""

from dataclasses import replace

import numpy as np

from farm.analysis.changes import Tolerance
from farm.analysis.comparison import compare
from farm.results.folder import Folder
from farm.results.reading import Predicted
from tests.runs import LABELS, N, record, run

HERE = {"host": "alpha", "cpu_model": "Xeon", "threads": 1, "precision": "f32", "timed": "inference"}
REAL, NOISE = record("real"), record("noise")


def lost(count, first=100):
    """A hundred mistakes, and so many more."""
    return [*range(100), *range(first, first + count)]


def fast(x_ir, *, within=0.01, calibration="real", **changes):
    """An int8 cell that is so many times as fast as its FP32 IR, within this share."""
    said = {"speedup_ir": x_ir, "speedup_ir_low": x_ir / (1 + within), "speedup_ir_high": x_ir * (1 + within)}
    known = {"fps": 1000 * x_ir, "latency_p50_ms": 1 / x_ir, "verdict": "valid"}
    return record(calibration, **{**HERE, **said, **known, **changes})


def compared(before, after, **tolerance):
    """What two runs of these cells give; each with the images that it gets wrong."""
    return compare(run(before), replace(run(after), folder=Folder("memory://after")), Tolerance(**tolerance))


def scored(one, scores, metric="my:metric"):
    """A run of one cell with these scores."""
    said = Predicted(label=LABELS, prediction=LABELS, score=np.asarray(scores, np.float32))
    cell = replace(one, metric=metric, top1=None, score=float(said.score.mean()), n_images=N)
    return replace(run({}), records=(cell,), predictions={cell.cell: said})
