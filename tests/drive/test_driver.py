"""The loop, against a small engine that keeps its own books."""

import signal
from collections import Counter, deque
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.axes import Device
from farm.catalog import CATALOG
from farm.drive.driver import PATIENCE_S, QUIET_TICK_S, TICK_S, WAITING, Driver
from farm.drive.placing import Need
from farm.drive.tries import DEATHS, PAUSES_S
from farm.engine import Place, ProgressLine
from farm.errors import EngineError
from farm.grid.settings import Settings
from farm.plan import Plan, PlannedCell
from farm.record import RETRIES, Outcome
from farm.store import Store
from farm.store.manifest import Manifest
from tests.conftest import stage

NEVER_RETRIED = ("error", "crash", "timeout")


HERE = Place(name="here", cores=1, measured=(8,))  # so that several measurements may share it
FOUR = (Place(name="four", cores=4),)


def nodes(count, **what):
    return tuple(Place(name=f"n{index}", **{"cores": 1, "measured": (8,), **what}) for index in range(count))


class ScriptedEngine:
    """Ends works, oldest first and one a wait, as the script says; checks what must hold at every moment.

    script: key -> the endings of its attempts, the last one repeated; fine without an entry. says: key -> what an
    attempt says, a line a wait, before it ends. there: its nodes; a call may change them. dies: key -> the node that is
    gone once an attempt of it has ended so. Time passes only while the driver sleeps.
    """

    def __init__(self, script=None, *, there=(HERE,), refuses="", says=None, dies=()):
        self.script = {key: list(endings) for key, endings in (script or {}).items()}
        self.there = tuple(there)
        self.refuses = refuses
        self.says = says or {}
        self.dies = set(dies)
        self.unsaid = {}
        self.flying = deque()
        self.at = {}
        self.submitted = []
        self.places_of = []
        self.preflown = None
        self.ticks = []
        self.wished = []
        self.written_down = []
        self.now = 0.0
        self.comes = {}  # when -> nodes
        self.most = Counter()  # by window, of all nodes together

    def places(self):
        return self.there

    def preflight(self, works):
        assert self.preflown is None
        self.preflown = [work.stage.key for work in works]
        if self.refuses:
            raise EngineError(self.refuses)

    def submit(self, work, place):
        assert self.preflown is not None, "submitted before the preflight"
        assert place in {each.name for each in self.there}, "handed to a node that is gone"
        self.submitted.append(work)
        self.places_of.append(place)
        self.at[work.stage.uri] = place
        self.unsaid[work.stage.uri] = list(self.says.get(work.stage.key, ()))
        self.flying.append(work)
        beside = Counter(Need.of(each).window for each in self.flying if self.at[each.stage.uri] == place)
        bench = next(each.bench for each in self.there if each.name == place)
        assert not (beside["exclusive"] and (beside["light"] or (beside["gpu"] and bench))), "together on a node"
        everywhere = Counter(Need.of(each).window for each in self.flying)
        self.most |= everywhere

    def wish(self, works):
        self.wished.append([work.stage.key for work in works])

    def sleep(self, seconds):
        self.now += seconds
        for when in [when for when in self.comes if when <= self.now]:
            self.there = (*self.there, *self.comes.pop(when))

    def wait(self, timeout_s):
        self.ticks.append(timeout_s)
        assert self.flying, "nothing flies: the run would never end"
        unsaid = self.unsaid[self.flying[0].stage.uri]
        if unsaid:
            return (ProgressLine(uri=self.flying[0].stage.uri, text=unsaid.pop(0)),)
        work = self.flying.popleft()
        endings = self.script.get(work.stage.key, [None])
        cause = endings.pop(0) if len(endings) > 1 else endings[0]
        if cause == "lost" and work.stage.key in self.dies:
            self.there = tuple(each for each in self.there if each.name != self.at[work.stage.uri])
        number = {"killed": signal.SIGKILL, "segfault": signal.SIGSEGV}.get(cause)
        cause = "crash" if number else cause
        outcome = Outcome(uri=work.stage.uri, label=work.stage.label, error_class=cause, error_message="said")
        return (replace(outcome, signal=number),)

    def written(self, work, outcome):
        self.written_down.append(work.stage.key)
        return replace(outcome, attempt=len(self.written_down))

    def close(self):
        raise AssertionError("who opens an engine closes it")

    @property
    def order(self):
        return [work.stage.key for work in self.submitted]


