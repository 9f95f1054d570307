"""What every engine must do with a stage, however the stage behaves."""

import os
import re
import threading
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from farm.axes import Device
from farm.engine import ProgressLine
from farm.errors import EngineError
from farm.host.lease import host_cores
from farm.host.topology import measurable
from farm.inputs import HashMemo, Input, place
from farm.inputs.ship import packed
from farm.store import names
from tests.conftest import evaluation
from tests.engine.conftest import heard_of, outcome_of, outcomes_of, submit


def test_a_fine_stage_leaves_its_artefact_and_its_attempt(engine, maker):
    work = maker.work("fine")
    outcome = outcome_of(engine, work)
    assert outcome.ok, outcome
    assert (maker.store.open(work.stage.uri) / "said.txt").read_text() == "hello"
    manifest = maker.store.manifest(work.stage.uri)
    assert manifest.facts["word"] == "hello"
    assert manifest.host.cores >= 1
    assert set(manifest.files) == {"said.txt"}
    assert maker.store.attempts.of(work.stage.uri) == (outcome,)
    assert "a line for the log" in Path(outcome.log).read_text()
    assert outcome.wall_s > 0
    assert outcome.peak_rss_mib > 1


def test_nothing_that_a_stage_does_is_reported_by_its_libraries(engine, maker):
    work = maker.work("converts")
    outcome = outcome_of(engine, work)
    assert outcome.ok, outcome
    assert maker.store.manifest(work.stage.uri).facts["forked"] == [], "they report from processes of their own"


def test_a_stage_reads_the_artefacts_that_it_needs(engine, maker):
    first = maker.work("fine")
    assert outcome_of(engine, first).ok
    second = maker.work("reads_its_input", inputs={"first": first.stage.uri})
    assert outcome_of(engine, second).ok
    assert (maker.store.open(second.stage.uri) / "said.txt").read_text() == "hello!"


SHIPPED = "def run(job):\n    (job.folder / 'said.txt').write_text(job.files['words'].read_text())\n    return {}\n"


def test_a_host_that_lacks_what_was_shipped_takes_it_from_the_store(engine, maker, tmp_path):
    module, words = tmp_path / "on_its_way.py", tmp_path / "words.txt"
    module.write_text(SHIPPED)
    words.write_text("hello")
    files = {
        "code": Input(role="code", path=str(tmp_path), beside=(str(module),), code=True, shipped=True),
        "words": Input(role="words", path=str(words), shipped=True),
    }
    files = {role: replace(file, sha256=HashMemo(None).content(Path(place(file)))) for role, file in files.items()}
    for file in files.values():
        maker.store.files.put(names.shipped(file.sha256), packed(file))
    module.unlink()
    words.write_text("another's")
    work = maker.work("fine")
    stage = replace(work.stage, files=files)
    outcome = outcome_of(engine, replace(work, stage=stage, function="on_its_way:run"))
    assert outcome.ok, outcome
    assert (maker.store.open(stage.uri) / "said.txt").read_text() == "hello"


def test_a_stage_done_again_replaces_its_artefact_when_it_has_ended_and_not_before(engine, maker):
    work = maker.work("fine")
    assert outcome_of(engine, work).ok
    before = maker.store.manifest(work.stage.uri)
    assert outcome_of(engine, replace(work, function="tests.engine.behaviour:raises", fresh=True)).error_class
    assert maker.store.manifest(work.stage.uri) == before
    assert outcome_of(engine, replace(work, fresh=True)).ok
    assert maker.store.manifest(work.stage.uri).facts["pid"] != before.facts["pid"]


def test_every_stage_has_a_fresh_process(engine, maker):
    works = [maker.work("fine") for _ in range(3)]
    for work in works:
        submit(engine, work)
    outcomes_of(engine, 3)
    pids = {maker.store.manifest(work.stage.uri).facts["pid"] for work in works}
    assert len(pids) == 3
    assert os.getpid() not in pids


