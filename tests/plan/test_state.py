"""One word for how far a stage is."""

import pytest

from farm.plan import Plan
from farm.plan.state import State, state_of, states
from farm.record import Outcome
from tests.conftest import stage

FINE = Outcome(uri="export/e", label="e")
FAILED = Outcome(uri="export/e", label="e", error_class="error")


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({"done": False}, State.WAITING),
        ({"done": False, "last": FINE}, State.WAITING),
        ({"done": False, "last": FAILED}, State.FAILED),
        ({"done": False, "last": FAILED, "missing": "no weights"}, State.MISSING_INPUT),
        ({"done": False, "last": FAILED, "running": True}, State.RUNNING),
        ({"done": False, "stale": True}, State.STALE),
        ({"done": False, "stale": True, "last": FAILED}, State.FAILED),
        ({"done": True}, State.DONE),
        ({"done": True, "last": FAILED}, State.DONE),
        ({"done": True, "missing": "the file is gone"}, State.DONE),
        ({"done": True, "stale": True}, State.STALE),
        ({"done": True, "stale": True, "last": FAILED}, State.STALE),
        ({"done": True, "stale": True, "missing": "the file is gone"}, State.MISSING_INPUT),
        ({"done": True, "stale": True, "running": True}, State.RUNNING),
    ],
)
def test_a_stage_has_one_state(facts, state):
    assert state_of(**facts) is state


def test_states_are_said_in_words():
    assert {state.shown for state in State} == {"done", "failed", "waiting", "running", "stale", "missing input"}


def test_what_needs_a_stage_that_lacks_a_file_lacks_it_too_unless_it_is_done_or_failed_before():
    first = stage("export", "first", missing="no weights")
    second, third, other = stage("quantize", "q", first), stage("evaluate", "done", first), stage("export", "other")
    last = stage("measure", "m", second)
    failed = stage("measure", "failed", second)
    plan = Plan(
        grid="g", dataset="d", cells=(), stages={each.uri: each for each in (first, second, third, other, last, failed)}
    )
    asked = []

    def last_of(uri):
        asked.append(uri)
        return FAILED if uri == failed.uri else None

    assert states(plan, plan.stages, present={third.uri}, last=last_of) == {
        first.uri: State.MISSING_INPUT, second.uri: State.MISSING_INPUT, third.uri: State.DONE,
        other.uri: State.WAITING, last.uri: State.MISSING_INPUT, failed.uri: State.FAILED,
    }  # fmt: skip
    assert set(asked) == {second.uri, other.uri, last.uri, failed.uri}, "what is done is not asked for"
    assert states(plan, {other.uri}, present=(), last=last_of) == {other.uri: State.WAITING}
