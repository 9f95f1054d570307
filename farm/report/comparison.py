"""A comparison of two runs for people: a table for the terminal, Markdown for a pull request, sentences for both."""

from collections.abc import Sequence

from farm.analysis.changes import AccuracyChange, SpeedChange
from farm.analysis.comparison import CellChange, Comparison
from farm.report.formats import as_bullets, escaped
from farm.report.numbers import NOTHING, count, give_or_take, listed, written
from farm.report.texttable import Entry, Heading, TextTable, named

STYLES: dict[str, str] = {"worse": "bold red", "failed": "bold red", "better": "green", "undecided": "yellow"}
SCORE = "score"  # in place of top-1, where there is another metric
HEADINGS = {  # and what programs call them, as in the table of one run
    "top-1": SCORE, "drop": "score_drop", "accuracy": "accuracy", "x IR": "speedup_ir", "speed": "speed", "FPS": "fps",
    "p50": "latency_p50_ms", "MiB": "size_mib",
}  # fmt: skip
NEEDED = (
    "x IR",
    "top-1",
    "MiB",
    "FPS",
    "p50",
)  # where a terminal has no room, the last goes first; the rest after them
NAMED = 3  # cells of a sentence, before "and more"
LEGEND = "top-1, or the grid's metric: B's, and what it lost against A; x IR, FPS, p50 and MiB: B over A"


def table(comparison: Comparison, columns: Sequence[str] = ()) -> TextTable:
    """One row a cell, as `Comparison` orders them. columns: those beside the cell; all if none is named."""
    metrics = {change.accuracy.metric for change in comparison.cells} - {None, "top1"}
    headings = (Heading(text="cell", kind="name"), *(_heading(text, other=bool(metrics)) for text in HEADINGS))
    rows = (tuple(Entry(text=text, style=STYLES.get(text, "")) for text in _row(one)) for one in comparison.cells)
    every = TextTable(headings=headings, rows=tuple(rows))
    return every.only(columns) if columns else every


def wanted(text: str) -> tuple[str, ...]:
    """The columns that ``--columns`` names. Raises InputError."""
    return named(text, (*HEADINGS, *HEADINGS.values()))


def _heading(text: str, *, other: bool) -> Heading:
    """other: whether there is a metric that is not top-1."""
    return Heading(
        text=SCORE if other and text == "top-1" else text,
        name=HEADINGS[text],
        kind="word" if text in ("accuracy", "speed") else "number",
        rank=NEEDED.index(text) + 1 if text in NEEDED else 0,
    )


def markdown(comparison: Comparison, columns: Sequence[str] = ()) -> str:
    """The comparison as GitHub's Markdown: conclusion, regressions, table, and what else must be known."""
    parts = (
        f"### {escaped(conclusion(comparison))}\n",
        as_bullets(regressions(comparison)),
        table(comparison, columns).markdown(),
        f"{LEGEND}.\n",
        as_bullets((*_runs(comparison), *notes(comparison))),
    )
    return "\n".join(filter(None, parts))


def lines(comparison: Comparison) -> list[str]:
    """What a terminal says under the table, the conclusion last."""
    return [LEGEND, *_runs(comparison), *regressions(comparison), *notes(comparison), conclusion(comparison)]


def _runs(comparison: Comparison) -> tuple[str, str]:
    return (f"A: {comparison.first}", f"B: {comparison.second}")


def conclusion(comparison: Comparison) -> str:
    """One sentence: is it worse?"""
    worse, cells = len(comparison.regressions), len(comparison.cells)
    judged = f"judged: {comparison.accuracies} by accuracy, {comparison.speeds} by speed"
    worsened = f"{count(worse, 'cell')} of {cells} got worse" if worse else f"no regression in {count(cells, 'cell')}"
    lacking = f"; B lacks {count(len(comparison.only_first), 'cell')} of A" if comparison.only_first else ""
    return f"{worsened}; {judged}{lacking}"


def regressions(comparison: Comparison) -> list[str]:
    """A sentence for each thing that got worse, the worst first."""
    most = comparison.tolerance
    sentences = []
    for change in comparison.regressions:
        if change.error is not None:
            sentences.append(f"{change.cell}, fine in A, {change.error} in B")
        if "accuracy" in change.regressions:
            sentences.append(f"{change.cell} {_lost(change.accuracy)}, more than {most.max_drop:g}")
        if "speed" in change.regressions:
            sentences.append(f"{change.cell} {_slower(change.speed)}, more than {most.max_slowdown:.1%}")
    return sentences


