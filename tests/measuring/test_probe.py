"""The probe: where it is timed, and what it leaves as it was."""

import os
from types import SimpleNamespace

import pytest

from farm.measuring import probe
from farm.measuring.probe import PRODUCTS, TRIES, Probe


@pytest.fixture
def mask():
    before = os.sched_getaffinity(0)
    yield before
    os.sched_setaffinity(0, before)


def test_a_probe_is_timed_on_each_leased_cpu_in_order_and_this_thread_stays_where_it_was(mask, monkeypatch):
    where = []
    monkeypatch.setattr(Probe, "_timed", lambda _: where.append(os.sched_getaffinity(0)) or len(where))
    assert Probe(sorted(mask, reverse=True)).read() == tuple(range(1, len(mask) + 1))
    assert where == [{cpu} for cpu in sorted(mask)]
    assert os.sched_getaffinity(0) == mask


def test_who_is_on_the_only_leased_cpu_goes_nowhere(mask, monkeypatch):
    os.sched_setaffinity(0, {min(mask)})
    monkeypatch.setattr(os, "sched_setaffinity", None)
    assert len(Probe([min(mask)]).read()) == 1


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

    products = []
    monkeypatch.setattr(probe, "time", SimpleNamespace(perf_counter_ns=clock))
    monkeypatch.setattr(probe.np, "matmul", lambda *_, out: products.append(out))
    assert Probe([0])._timed() == 300
    assert len(products) == 1 + TRIES * PRODUCTS, "one that is not timed"


def test_a_probe_takes_a_time_that_a_turn_hardly_notices():
    cpus = sorted(os.sched_getaffinity(0))
    readings = [Probe(cpus).read() for _ in range(20)]
    assert all(len(reading) == len(cpus) for reading in readings)
    assert 0 < min(map(min, readings)) < 1_000_000
