"""A comparison in words: each sentence, the table and the Markdown."""

from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from farm.analysis.changes import Tolerance
from farm.analysis.comparison import compare
from farm.report import comparison
from farm.stats.shares import Disagreement, tango
from tests.compared import NOISE, REAL, compared, fast
from tests.runs import N, predicted, record, run


def shown(table):
    console = Console(width=160)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def test_a_loss_is_told_with_its_interval_and_its_images():
    found = compared({REAL: range(10)}, {REAL: range(5, 40)})
    (line,) = comparison.regressions(found)
    assert line.startswith("resnet20/real/default/CPU lost 0.0250: 0.9900 in A, 0.9650 in B (95 %: 0.0")
    assert line.endswith("30 of 1000 images lost, 5 won), more than 0.005")
    assert comparison.conclusion(found) == "1 cell of 1 got worse; judged: 1 by accuracy, 0 by speed"


def test_a_loss_without_predictions_says_so():
    first, second = run({REAL: range(10)}), run({REAL: range(100)})
    found = compare(replace(first, predictions={}), second, Tolerance())
    assert "unpaired), more than 0.005" in comparison.regressions(found)[0]
    assert any("independent shares, where small drops do not show" in line for line in comparison.notes(found))


def test_a_loss_of_scores_counts_its_images():
    said = [replace(predicted(), score=np.linspace(0, 1, N, dtype=np.float32) - less) for less in (0, 0.25)]
    cells = [replace(REAL, metric="my:metric", top1=None, score=0.5 - less, n_images=N) for less in (0, 0.25)]
    runs = [replace(run({}), records=(c,), predictions={c.cell: each}) for c, each in zip(cells, said, strict=True)]
    (line,) = comparison.regressions(compare(*runs, Tolerance()))
    assert "lost 0.2500: 0.5000 in A, 0.2500 in B (95 %: 0.249" in line
    assert line.endswith("1000 images, paired), more than 0.005")


def test_a_ratio_without_interval_is_shown_as_it_is():
    old = fast(2.5, speedup_ir_low=None, speedup_ir_high=None)
    row = shown(comparison.table(compared({old: ()}, {fast(2.0): ()}))).splitlines()[1].split()
    assert row[4:] == ["alike", "0.80", "-", "0.80", "1.25", "-"]


def test_a_slowdown_is_told_with_its_interval_and_beside_fps():
    (line,) = comparison.regressions(compared({fast(2.5): ()}, {fast(2.0): ()}))
    assert line == (
        "resnet20/real/default/CPU is slower by 20.0%: 2.50 x IR in A, 2.00 in B "
        "(99 %: 18.9% to 21.1%; FPS 0.80 of A's), more than 5.0%"
    )


def test_a_cell_that_fails_now_says_why():
    broken = replace(REAL, outcome="failed", error_class="oom", error_message="quantize x: 4 GiB")
    (line,) = comparison.regressions(compared({REAL: ()}, {broken: ()}))
    assert line == "resnet20/real/default/CPU, fine in A, failed: oom: quantize x: 4 GiB in B"


@pytest.mark.parametrize(
    ("before", "after", "tolerance", "line"),
    [
        (fast(2.5), fast(2.0, verdict="noisy"), {}, "speed not judged, so it fails no comparison: noisy in B: {cell}"),
        (
            fast(2.5), fast(2.5, host="beta"), {},
            "FPS and p50 of different hosts are not compared (--across-hosts shows them): {cell}",
        ),
        (fast(2.5), fast(2.5, host="beta"), {}, "host: A alpha; B beta"),
        (
            fast(2.5), fast(2.5, host="beta"), {"across_hosts": True},
            "warning: FPS, p50 and x IR compare different hosts: {cell}",
        ),
        (
            fast(2.5), fast(2.4), {},
            "undecided: a change of speed of more than 5.0% is neither shown nor ruled out: {cell}",
        ),
        (replace(REAL, outcome="failed"), REAL, {}, "failed in A, fine in B: {cell}"),
    ],
)  # fmt: skip
def test_what_else_must_be_known_is_said(before, after, tolerance, line):
    found = compared({before: ()}, {after: ()}, **tolerance)
    assert line.format(cell=REAL.cell) in comparison.notes(found)


