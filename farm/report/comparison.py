"""A comparison of two runs for people: a table for the terminal, Markdown for a pull request, sentences for both."""

from collections.abc import Iterable, Iterator, Sequence

from rich.table import Table
from rich.text import Text

from farm.analysis.changes import AccuracyChange, SpeedChange
from farm.analysis.comparison import CellChange, Comparison
from farm.report.formats import as_bullets, as_markdown, escaped
from farm.report.numbers import NOTHING, count, give_or_take, listed, written
from farm.stats.ratios import Ratio
from farm.stats.shares import Estimate

STYLES: dict[str, str] = {"worse": "bold red", "failed": "bold red", "better": "green", "undecided": "yellow"}
WORDS = ("accuracy", "speed")  # columns of words; all others but the first hold numbers
NAMED = 3  # cells of a sentence, before "and more"
LEGEND = "top-1, or the grid's metric: B's, and what it lost against A; x IR, FPS, p50 and MiB: B over A"


def table(comparison: Comparison) -> Table:
    """One row a cell, as `Comparison` orders them."""
    shown = Table(box=None, header_style="bold", pad_edge=False)
    headings = _headings(comparison)
    shown.add_column(headings[0], overflow="fold")
    for name in headings[1:]:
        shown.add_column(name, justify="left" if name in WORDS else "right", no_wrap=True)
    for change in comparison.cells:
        shown.add_row(*(Text(text, style=STYLES.get(text, "")) for text in _row(change)))
    return shown


def markdown(comparison: Comparison) -> str:
    """The comparison as GitHub's Markdown: verdict, regressions, table, and what else must be known."""
    headings = _headings(comparison)
    numbers = {index for index, name in enumerate(headings) if name not in (headings[0], *WORDS)}
    runs = (f"A: {comparison.first}", f"B: {comparison.second}")
    parts = (
        f"### {escaped(conclusion(comparison))}\n",
        as_bullets(regressions(comparison)),
        as_markdown(headings, [_row(change) for change in comparison.cells], numbers),
        f"{LEGEND}.\n",
        as_bullets((*runs, *notes(comparison))),
    )
    return "\n".join(filter(None, parts))


def lines(comparison: Comparison) -> list[str]:
    """What a terminal says under the table, the conclusion last."""
    runs = [f"A: {comparison.first}", f"B: {comparison.second}"]
    return [LEGEND, *runs, *regressions(comparison), *notes(comparison), conclusion(comparison)]


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
    same = ("A and B are the same results",) if comparison.first == comparison.second else ()
    return [
        *same,
        *_hosts(comparison),
        *_mended(comparison.cells),
        *_undecided(comparison),
        *_unpaired(comparison.cells),
        *_unjudged("accuracy", ((change.cell, change.accuracy.unjudged) for change in comparison.cells)),
        *_unjudged("speed", ((change.cell, change.speed.unjudged) for change in comparison.cells)),
        *_only("A", comparison.only_first),
        *_only("B", comparison.only_second),
        *(f"{other.name}: A {', '.join(other.before)}; B {', '.join(other.after)}" for other in comparison.differences),
    ]


def _headings(comparison: Comparison) -> list[str]:
    metrics = {change.accuracy.metric for change in comparison.cells} - {None, "top1"}
    score = "score" if metrics else "top-1"
    return ["cell", score, "drop", "accuracy", "x IR", "speed", "FPS", "p50", "MiB"]


def _row(change: CellChange) -> list[str]:
    ended = change.after if change.after != "ok" else None
    drop, ratio = change.accuracy.drop, change.speed.ratio
    return [
        change.cell,
        written(change.accuracy.after, "{:.4f}"),
        _with(drop, "{:+.4f}", "{:.4f}") if drop else written(_plain_drop(change.accuracy), "{:+.4f}"),
        change.accuracy.word or ended or NOTHING,
        _with(ratio, "{:.2f}", "{:.2f}") if ratio else NOTHING,
        change.speed.word or ended or NOTHING,
        written(change.speed.fps, "{:.2f}"),
        written(change.speed.latency_p50, "{:.2f}"),
        written(change.size, "{:.2f}"),
    ]