def notes(comparison: Comparison) -> list[str]:
    """What else must be known: what could not be judged and why, what is in one run only, what differs."""
    named = [f"{text}: {listed(cells, NAMED)}" for text, cells in _of_cells(comparison).items() if cells]
    differences = (f"{one.name}: A {', '.join(one.before)}; B {', '.join(one.after)}" for one in comparison.differences)
    same = ["A and B are the same results"] if comparison.first == comparison.second else []
    return [*same, *named, *differences]


def _of_cells(comparison: Comparison) -> dict[str, list[str]]:
    """What is to be said of some cells, and of which."""
    cells, most = comparison.cells, comparison.tolerance
    hosts = "FPS and p50 of different hosts are not compared (--across-hosts shows them)"
    if most.across_hosts:
        hosts = "warning: FPS, p50 and x IR compare different hosts"
    unsure = "undecided: a change of {} is neither shown nor ruled out".format
    unpaired = "there are not both runs' predictions of the same test images"
    notes = {
        hosts: [one.cell for one in cells if one.speed.same_host is False],
        "failed in A, fine in B": [one.cell for one in cells if (one.before, one.after) == ("failed", "ok")],
        unsure(f"accuracy of more than {most.max_drop:g}"): [
            one.cell for one in cells if one.accuracy.word == "undecided"
        ],
        unsure(f"speed of more than {most.max_slowdown:.1%}"): [
            one.cell for one in cells if one.speed.word == "undecided"
        ],
        f"compared as independent shares, where small drops do not show, as {unpaired}": [
            one.cell for one in cells if one.accuracy.drop is not None and not one.accuracy.paired
        ],
    }
    unjudged = [("accuracy", one.cell, one.accuracy.unjudged) for one in cells]
    for what, cell, reason in (*unjudged, *(("speed", one.cell, one.speed.unjudged) for one in cells)):
        if reason is not None:
            notes.setdefault(f"{what} not judged, so it fails no comparison: {reason}", []).append(cell)
    return {**notes, "only in A": [*comparison.only_first], "only in B": [*comparison.only_second]}


def _row(change: CellChange) -> list[str]:
    ended = change.after if change.after != "ok" else None
    accuracy, speed = change.accuracy, change.speed
    drop, ratio = accuracy.drop, speed.ratio
    lost = None if accuracy.before is None or accuracy.after is None else accuracy.before - accuracy.after
    return [
        change.cell,
        written(accuracy.after, "{:.4f}"),
        give_or_take(drop.value, drop.low, drop.high, "{:+.4f}") if drop else written(lost, "{:+.4f}"),
        accuracy.word or ended or NOTHING,
        give_or_take(ratio.value, ratio.low, ratio.high, "{:.2f}") if ratio else NOTHING,
        speed.word or ended or NOTHING,
        *(written(share, "{:.2f}") for share in (speed.fps, speed.latency_p50, change.size)),
    ]


def _lost(change: AccuracyChange) -> str:
    drop = change.drop
    if drop is None or change.p is None:
        raise ValueError("a loss without interval is no regression")
    images = f"{change.lost} of {change.n_images} images lost, {change.won} won" if change.paired else "unpaired"
    if change.lost is None and change.paired:
        images = f"{change.n_images} images, paired"
    interval = f"95 %: {drop.low:.4f} to {drop.high:.4f}; p {change.p:.2g}; {images}"
    return f"lost {drop.value:.4f}: {change.before:.4f} in A, {change.after:.4f} in B ({interval})"


def _slower(change: SpeedChange) -> str:
    ratio = change.ratio
    if ratio is None or ratio.low is None or ratio.high is None:
        raise ValueError("a slowdown without interval is no regression")
    interval = f"99 %: {1 - ratio.high:.1%} to {1 - ratio.low:.1%}"
    interval += "" if change.fps is None else f"; FPS {change.fps:.2f} of A's"  # tells it from a faster FP32 IR
    return f"is slower by {1 - ratio.value:.1%}: {change.before:.2f} x IR in A, {change.after:.2f} in B ({interval})"
