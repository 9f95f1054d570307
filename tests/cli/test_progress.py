"""Progress: a live table on a terminal, plain lines elsewhere, nothing if quiet."""

from collections import Counter
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from farm.cli.progress import clock_text, gathering, left_s, live_table, reporting
from farm.drive import Progress
from farm.engine import ProgressLine
from farm.record import Outcome

TOTAL = Counter(export=2, measure=1)
FINE = Outcome(uri="export/1", label="resnet20", wall_s=1.24)
FAILED = Outcome(uri="measure/2", label="[red]x", error_class="crash", error_message="ended by signal 11")


def said(progresses, *, terminal=False, quiet=False, alone=False, clock=None):
    text = StringIO()
    console = Console(file=text, force_terminal=terminal, width=100, get_time=clock)
    with reporting(console, quiet=quiet, alone=alone) as report:
        for progress in progresses:
            report(progress)
    return text.getvalue()


def run():
    yield Progress(total=TOTAL, each_s={"export": 4.0})
    yield Progress(total=TOTAL, flying=Counter(export=1))
    yield Progress(total=TOTAL, done=Counter(export=1), last=FINE)
    yield Progress(total=TOTAL, done=Counter(export=1), last=FINE)
    yield Progress(total=TOTAL, done=Counter(export=1), failed=Counter(measure=1), last=FAILED)


def test_a_pipe_gets_a_line_for_each_stage_that_ended():
    assert said(run()).splitlines() == [
        "[1/3] export resnet20: 1.2 s",
        "[2/3] measure [red]x: crash: ended by signal 11",
    ]


def talking():
    progress = Progress(total=TOTAL, flying=Counter(export=1))
    yield progress
    for text in ("epoch 1", "epoch 1", "[red]50 %[/] :100:"):
        progress.words["export/1"] = ("[b]x", text)
        progress.last = ProgressLine(uri="export/1", text=text)
        yield progress
        yield progress  # a tick
    del progress.words["export/1"]
    progress.last, progress.done, progress.flying = FINE, Counter(export=1), Counter()
    yield progress
    yield progress


def test_a_pipe_gets_a_line_for_each_word_of_a_stage_once_as_it_stands():
    assert said(talking()).splitlines() == [
        "    export [b]x: epoch 1",
        "    export [b]x: epoch 1",
        "    export [b]x: [red]50 %[/] :100:",
        "[1/3] export resnet20: 1.2 s",
    ]


DUE = (900, 1900, 2900, 3900)


def counted(*, terminal=False, quiet=False):
    """What is said while 4,000 cells are gathered, a hundred between two looks at a clock that is a second on then."""
    text, ticks = StringIO(), iter(range(1000))
    console = Console(file=text, force_terminal=terminal, width=100)
    with gathering(console, quiet=quiet, clock=lambda: float(next(ticks))) as report:
        for done in range(0, 4001, 100):
            report(done, 4000)
    return text.getvalue()


def test_while_cells_are_gathered_a_pipe_gets_a_line_now_and_then_and_a_terminal_a_bar():
    assert counted().splitlines() == [f"gathered {done:,} of 4,000 cells" for done in DUE]
    assert "4000/4000" in counted(terminal=True)
    assert counted(quiet=True) == counted(quiet=True, terminal=True) == ""


def test_of_a_stage_alone_a_pipe_gets_its_words_and_a_terminal_the_last_of_them():
    assert said(talking(), alone=True).splitlines() == ["epoch 1", "epoch 1", "[red]50 %[/] :100:"]
    text = said(talking(), alone=True, terminal=True)
    assert "0:00 elapsed: [red]50 %[/] :100:" in text
    assert "to go" not in text


def test_a_stage_alone_that_tells_how_far_it_is_has_a_bar_with_the_time_to_go():
    now = 0.0

    def working():
        nonlocal now
        for now in (0.0, 10.0, 20.0):
            yield Progress(total=TOTAL, last=ProgressLine(uri="files/1", text=f"{now:.0f} made", share=now / 80))

    text = said(working(), alone=True, terminal=True, clock=lambda: now)
    assert "0:20 elapsed, about 1:00 to go: 20 made" in text
    assert "in flight" not in text