def test_the_lease_is_the_mask_and_the_thread_count_of_the_process(engine, maker):
    work = maker.work("surroundings")
    assert outcome_of(engine, work).ok
    facts = maker.store.manifest(work.stage.uri).facts
    assert facts["mask"] == facts["cpus"]
    assert set(facts["mask"]) <= os.sched_getaffinity(0)
    assert facts["torch_threads"] == len(facts["cpus"])
    assert facts["threads"] == 1
    assert not facts["ray"], "a stage's process must not carry Ray"
    assert facts["niceness"] == os.nice(0), "a measurement must not give way to everything else"


FAILURES = [
    ("raises", "error", "DataError", "the <file> is not what it should be"),
    ("segfaults", "crash", "SIGSEGV", "signal 11"),
    ("leaves", "crash", "Exit", "exit code 7"),
    ("exits", "crash", "Exit", "left no result"),
    ("eats", "oom", "MemoryError", "needed more than 1.5 GiB"),
]


@pytest.mark.parametrize(("behaviour", "cause", "kind", "text"), FAILURES)
def test_a_bad_stage_is_a_failed_attempt_with_its_cause(engine, maker, behaviour, cause, kind, text):
    work = maker.work(behaviour, memory_gib=1.5)
    outcome = outcome_of(engine, work)
    assert (outcome.error_class, outcome.error_type) == (cause, kind)
    assert text in outcome.error_message
    assert not maker.store.has(work.stage.uri)
    assert [each.error_class for each in maker.store.attempts.of(work.stage.uri)] == [cause]
    assert outcome_of(engine, maker.work("fine")).ok, "the engine goes on"


def test_an_exception_in_a_users_own_code_says_where_it_was_raised(engine, maker):
    outcome = outcome_of(engine, maker.work("raises"))
    assert re.search(r"what it should be \(in behaviour\.py:\d+, raises\)$", outcome.error_message)


SPOKEN = ["first", "[red]50 %[/]", "  two\nlines\tin one  ", "", "\u00e9" * 5000, "first", "last"]
HEARD = ["first", "[red]50 %[/]", "two lines in one", "", "\u00e9" * 1000, "first", "last"]


def test_what_a_stage_says_arrives_in_order_before_its_outcome(engine, maker):
    work = maker.work("talks", stage={"lines": SPOKEN})
    *said, outcome = heard_of(engine, work)
    assert outcome.ok, outcome
    assert said == [ProgressLine(uri=work.stage.uri, text=text) for text in HEARD]
    assert maker.store.attempts.of(work.stage.uri) == (outcome,)
    assert SPOKEN[4] in Path(outcome.log).read_text(), "the log has all of it"


def test_a_stage_that_says_nothing_is_heard_of_once(engine, maker):
    [outcome] = heard_of(engine, maker.work("fine"))
    assert outcome.ok


def test_a_stage_that_fails_is_heard_until_then(engine, maker):
    said, outcome = heard_of(engine, maker.work("talks_and_raises"))
    assert said.text == "so far so good"
    assert outcome.error_class == "error"


def test_more_words_than_anybody_listens_to_neither_block_a_stage_nor_lose_its_outcome(engine, maker):
    count = 5000  # lines of 10 bytes and more: a pipe holds 64 KiB
    work = maker.work("chatters", stage={"count": count})
    *said, outcome = heard_of(engine, work)
    assert outcome.ok, outcome
    spoken = [f"line {number}" for number in range(count)]
    rest = iter(spoken)
    assert all(each.text in rest for each in said), "a line is torn, doubled or out of order"
    assert said[0].text == spoken[0]
    assert Path(outcome.log).read_text().splitlines() == spoken


def test_a_stage_that_never_stops_talking_ends_in_time_all_the_same(engine, maker):
    *said, outcome = heard_of(engine, maker.work("never_stops_talking", timeout_s=1.0))
    assert outcome.error_class == "timeout"
    assert {each.text for each in said} == {"still here"}
    assert outcome_of(engine, maker.work("fine")).ok, "the engine goes on"