def a_plan(*stages, cells=()):
    return Plan(grid="g", dataset="digits", stages={each.uri: each for each in stages}, cells=cells)


def run(
    engine, *stages, cells=(), wanted=None, settings=None, report=lambda _: None, note=lambda _: None, store=None,
    claims=None, stale=(), past=None,
):  # fmt: skip
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
        claims=claims,
        stale=stale,
        past=past or {},
        clock=lambda: engine.now,
        sleep=engine.sleep,
    )
    outcomes = driver.drive(report)
    return {uri.partition("/")[2]: outcome.error_class for uri, outcome in outcomes.items()}


def test_the_model_that_took_longest_before_goes_first_and_the_time_to_go_is_told_by_what_is_known():
    short, long = stage("export", "short"), stage("export", "long")
    what = {"algorithm": "ir", "device": "CPU", "runtime": "openvino"}
    cells = [PlannedCell(name=one.key, model=one.key, stages={"export": one.uri}, **what) for one in (short, long)]
    engine, told = ScriptedEngine(), []
    past = {short.uri: 20.0, long.uri: 40.0}
    run(engine, short, long, cells=cells, past=past, report=lambda progress: told.append(dict(progress.each_s)))
    assert engine.order == ["long", "short"]
    assert told[0] == {"export": 30.0}


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
    assert engine.order == ["export", "set", "quantize", "measure", "evaluate"], "an idle node measures"


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


@pytest.mark.parametrize("count", [1, 3])
def test_light_stages_fill_every_node_and_a_little_more(count):
    engine = ScriptedEngine(there=nodes(count, cores=4))
    run(engine, *(stage("export", f"e{index}") for index in range(40)))
    assert engine.most["light"] == count * (4 + 1)
    assert set(engine.places_of) == {f"n{index}" for index in range(count)}


@pytest.mark.parametrize("count", [1, 2])
def test_each_node_measures_one_after_another(count):
    engine = ScriptedEngine(there=nodes(count))
    run(engine, *(stage("measure", f"m{index}") for index in range(20)))
    assert engine.most["exclusive"] == count


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("per_node", [2, 5])
def test_where_measurements_share_nodes_so_many_run_on_each(count, per_node):
    engine = ScriptedEngine(there=nodes(count))
    run(engine, *(stage("measure", f"m{index}") for index in range(40)), settings=sharing(per_node))
    assert engine.most["exclusive"] == count * per_node
    assert {work.per_node for work in engine.submitted} == {per_node}


def sharing(per_node):
    return Settings(measure={"per_node": per_node})


def mixed():
    """Cells of several stages each, so that measurements become ready while light stages fly, and the other way."""
    for index in range(6):
        export = stage("export", f"e{index}")
        yield from (export, stage("measure", f"m{index}", export), stage("evaluate", f"v{index}", export))


@pytest.mark.parametrize("per_node", [1, 2, 3])
@pytest.mark.parametrize("there", [(HERE,), nodes(1, cores=3), nodes(3, cores=2)])
def test_light_stages_and_measurements_are_never_on_a_node_together(per_node, there):
    engine = ScriptedEngine(there=there)
    found = run(engine, *mixed(), settings=sharing(per_node))
    assert set(found.values()) == {None}
    assert len(found) == len(engine.order) == 18


def test_a_light_stage_shares_nothing():
    engine = ScriptedEngine()
    run(engine, stage("export", "e"), stage("measure", "m"), settings=sharing(4))
    assert {work.stage.key: work.per_node for work in engine.submitted} == {"m": 4, "e": 1}


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
    engine = ScriptedEngine(there=FOUR)
    outcomes = run(engine, export, quantization, fp32, cells=cells_of(quantization, fp32))
    assert engine.order == ["e", "f", "q"]
    assert set(outcomes.values()) == {None}


