"""The loop, against a small engine that keeps its own books."""

from collections import deque
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.axes import Device
from farm.catalog import CATALOG
from farm.drive import QUIET_TICK_S, TICK_S, WINDOW, Driver
from farm.engine import Gpus, ProgressLine
from farm.errors import EngineError
from farm.grid.settings import Settings
from farm.plan import Plan, PlannedCell
from farm.record import RETRIES, Outcome
from farm.store import Store
from farm.store.manifest import Manifest
from tests.conftest import stage

NEVER_RETRIED = ("error", "crash", "timeout")


class ScriptedEngine:
    """Ends works, oldest first and one a wait, as the script says; checks what must hold at every moment.

    script: key -> the endings of its attempts, the last one repeated; fine without an entry.
    stuck: how many waits a measurement waits for its node before it runs. says: key -> what an attempt says,
    a line a wait, before it ends. apart: light stages and measurements must never fly together. lends: what it
    lends of GPUs; measured nodes' GPUs count as light where they must keep apart.
    """

    def __init__(self, script=None, *, slots=1, benches=1, stuck=0, refuses="", says=None, apart=False, lends=None):
        self.slots, self.benches = slots, benches
        self.script = {key: list(endings) for key, endings in (script or {}).items()}
        self.stuck = stuck
        self.refuses, self.apart = refuses, apart
        self.says = says or {}
        self.unsaid = {}
        self.flying = deque()
        self.submitted = []
        self.preflown = None
        self.ticks = []
        self.lends = lends or Gpus()
        self.asked = []
        self.most_light = self.most_exclusive = self.most_on_gpus = 0

    def gpus(self, share, *, asked):
        self.asked.append((share, asked))
        return self.lends

    def preflight(self, works):
        assert self.preflown is None
        self.preflown = [work.stage.key for work in works]
        if self.refuses:
            raise EngineError(self.refuses)

    def submit(self, work):
        assert self.preflown is not None, "submitted before the preflight"
        beside = not work.gpus or not self.lends.apart
        if not work.exclusive and beside:
            assert not self.waiting(), "a light stage was fed while a measurement waits"
        self.submitted.append(work)
        self.unsaid[work.stage.uri] = list(self.says.get(work.stage.key, ()))
        self.flying.append(work)
        exclusive = sum(each.exclusive for each in self.flying)
        on_gpus = sum(each.gpus > 0 for each in self.flying)
        light = len(self.flying) - exclusive - on_gpus
        others = light + (0 if self.lends.apart else on_gpus)
        assert not (self.apart and others and exclusive), "together in flight"
        self.most_light = max(self.most_light, light)
        self.most_on_gpus = max(self.most_on_gpus, on_gpus)
        self.most_exclusive = max(self.most_exclusive, exclusive)

    def wait(self, timeout_s):
        self.ticks.append(timeout_s)
        assert self.flying, "nothing flies: the run would never end"
        if self.waiting():
            self.stuck -= 1
            return ()
        unsaid = self.unsaid[self.flying[0].stage.uri]
        if unsaid:
            return (ProgressLine(uri=self.flying[0].stage.uri, text=unsaid.pop(0)),)
        work = self.flying.popleft()
        endings = self.script.get(work.stage.key, [None])
        cause = endings.pop(0) if len(endings) > 1 else endings[0]
        return (Outcome(uri=work.stage.uri, label=work.stage.label, error_class=cause, error_message="said"),)

    def waiting(self):
        return sum(work.exclusive for work in self.flying) if self.stuck else 0

    def close(self):
        raise AssertionError("who opens an engine closes it")

    @property
    def order(self):
        return [work.stage.key for work in self.submitted]


def a_plan(*stages, cells=()):
    return Plan(grid="g", dataset="digits", stages={each.uri: each for each in stages}, cells=cells)


