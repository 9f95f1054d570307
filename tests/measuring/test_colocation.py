"""Company: what is asked of whom, and on which cores; who has a turn when is tested with `Conductor`."""

import os
from dataclasses import replace

import numpy as np
import pytest

from farm.host.topology import Core
from farm.measuring import colocation
from farm.measuring.pairing import CELL, PARTNER
from farm.measuring.turns import Conductor
from farm.plan import Effort
from tests.measuring.rows import heard
from tests.stages.test_measure import measurement

CORES = tuple(Core(node=0, cpus=(number, number + 8)) for number in range(5))


def colocated(folder, per_node, *, cores=CORES, pairs=2, said=None, **changes):
    return colocation.colocated(
        cores,
        per_node,
        parameters=measurement(threads=3, **changes),
        effort=Effort(pairs=(pairs, pairs)),
        ir=folder,
        folder=folder,
        say=(said if said is not None else []).append,
    )


@pytest.fixture
def conductors(monkeypatch):
    """Those that were to measure a pair, and how much longer; in company the cell is half as fast."""
    found = []

    def pair(self, longer):
        found.append((self, longer))
        return [replace(heard(fps), variant=variant) for variant, fps in ((CELL, 50), (PARTNER, 100))]

    monkeypatch.setattr(Conductor, "pair", pair)
    monkeypatch.setattr(colocation, "rotating_images", lambda *_: np.zeros((1, 3, 32, 32), np.float32))
    return found


def test_a_pair_is_the_same_round_in_company_and_alone(conductors, tmp_path):
    said = []
    rounds = colocated(tmp_path, 2, said=said, min_seconds=0.5)
    assert rounds.pairs() == [(50.0, 100.0)] * 2
    assert len(said) == 2
    conductor, longer = conductors[0]
    assert conductor.requests[CELL] == conductor.requests[PARTNER]
    assert conductor.requests[CELL].asked["INFERENCE_PRECISION_HINT"] == "f32"
    assert (longer, conductor.seconds, conductor.inferences) == (1.0, 0.5, 30)


@pytest.mark.parametrize(
    ("per_node", "cpus"),
    [(2, [(0, 1, 8, 9), (2, 3, 10, 11)]), (5, [(0, 8), (1, 9), (2, 10), (3, 11), (4, 12)])],
)
def test_each_runs_on_an_equal_part_of_the_cores_with_a_thread_a_core(conductors, tmp_path, per_node, cpus):
    colocated(tmp_path, per_node)
    conductor, _ = conductors[0]
    asked = [conductor.requests[CELL], *conductor.company]
    assert [request.cpus for request in asked] == cpus
    assert {request.device.threads for request in asked} == {len(CORES) // per_node}
    assert conductor.probe.cpus == cpus[0], "only the first one's turns are kept"


@pytest.mark.usefixtures("undisturbed")
def test_rounds_in_company_are_measured_and_this_process_keeps_its_cpus(tmp_path, small):
    mask = os.sched_getaffinity(0)
    cores = [Core(node=0, cpus=(cpu,)) for cpu in sorted(mask)[:2]]
    if len(cores) < 2:
        pytest.skip("company needs a core of its own")
    (tmp_path / "model.xml").symlink_to(small / "model.xml")
    (tmp_path / "model.bin").symlink_to(small / "model.bin")
    rounds = colocated(tmp_path, 2, cores=cores, pairs=1).rounds
    assert {one.cpus for one in rounds} == {cores[0].cpus}
    assert sorted(one.variant for one in rounds) == [CELL, PARTNER]
    assert os.sched_getaffinity(0) == mask
