"""A run while it goes on, as its driver's events and the store tell it: how far it is, and how little is read again."""

from collections import Counter

import pytest

from farm.campaign.watch import Watch
from farm.plan.state import State
from farm.results import events
from farm.results.events import Event, Journal, What
from farm.results.gather import gather
from farm.store import Store
from farm.store.attempts import Attempts
from tests.results.conftest import predicted, rounds, shard

PYTORCH, IR, INT8 = "resnet20/-/pytorch/CPU", "resnet20/-/ir/CPU", "resnet20/noise/default/CPU"


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """A remote file is written as often as anything is noted."""
    monkeypatch.setattr(events, "REWRITE_S", 0.0)
    monkeypatch.setattr(events, "REWRITE_SHARE", 1e9)


@pytest.fixture
def almost(bench):
    """A run that still has to quantize, and what needs that."""
    one = bench()
    one.all_done(PYTORCH, own_fps=50.0)
    one.all_done(IR)
    one.done(INT8, "calibration", files=[shard(100)])
    return one


@pytest.fixture
def read(monkeypatch):
    """How often the manifest and the attempts of each stage have been read."""
    counts = Counter()
    ways = (("manifest", Store, "manifest", Store.manifest), ("attempts", Attempts, "of", Attempts.of))
    for name, kind, method, before in ways:

        def counted(self, uri, *more, name=name, before=before):
            counts[name, uri] += 1
            return before(self, uri, *more)

        monkeypatch.setattr(kind, method, counted)
    return counts


@pytest.fixture
def journal(almost):
    """Of a run that goes on, whose stages are all that is missing."""
    journal = Journal(almost.folder)
    with journal.running([almost.cells[INT8][role] for role in ("quantize", "evaluate", "measure")]):
        yield journal


def note(journal, one, what, role="quantize", **changes):
    journal.note(Event(what=what, uri=one.cells[INT8][role], **changes))


def fail(journal, one, cause, what=What.ENDED, role="quantize"):
    one.tried(INT8, role, error_class=cause, error_message="no luck")
    note(journal, one, what, role, error_class=cause, text="no luck")


def test_a_run_without_events_is_not_watched(almost):
    assert Watch(almost.folder, almost.store).look() is None


def test_a_stage_is_running_from_when_it_is_handed_over_until_it_ends(almost, journal):
    watch, uri = Watch(almost.folder, almost.store), almost.cells[INT8]["quantize"]
    assert watch.look().states[uri] is State.WAITING
    note(journal, almost, What.SUBMITTED)
    note(journal, almost, What.WORDS, text="half way")
    now = watch.look()
    assert now.states[uri] is State.RUNNING
    assert now.words == ("quantize resnet20 noise default: half way",)
    almost.done(INT8, "quantize")
    note(journal, almost, What.ENDED)
    now = watch.look()
    assert (now.states[uri], now.words) == (State.DONE, ())
    assert Counter(now.states.values()) == {State.DONE: len(almost.plan.stages) - 2, State.WAITING: 2}


def test_a_failed_cell_may_be_tried_again_until_its_stage_has_ended(almost, journal):
    watch = Watch(almost.folder, almost.store)
    fail(journal, almost, "lost", What.RETRIED)
    now = watch.look()
    assert (now.run.records[-1].outcome, now.retried, now.end) == ("failed", {INT8}, "")
    fail(journal, almost, "error")
    now = watch.look()
    assert now.states[almost.cells[INT8]["quantize"]] is State.FAILED
    assert now.retried == frozenset()


def test_a_run_is_over_when_its_driver_says_so_whatever_is_missing(almost):
    watch = Watch(almost.folder, almost.store)
    with Journal(almost.folder).running([]):
        assert watch.look().end == ""
    assert watch.look().end == What.OVER


def test_a_run_that_has_not_changed_is_the_same_and_nothing_is_read_again(almost, journal, read):
    watch = Watch(almost.folder, almost.store)
    first = watch.look().run
    read.clear()
    assert watch.look().run is first
    note(journal, almost, What.WORDS, text="half way")
    assert not read
    fail(journal, almost, "oom")
    assert watch.look().run is not first
    alien = set(almost.cells[PYTORCH].values()) - set(almost.cells[INT8].values())
    assert alien
    assert not alien & {uri for _, uri in read}


def test_what_cannot_be_read_at_one_look_is_read_at_the_next(almost, journal, monkeypatch):
    watch = Watch(almost.folder, almost.store)
    watch.look()
    almost.done(INT8, "quantize")
    note(journal, almost, What.ENDED)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "present", lambda *_: (_ for _ in ()).throw(OSError("stale")))
        with pytest.raises(OSError, match="stale"):
            watch.look()
    assert watch.look().states[almost.cells[INT8]["quantize"]] is State.DONE


def test_what_was_read_in_parts_is_what_is_gathered(almost, journal):
    watch = Watch(almost.folder, almost.store)
    watch.look()
    almost.done(INT8, "quantize")
    note(journal, almost, What.ENDED)
    watch.look()
    almost.all_done(INT8, (1, 2, 3, 0))
    for role in ("evaluate", "measure"):
        note(journal, almost, What.ENDED, role)
    run = watch.look().run
    assert list(run.records) == gather(almost.folder, almost.store)
    assert run.records[-1].speedup_pytorch == pytest.approx(4.0)
    assert run.command == "farm run grid.yaml"


def test_an_artefact_that_is_made_again_is_read_anew(almost, journal):
    almost.all_done(INT8)
    watch = Watch(almost.folder, almost.store)
    assert watch.look().run.records[-1].outcome == "ok"
    almost.store.discard(almost.cells[INT8]["evaluate"])
    note(journal, almost, What.SUBMITTED, "evaluate")
    now = watch.look()
    assert now.run.records[-1].outcome == "pending"
    assert INT8 not in now.run.predictions
    almost.done(INT8, "evaluate", files=[predicted((0, 0, 0, 0))], facts={"top1": 0.0})
    note(journal, almost, What.ENDED, "evaluate")
    run = watch.look().run
    assert run.records[-1].top1 == 0.0
    assert list(run.predictions[INT8].prediction) == [0, 0, 0, 0]


def test_another_run_of_the_grid_is_watched_with_its_own_plan(almost, bench):
    watch = Watch(almost.folder, almost.store)
    with Journal(almost.folder).running([]):
        assert len(watch.look().run.records) == 3
    other = bench(baselines=["ir"])
    other.all_done(INT8, files=[rounds(1.0, 1.0)])
    with Journal(almost.folder).running([]):
        now = watch.look()
    assert (len(now.run.records), now.end) == (2, "")
