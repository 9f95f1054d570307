"""How well the driver keeps a cluster busy: its very code, on simulated clusters of 1 to 256 nodes.

A thousand cells: the study's five networks, each with 200 calibration sets, quantized, evaluated and measured, and
their FP32 IRs. Durations: as in `SECONDS`, medians of the published study rounded to seconds, each stage's drawn around
them from a lognormal distribution. *alike*: nodes of 8 cores. *mixed*: of 4, 8, 16 and 32 cores by turns. *spot*: nodes
of 8 cores that live for an hour in the mean, and come back after two minutes. *known*: a tenth of the cells was run
before, so that the driver knows how long the models' stages take.

share: the lower bound over what it took. The bound is the larger of what all the work takes if no core ever idles, with
measurements on the smallest nodes, and of the longest chain of stages. `--quick`: a tenth of the cells, on 4 and 16
nodes.
"""

import math
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clusters import START_S, Cluster
from processes import say
from publishing import NO_GOAL, goal, options, parser, publish

from farm.axes import Device, Images, Preprocessing
from farm.catalog import CATALOG
from farm.drive import Driver
from farm.engine import Place, Work
from farm.grid.settings import Settings
from farm.plan import Plan, PlannedCell, Stage
from farm.plan.parameters import Evaluate
from farm.store import Store

NAME = "policy"
NODES = (1, 4, 16, 64, 256)
GOALS = {16: 0.85, 64: 0.75}
SETS = 200
SECONDS: Mapping[str, Mapping[str, float]] = {  # model -> stage kind -> seconds
    "resnet20": {"export": 5, "quantize": 10, "evaluate": 9, "measure": 30},
    "vgg16_bn": {"export": 5, "quantize": 21, "evaluate": 37, "measure": 45},
    "mobilenetv2_x1_4": {"export": 5, "quantize": 30, "evaluate": 50, "measure": 40},
    "shufflenetv2_x2_0": {"export": 6, "quantize": 34, "evaluate": 58, "measure": 40},
    "repvgg_a2": {"export": 15, "quantize": 52, "evaluate": 120, "measure": 60},
}
SET_S = 8.0
SPREAD = 0.25  # of the logarithm
SIZES = {"alike": (8,), "mixed": (4, 8, 16, 32), "spot": (8,)}
LIFE_S = 3600.0
TENTH = 10