def run(engine, *stages, cells=(), wanted=None, settings=None, report=lambda _: None, note=lambda _: None, store=None):
    """Drive all stages (or the wanted ones); key -> failure class, None where fine."""
    plan = a_plan(*stages, cells=cells)
    driver = Driver(
        plan=plan,
        wanted=plan.stages if wanted is None else wanted,
        engine=engine,
        store=store or Store("memory://drive"),
        stages=CATALOG.stages,
        settings=settings or Settings(),
        note=note,
    )
    outcomes = driver.drive(report)
    return {uri.partition("/")[2]: outcome.error_class for uri, outcome in outcomes.items()}


def diamond():
    """An export, a set, their quantization, its evaluation and its measurement."""
    export, images = stage("export", "export"), stage("synthesize", "set")
    quantize = stage("quantize", "quantize", export, images)
    return (
        export,
        images,
        quantize,
        stage("evaluate", "evaluate", quantize),
        stage("measure", "measure", quantize, export),
    )


def test_every_stage_runs_once_after_what_it_needs():
    engine = ScriptedEngine()
    assert run(engine, *diamond()) == dict.fromkeys(["export", "set", "quantize", "evaluate", "measure"])
    assert engine.preflown == ["export", "set", "quantize", "evaluate", "measure"]
    assert engine.order == ["export", "set", "quantize", "measure", "evaluate"]


def test_nothing_wanted_is_nothing_done():
    engine = ScriptedEngine()
    assert run(engine, *diamond(), wanted=()) == {}
    assert engine.preflown == []
    assert engine.submitted == []


def test_stages_that_are_not_wanted_count_as_done():
    stages = diamond()
    engine = ScriptedEngine()
    assert run(engine, *stages, wanted=[stages[2].uri, stages[4].uri]) == {"quantize": None, "measure": None}
    assert engine.order == ["quantize", "measure"]


def test_early_cells_finish_early():
    pairs = [(first := stage("export", f"a{index}"), stage("quantize", f"b{index}", first)) for index in range(4)]
    engine = ScriptedEngine()
    run(engine, *(each for pair in pairs for each in pair))
    assert engine.order == ["a0", "a1", "b0", "b1", "a2", "a3", "b2", "b3"]


@pytest.mark.parametrize("slots", [1, 3])
def test_light_stages_in_flight_fill_the_window_and_never_more(slots):
    engine = ScriptedEngine(slots=slots)
    run(engine, *(stage("export", f"e{index}") for index in range(20)))
    assert engine.most_light == slots * WINDOW


@pytest.mark.parametrize("benches", [1, 2])
def test_measurements_in_flight_fill_their_window_and_never_more(benches):
    engine = ScriptedEngine(benches=benches)
    run(engine, *(stage("measure", f"m{index}") for index in range(20)))
    assert engine.most_exclusive == benches * WINDOW


@pytest.mark.parametrize("benches", [1, 3])
@pytest.mark.parametrize("per_node", [2, 5])
def test_where_measurements_share_nodes_their_window_is_so_many_times_as_large(benches, per_node):
    engine = ScriptedEngine(benches=benches)
    run(engine, *(stage("measure", f"m{index}") for index in range(40)), settings=sharing(per_node))
    assert engine.most_exclusive == benches * per_node * WINDOW
    assert {work.per_node for work in engine.submitted} == {per_node}


def sharing(per_node):
    return Settings(measure={"per_node": per_node})


def mixed():
    """Cells of several stages each, so that measurements become ready while light stages fly, and the other way."""
    for index in range(6):
        export = stage("export", f"e{index}")
        yield from (export, stage("measure", f"m{index}", export), stage("evaluate", f"v{index}", export))


@pytest.mark.parametrize("per_node", [2, 3])
@pytest.mark.parametrize(("slots", "stuck"), [(1, 0), (3, 0), (3, 4)])
def test_light_stages_never_fly_beside_measurements_that_share_a_node(per_node, slots, stuck):
    engine = ScriptedEngine(slots=slots, stuck=stuck, apart=True)
    found = run(engine, *mixed(), settings=sharing(per_node))
    assert set(found.values()) == {None}
    assert len(found) == len(engine.order) == 18
    assert engine.most_light > 0 < engine.most_exclusive


