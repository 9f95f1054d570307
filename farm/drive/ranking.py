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
    for cell in sorted(plan.cells, key=lambda cell: -cost[cell.model]):  # those of one cost stay as planned
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
    took: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for cell in plan.cells:
        for uri in cell.stages.values():
            took[cell.model][plan.stages[uri].kind] += [past[uri]] if uri in past else []
    of_all = means(plan, past)
    return {
        model: sum(fmean(each) if each else of_all.get(kind, 0.0) for kind, each in kinds.items())
        for model, kinds in took.items()
    }


def _rank(plan: Plan, uri: str, ranks: dict[str, int]) -> None:
    """Give a stage the next rank, after its inputs."""
    if uri not in ranks:
        for need in plan.stages[uri].inputs.values():
            _rank(plan, need, ranks)
        ranks[uri] = len(ranks)