def test_nothing_is_quantized_of_a_model_that_no_evaluation_accepts():
    export = stage("export", "e")
    quantization = stage("quantize", "q", export)
    evaluations = [stage("evaluate", key, export) for key in ("f", "g")]
    int8 = stage("evaluate", "i", quantization)
    engine = ScriptedEngine({"f": ["error"], "g": ["error"]}, there=FOUR)
    stages = (export, quantization, *evaluations, int8)
    outcomes = run(engine, *stages, cells=cells_of(quantization, *evaluations))
    assert outcomes == {"e": None, "f": "error", "g": "error", "q": "dep_failed", "i": "dep_failed"}


def test_one_evaluation_of_a_model_that_holds_is_enough():
    export = stage("export", "e")
    quantization = stage("quantize", "q", export)
    evaluations = [stage("evaluate", key, export) for key in ("f", "g")]
    engine = ScriptedEngine({"f": ["error"]}, there=FOUR)
    outcomes = run(engine, export, quantization, *evaluations, cells=cells_of(quantization, *evaluations))
    assert outcomes == {"e": None, "f": "error", "g": None, "q": None}


def test_a_model_that_two_evaluations_accept_is_quantized_once():
    export = stage("export", "e")
    quantization = stage("quantize", "q", export)
    evaluations = [stage("evaluate", key, export) for key in ("f", "g")]
    after = stage("evaluate", "i", quantization)
    engine = ScriptedEngine(there=FOUR)
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
    engine = ScriptedEngine({"g": ["error"]})
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
    engine = ScriptedEngine({"f": ["crash"]})
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
    engine = ScriptedEngine({"e": ["oom", None]}, there=[Place(name="big", cores=8, labels=frozenset({"xeon"}))])
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


NEAR = (Place(name="workstation", cores=3, gpus=2),)
FAR = (Place(name="cpus", cores=3), Place(name="gpus", cores=4, bench=False, gpus=2))


@pytest.mark.parametrize("there", [NEAR, FAR])
def test_stages_that_compute_images_go_to_gpus_where_there_are_any_and_no_others_do(there):
    engine = ScriptedEngine(there=there)
    run(engine, *computed(2), stage("synthesize", "real"), stage("export", "e"), stage("measure", "m"))
    assert {work.stage.key: work.gpus for work in engine.submitted} == {"c0": 1, "c1": 1, "real": 0, "e": 0, "m": 0}
    where = dict(zip(engine.order, engine.places_of, strict=True))
    if there is FAR:
        assert where == {"c0": "gpus", "c1": "gpus", "real": "cpus", "e": "cpus", "m": "cpus"}


def test_without_gpus_they_are_light_stages():
    engine = ScriptedEngine(there=FOUR)
    run(engine, *computed(9))
    assert {work.gpus for work in engine.submitted} == {0}
    assert (engine.most["light"], engine.most["gpu"]) == (5, 0)


@pytest.mark.parametrize(("share", "lent"), [(0.25, 0.25), (0, 0)])
def test_a_share_is_what_the_grid_says(share, lent):
    engine = ScriptedEngine(there=FAR)
    run(engine, *computed(1), stage("synthesize", "real"), settings=Settings(gpus={"synthesize": share}))
    assert {work.stage.key: work.gpus for work in engine.submitted} == {"c0": lent, "real": 0}


def test_a_gpu_that_is_asked_for_is_waited_for_while_the_rest_goes_on():
    engine = ScriptedEngine()
    engine.comes[20.0] = (FAR[1],)
    found = run(engine, *computed(2), stage("export", "e"), settings=Settings(gpus={"synthesize": 1}))
    assert found == {"c0": None, "c1": None, "e": None}
    assert engine.order == ["e", "c0", "c1"]
    assert engine.places_of == ["here", "gpus", "gpus"]
    assert ["c0", "c1"] in engine.wished


def test_where_the_last_gpu_is_gone_cpus_do_what_nobody_asked_one_for():
    engine = ScriptedEngine({"c0": ["lost", None]}, there=FAR, dies=["c0"])
    found = run(engine, *computed(4))
    assert set(found.values()) == {None}
    assert engine.places_of[0] == "gpus"
    assert set(engine.places_of[-2:]) == {"cpus"}


