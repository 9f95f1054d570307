"""Runs and pictures for the page's tests: a small study, hostile names, a stand-in for figures."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import altair as alt
import numpy as np
import pyarrow as pa
import vl_convert

from farm.grid.settings import Claims
from farm.plan import Plan
from farm.record import Record
from farm.report.figures import Figure
from farm.report.page import Picture
from farm.results import tables
from farm.results.folder import Folder
from farm.results.reading import Predicted, Run
from tests.report.figures.grids import full

HOSTILE = "</script><script>alert(1)</script>"
MARKUP = '<img src=x onerror="alert(2)"> & <b>bold</b> "quoted"'
FEW = "fractal{count=50}"
N, CLASSES = 2000, 10
LABELS = np.arange(N) % CLASSES
HOST = {"host": "bench-1", "cpu_model": "Some CPU @ 2.50GHz", "isa": "avx512_vnni", "cores": 4}
VERSIONS = json.dumps({"farm": "0.1.0", "nncf": "3.4.0", "openvino": "2026.4.1", "torch": "2.14.1"})
MEASURED = {
    "threads": 4, "streams": 1, "precision": "f32", "pairs": 8, "disturbed_pairs": 1, "timed": "inference",
    "foreign_share": 0.001, "steal_share": 0.0, "per_node": 1,
}  # fmt: skip


def predicted(share_wrong: float, seed: int) -> Predicted:
    """Predictions of which about this share is wrong; the same images first, so that variants are alike."""
    wrong = np.random.default_rng(3).permutation(N)[: round(share_wrong * N)]
    extra = np.random.default_rng(seed).choice(N, 4, replace=False)
    prediction = LABELS.copy()
    prediction[wrong] = (LABELS[wrong] + 1) % CLASSES
    prediction[extra] = LABELS[extra]
    return Predicted(label=LABELS, prediction=prediction, score=(prediction == LABELS).astype(np.float32))


def study(models=("resnet20", "vgg16_bn", "repvgg_a2"), sets=("cifar10", "fractal", "noise"), seeds=1) -> Run:
    """A run of these models and sets, with speeds of the first seed, one failed cell and one noisy one."""
    records, predictions = [], {}
    for at, model in enumerate(models):
        made = [*_baselines(model, at)]
        for rank, source in enumerate(sets):
            made += [_int8(model, source, seed, at, rank) for seed in range(seeds)]
        for record, wrong in made:
            said = predicted(wrong, len(predictions))
            predictions[record.cell] = said
            top1 = float(np.mean(said.score))
            records.append(replace(record, top1=top1, score=top1, n_images=N))
    fp32 = {each.model: each.top1 for each in records if each.algorithm == "ir"}
    records = [
        replace(each, top1_drop=fp32[each.model] - each.top1, score_drop=fp32[each.model] - each.top1)
        for each in records
    ]
    return Run(
        name="small study",
        folder=Folder("memory://small-study"),
        records=(*records, failed(models[0])),
        claims=Claims(reference=sets[0], margin=0.01),
        predictions=predictions,
    )


def whole(folder: Folder, models=("resnet20", "vgg16_bn"), sets=("real", "fractal"), seeds=2) -> Run:
    """A run that has something for every figure: rounds, samples, seeds, and a set of two sizes."""
    folder.write_plan(Plan(command="farm run jobs/whole.yaml"))
    wrong = {name: 103 + 5 * rank for rank, name in enumerate(sets)}
    found = full(folder, models, wrong | {FEW: 180}, seeds)
    sized = dict.fromkeys(sets, 300) | {FEW: 50, None: None}
    records = [replace(each, subset_size=sized[each.calibration_source], **MEASURED) for each in found.records]
    return replace(found, records=tuple(records))


def _baselines(model: str, at: int):
    speeds = {"fps": 900.0 + 10 * at, "fps_ir": 900.0, "verdict": "valid", "within": 0.01, **MEASURED}
    ratio = {"speedup_ir": 1.001, "speedup_ir_low": 0.99, "speedup_ir_high": 1.01}
    yield _record(model, None, "pytorch", runtime="pytorch", size_mib=4.0, **{**speeds, "fps": 300.0}), 0.1
    yield _record(model, None, "ir", size_mib=4.0, **speeds, **ratio), 0.1


def _int8(model: str, source: str, seed: int, at: int, rank: int):
    speedup = 2.0 + at / 2 + rank / 10
    noisy = source == "noise" and at == 0
    speeds = {
        "fps": 900 * speedup, "fps_ir": 900.0, "speedup_ir": speedup, "speedup_ir_low": 0.98 * speedup,
        "speedup_ir_high": 1.02 * speedup, "speedup_pytorch": 3 * speedup, "speedup_pytorch_low": 2.9 * speedup,
        "speedup_pytorch_high": 3.1 * speedup, "latency_p50_ms": 1.1 / speedup,
        "verdict": "noisy" if noisy else "valid", "verdict_cause": "wide" if noisy else None,
        "within": 0.09 if noisy else 0.02,
    }  # fmt: skip
    record = _record(model, source, "default", seed=seed, size_mib=1.1, **({} if seed else {**speeds, **MEASURED}))
    lost = {"cifar10": 0.001, "fractal": 0.002}.get(source, 0.02)
    return record, 0.1 + lost + (0.3 if at == 2 and source == "noise" else 0) + 0.0005 * seed


def _record(model: str, source: str | None, algorithm: str, seed: int | None = None, **said) -> Record:
    label = source if not seed else f"{source}{{seed={seed}}}"
    return Record(
        **{
            "grid": "small study", "cell": f"{model}/{label or '-'}/{algorithm}/CPU{{threads=4}}", "model": model,
            "calibration": label, "calibration_source": source, "calibration_seed": seed, "algorithm": algorithm,
            "device": "CPU{threads=4}", "runtime": "openvino", "outcome": "ok", "metric": "top1",
            "versions": VERSIONS, "started_at": datetime(2026, 11, 25, 8, tzinfo=UTC),
            "finished_at": datetime(2026, 11, 25, 9, 30, tzinfo=UTC), **HOST,
        }
        | said
    )  # fmt: skip


def failed(model: str, **said) -> Record:
    """A cell that failed, and says so in markup."""
    told = {"error_class": "error", "error_type": "ValueError", "error_message": f"quantize {model}: {MARKUP}"}
    ended = {"outcome": "failed", "log": "results/store/attempts/ab/1.log", "top1": None, **told}
    return _record(model, "broken", "default", seed=0, **{**ended, **said})


def kept(run: Run, path: Path) -> Path:
    """The run as files, as `farm gather` leaves them."""
    folder = Folder(str(path))
    folder.write_plan(Plan(grid=run.name, command="farm run jobs/study.yaml"))
    folder.write(tables.RECORDS, tables.records(run.records, run.claims.model_dump()))
    for index, (cell, said) in enumerate(run.predictions.items()):
        columns = {"cell": [cell] * N, "label": said.label, "prediction": said.prediction, "score": said.score}
        folder.write(f"{tables.PREDICTIONS}/{index}.parquet", pa.table(columns))
    return path


def picture(run: Run, name: str = "drops") -> Picture:
    """A stand-in for a figure: drops by model and set, with tooltips."""
    rows = [
        {"model": each.model, "calibration": each.calibration, "drop": 100 * each.top1_drop}
        for each in run.records
        if each.calibration is not None and each.top1_drop is not None
    ]
    chart = (
        alt.Chart(alt.Data(values=rows), title="", width="container", height=220)
        .mark_point(filled=True, size=90, opacity=1)
        .encode(
            x=alt.X("drop:Q", title="top-1 lost (points)"),
            y=alt.Y("calibration:N", title=None),
            color=alt.Color("model:N"),
            shape=alt.Shape("model:N"),
            tooltip=["model:N", "calibration:N", alt.Tooltip("drop:Q", format=".2f")],
        )
    )
    spec = json.loads(chart.to_json())
    words = {"title": "Accuracy lost", "caption": "Each mark is a cell.", "alt": f"Drops of {len(rows)} cells."}
    figure = Figure(name=name, chart=chart, **words)
    return Picture(figure=figure, spec=spec, svg=vl_convert.vegalite_to_svg({**spec, "width": 700}))