def test_light_stages_may_fly_beside_a_measurement_that_has_its_node_to_itself():
    """The engine keeps them apart on a node; the loop need not."""
    engine = ScriptedEngine(slots=3, apart=True)
    with pytest.raises(AssertionError, match="together in flight"):
        run(engine, *mixed(), settings=sharing(1))


def test_a_light_stage_shares_nothing():
    engine = ScriptedEngine()
    run(engine, stage("export", "e"), stage("measure", "m"), settings=sharing(4))
    assert {work.stage.key: work.per_node for work in engine.submitted} == {"m": 4, "e": 1}


def test_measurements_go_first():
    engine = ScriptedEngine()
    run(engine, stage("export", "light"), stage("measure", "measurement"))
    assert engine.order == ["measurement", "light"]


def test_light_stages_are_not_fed_while_a_measurement_waits():
    engine = ScriptedEngine(stuck=5)
    run(engine, stage("measure", "m"), *(stage("export", f"e{index}") for index in range(6)))
    assert engine.stuck == 0
    assert engine.order[0] == "m"


def test_light_stages_are_not_fed_while_a_measurement_is_ready():
    engine = ScriptedEngine()
    run(engine, *(stage("measure", f"m{index}") for index in range(4)), stage("export", "e"))
    assert engine.order == ["m0", "m1", "m2", "m3", "e"]


def test_this_process_sleeps_longer_while_a_measurement_may_run():
    engine = ScriptedEngine()
    run(engine, stage("export", "e"))
    assert set(engine.ticks) == {TICK_S}
    engine = ScriptedEngine()
    run(engine, stage("measure", "m"))
    assert set(engine.ticks) == {QUIET_TICK_S}


@pytest.mark.parametrize("cause", NEVER_RETRIED)
def test_an_error_a_crash_and_a_timeout_are_never_retried_and_fail_exactly_what_needs_them(cause):
    other = stage("export", "other")
    engine = ScriptedEngine({"set": [cause]})
    found = run(engine, *diamond(), other, stage("evaluate", "elsewhere", other))
    assert found == {
        "export": None, "set": cause, "quantize": "dep_failed", "evaluate": "dep_failed", "measure": "dep_failed",
        "other": None, "elsewhere": None,
    }  # fmt: skip
    assert engine.order.count("set") == 1
    assert "quantize" not in engine.order


def cells_of(quantization, *evaluations):
    return tuple(
        PlannedCell(name=each.key, model="m", algorithm="default", device="CPU", runtime="openvino",
                    stages={"quantize": quantization.uri, "fp32": each.uri})
        for each in evaluations
    )  # fmt: skip


def test_a_model_is_quantized_after_its_fp32_ir_was_evaluated():
    export = stage("export", "e")
    quantization = stage("quantize", "q", export)
    fp32 = stage("evaluate", "f", export)
    engine = ScriptedEngine(slots=4)
    outcomes = run(engine, export, quantization, fp32, cells=cells_of(quantization, fp32))
    assert engine.order == ["e", "f", "q"]
    assert set(outcomes.values()) == {None}


def test_nothing_is_quantized_of_a_model_that_no_evaluation_accepts():
    export = stage("export", "e")
    quantization = stage("quantize", "q", export)
    evaluations = [stage("evaluate", key, export) for key in ("f", "g")]
    int8 = stage("evaluate", "i", quantization)
    engine = ScriptedEngine({"f": ["error"], "g": ["error"]}, slots=4)
    stages = (export, quantization, *evaluations, int8)
    outcomes = run(engine, *stages, cells=cells_of(quantization, *evaluations))
    assert outcomes == {"e": None, "f": "error", "g": "error", "q": "dep_failed", "i": "dep_failed"}


