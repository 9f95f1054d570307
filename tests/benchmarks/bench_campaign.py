"""The study's way against `farm run`: the same cells, images and machine, in wall time.

Cells: the study's CIFAR-10 models that have weights in FARM_DATA, or those that `--models` names, as PyTorch, IR and
int8 from three calibration sets, on the whole test set; without CIFAR-10, the packaged digits. The whole grid is cut
short: fewer pairs than by default, and a wider interval is enough; so its row says. Goals are judged where
all models with weights take part. One after another, always in this order, each from nothing:

1. `farm run` with `accuracy_only`, so that nothing is measured: the accuracy of all variants
2. `study_way.py`, which times each variant while it evaluates it, so that its one time stands against both of farm's
3. `farm run` of the whole grid, which adds the speeds, in pairs with verdicts, to what the first run left

farm's seconds are the whole commands', the start of Ray and the synthesis of calibration images included; the whole
grid's are those of both its commands, so that one start is counted too many. The study's
are the whole process's but for its calibration images, which it had on disk. Both must find the same
top-1. The host must be idle: PyTorch's threads spin while they wait, so another busy process makes it many times
slower. `--quick` takes one model and 200 test images.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pyarrow.parquet as pq
import yaml
from cells import STUDY, Study, study
from publishing import NO_GOAL, goal, options, parser, publish

from farm.grid.settings import Measuring

NAME = "campaign"
GOALS = {"accuracy of all variants": 0.45, "whole grid": 0.8}  # farm's seconds / the study's
FP32_TOLERANCE = 0.005  # of top-1: float32 sums in another order turn few of 10,000 images, and of 200 at most one
STEPS = {  # as `breakdown` calls them -> the study's
    "synthesize": "prepare",
    "start": "start",
    "load": "load",
    "export": "export",
    "quantize": "quantize",
    "evaluate": "evaluate",
}
IDLE = 0.05  # of the host's CPU time, for what runs on any host
TRIAL_IMAGES = 200
MEASURE = {"pairs": [6, 12], "target": 0.05}  # x IR within 5 %, at 99 %
TRIAL_MEASURE = {"pairs": [2, 2], "min_seconds": 0.1, "target": 0.05}

Top1 = dict[tuple[str, str], float]  # by model, and calibration set or baseline


class Ran(NamedTuple):
    """One way's run. seconds: by stage kind or step. others: share of the host's CPU time that other processes used."""

    wall_s: float
    seconds: Mapping[str, float]
    top1: Top1
    others: float
    said: str


def main() -> None:
    """Run both ways, check that they agree, publish."""
    asked = parser(__doc__)
    asked.add_argument("--models", nargs="+", choices=STUDY, default=STUDY, help="only these of the study's networks")
    said, available = options(asked), study()
    models = [name for name in available.models if name in said.models]
    if available.models and not models:
        sys.exit(f"--models {' '.join(said.models)}: {available.absent}")
    grid = cells(models, quick=said.quick)
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        scratch = Path(folder)
        accuracy = by_farm({**grid, "accuracy_only": [{"device": "CPU"}]}, scratch)
        by_script = by_study(grid, scratch / "study.json")
        whole = by_farm(grid, scratch)
    whole = whole._replace(wall_s=accuracy.wall_s + whole.wall_s)
    runs = dict(zip(GOALS, (accuracy, whole), strict=True))
    measured = grid["settings"]["measure"]
    complete = tuple(grid["models"]) == available.models and not said.quick
    cut = dict(zip(GOALS, ("", f" with verdicts ({cut_of(measured)})"), strict=True))
    rows = [compared(what, run, by_script, with_goal=complete) for what, run in runs.items()]
    rows = [{**each, "what": each["what"] + cut[each["what"]]} for each in rows]
    rows += [row for what, run in runs.items() for row in breakdown(what, run, by_script)]
    fp32, int8 = map(max, *(differences(run.top1, by_script.top1) for run in runs.values()))
    note = (
        f"{models_of(grid, available)} {len(whole.top1)} variants. Order: farm without measurements, the study's way, "
        f"farm with them ({cut_of(measured)}; by default {cut_of(Measuring().model_dump())}). Largest difference in "
        f"top-1: {fp32:.4f} in FP32, {int8:.4f} in int8. {by_script.said} "
        f"{whole.said} A stage's seconds are summed over stages that may run side by side."
    )
    publish(NAME, rows, note=note)
    if fp32 > FP32_TOLERANCE:
        sys.exit(f"the two ways differ by {fp32:.4f} in FP32 top-1, so they did not do the same work")


def cells(models: list[str], *, quick: bool) -> dict[str, Any]:
    """The grid: these models on CIFAR-10; without any, the packaged digits ResNet20."""
    dataset: dict[str, Any] = {"name": "cifar10"}
    if not models:
        models, dataset = ["resnet20"], {"name": "digits"}
    grid = {
        "name": NAME,
        "dataset": dataset,
        "models": models,
        "calibrations": [dataset["name"], "fractal", "noise"],
        "algorithms": ["default"],
        "devices": [{"name": "CPU"}],
        "baselines": ["pytorch", "ir"],
        "settings": {"measure": MEASURE},
    }
    if not quick:
        return grid
    small = {"models": models[:1], "dataset": {**dataset, "count": TRIAL_IMAGES}}
    return {**grid, **small, "settings": {"measure": TRIAL_MEASURE}}


def cut_of(measure: Mapping[str, Any]) -> str:
    """How much is measured."""
    pairs = "-".join(str(count) for count in dict.fromkeys(measure["pairs"]))
    return f"{pairs} pairs, within {measure['target'] * 100:g} %"


def models_of(grid: Mapping[str, Any], available: Study) -> str:
    """Which models on which images, and which not."""
    dataset = grid["dataset"]
    text = f"{', '.join(grid['models'])} on {dataset.get('count', 'all')} test images of {dataset['name']}."
    left = [name for name in available.models if name not in grid["models"]]
    unasked = f"Not asked for, so that no goal is judged: {', '.join(left)}." if left else ""
    return " ".join(filter(None, (text, unasked, available.absent)))


def by_farm(grid: Mapping[str, Any], folder: Path) -> Ran:
    """`farm run` in a folder, with a store and a cache there."""
    path = folder / "grid.yaml"
    path.write_text(yaml.safe_dump(grid), encoding="utf-8")
    command = [sys.executable, "-m", "farm", "run", str(path), "--quiet", "--results", str(folder / "results")]
    wall_s, others = run(command, {"FARM_CACHE": str(folder / "cache")})
    records = pq.read_table(folder / "results" / NAME / "records.parquet").to_pylist()
    attempts = pq.read_table(folder / "results" / NAME / "attempts.parquet").to_pylist()
    seconds: Counter[str] = Counter()
    for attempt in attempts:
        seconds[attempt["uri"].partition("/")[0]] += attempt["wall_s"]
    top1 = {(record["model"], record["calibration"] or record["algorithm"]): record["top1"] for record in records}
    verdicts = Counter(record["verdict"] or "none" for record in records)
    said = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    return Ran(wall_s, seconds, top1, others, f"Verdicts: {said}.")


def by_study(grid: Mapping[str, Any], answer: Path) -> Ran:
    """The study's way, in a process of its own."""
    script, dataset = Path(__file__).with_name("study_way.py"), grid["dataset"]
    command = [sys.executable, str(script), str(answer), "--dataset", dataset["name"], "--models", *grid["models"]]
    command += ["--calibrations", *grid["calibrations"]]
    command += ["--count", str(dataset["count"])] if "count" in dataset else []
    wall_s, others = run(command, {})
    found = json.loads(answer.read_text(encoding="utf-8"))
    top1 = {(each["model"], each["variant"]): each["top1"] for each in found["variants"]}
    study_s = wall_s - found["prepare_s"]
    start_s = study_s - sum(found["seconds"].values())
    seconds = {**found["seconds"], "prepare": found["prepare_s"], "start": start_s}
    said = f"The study's way had {found['threads']} threads; meanwhile others used {others:.0%} of the host's CPUs."
    return Ran(study_s, seconds, top1, others, said)


