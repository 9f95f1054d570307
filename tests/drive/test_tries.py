"""What is tried again, how often, and after which pause."""

import signal

import pytest

from farm.drive.tries import DEATHS, PAUSES_S, Tries
from farm.record import RETRIES, Outcome

LOST = Outcome(uri="export/1", label="x", error_class="lost")
KILLED = Outcome(uri="export/1", label="x", error_class="crash", signal=signal.SIGKILL)


@pytest.mark.parametrize(("cause", "most"), [*RETRIES.items(), ("error", 0), ("crash", 0), ("timeout", 0)])
def test_a_cause_has_its_own_number_of_tries(cause, most):
    tries, outcome = Tries(), Outcome(uri="export/1", label="x", error_class=cause)
    assert [tries.again(outcome) for _ in range(most + 1)] == [True] * most + [False]
    assert tries.of("export/1", cause) == most + 1
    assert tries.of("export/2", cause) == 0


def test_the_death_of_a_node_is_no_try_of_its_stages():
    tries = Tries()
    assert [tries.again(LOST, died=True) for _ in range(DEATHS + 1)] == [True] * DEATHS + [False]
    assert tries.of(LOST.uri, "lost") == 0
    assert tries.again(LOST)


def test_a_kill_is_forgiven_once_and_no_crash():
    tries = Tries()
    assert [tries.again(KILLED) for _ in range(2)] == [True, False]
    assert tries.of(KILLED.uri, "crash") == 0


def test_pauses_grow_and_are_for_what_was_lost_alone():
    tries, pauses = Tries(), []
    for _ in range(5):
        pauses.append(tries.pause_s(LOST))
        tries.again(LOST)
    assert pauses == [*PAUSES_S, PAUSES_S[-1], PAUSES_S[-1]]
    assert tries.pause_s(KILLED) == 0.0
