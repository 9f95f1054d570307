"""In which order stages are fed, with and without a past."""

from hypothesis import given
from hypothesis import strategies as st

from farm.drive.ranking import means, ranked
from farm.plan import Plan, PlannedCell
from tests.conftest import stage

SET = stage("synthesize", "set")
TRAINED = stage("train", "of no cell")


def plan_of(*models, sets=2):
    """Of each model two cells, one after another, and a stage that no cell has."""
    stages, cells = [SET], []
    for model in models:
        export = stage("export", model)
        stages.append(export)
        for number in range(sets):
            quantize = stage("quantize", f"{model}{number}", export, SET)
            stages += [quantize, stage("measure", f"{model}{number}", quantize)]
            own = {"export": export.uri, "quantize": quantize.uri, "measure": stages[-1].uri}
            what = {"algorithm": "default", "device": "CPU", "runtime": "openvino"}
            cells.append(PlannedCell(name=f"{model}{number}", model=model, stages=own, **what))
    stages.append(TRAINED)
    return Plan(grid="g", dataset="digits", stages={each.uri: each for each in stages}, cells=tuple(cells))


def order(plan, past):
    ranks = ranked(plan, past)
    return [plan.stages[uri].key for uri in sorted(ranks, key=ranks.__getitem__)]


def uris(plan, kind):
    return {each.key: uri for uri, each in plan.stages.items() if each.kind == kind}


def test_without_a_past_stages_go_as_they_are_planned():
    plan = plan_of("a", "b")
    assert ranked(plan, {}) == {uri: index for index, uri in enumerate(plan.stages)}


def test_cells_of_the_model_that_took_longest_go_first_each_cell_s_stages_together():
    plan = plan_of("a", "b", "c")
    quantized = uris(plan, "quantize")
    past = {quantized["a0"]: 2.0, quantized["b0"]: 9.0, quantized["c0"]: 2.0}
    assert order(plan, past) == [
        *("b", "set", "b0", "b0", "b1", "b1"), *("a", "a0", "a0", "a1", "a1"), *("c", "c0", "c0", "c1", "c1"),
        "of no cell",
    ]  # fmt: skip


def test_what_is_not_known_of_a_model_is_taken_to_be_as_of_all():
    plan = plan_of("a", "b")
    quantized, measured = uris(plan, "quantize"), uris(plan, "measure")
    past = {measured["a0"]: 40.0, quantized["a0"]: 1.0, quantized["b0"]: 2.0}
    assert order(plan, past)[0] == "b", "its measurements may take as long"
    assert order(plan, past | {measured["b0"]: 30.0})[0] == "a", "they do not"


def test_what_a_stage_of_a_kind_took_is_the_mean_of_those_that_are_known():
    plan = plan_of("a", "b")
    quantized = uris(plan, "quantize")
    past = {quantized["a0"]: 1.0, quantized["b1"]: 2.0, "quantize/of another plan": 50.0}
    assert means(plan, past) == {"quantize": 1.5}


@given(past=st.dictionaries(st.sampled_from(sorted(plan_of("a", "b", "c").stages)), st.floats(0, 1e6)))
def test_every_stage_has_a_rank_of_its_own_after_its_inputs(past):
    plan = plan_of("a", "b", "c")
    ranks = ranked(plan, past)
    assert sorted(ranks.values()) == list(range(len(plan.stages)))
    assert ranks.keys() == plan.stages.keys()
    for uri, each in plan.stages.items():
        assert all(ranks[need] < ranks[uri] for need in each.inputs.values())