def run(command: list[str], more: Mapping[str, str]) -> tuple[float, float]:
    """Run a command as a user would, without this process's OpenMP settings.

    Returns its wall time in seconds, and the share of the host's CPU time that went to other processes than the
    command's own; of farm's, some are Ray's and count as others.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    own, busy, begun = _own_s(), _busy_s(), time.perf_counter()
    code = subprocess.run(command, check=False, env={**environment, **more}).returncode
    wall_s = time.perf_counter() - begun
    if code:
        sys.exit(f"exit code {code} of {' '.join(command)}")
    others_s = (_busy_s() - busy) - (_own_s() - own)
    return wall_s, max(0.0, others_s / (wall_s * psutil.cpu_count()))


def _busy_s() -> float:
    times = psutil.cpu_times()
    return times.user + times.nice + times.system + times.irq + times.softirq + times.steal


def _own_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def compared(what: str, farm: Ran, study: Ran, *, with_goal: bool) -> dict[str, Any]:
    """One goal's row. Nothing is won against a study that other processes slowed down."""
    ratio, limit = farm.wall_s / study.wall_s, GOALS[what]
    most = ", ".join(f"{kind} {seconds:.0f} s" for kind, seconds in Counter(farm.seconds).most_common(3))
    idle = study.others <= IDLE
    reason = f"farm's largest parts: {most}" if idle else f"the host was busy ({study.others:.0%}): run it again"
    found = goal(f"ratio at most {limit}", met=idle and ratio <= limit, reason=reason)
    return row(what, farm.wall_s, study.wall_s) | (found if with_goal else NO_GOAL)


def breakdown(what: str, farm: Ran, study: Ran) -> list[dict[str, Any]]:
    """Seconds by stage; what only one of them has is null for the other."""
    kinds = [*STEPS, *(kind for kind in sorted(farm.seconds) if kind not in STEPS)]
    return [row(f"{what}: {kind}", farm.seconds.get(kind), study.seconds.get(STEPS.get(kind, ""))) for kind in kinds]


def row(what: str, farm_s: float | None, study_s: float | None) -> dict[str, Any]:
    """A row without a goal."""
    ratio = farm_s / study_s if farm_s is not None and study_s is not None else None
    return {"what": what, "farm_s": farm_s, "study_s": study_s, "ratio": ratio, **NO_GOAL}


def differences(farm: Top1, study: Top1) -> tuple[float, float]:
    """The largest difference in top-1: among the FP32 variants, and among the int8 ones. Exits if one is missing."""
    if farm.keys() != study.keys():
        sys.exit(f"one way lacks a variant: {sorted(farm.keys() ^ study.keys())}")
    fp32, int8 = [], []
    for variant, top1 in farm.items():
        (fp32 if variant[1] in ("pytorch", "ir") else int8).append(abs(top1 - study[variant]))
    return max(fp32), max(int8)


if __name__ == "__main__":
    main()
