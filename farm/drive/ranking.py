"""In which order stages are fed: cell after cell, as planned, and those first whose model took longest before.

What is long must not be left for the end, when most nodes have nothing more to do (longest processing time first:
Graham, Bounds on Multiprocessing Timing Anomalies, 1969). A cell's stages stay together, so that cells are done early.
"""

from collections import defaultdict
from collections.abc import Mapping
from statistics import fmean

from farm.plan import Plan


def ranked(plan: Plan, past: Mapping[str, float]) -> dict[str, int]:
    """Each stage's rank, by uri, the first one's is 0. past: uri -> how many seconds such stages took before."""
    if not past:
        return {uri: index for index, uri in enumerate(plan.stages)}
    cost, ranks = _costs(plan, past), dict[str, int]()
    for cell in sorted(plan.cells, key=lambda cell: -cost.get(cell.model, 0.0)):  # equal ones stay as planned
        for uri in cell.stages.values():
            _rank(plan, uri, ranks)
    for uri in plan.stages:
        _rank(plan, uri, ranks)
    return ranks


def means(plan: Plan, past: Mapping[str, float]) -> dict[str, float]:
    """How many seconds a stage of a kind took in the mean, of those kinds that are known."""
    took: dict[str, list[float]] = defaultdict(list)
    for uri in past.keys() & plan.stages.keys():
        took[plan.stages[uri].kind].append(past[uri])
    return {kind: fmean(each) for kind, each in took.items()}


def _costs(plan: Plan, past: Mapping[str, float]) -> dict[str, float]:
    """What a cell of each model takes, in seconds: a stage of a kind as long as those of its model, or as all did."""
    stages: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))  # model -> kind -> uris
    for cell in plan.cells:
        for uri in cell.stages.values():
            stages[cell.model][plan.stages[uri].kind].add(uri)
    of_all, costs = means(plan, past), dict[str, float]()
    for model, kinds in stages.items():
        took = {kind: [past[uri] for uri in uris & past.keys()] for kind, uris in kinds.items()}
        costs[model] = sum(fmean(times) if times else of_all.get(kind, 0.0) for kind, times in took.items())
    return costs


def _rank(plan: Plan, uri: str, ranks: dict[str, int]) -> None:
    """Give a stage the next rank, after its inputs."""
    if uri not in ranks:
        for need in plan.stages[uri].inputs.values():
            _rank(plan, need, ranks)
        ranks[uri] = len(ranks)