@pytest.mark.parametrize("there", [NEAR, FAR])
def test_gpus_and_cpus_have_windows_of_their_own_and_neither_blocks_the_other(there):
    engine = ScriptedEngine(there=there)
    run(engine, *computed(20), *(stage("export", f"e{index}") for index in range(20)))
    assert (engine.most["gpu"], engine.most["light"]) == (2 + 1, 3 + 1)


def test_gpus_where_nothing_is_measured_compute_while_others_measure():
    engine = ScriptedEngine(there=FAR)
    run(engine, stage("measure", "m"), stage("export", "e"), *computed(3))
    assert set(engine.order[:4]) == {"m", "c0", "c1", "c2"}


@pytest.mark.parametrize("there", [NEAR, FAR])
@pytest.mark.parametrize("per_node", [1, 2])
def test_measurements_never_fly_beside_images_that_are_made_on_their_node(there, per_node):
    engine = ScriptedEngine(there=there)
    found = run(engine, *mixed(), *computed(8), settings=sharing(per_node))
    assert set(found.values()) == {None}
    assert len(found) == len(engine.order) == 26


def test_what_was_lost_is_tried_again_after_a_pause_that_grows_and_elsewhere():
    engine = ScriptedEngine({"e": ["lost", "lost", None]}, there=nodes(3))
    assert run(engine, stage("export", "e")) == {"e": None}
    assert engine.now >= sum(PAUSES_S[:2])
    assert len(set(engine.places_of)) == 3
    assert engine.written_down == ["e", "e"]


def test_a_node_that_dies_costs_its_stages_no_try():
    keys = [f"e{index}" for index in range(4)]
    engine = ScriptedEngine({key: ["lost"] * 5 + [None] for key in keys}, there=nodes(30), dies=keys)
    assert set(run(engine, *(stage("export", key) for key in keys)).values()) == {None}
    assert len(engine.there) == 30 - len(keys) * 5


def test_a_stage_that_every_node_dies_of_fails_in_the_end():
    engine = ScriptedEngine({"e": ["lost"]}, there=nodes(50), dies=["e"])
    assert run(engine, stage("export", "e")) == {"e": "lost"}
    assert len(engine.order) == DEATHS + 1


@pytest.mark.parametrize(
    ("endings", "last", "tries"),
    [
        (["killed", None], None, 2),
        (["killed", "killed"], "crash", 2),
        (["segfault"], "crash", 1),
        (["killed", "lost", "killed"], "crash", 3),
    ],
)
def test_a_kill_that_nobody_explains_is_forgiven_once(endings, last, tries):
    engine = ScriptedEngine({"e": endings})
    assert run(engine, stage("export", "e")) == {"e": last}
    assert len(engine.order) == tries


def test_a_disk_that_is_full_ends_the_run_before_the_next_stage_fails():
    engine = ScriptedEngine({"e0": ["full"]})
    with pytest.raises(EngineError, match=r"^no space is left on a disk \(said\): free some, and run it again$"):
        run(engine, *(stage("export", f"e{index}") for index in range(9)))
    assert len(engine.order) < 9


def test_a_node_whose_disk_is_full_is_left_for_another():
    engine = ScriptedEngine({"e": ["full", None]}, there=nodes(2))
    assert run(engine, stage("export", "e")) == {"e": None}
    assert len(set(engine.places_of)) == 2


def test_nodes_that_come_get_work_and_what_waits_is_told_to_the_engine():
    engine = ScriptedEngine(there=())
    engine.comes[30.0] = nodes(1)
    reports = []
    found = run(
        engine, *(stage("export", f"e{index}") for index in range(20)), report=lambda p: reports.append(p.waits)
    )
    assert set(found.values()) == {None}
    assert [f"e{index}" for index in range(WAITING)] in engine.wished
    assert engine.wished[-1] == []
    assert "waiting for a node that takes export label of e0" in reports
    assert reports[-1] == ""