def test_a_failure_is_told_as_it_stands():
    failed = replace(FAILED, error_message="grid.yaml:100: no [layer] of [/this] name")
    ended = Progress(total=TOTAL, failed=Counter(measure=1), last=failed)
    assert said([ended]) == "[1/3] measure [red]x: crash: grid.yaml:100: no [layer] of [/this] name\n"


def test_long_waiting_for_cores_is_told_and_short_is_not():
    lines = said(
        Progress(total=TOTAL, done=Counter(export=count), last=replace(FINE, waited_s=waited_s))
        for count, waited_s in ((1, 1.9), (2, 61.0))
    ).splitlines()
    assert lines == [
        "[1/3] export resnet20: 1.2 s",
        "[2/3] export resnet20: 1.2 s (after waiting 61 s for cores that others held)",
    ]


def test_the_table_shows_the_last_words_of_each_stage_that_runs_as_they_stand():
    last_words = {"export/1": ("[b]x", "[red]50 %[/] :100:"), "measure/2": ("y", "pair 3 of 8 [/]")}
    flying, each_s = Counter(export=1, measure=1), {"export": 4.0, "measure": 24.0}
    progress = Progress(total=TOTAL, flying=flying, failed=Counter(export=1), words=last_words, each_s=each_s)
    assert rows(progress, 5.0) == [
        "stage done in flight failed to do of",
        "export 0 1 1 0 2",
        "measure 0 1 0 0 1",
        "0:05 elapsed, about 0:28 to go",
        "export [b]x: [red]50 %[/] :100:",
        "measure y: pair 3 of 8 [/]",
    ]


def test_stages_that_do_not_tell_how_far_they_are_are_named_after_those_that_do():
    silent = {f"quantize/{number}": (f"q{number}", "") for number in range(5)}
    words = {**silent, "measure/2": ("y", "pair 3")}
    progress = Progress(total=Counter(quantize=5, measure=1), flying=Counter(quantize=5, measure=1), words=words)
    assert rows(progress, 5.0)[-6:] == [
        "0:05 elapsed, no estimate yet", "measure y: pair 3", "quantize q0", "quantize q1", "quantize q2",
        "and 2 more, running or next",
    ]  # fmt: skip


def test_the_rest_takes_as_long_as_what_is_done_of_its_kind_and_so_many_at_once():
    total, each_s = Counter(export=5, quantize=2, measure=3), {"export": 4.0, "quantize": 10.0, "measure": 24.0}
    progress = Progress(total=total, each_s=each_s, lanes={"export": 2, "quantize": 2, "measure": 1})
    assert left_s(progress) == 5 * 4 / 2 + 2 * 10 / 2 + 3 * 24
    progress.done, progress.failed = Counter(export=2), Counter(export=1)
    progress.spent_s["export"] = 20.0
    assert left_s(progress) == 2 * 10 / 2 + 2 * 10 / 2 + 3 * 24
    progress.done, progress.failed = Counter(export=4, quantize=2, measure=3), Counter(export=1)
    assert left_s(progress) == 0


def test_quiet_says_nothing():
    assert said(run(), quiet=True) == ""
    assert said(talking(), quiet=True) == ""
    assert said(run(), quiet=True, terminal=True) == ""


def test_a_terminal_gets_a_table():
    text = said(run(), terminal=True)
    assert "in flight" in text
    assert "to go" in text


def rows(progress, elapsed_s):
    text = StringIO()
    Console(file=text, width=100).print(live_table(progress, elapsed_s))
    return [" ".join(line.split()) for line in text.getvalue().splitlines()]


def test_the_table_counts_each_kind_and_says_elapsed_time_and_time_to_go():
    progress = Progress(total=TOTAL, done=Counter(export=1), flying=Counter(measure=1), each_s={"measure": 100.0})
    progress.spent_s["export"] = 20.0
    assert rows(progress, 60.0) == [
        "stage done in flight failed to do of",
        "export 1 0 0 1 2",
        "measure 0 1 0 0 1",
        "1:00 elapsed, about 2:00 to go",
    ]


def test_where_nothing_is_known_there_is_no_estimate():
    assert rows(Progress(total=TOTAL), 5.0)[-1] == "0:05 elapsed, no estimate yet"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.9, "0:59"), (125, "2:05"), (3723, "1:02:03"), (90000, "25:00:00")]
)
def test_time_reads_like_a_clock(seconds, text):
    assert clock_text(seconds) == text
