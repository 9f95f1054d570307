"""The live table of `farm show --watch`, looks made by hand; and one of a whole run."""

from dataclasses import replace

import pytest

from farm.analysis.analysis import analyse
from farm.campaign.watch import Standing
from farm.cli import views, watch
from farm.plan.state import State
from farm.results.folder import Folder
from tests.runs import record, run

IR, NOISE = record(), record("noise")
STATES = {f"export/{index}": State.DONE if index < 3 else State.WAITING for index in range(6)}


def standing(found, end="", retried=(), words=(), **states):
    return Standing(run=found, states={**STATES, **states}, words=words, retried=frozenset(retried), end=end)


@pytest.fixture
def looks(monkeypatch):
    """Has --watch see these standings, one after another; the runs that it judged."""

    def seen(*standings):
        judged = []
        following = iter(standings)

        class Watched:
            def __init__(self, folder, store):
                pass

            def look(self):
                return next(following)

        monkeypatch.setattr(watch, "Watch", Watched)
        monkeypatch.setattr(watch, "store_beside", lambda _: None)
        monkeypatch.setattr(watch, "analyse", lambda found: judged.append(found.name) or analyse(found))
        view = views.view([], None, "cells", None)
        assert watch.watch(Folder("memory://small"), view, 0.0) == 0
        return judged

    return seen


def test_a_run_is_judged_again_only_when_it_has_changed(looks):
    first, last = run({IR: [1]}), run({IR: [1], NOISE: [1, 2]})
    once = looks(standing(first), standing(last, "over"))
    assert once
    assert looks(*[standing(first)] * 6, standing(last, "over")) == once


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"retried": [NOISE.cell]}, "3 of 6 stages done; 1 of 2 cells ok, 1 failed and may be tried again"),
        ({}, "3 of 6 stages done; 1 of 2 cells ok, 1 failed"),
        ({"export/5": State.RUNNING, "words": ["export tiny"]}, "3 of 6 stages done, 1 running; 1 of 2 cells ok, 1 fa"),
        (
            {"words": ["measure tiny: pair 3"]},
            "3 of 6 stages done; 1 of 2 cells ok, 1 failed\n    measure tiny: pair 3",
        ),
        (
            {"end": "interrupted"},
            "3 of 6 stages done; 1 of 2 cells ok, 1 failed; interrupted: farm run goes on from here",
        ),
    ],
)
def test_how_far_a_run_is_stands_in_a_line_and_what_its_stages_say_below(facts, text):
    found = run({IR: [1]})
    broken = replace(NOISE, outcome="failed", error_class="oom", error_message="4 GiB")
    found = replace(found, records=(*found.records, broken))
    assert watch._progress(standing(found, **facts)).startswith(f"small: {text}")


def test_a_run_that_left_no_events_is_shown_as_it_was_gathered(ran):
    said = ran.farm("show", "--watch")
    assert "quick: 7 of 7 stages done; 2 of 2 cells ok\n" in said
    (ran.folder / "results" / "quick" / "events.jsonl").unlink()
    said = ran.farm("show", "--watch")
    assert "events.jsonl tells of no run, so none can be watched: this is what was gathered\n" in said
    assert "noise" in said