def test_nodes_are_waited_for_so_long_and_then_nothing_is_written_off():
    engine = ScriptedEngine({"e0": ["lost"]}, dies=["e0"])
    with pytest.raises(EngineError, match=r"no node has come in 600 s that takes export label of e\d"):
        run(engine, stage("export", "e0"), stage("export", "e1"))
    assert PATIENCE_S < engine.now < PATIENCE_S + PAUSES_S[0] + 10


def test_a_stage_goes_where_its_inputs_were_made_if_there_is_room():
    engine = ScriptedEngine(there=nodes(4, cores=2))
    sets = [stage("synthesize", f"s{index}") for index in range(8)]
    run(engine, *sets, *(stage("quantize", f"q{index}", each) for index, each in enumerate(sets)))
    where = dict(zip(engine.order, engine.places_of, strict=True))
    assert sum(where[f"s{index}"] == where[f"q{index}"] for index in range(8)) >= 6


class Shelf:
    """A store in which an artefact is there, but for those that were set aside and are not made again yet."""

    def __init__(self, *gone):
        self.gone = set(gone)

    def present(self, uris):
        return set(uris) - self.gone


class Mender(ScriptedEngine):
    """Puts what it makes on a shelf; sets an artefact aside when a stage finds it damaged: key -> uris, a try each."""

    def __init__(self, shelf, finds, script=None):
        tries = {key: ["damaged"] * len(uris) + [None] for key, uris in finds.items()}
        super().__init__({**tries, **(script or {})})
        self.shelf, self.finds = shelf, {key: list(uris) for key, uris in finds.items()}

    def wait(self, timeout_s):
        found = super().wait(timeout_s)
        for outcome in found:
            if outcome.ok:
                self.shelf.gone.discard(outcome.uri)
            elif outcome.error_class == "damaged":
                self.shelf.gone |= self.finds[outcome.uri.partition("/")[2]].pop(0)
        return found


def chain():
    export = stage("export", "export")
    quantize = stage("quantize", "quantize", export)
    return export, quantize, stage("evaluate", "evaluate", quantize), stage("evaluate", "other", quantize)


@pytest.mark.parametrize("wanted", [None, ["evaluate/evaluate"]])
def test_an_input_that_turns_out_damaged_is_made_again_and_then_what_needs_it(wanted):
    shelf = Shelf()
    engine = Mender(shelf, {"evaluate": [{"quantize/quantize"}]})
    reports = []
    found = run(engine, *chain()[:3], wanted=wanted, store=shelf, report=lambda progress: reports.append(
        (progress.done.total(), progress.total.total())
    ))  # fmt: skip
    assert set(found.values()) == {None}
    before = ["export", "quantize"] if wanted is None else []
    assert engine.order == [*before, "evaluate", "quantize", "evaluate"]
    assert reports[-1] == (len(found), len(found))


def test_what_a_damaged_input_needs_is_made_again_too_where_it_is_gone():
    shelf = Shelf()
    engine = Mender(shelf, {"evaluate": [{"quantize/quantize", "export/export"}]})
    assert set(run(engine, *chain(), store=shelf).values()) == {None}
    assert engine.order == ["export", "quantize", "evaluate", "other", "export", "quantize", "evaluate"]


def test_two_that_find_the_same_input_damaged_have_it_made_again_once():
    shelf = Shelf()
    engine = Mender(shelf, {"evaluate": [{"quantize/quantize"}], "other": [{"quantize/quantize"}]})
    assert set(run(engine, *chain(), store=shelf).values()) == {None}
    assert engine.order == ["export", "quantize", "evaluate", "other", "quantize", "evaluate", "other"]


def test_an_input_that_is_there_again_needs_only_another_try():
    shelf = Shelf()
    engine = Mender(shelf, {"evaluate": [set()]})
    assert set(run(engine, *chain()[:3], store=shelf).values()) == {None}
    assert engine.order == ["export", "quantize", "evaluate", "evaluate"]


def test_what_needs_a_damaged_input_that_cannot_be_made_again_fails_with_it():
    shelf = Shelf()
    finds = {"evaluate": [{"quantize/quantize"}], "other": [{"quantize/quantize"}]}
    engine = Mender(shelf, finds, {"quantize": [None, "error"]})
    assert run(engine, *chain(), store=shelf) == {
        "export": None, "quantize": "error", "evaluate": "dep_failed", "other": "dep_failed",
    }  # fmt: skip