def test_one_evaluation_of_a_model_that_holds_is_enough():
    export = stage("export", "e")
    quantization = stage("quantize", "q", export)
    evaluations = [stage("evaluate", key, export) for key in ("f", "g")]
    engine = ScriptedEngine({"f": ["error"]}, slots=4)
    outcomes = run(engine, export, quantization, *evaluations, cells=cells_of(quantization, *evaluations))
    assert outcomes == {"e": None, "f": "error", "g": None, "q": None}


def test_a_model_that_two_evaluations_accept_is_quantized_once():
    export = stage("export", "e")
    quantization = stage("quantize", "q", export)
    evaluations = [stage("evaluate", key, export) for key in ("f", "g")]
    after = stage("evaluate", "i", quantization)
    engine = ScriptedEngine(slots=4)
    stages = (export, quantization, *evaluations, after)
    outcomes = run(engine, *stages, cells=cells_of(quantization, *evaluations))
    assert sorted(engine.order) == ["e", "f", "g", "i", "q"]
    assert set(outcomes.values()) == {None}


@pytest.mark.parametrize("cause", ["crash", "timeout", "lost", "oom"])
def test_an_evaluation_that_did_not_get_as_far_refuses_nothing(cause):
    export = stage("export", "e")
    quantization = stage("quantize", "q", export)
    fp32 = stage("evaluate", "f", export)
    outcomes = run(ScriptedEngine({"f": [cause]}), export, quantization, fp32, cells=cells_of(quantization, fp32))
    assert outcomes == {"e": None, "f": cause, "q": None}


def test_an_evaluation_that_is_refused_after_another_was_accepted_changes_nothing():
    quantization = stage("quantize", "q", stage("synthesize", "s"))
    evaluations = [stage("evaluate", key) for key in ("f", "g")]
    engine = ScriptedEngine({"g": ["error"]}, slots=1)
    stages = (*evaluations, stage("synthesize", "s"), quantization)
    assert run(engine, *stages, cells=cells_of(quantization, *evaluations)) == {
        "f": None,
        "g": "error",
        "s": None,
        "q": None,
    }


def test_an_evaluation_that_crashed_is_not_waited_for_but_all_else_is():
    quantization = stage("quantize", "q", stage("synthesize", "s"))
    fp32 = stage("evaluate", "f")
    stages = (fp32, stage("synthesize", "s"), quantization)
    engine = ScriptedEngine({"f": ["crash"]}, slots=1)
    assert run(engine, *stages, cells=cells_of(quantization, fp32)) == {"f": "crash", "s": None, "q": None}
    assert engine.order == ["f", "s", "q"]


def test_of_evaluations_that_are_not_asked_for_none_is_waited_for():
    """As with --only device=CPU: the other device's evaluation is neither there nor wanted."""
    quantization = stage("quantize", "q")
    evaluations = [stage("evaluate", key) for key in ("f", "g")]
    wanted, cells = [quantization.uri, evaluations[0].uri], cells_of(quantization, *evaluations)
    outcomes = run(ScriptedEngine({"f": ["error"]}), quantization, *evaluations, cells=cells, wanted=wanted)
    assert outcomes == {"f": "error", "q": "dep_failed"}


def test_one_that_was_accepted_before_is_enough(tmp_path):
    quantization = stage("quantize", "q")
    evaluations = [stage("evaluate", key) for key in ("f", "g")]
    wanted = [quantization.uri, evaluations[1].uri]
    engine, cells = ScriptedEngine({"g": ["error"]}), cells_of(quantization, *evaluations)
    store = Store("memory://judged")
    store.commit(evaluations[0].uri, tmp_path, Manifest())
    outcomes = run(engine, quantization, *evaluations, cells=cells, wanted=wanted, store=store)
    assert outcomes == {"q": None, "g": "error"}


