"""The live table of `farm show --watch`, looks made by hand."""

from dataclasses import replace

import pytest

from farm.analysis.rows import rows
from farm.cli import showing, watching
from farm.results.folder import Folder
from farm.results.live import Status
from tests.runs import record, run

IR, NOISE = record(), record("noise")
ALL = frozenset({IR.cell, NOISE.cell})


def stand(found, ended=frozenset()):
    return Status(run=found, done=3, stages=6, ended=ended)


@pytest.fixture
def looks(monkeypatch):
    """Has --watch see these stands, one after another; the runs that it judged."""

    def seen(*stands):
        judged = []
        following = iter(stands)

        class Watched:
            def __init__(self, folder, store):
                pass

            def look(self):
                return next(following)

        monkeypatch.setattr(watching, "Watch", Watched)
        monkeypatch.setattr(watching, "_store_beside", lambda _: None)
        monkeypatch.setattr(watching, "rows", lambda found: judged.append(found.name) or rows(found))
        view = showing.view([], None, "cells", None)
        assert watching.watched(Folder("memory://small"), view, 0.0) == 0
        return judged

    return seen


def test_a_run_is_judged_again_only_when_it_has_changed(looks):
    first, last = run({IR: [1]}), run({IR: [1], NOISE: [1, 2]})
    once = looks(stand(first), stand(last, ALL))
    assert once
    assert looks(*[stand(first)] * 6, stand(last, ALL)) == once


@pytest.mark.parametrize(
    ("ended", "text"),
    [
        ({IR.cell}, "small: 3 of 6 stages done; 1 of 2 cells ok, 1 failed and may be tried again"),
        (ALL, "small: 3 of 6 stages done; 1 of 2 cells ok, 1 failed"),
    ],
)
def test_a_failure_that_may_be_tried_again_is_told_from_one_for_good(ended, text):
    found = run({IR: [1]})
    broken = replace(NOISE, outcome="failed", error_class="oom", error_message="4 GiB")
    found = replace(found, records=(*found.records, broken))
    assert watching._progress(stand(found, frozenset(ended))) == text
