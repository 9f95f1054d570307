"""A run while it goes on: when it is over, and how little of it is read again."""

from collections import Counter
from dataclasses import replace

import pytest

from farm.inputs import Input
from farm.results.gather import gather
from farm.results.live import Watch
from farm.store import Store
from tests.results.conftest import predicted, rounds, shard

PYTORCH, IR, INT8 = "resnet20/-/pytorch/CPU", "resnet20/-/ir/CPU", "resnet20/noise/default/CPU"
BEFORE, SINCE = "2000-01-01T00:00:00.000+00:00", "2999-01-01T00:00:00.000+00:00"  # the plan was written


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
    for name, before in (("manifest", Store.manifest), ("attempts", Store.attempts)):

        def counted(self, uri, name=name, before=before):
            counts[name, uri] += 1
            return before(self, uri)

        monkeypatch.setattr(Store, name, counted)
    return counts


def fail(one, cause, *, at=SINCE, role="quantize"):
    one.tried(INT8, role, error_class=cause, error_message="no luck", finished_at=at)


def watch(one):
    return Watch(one.folder, one.store)


@pytest.mark.parametrize(
    ("causes", "over"),
    [
        ((), False),
        (("error",), True),
        (("timeout",), True),
        (("oom",), False),
        (("oom", "oom"), True),
        (("lost",) * 3, False),
        (("lost",) * 4, True),
        (("lost", "lost", "lost", "oom"), False),
        (("oom", "lost", "oom"), True),
    ],
)
def test_a_failure_ends_a_cell_once_it_is_not_tried_again(almost, causes, over):
    for cause in causes:
        fail(almost, cause)
    assert watch(almost).look().over is over


def test_a_failure_of_an_earlier_run_ends_nothing(almost):
    fail(almost, "error", at=BEFORE)
    fail(almost, "oom", at=BEFORE)
    looking = watch(almost)
    assert not looking.look().over
    fail(almost, "oom")
    assert not looking.look().over
    fail(almost, "error")
    assert looking.look().over


def test_a_storage_that_tells_no_time_counts_every_failure(almost, monkeypatch):
    fail(almost, "error", at=BEFORE)

    def unknown(path):
        raise NotImplementedError(path)

    monkeypatch.setattr(almost.folder.fs, "modified", unknown, raising=False)
    assert watch(almost).look().over


def test_a_cell_that_failed_ends_with_what_else_is_done_for_it(almost):
    almost.done(INT8, "quantize")
    fail(almost, "error", role="evaluate")
    looking = watch(almost)
    assert not looking.look().over
    almost.done(INT8, "measure", files=[rounds(200.0, 100.0)])
    stand = looking.look()
    assert stand.over
    assert stand.ended == {PYTORCH, IR, INT8}


def test_a_cell_that_lacks_an_input_file_has_ended(almost):
    lacking = {"weights": Input(role="weights", missing="there is no w.safetensors")}
    stage = replace(almost.plan.stages[almost.cells[INT8]["quantize"]], files=lacking)
    almost.folder.write_plan(replace(almost.plan, stages={**almost.plan.stages, stage.uri: stage}))
    assert watch(almost).look().over


def test_a_cell_that_is_ok_is_not_read_again(almost, read):
    looking = watch(almost)
    looking.look()
    read.clear()
    looking.look()
    own = set(almost.cells[PYTORCH].values()) - set(almost.cells[INT8].values())
    assert own
    assert not own & {uri for _, uri in read}
    almost.all_done(INT8)
    assert looking.look().over
    read.clear()
    looking.look()
    assert not read


def test_what_was_read_in_parts_is_what_is_gathered(almost):
    looking = watch(almost)
    looking.look()
    almost.all_done(INT8, (1, 2, 3, 0))
    stand = looking.look()
    assert list(stand.run.records) == gather(almost.folder, almost.store)
    assert stand.run.records[-1].speedup_pytorch == pytest.approx(4.0)


def test_a_run_that_has_not_changed_is_the_same(almost):
    looking = watch(almost)
    first = looking.look().run
    assert looking.look().run is first
    fail(almost, "oom")
    assert looking.look().run is not first


def test_an_artefact_that_is_discarded_is_read_anew(almost):
    almost.all_done(INT8)
    looking = watch(almost)
    before = looking.look()
    assert before.over
    almost.store.discard(almost.cells[INT8]["evaluate"])
    assert not looking.look().over
    almost.done(INT8, "evaluate", files=[predicted((0, 0, 0, 0))], facts={"top1": 0.0})
    after = looking.look()
    assert after.over
    assert after.run.records[-1].top1 == 0.0
    assert list(after.run.predictions[INT8].prediction) == [0, 0, 0, 0]