def test_an_evaluation_that_is_there_is_not_waited_for():
    quantization, fp32 = stage("quantize", "q"), stage("evaluate", "f")
    engine = ScriptedEngine()
    outcomes = run(engine, quantization, fp32, cells=cells_of(quantization, fp32), wanted=[quantization.uri])
    assert outcomes == {"q": None}


def test_an_evaluation_that_lacks_a_file_is_none():
    quantization, fp32 = stage("quantize", "q"), stage("evaluate", "f", missing="no images")
    outcomes = run(ScriptedEngine(), quantization, fp32, cells=cells_of(quantization, fp32))
    assert outcomes == {"q": "dep_failed", "f": "missing_input"}


def test_a_failed_dependency_is_named():
    stages = diamond()
    driver = Driver(
        plan=a_plan(*stages),
        wanted=[each.uri for each in stages],
        engine=ScriptedEngine({"set": ["error"]}),
        store=Store("memory://drive"),
        stages=CATALOG.stages,
        settings=Settings(),
    )
    outcomes = driver.drive(lambda _: None)
    assert outcomes["quantize/quantize"].error_message == "needs synthesize label of set"
    assert outcomes["measure/measure"].error_message == "needs quantize label of quantize"
    assert outcomes["measure/measure"].label == "label of measure"


@pytest.mark.parametrize(
    ("endings", "last", "memory"),
    [
        (["oom", None], None, [4.0, 8.0]),
        (["oom"], "oom", [4.0, 8.0]),
        (["oom", "error"], "error", [4.0, 8.0]),
        (["lost", None], None, [4.0] * 2),
        (["lost", "lost", "lost", None], None, [4.0] * 4),
        (["lost"], "lost", [4.0] * 4),
        (["lost", "oom", "lost", "lost", None], None, [4.0, 4.0, 8.0, 8.0, 8.0]),
        (["oom", "lost", "oom"], "oom", [4.0, 8.0, 8.0]),
        (["error", None], "error", [4.0]),
    ],
)
def test_memory_is_doubled_once_and_a_lost_worker_replaced_three_times(endings, last, memory):
    engine = ScriptedEngine({"e": endings})
    assert run(engine, stage("export", "e")) == {"e": last}
    assert [work.memory_gib for work in engine.submitted] == memory


def test_a_retried_measurement_is_still_a_measurement():
    engine = ScriptedEngine({"m": ["lost", None]})
    assert run(engine, stage("measure", "m")) == {"m": None}
    assert [work.exclusive for work in engine.submitted] == [True, True]


def test_a_stage_that_lacks_a_file_is_never_submitted_nor_preflown():
    export = stage("export", "export", missing="no weights: looked for w.pt")
    engine = ScriptedEngine()
    assert run(engine, export, stage("measure", "m", export), stage("export", "fine")) == {
        "export": "missing_input", "m": "dep_failed", "fine": None
    }  # fmt: skip
    assert engine.preflown == engine.order == ["fine"]


def test_a_stage_that_lacks_a_file_and_a_dependency_ends_once():
    export = stage("export", "export", missing="no weights")
    both = stage("measure", "m", export, missing="no images")
    reports = []
    found = run(ScriptedEngine(), export, both, report=lambda progress: reports.append(progress.failed.total()))
    assert set(found) == {"export", "m"}
    assert reports[-1] == 2


def test_a_stage_that_needs_two_failed_ones_ends_once():
    first, second = stage("export", "first"), stage("synthesize", "second")
    reports = []
    engine = ScriptedEngine({"first": ["error"], "second": ["crash"]})
    found = run(
        engine, first, second, stage("quantize", "q", first, second), report=lambda p: reports.append(p.failed.total())
    )
    assert found == {"first": "error", "second": "crash", "q": "dep_failed"}
    assert reports[-1] == 3


def test_an_engine_that_could_never_do_the_work_says_so_before_anything_runs():
    engine = ScriptedEngine(refuses="no node offers `bench`")
    with pytest.raises(EngineError, match="bench"):
        run(engine, *diamond())
    assert engine.submitted == []