def test_a_stage_that_finds_a_failed_input_gone_fails_with_it():
    shelf = Shelf()
    finds = {"evaluate": [{"quantize/quantize"}], "other": [{"quantize/quantize"}]}
    engine = Mender(shelf, finds, {"quantize": [None, "error"], "other": ["lost", "damaged"]})
    found = run(engine, *chain(), store=shelf)
    assert (found["quantize"], found["evaluate"], found["other"]) == ("error", "dep_failed", "dep_failed")


def test_a_stage_whose_inputs_are_damaged_again_and_again_fails():
    shelf = Shelf()
    times = RETRIES["damaged"] + 1
    engine = Mender(shelf, {"evaluate": [{"quantize/quantize"}] * times}, {"evaluate": ["damaged"]})
    found = run(engine, *chain()[:3], store=shelf)
    assert found == {"export": None, "quantize": None, "evaluate": "damaged"}
    assert engine.order.count("evaluate") == times


class Others:
    """Claims of another driver: uri -> when it lets go of it."""

    def __init__(self, engine, **until):
        self.engine, self.until = engine, {f"export/{key}": when for key, when in until.items()}
        self.log = []

    def taken(self, uris):
        free = {uri for uri in uris if self.engine.now >= self.until.get(uri, 0.0)}
        self.log += [("take", uri) for uri in sorted(free)]
        return free

    def release(self, uri):
        self.log.append(("release", uri))


def test_what_another_driver_does_is_waited_for_and_done_when_it_is_there():
    engine, shelf, waits = ScriptedEngine(), Shelf("export/a"), []
    others = Others(engine, a=1e9)

    def report(progress):
        waits.append(progress.waits)
        if engine.now > 20:
            shelf.gone.clear()

    export = stage("export", "a")
    found = run(
        engine,
        export,
        stage("evaluate", "after", export),
        stage("export", "b"),
        store=shelf,
        claims=others,
        report=report,
    )
    assert found == {"a": None, "after": None, "b": None}
    assert engine.order == ["b", "after"]
    assert "waiting for another run, which does 1 of these stages" in waits
    assert others.log == [(what, uri) for uri in ("export/b", "evaluate/after") for what in ("take", "release")]


@pytest.mark.parametrize("stale", [(), ["export/a"]])
def test_what_another_driver_has_left_undone_is_taken_over(stale):
    engine, shelf = ScriptedEngine(), Shelf(*(["export/a"] if not stale else []))
    found = run(engine, stage("export", "a"), store=shelf, claims=Others(engine, a=30.0), stale=stale)
    assert found == {"a": None}
    assert engine.order == ["a"]
    assert engine.now >= 30.0


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
    data=st.data(), stages=dags(), per_node=st.integers(1, 3),
    there=st.lists(
        st.builds(
            Place, name=st.integers(0, 99).map(str), cores=st.integers(1, 3), gpus=st.integers(0, 1),
            measured=st.just((8,)),
        ),
        min_size=1, max_size=3, unique_by=lambda place: place.name,
    ),
)  # fmt: skip
def test_every_wanted_stage_ends_exactly_once_and_only_for_its_own_or_its_inputs_reason(data, stages, per_node, there):
    script = {each.key: data.draw(ENDINGS, label=each.key) for each in stages}
    wanted = [each.uri for each in stages if data.draw(st.booleans(), label=f"{each.key} wanted")]
    engine = ScriptedEngine(script, there=there)
    reports = []

    def report(progress):
        reports.append((progress.done.total(), progress.failed.total()))

    found = run(engine, *stages, wanted=wanted, settings=sharing(per_node), report=report)

    assert {f"{each.kind}/{each.key}" for each in stages if each.key in found} == set(wanted)
    assert reports[-1] == (sum(cause is None for cause in found.values()), sum(map(bool, found.values())))
    assert engine.most["light"] <= sum(place.cores + 1 for place in there)
    assert engine.most["exclusive"] <= len(there) * per_node
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