def test_a_hanging_stage_is_ended_with_all_that_it_started(engine, maker, tmp_path):
    pid_file = tmp_path / "pid"
    outcome = outcome_of(engine, maker.work("hangs", stage={"pid_file": str(pid_file)}, timeout_s=3.0))
    assert outcome.error_class == "timeout"
    assert "settings.timeout_s.synthesize" in outcome.error_message
    assert_gone(int(pid_file.read_text()))


def test_a_second_try_is_a_second_attempt(engine, maker):
    work = maker.work("raises")
    numbers = [outcome_of(engine, work).attempt for _ in range(2)]
    assert numbers == [1, 2]
    fine = replace(work, function="tests.engine.behaviour:fine")
    assert outcome_of(engine, fine).attempt == 3
    assert [each.ok for each in maker.store.attempts.of(work.stage.uri)] == [False, False, True]


def test_a_store_that_cannot_take_the_artefact_fails_the_stage_alone(engine, maker):
    work = maker.work("fine")
    blocked = Path(maker.store.files.root) / "synthesize"
    blocked.parent.mkdir()
    blocked.write_text("a file where a folder should be")
    outcome = outcome_of(engine, work)
    assert outcome.error_class == "error"
    assert "synthesize" in outcome.error_message
    blocked.unlink()
    assert outcome_of(engine, work).ok


def test_more_threads_than_the_host_lends_are_refused_before_anything_runs(engine, maker):
    lent = len(host_cores())
    work = maker.work("fine", exclusive=True, cores=lent + 1)
    with pytest.raises(EngineError, match=f"{lent + 1} threads asked for, the largest node lends {lent}"):
        engine.preflight([work])


@pytest.mark.ray
def test_more_measurements_at_once_than_the_host_has_cores_for_are_refused(ray_engine, maker):
    lent = len(measurable(host_cores()))
    work = maker.work("fine", exclusive=True, cores=None, per_node=lent + 1)
    with pytest.raises(EngineError, match=f"1 threads asked for by each of {lent + 1}, the largest"):
        ray_engine.preflight([work])


def test_one_stage_after_another_is_no_place_for_measurements_at_once(inline_engine, maker):
    work = maker.work("fine", exclusive=True, cores=None, per_node=2)
    with pytest.raises(EngineError, match="--engine inline runs one measurement at a time: for per_node, take"):
        inline_engine.preflight([work])


@pytest.mark.ray
def test_measurements_that_share_a_node_have_each_its_part_of_the_cores(ray_engine, maker):
    engine, lent = ray_engine, len(measurable(host_cores()))
    works = [maker.work("surroundings", exclusive=True, cores=None, per_node=lent) for _ in range(lent)]
    engine.preflight(works)
    for work in works:
        submit(engine, work)
    assert all(outcome.ok for outcome in outcomes_of(engine, lent))
    for work in works:
        facts = maker.store.manifest(work.stage.uri).facts
        assert facts["mask"] == facts["cpus"]
        assert facts["torch_threads"] == 1


def test_devices_and_labels_that_no_host_has_are_refused_all_at_once(engine, maker):
    works = [
        maker.work("fine", stage=evaluation(Device(name="AUTO:NPU,CPU"))),
        maker.work("fine", node="no-such-label"),
    ]
    with pytest.raises(EngineError) as caught:
        engine.preflight(works)
    assert "no device 'NPU' on any node; OpenVINO sees CPU" in str(caught.value)
    assert "no node is labelled 'no-such-label'" in str(caught.value)


@pytest.mark.ray
def test_light_stages_and_measurements_never_overlap(ray_engine, maker):
    light = [maker.work("timed", stage={"seconds": 0.3}) for _ in range(6)]
    alone = [maker.work("timed", stage={"seconds": 0.3}, exclusive=True, cores=None) for _ in range(2)]
    for work in (*light[:3], alone[0], *light[3:], alone[1]):
        submit(ray_engine, work)
    assert all(outcome.ok for outcome in outcomes_of(ray_engine, 8))
    spans = {work.stage.uri: maker.store.manifest(work.stage.uri).facts for work in (*light, *alone)}
    for measurement in alone:
        own = spans.pop(measurement.stage.uri)
        for other in spans.values():
            assert own["to"] <= other["from"] or other["to"] <= own["from"]