def test_progress_is_reported_at_the_start_after_every_change_and_at_the_end():
    seen = []

    def report(progress):
        seen.append((progress.done.total(), progress.failed.total(), progress.flying.total(), progress.last))

    run(ScriptedEngine({"evaluate": ["error"]}), *diamond(), report=report)
    assert seen[0] == (0, 0, 0, None)
    assert [done + failed for done, failed, _, _ in seen] == sorted(done + failed for done, failed, _, _ in seen)
    assert {done + failed for done, failed, _, _ in seen} == set(range(6))
    assert seen[-1][:3] == (4, 1, 0)
    assert seen[-1][3].error_class == "error"


def test_what_a_stage_says_is_reported_and_forgotten_when_it_ends():
    seen = []

    def report(progress):
        seen.append((dict(progress.words), progress.last))

    engine = ScriptedEngine(says={"e": ["first", "second"]})
    assert run(engine, stage("export", "e"), stage("export", "quiet"), report=report) == {"e": None, "quiet": None}
    words = [said.get("export/e") for said, _ in seen]
    told = [None, ("label of e", ""), ("label of e", "first"), ("label of e", "second")]
    assert list(dict.fromkeys(words)) == told
    assert (ProgressLine(uri="export/e", text="second") in [last for _, last in seen]) is True
    assert words[-1] is None
    assert {text for said, _ in seen for uri, (_, text) in said.items() if uri == "export/quiet"} == {""}


def test_what_a_lost_attempt_said_is_forgotten_before_the_next():
    seen = []
    engine = ScriptedEngine({"e": ["lost", None]}, says={"e": ["half way"]})
    run(engine, stage("export", "e"), report=lambda progress: seen.append((progress.last, dict(progress.words))))
    said = [words.get("export/e", ("", ""))[1] for last, words in seen if isinstance(last, Outcome)]
    assert len(said) > 1
    assert set(said) == {""}


def test_each_thing_seen_of_a_stage_is_noted_once_and_in_order():
    notes = []
    export, other = stage("export", "e"), stage("export", "o", missing="no weights")
    engine = ScriptedEngine({"e": ["lost", None], "q": ["error"]}, says={"q": ["half way"]})
    run(engine, export, other, stage("quantize", "q", export), stage("evaluate", "v", other), note=notes.append)
    assert [(note.what, note.uri, note.error_class, note.text) for note in notes] == [
        ("ended", "export/o", "missing_input", "no weights"),
        ("ended", "evaluate/v", "dep_failed", "needs export label of o"),
        ("submitted", "export/e", None, ""),
        ("retried", "export/e", "lost", "said"),
        ("submitted", "export/e", None, ""),
        ("ended", "export/e", None, ""),
        ("submitted", "quantize/q", None, ""),
        ("words", "quantize/q", None, "half way"),
        ("ended", "quantize/q", "error", "said"),
    ]


def test_a_stages_limits_are_the_grids_over_the_tables():
    settings = Settings(timeout_s={"export": 7.0}, memory_gib={"export": 2.0}, cores={"export": 3, "measure": 9})
    engine = ScriptedEngine({"e": ["oom", None]})
    device = Device(threads=5, node="xeon")
    run(engine, stage("export", "e"), stage("quantize", "q"), stage("measure", "m", device=device), settings=settings)
    works = {work.stage.key: work for work in engine.submitted}
    assert (works["e"].timeout_s, works["e"].memory_gib, works["e"].cores) == (7.0, 4.0, 3)  # twice 2 after the oom
    assert (works["q"].memory_gib, works["q"].cores) == (4.0, 1)
    assert works["q"].timeout_s == CATALOG.stages["quantize"].timeout_s
    assert (works["m"].cores, works["m"].node, works["m"].exclusive) == (5, "xeon", True)
    assert works["m"].function == "farm.stages.measure:run"
    assert (works["e"].node, works["e"].exclusive) == (None, False)
    assert {work.session for work in works.values()} == {works["e"].session}