def main() -> None:
    """Run each cluster, publish."""
    quick = options(parser(__doc__)).quick
    plan = plan_of(SETS // 10 if quick else SETS)
    clusters = [(kind, count) for kind in SIZES for count in ((4, 16) if quick else NODES)]
    rows = [ran(plan, kind, count, known=known) for known in (False, True) for kind, count in clusters]
    publish(NAME, rows, note=f"{len(plan.stages)} stages.")


def plan_of(sets: int) -> Plan:
    """The stages of all cells, those of one cell after another."""
    stages: dict[str, Stage] = {}

    def add(kind: str, key: str, *needs: Stage) -> Stage:
        made = Stage(
            kind=kind, key=key, label=key, parameters=NOTHING, files={}, libraries={},
            inputs={str(index): need.uri for index, need in enumerate(needs)},
        )  # fmt: skip
        return stages.setdefault(made.uri, made)

    for model in SECONDS:
        ir = add("export", model)
        add("evaluate", f"{model}-ir", ir)
        add("measure", f"{model}-ir", ir)
        for number in range(sets):
            int8 = add("quantize", f"{model}-{number}", ir, add("synthesize", f"set-{number}"))
            add("evaluate", f"{model}-{number}", int8)
            add("measure", f"{model}-{number}", int8, ir)
    return Plan(grid=NAME, stages=stages, cells=tuple(cells_of(stages, sets)))


def cells_of(stages: Mapping[str, Stage], sets: int) -> Iterator[PlannedCell]:
    """Those of the plan, with the stages that are a model's own."""
    by_key = {(stage.kind, stage.key): uri for uri, stage in stages.items()}
    for model in SECONDS:
        for name in (f"{model}-ir", *(f"{model}-{number}" for number in range(sets))):
            own = {kind: by_key[kind, name] for kind in ("quantize", "evaluate", "measure") if (kind, name) in by_key}
            yield PlannedCell(
                name=name, model=model, algorithm="default" if "quantize" in own else "ir", device="CPU",
                runtime="openvino", stages={"export": by_key["export", model], **own},
            )  # fmt: skip


NOTHING = Evaluate(
    device=Device(), metric="top1", dataset=Images(name="digits"), preprocessing=Preprocessing(size=(32, 32))
)


def seconds(stage: Stage) -> float:
    """How long a stage takes, always the same."""
    each = SET_S if stage.kind == "synthesize" else SECONDS[stage.key.partition("-")[0]][stage.kind]
    return each * math.exp(random.Random(stage.uri).gauss(0, SPREAD))


def past(plan: Plan) -> dict[str, float]:
    """How long the stages took of a tenth of the cells."""
    cells = [cell for index, cell in enumerate(plan.cells) if index % TENTH == 0]
    return {uri: seconds(plan.stages[uri]) for cell in cells for uri in cell.stages.values()}


def ran(plan: Plan, kind: str, count: int, *, known: bool) -> dict[str, Any]:
    """A row: one cluster's run. known: how long the stages of a tenth of the cells took."""
    sizes = SIZES[kind]
    places = [Place(name=f"{index}", cores=sizes[index % len(sizes)]) for index in range(count)]
    cluster = Cluster(planned=places, took_s=took_s, life_s=LIFE_S if kind == "spot" else math.inf, seed=count)
    driver = Driver(
        plan=plan, wanted=plan.stages, engine=cluster, store=Store("memory://policy"), stages=CATALOG.stages,
        settings=Settings(cores={}), past=past(plan) if known else {}, clock=lambda: cluster.now, sleep=cluster.sleep,
    )  # fmt: skip
    begun = time.process_time()
    outcomes = driver.drive(lambda _: None)
    cpu_s = time.process_time() - begun
    assert all(outcome.ok for outcome in outcomes.values())
    bound_s = bound(plan, places)
    share = bound_s / cluster.now
    least = GOALS.get(count)
    aim = goal(f"share at least {least:.0%}", met=share >= least, reason=f"{share:.1%}") if least else NO_GOAL
    say(f"{count} nodes, {kind}, {'' if known else 'not '}known: {cluster.now:.0f} s, {share:.1%} of the bound")
    return {
        "what": kind, "nodes": count, "known": "a tenth" if known else "nothing",
        "took_s": cluster.now, "bound_s": bound_s, "share": share,
        "deaths": cluster.deaths, "tries": cluster.tries.total(),
        "driver_ms": cpu_s * 1e3 / cluster.tries.total(), **aim,
    }  # fmt: skip


def took_s(work: Work) -> float:
    """As `seconds` has it."""
    return seconds(work.stage)


def bound(plan: Plan, places: Sequence[Place]) -> float:
    """What no order of the stages could undercut, in seconds."""
    measured_s, light_s = (
        sum(seconds(stage) + START_S for stage in plan.stages.values() if (stage.kind == "measure") == measured)
        for measured in (True, False)
    )
    cores = sorted(place.cores for place in places)
    low_s, high_s = 0.0, measured_s + light_s
    while high_s - low_s > 1e-3 * high_s:
        middle_s = (low_s + high_s) / 2
        busy_s = [min(middle_s, max(0.0, measured_s - middle_s * index)) for index in range(len(cores))]
        left_s = sum(count * (middle_s - taken_s) for count, taken_s in zip(cores, busy_s, strict=True))
        enough = middle_s * len(cores) >= measured_s and left_s >= light_s
        low_s, high_s = (low_s, middle_s) if enough else (middle_s, high_s)
    return max(high_s, *chains(plan))


def chains(plan: Plan) -> Iterator[float]:
    """How long each stage's chain is, itself included."""
    ends: dict[str, float] = {}
    for uri, stage in plan.stages.items():
        ends[uri] = seconds(stage) + START_S + max((ends[need] for need in stage.inputs.values()), default=0.0)
        yield ends[uri]


if __name__ == "__main__":
    main()
