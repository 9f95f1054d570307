"""One word for how far a stage is."""

import pytest

from farm.plan import Plan
from farm.plan.state import State, state_of, states
from tests.conftest import stage


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({"done": False}, State.WAITING),
        ({"done": False, "failed": False}, State.WAITING),
        ({"done": False, "failed": True}, State.FAILED),
        ({"done": False, "failed": True, "missing": "no weights"}, State.MISSING_INPUT),
        ({"done": False, "failed": True, "running": True}, State.RUNNING),
        ({"done": False, "stale": True}, State.STALE),
        ({"done": False, "stale": True, "failed": True}, State.FAILED),
        ({"done": True}, State.DONE),
        ({"done": True, "failed": True}, State.DONE),
        ({"done": True, "missing": "the file is gone"}, State.DONE),
        ({"done": True, "stale": True}, State.STALE),
        ({"done": True, "stale": True, "failed": True}, State.STALE),
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

    def has_failed(uri):
        asked.append(uri)
        return uri == failed.uri

    assert states(plan, plan.stages, present={third.uri}, failed=has_failed) == {
        first.uri: State.MISSING_INPUT, second.uri: State.MISSING_INPUT, third.uri: State.DONE,
        other.uri: State.WAITING, last.uri: State.MISSING_INPUT, failed.uri: State.FAILED,
    }  # fmt: skip
    assert set(asked) == {second.uri, other.uri, last.uri, failed.uri}, "what is done is not asked for"
    assert states(plan, {other.uri}, present=(), failed=has_failed) == {other.uri: State.WAITING}