def test_an_undecided_accuracy_is_said():
    found = compared({REAL: range(10)}, {REAL: range(3, 20)})
    text = (
        "undecided: a change of accuracy of more than 0.005 is neither shown nor ruled out: resnet20/real/default/CPU"
    )
    assert text in comparison.notes(found)


def test_long_lists_of_cells_are_counted():
    many = {record("real", seed=seed): () for seed in range(5)}
    found = compared({**many, NOISE: ()}, {NOISE: ()})
    notes = comparison.notes(found)
    cells = "resnet20/real/default/CPU, resnet20/real{seed=1}/default/CPU, resnet20/real{seed=2}/default/CPU and 2 more"
    assert f"only in A: {cells}" in notes
    assert comparison.conclusion(found).endswith("; B lacks 5 cells of A")


def test_a_run_beside_itself_is_told_from_two_runs_that_agree():
    assert "A and B are the same results" in comparison.notes(compare(run({REAL: ()}), run({REAL: ()}), Tolerance()))
    assert "A and B are the same results" not in comparison.notes(compared({REAL: ()}, {REAL: ()}))


def test_the_table_shows_both_words_and_the_ratios():
    said = shown(comparison.table(compared({fast(2.5, size_mib=1.0): ()}, {fast(2.0, size_mib=0.5): range(30)})))
    header, row = (" ".join(line.split()) for line in said.splitlines())
    assert header == "cell top-1 drop accuracy x IR speed FPS p50 MiB"
    cells = row.split(" ")
    drop = tango(Disagreement(first=30, second=0, n=N))
    spread = f"±{drop.high - drop.value:.4f}".replace("±0.", "±.")
    assert cells[:4] == ["resnet20/real/default/CPU", "0.9700", "+0.0300", spread]
    assert cells[4:] == ["worse", "0.80", "±.01", "worse", "0.80", "1.25", "0.50"]


def test_a_cell_without_figures_shows_how_it_ended():
    bare = {"outcome": "failed", "error_class": "crash", "error_message": "x"}
    broken = replace(run({}), records=(replace(NOISE, top1=None, score=None, **bare),))
    said = shown(comparison.table(compare(run({NOISE: ()}), broken, Tolerance())))
    assert said.splitlines()[1].split() == ["resnet20/noise/default/CPU", "-", "-", "failed", "-", "failed", *["-"] * 3]


def test_another_metric_is_called_a_score():
    other = replace(run({}), records=(replace(REAL, metric="my:metric", top1=None, score=0.25),))
    same = replace(other, records=(replace(other.records[0], score=0.5),))
    said = shown(comparison.table(compare(other, same, Tolerance())))
    assert said.splitlines()[0].split()[1] == "score"
    assert said.splitlines()[1].split()[1:4] == ["0.5000", "-0.2500", "-"]


def test_markdown_has_a_table_and_escapes_what_it_did_not_write():
    nasty = replace(REAL, cell="a|b/<script>/`x`/CPU", outcome="ok")
    broken = replace(nasty, outcome="failed", error_class="error", error_message="line one\n| line *two*")
    said = comparison.markdown(compared({nasty: (), NOISE: ()}, {broken: (), NOISE: ()}))
    assert said.startswith("### 1 cell of 2 got worse; judged: 2 by accuracy, 0 by speed\n")
    assert "- a\\|b/\\<script\\>/\\`x\\`/CPU, fine in A, failed: error: line one \\| line \\*two\\* in B\n\n|" in said
    rows = [line for line in said.splitlines() if line.startswith("|")]
    assert len(rows) == 4
    assert {line.replace("\\|", "").count("|") for line in rows} == {10}
    assert "- A: memory://small\n- B: memory://after\n" in said