def computed(count, start=0):
    """So many stages that compute images."""
    return [replace(stage("synthesize", f"c{index}"), equipped=True) for index in range(start, start + count)]


NEAR, FAR = Gpus(slots=2), Gpus(slots=2, apart=True)


@pytest.mark.parametrize("lends", [NEAR, FAR])
def test_stages_that_compute_images_go_to_gpus_where_there_are_any_and_no_others_do(lends):
    engine = ScriptedEngine(lends=lends)
    run(engine, *computed(2), stage("synthesize", "real"), stage("export", "e"), stage("measure", "m"))
    assert {work.stage.key: work.gpus for work in engine.submitted} == {"c0": 1, "c1": 1, "real": 0, "e": 0, "m": 0}
    assert engine.asked == [(1.0, False)]


def test_without_gpus_they_are_light_stages():
    engine = ScriptedEngine(slots=2)
    run(engine, *computed(9))
    assert {work.gpus for work in engine.submitted} == {0}
    assert (engine.most_light, engine.most_on_gpus) == (2 * WINDOW, 0)


@pytest.mark.parametrize(
    ("share", "lends", "lent"), [(0.25, FAR, 0.25), (0, FAR, 0), (1, Gpus(), 1), (0.5, Gpus(), 0.5), (0, Gpus(), 0)]
)
def test_a_share_that_is_asked_for_is_asked_of_the_engine_even_if_it_has_none(share, lends, lent):
    """For the engine to refuse, or to wait for a cluster that grows."""
    engine = ScriptedEngine(lends=lends)
    run(engine, *computed(1), stage("synthesize", "real"), settings=Settings(gpus={"synthesize": share}))
    assert {work.stage.key: work.gpus for work in engine.submitted} == {"c0": lent, "real": 0}
    assert engine.asked == ([(share, True)] if share else [])


@pytest.mark.parametrize("lends", [NEAR, FAR])
def test_gpus_and_cpus_have_windows_of_their_own_and_neither_blocks_the_other(lends):
    engine = ScriptedEngine(slots=3, lends=lends)
    run(engine, *computed(20), *(stage("export", f"e{index}") for index in range(20)))
    assert (engine.most_on_gpus, engine.most_light) == (2 * WINDOW, 3 * WINDOW)
    assert set(engine.order[: 5 * WINDOW]) == {
        *(f"c{index}" for index in range(4)),
        *(f"e{index}" for index in range(6)),
    }


def test_gpus_where_nothing_is_measured_are_fed_while_measurements_wait():
    engine = ScriptedEngine(stuck=5, lends=FAR)
    run(engine, stage("measure", "m"), stage("export", "e"), *computed(3))
    assert engine.order == ["m", "c0", "c1", "c2", "e"]


def test_gpus_of_nodes_that_measure_are_not_fed_while_a_measurement_waits():
    engine = ScriptedEngine(stuck=5, lends=NEAR)
    run(engine, stage("measure", "m"), *computed(3))
    assert engine.order == ["m", "c0", "c1", "c2"]
    assert engine.most_on_gpus > 0


@pytest.mark.parametrize("lends", [NEAR, FAR])
@pytest.mark.parametrize("stuck", [0, 4])
def test_measurements_that_share_nodes_never_fly_beside_images_made_on_them(lends, stuck):
    engine = ScriptedEngine(slots=2, stuck=stuck, apart=True, lends=lends)
    found = run(engine, *mixed(), *computed(8), settings=sharing(2))
    assert set(found.values()) == {None}
    assert len(found) == len(engine.order) == 26


KINDS = st.sampled_from(["synthesize", "export", "quantize", "evaluate", "measure"])
ENDINGS = st.lists(st.sampled_from([None, *NEVER_RETRIED, "oom", "lost"]), min_size=1, max_size=6)


