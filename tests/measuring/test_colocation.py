"""Company: which round runs when and where. No round is measured."""

import os
import threading
import time
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from farm.host.topology import Core
from farm.measuring import colocation
from farm.measuring.rounds import RoundCrashed
from farm.plan import Effort
from tests.measuring.conftest import request_with
from tests.measuring.rows import heard
from tests.stages.test_measure import measurement

PARAMETERS = measurement(threads=3, min_seconds=0.5)
CORES = tuple(Core(node=0, cpus=(number, number + 8)) for number in range(5))
PATIENCE_S = 30


class House:
    """Rounds that measure nothing: 50 inferences where all have been asked twice meanwhile, 100 alone."""

    def __init__(self, neighbours):
        self.neighbours = neighbours
        self.changed = threading.Condition()
        self.masks = {}  # thread -> its mask
        self.requests = {}  # slot -> what it was asked last
        self.rounds = []  # of the first slot: how many rounds each neighbour has begun beside it
        self.beside = Counter()
        self.measuring = Counter()
        self.company = False
        self.leads = []
        self.fault = None

    def set_mask(self, _pid, cpus):
        self.masks[threading.get_ident()] = tuple(cpus)

    def begin(self, lead_s):
        """The head start: until everyone has begun."""
        self.leads.append(lead_s)
        self.company = True
        self.wait_for(lambda: len(self.beside) == self.neighbours)

    def wait_for(self, condition):
        with self.changed:
            assert self.changed.wait_for(lambda: self.fault or condition(), PATIENCE_S)

    def measure(self, request, scratch):
        slot = int(scratch.name)
        assert self.masks[threading.get_ident()] == request.cpus, "the mask is the round's own"
        with self.changed:
            self.measuring[slot] += 1
            assert self.measuring[slot] == 1, "one round at a time on a part of the cores"
            self.requests[slot] = request
            if slot:
                self.beside[slot] += 1
            self.changed.notify_all()
        try:
            return replace(self.first() if slot == 0 else self.neighbour(), cpus=request.cpus)
        finally:
            with self.changed:
                self.measuring[slot] -= 1

    def first(self):
        company, self.company = self.company, False
        if company:
            self.wait_for(lambda: all(self.beside[slot] >= 3 for slot in range(1, self.neighbours + 1)))
        else:
            assert self.measuring.total() == 1, "alone is alone: the company's last rounds have ended"
        self.rounds.append(dict(self.beside))
        self.beside.clear()
        return heard(50 if company else 100)

    def neighbour(self):
        if self.fault:
            raise self.fault
        time.sleep(0.001)
        return heard(1)


@pytest.fixture
def house(monkeypatch):
    found = House(neighbours=1)
    monkeypatch.setattr(colocation, "run_round", found.measure)
    monkeypatch.setattr(colocation, "rotating_images", lambda *_: np.zeros((1, 3, 32, 32), np.float32))
    monkeypatch.setattr(colocation, "os", SimpleNamespace(sched_setaffinity=found.set_mask))
    monkeypatch.setattr(colocation, "time", SimpleNamespace(sleep=found.begin, monotonic=time.monotonic))
    return found


def measured(tmp_path, per_node, said=None):
    return colocation.colocated(
        CORES,
        per_node,
        parameters=PARAMETERS,
        effort=Effort(pairs=(2, 2)),
        ir=tmp_path / "ir",
        folder=tmp_path,
        say=(said if said is not None else []).append,
    )


@pytest.mark.parametrize("per_node", [2, 3])
def test_the_company_runs_round_after_round_until_the_round_beside_it_has_answered(house, tmp_path, per_node):
    house.neighbours = per_node - 1
    said = []
    rounds = measured(tmp_path, per_node, said)
    assert rounds.pairs() == [(50.0, 100.0), (50.0, 100.0)]
    assert [one.variant for one in rounds.rounds] in (["cell", "ir", "ir", "cell"], ["ir", "cell", "cell", "ir"])
    assert [one.pair for one in rounds.rounds] == [0, 0, 1, 1]
    assert len(said) == 2
    assert len(house.rounds) == 4
    assert len(house.leads) == 2, "a head start for each round in company, none alone"
    assert all(0 <= lead_s <= 0.5 for lead_s in house.leads)


@pytest.mark.parametrize(
    ("per_node", "cpus"),
    [(2, [(0, 1, 8, 9), (2, 3, 10, 11)]), (5, [(0, 8), (1, 9), (2, 10), (3, 11), (4, 12)])],
)
def test_each_runs_on_an_equal_part_of_the_cores_with_a_thread_a_core(house, tmp_path, per_node, cpus):
    house.neighbours = per_node - 1
    rounds = measured(tmp_path, per_node)
    assert [house.requests[slot].cpus for slot in range(per_node)] == cpus
    assert {request.device.threads for request in house.requests.values()} == {len(CORES) // per_node}
    assert {one.cpus for one in rounds.rounds} == {cpus[0]}, "only the first one's rounds are kept"
    assert threading.get_ident() not in house.masks, "this thread's own mask stays"


def test_who_loses_its_company_was_not_measured_in_it(house, tmp_path):
    house.fault = RoundCrashed("openvino", 11)
    with pytest.raises(RoundCrashed, match="SIGSEGV"):
        measured(tmp_path, 2)


def test_the_mask_of_a_round_is_its_threads_own(monkeypatch):
    before = os.sched_getaffinity(0)
    seen = []
    monkeypatch.setattr(colocation, "run_round", lambda *_: seen.append(os.sched_getaffinity(0)) or {})
    one = {min(before)}
    thread = threading.Thread(target=colocation._round, args=((request_with(cpus=tuple(one)), None),))
    thread.start()
    thread.join()
    assert seen == [one]
    assert os.sched_getaffinity(0) == before
