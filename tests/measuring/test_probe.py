"""The probe: where it is timed, how long it takes, and what it leaves as it was."""

import os
import time
from types import SimpleNamespace

import pytest

from farm.measuring import probe
from farm.measuring.one_round import STRETCH_NS
from farm.measuring.probe import Probe


@pytest.fixture
def mask():
    before = os.sched_getaffinity(0)
    yield before
    os.sched_setaffinity(0, before)


def test_a_probe_is_timed_on_each_leased_cpu_in_order_and_this_thread_stays_where_it_was(mask, monkeypatch):
    where = []
    monkeypatch.setattr(Probe, "here", lambda _: where.append(os.sched_getaffinity(0)) or len(where))
    assert Probe(sorted(mask, reverse=True)).read() == tuple(range(1, len(mask) + 1))
    assert where == [{cpu} for cpu in sorted(mask)]
    assert os.sched_getaffinity(0) == mask


def test_who_probes_where_it_runs_goes_nowhere(monkeypatch):
    monkeypatch.setattr(os, "sched_setaffinity", None)
    assert Probe().here() > 0


def test_a_probe_of_no_cpu_reads_nothing(mask):
    assert Probe().read() == ()
    assert os.sched_getaffinity(0) == mask


def test_a_probe_that_cannot_go_on_leaves_this_thread_where_it_was(mask):
    nowhere = max(mask) + 10_000
    with pytest.raises(OSError, match="Invalid argument"):
        Probe([*mask, nowhere]).read()
    assert os.sched_getaffinity(0) == mask


def test_of_several_tries_the_fastest_counts(monkeypatch):
    taken = iter([700, 300, 500])
    now, odd = 0, False

    def clock():
        nonlocal now, odd
        odd = not odd
        now += 10_000 if odd else next(taken)
        return now

    monkeypatch.setattr(probe, "time", SimpleNamespace(perf_counter_ns=clock))
    assert Probe().here() == 300
    assert [*taken] == [], "of all"


def test_a_probe_takes_a_small_part_of_a_stretch():
    """By the shortest of many: other programs make some longer, none shorter."""
    one, whole = Probe(), []
    for _ in range(100):
        begun = time.perf_counter_ns()
        taken = one.here()
        whole.append(time.perf_counter_ns() - begun)
        assert 0 < taken < whole[-1]
    assert min(whole) < STRETCH_NS / 5