@pytest.mark.ray
@pytest.mark.parametrize("count", [1, 2, 3, 7, 48, 63, 64])
def test_as_many_measurements_as_share_a_node_fit_on_it_and_not_one_more(maker, count):
    from farm.engine.ray.needs import BENCH_PARTS, bench_of

    parts = (
        bench_of(maker.work("fine", exclusive=True, per_node=count)) * BENCH_PARTS
    )  # Ray counts in these, and rounds
    assert parts == pytest.approx(round(parts), abs=1e-6)
    assert round(parts) * count <= BENCH_PARTS < round(parts) * (count + 1)


@pytest.mark.ray
def test_a_measurement_asks_for_its_share_and_a_light_stage_for_next_to_nothing(ray_engine, maker):
    from farm.engine.ray.needs import options

    def asked(**limits):
        [place] = ray_engine.places()
        return options(maker.work("fine", **limits), ray_engine.nodes.alive[place.name])["resources"]["bench"]

    assert [asked(exclusive=True, cores=None, per_node=count) for count in (1, 2, 3)] == [1.0, 0.5, 0.3333]
    assert asked() == asked(per_node=4) == 0.0001


@pytest.mark.ray
def test_measurements_that_share_a_node_run_beside_each_other_and_never_more_of_them(ray_engine, maker):
    lent = len(measurable(host_cores()))
    if lent < 2:
        pytest.skip("one core: nothing can share it")
    works = [maker.work("timed", stage={"seconds": 3.0}, exclusive=True, cores=1, per_node=2) for _ in range(4)]
    for work in works:
        submit(ray_engine, work)
    assert all(outcome.ok for outcome in outcomes_of(ray_engine, 4))
    spans = [maker.store.manifest(work.stage.uri).facts for work in works]
    beside = [sum(a["from"] <= b["from"] < a["to"] for a in spans) for b in spans]
    assert max(beside) == 2


@pytest.mark.ray
def test_a_measurement_waits_until_it_has_the_node(ray_engine, maker):
    """Whoever hands both to it: another run may."""
    light = maker.work("timed", stage={"seconds": 1.5})
    measured = maker.work("timed", stage={"seconds": 0.1}, exclusive=True, cores=None)
    for work in (light, measured):
        submit(ray_engine, work)
    assert all(outcome.ok for outcome in outcomes_of(ray_engine, 2))
    first, second = (maker.store.manifest(work.stage.uri).facts for work in (light, measured))
    assert first["to"] <= second["from"] or second["to"] <= first["from"]


@pytest.mark.ray
def test_a_killed_worker_is_a_lost_attempt_and_its_stage_dies_with_it(ray_engine, maker, tmp_path):
    pid_file = tmp_path / "pid"
    work = maker.work("hangs", stage={"pid_file": str(pid_file)})
    submit(ray_engine, work)
    wait_until(lambda: pid_file.exists() and pid_file.read_text())
    kill_ray_worker(work.stage.label)
    (outcome,) = outcomes_of(ray_engine, 1)
    assert outcome.error_class == "lost"
    assert maker.store.attempts.of(work.stage.uri) == (), "the driver judges it first"
    assert ray_engine.written(work, outcome).attempt == 1
    assert [each.error_class for each in maker.store.attempts.of(work.stage.uri)] == ["lost"]
    assert_gone(int(pid_file.read_text()))
    assert outcome_of(ray_engine, maker.work("fine")).ok


def kill_ray_worker(label):
    for process in psutil.Process().children(recursive=True):
        if label in " ".join(process.cmdline()):
            process.kill()
            return
    raise AssertionError(f"no Ray worker runs {label}")


def assert_gone(pid):
    """The process and all of its session: it led one."""
    wait_until(lambda: not any(_session(process.pid) == pid for process in psutil.process_iter()))


def _session(pid):
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def wait_until(condition, seconds=20.0):
    """Poll a condition that another process makes true."""
    turn = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        turn.wait(0.05)
    raise AssertionError("it did not happen in time")