@st.composite
def dags(draw):
    stages = []
    for index in range(draw(st.integers(1, 14))):
        needs = draw(st.lists(st.sampled_from(stages), max_size=3, unique_by=lambda each: each.key)) if stages else []
        missing = "no file" if draw(st.integers(0, 9)) == 0 else ""
        found = stage(draw(KINDS), f"s{index}", *needs, missing=missing)
        stages.append(replace(found, equipped=found.kind == "synthesize" and draw(st.booleans())))
    return stages


def last_ending(endings):
    """What becomes of a stage whose attempts end so, after the retries that it is allowed."""
    left = dict(RETRIES)
    for ending in [*endings, *[endings[-1]] * 6]:
        if left.get(ending, 0) == 0:
            return ending
        left[ending] -= 1
    raise AssertionError(endings)


@given(
    data=st.data(), stages=dags(), slots=st.integers(1, 3), benches=st.integers(1, 2), stuck=st.integers(0, 4),
    per_node=st.integers(1, 3), lends=st.builds(Gpus, slots=st.integers(0, 2), apart=st.booleans()),
)  # fmt: skip
def test_every_wanted_stage_ends_exactly_once_and_only_for_its_own_or_its_inputs_reason(
    data, stages, slots, benches, stuck, per_node, lends
):
    script = {each.key: data.draw(ENDINGS, label=each.key) for each in stages}
    wanted = [each.uri for each in stages if data.draw(st.booleans(), label=f"{each.key} wanted")]
    engine = ScriptedEngine(script, slots=slots, benches=benches, stuck=stuck, apart=per_node > 1, lends=lends)
    reports = []

    def report(progress):
        reports.append((progress.done.total(), progress.failed.total()))

    found = run(engine, *stages, wanted=wanted, settings=sharing(per_node), report=report)

    assert {f"{each.kind}/{each.key}" for each in stages if each.key in found} == set(wanted)
    assert reports[-1] == (sum(cause is None for cause in found.values()), sum(map(bool, found.values())))
    assert engine.most_light <= slots * WINDOW
    assert engine.most_on_gpus <= lends.slots * WINDOW
    assert engine.most_exclusive <= benches * per_node * WINDOW
    for each in stages:
        if each.uri not in wanted:
            continue
        broken = [need for need in each.inputs.values() if found.get(need.partition("/")[2])]
        possible = {"dep_failed"} if broken else {None}
        if each.missing:
            possible = (possible - {None}) | {"missing_input"}
        if possible == {None}:
            possible = {last_ending(script[each.key])}
            assert each.key in engine.order
        else:
            assert each.key not in engine.order
        assert found[each.key] in possible


def test_a_stage_that_lacks_a_file_is_not_fed_when_what_it_needs_is_done():
    export = stage("export", "export")
    measure = stage("measure", "m", export, missing="no weights")
    later = stage("quantize", "later", export)
    engine = ScriptedEngine()
    assert run(engine, export, measure, later) == {"export": None, "m": "missing_input", "later": None}
    assert engine.order == ["export", "later"]


@pytest.mark.parametrize("failure", [None, "crash"])
def test_a_stale_artefact_stays_until_its_stage_has_ended_and_goes_if_that_failed(tmp_path, failure):
    store = Store(str(tmp_path / "store"))
    first, second = stage("export", "first"), stage("export", "second")
    (tmp_path / "files").mkdir()
    for each in (first, second):
        store.commit(each.uri, tmp_path / "files", Manifest())
    there = []
    engine = ScriptedEngine({"first": [failure]})
    driver = Driver(
        plan=a_plan(first, second),
        wanted=[first.uri, second.uri],
        engine=engine,
        store=store,
        stages=CATALOG.stages,
        settings=Settings(),
        stale=[first.uri],
    )
    driver.drive(lambda _: there.append((store.has(first.uri), store.has(second.uri))))
    assert there[0] == (True, True)
    assert there[-1] == (failure is None, True)
    assert [work.fresh for work in engine.submitted] == [True, False]