def _plain_drop(change: AccuracyChange) -> float | None:
    """The drop, without an interval."""
    return None if change.before is None or change.after is None else change.before - change.after


def _lost(change: AccuracyChange) -> str:
    drop = change.drop
    if drop is None or change.p is None:
        raise ValueError("a loss without interval is no regression")
    images = f"{change.lost} of {change.n_images} images lost, {change.won} won" if change.paired else "unpaired"
    if change.lost is None and change.paired:
        images = f"{change.n_images} images, paired"
    doubt = f"95 %: {drop.low:.4f} to {drop.high:.4f}; p {change.p:.2g}; {images}"
    return f"lost {drop.value:.4f}: {change.before:.4f} in A, {change.after:.4f} in B ({doubt})"


def _slower(change: SpeedChange) -> str:
    ratio = change.ratio
    if ratio is None or ratio.low is None or ratio.high is None:
        raise ValueError("a slowdown without interval is no regression")
    doubt = f"99 %: {1 - ratio.high:.1%} to {1 - ratio.low:.1%}"
    doubt += "" if change.fps is None else f"; FPS {change.fps:.2f} of A's"  # tells it from a faster FP32 IR
    return f"is slower by {1 - ratio.value:.1%}: {change.before:.2f} x IR in A, {change.after:.2f} in B ({doubt})"


def _hosts(comparison: Comparison) -> Iterator[str]:
    apart = [change.cell for change in comparison.cells if change.speed.same_host is False]
    if apart and comparison.tolerance.across_hosts:
        yield f"warning: FPS, p50 and x IR compare different hosts: {listed(apart, NAMED)}"
    elif apart:
        yield f"FPS and p50 of different hosts are not compared (--across-hosts shows them): {listed(apart, NAMED)}"


def _mended(cells: Sequence[CellChange]) -> Iterator[str]:
    mended = [change.cell for change in cells if (change.before, change.after) == ("failed", "ok")]
    if mended:
        yield f"failed in A, fine in B: {listed(mended, NAMED)}"


def _undecided(comparison: Comparison) -> Iterator[str]:
    most = comparison.tolerance
    accuracy = [change.cell for change in comparison.cells if change.accuracy.word == "undecided"]
    speed = [change.cell for change in comparison.cells if change.speed.word == "undecided"]
    text = "is neither shown nor ruled out"
    if accuracy:
        yield f"undecided: a change of accuracy of more than {most.max_drop:g} {text}: {listed(accuracy, NAMED)}"
    if speed:
        yield f"undecided: a change of speed of more than {most.max_slowdown:.1%} {text}: {listed(speed, NAMED)}"


def _unpaired(cells: Sequence[CellChange]) -> Iterator[str]:
    apart = [change.cell for change in cells if change.accuracy.drop is not None and not change.accuracy.paired]
    if apart:
        why = "there are not both runs' predictions of the same test images"
        yield f"compared as independent shares, where small drops do not show, as {why}: {listed(apart, NAMED)}"


def _unjudged(what: str, cells: Iterable[tuple[str, str | None]]) -> Iterator[str]:
    by_reason: dict[str, list[str]] = {}
    for cell, reason in cells:
        if reason is not None:
            by_reason.setdefault(reason, []).append(cell)
    for reason, names in by_reason.items():
        yield f"{what} not judged, so it fails no comparison: {reason}: {listed(names, NAMED)}"


def _only(name: str, cells: Sequence[str]) -> Iterator[str]:
    if cells:
        yield f"only in {name}: {listed(cells, NAMED)}"


def _with(estimate: Estimate | Ratio, pattern: str, within: str) -> str:
    """``+0.0150 ±.0118``."""
    return give_or_take(estimate.value, estimate.low, estimate.high, pattern, within)
