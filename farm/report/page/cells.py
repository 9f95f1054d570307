"""The page's table: a row a cell, with what each column shows, sorts by and means. Knows records, not HTML."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from farm.analysis.accuracy import Accuracy
from farm.record import Record, accuracy_of, drop_of, source_of
from farm.report.numbers import points, signed
from farm.report.words import METRICS, metric_of, metric_word, variant

NOT_MEASURED = "not measured"
FILTERS = ("model", "calibration", "algorithm", "device", "verdict")  # as in page.js


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What stands in one place of the table.

    text: a dash where there is nothing. note: an interval, or a reason, in small print. sort: what its
    column sorts by, a number or a word; None goes last. kind: a word that the style sheet may know.
    """

    text: str = "\N{EN DASH}"
    note: str = ""
    sort: float | str | None = None
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of the page's table: its title, its unit, what it means, and how a cell's record fills it."""

    title: str
    unit: str = ""
    about: str = ""
    number: bool = True
    show: Callable[[Record, Accuracy | None], Shown]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRow:
    """A cell as a row of the page's table, with the words that the filters know it by."""

    cell: str
    filters: Mapping[str, str]
    shown: tuple[Shown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The table of one run. choices: of each filter, its words in the grid's order. measured: whether speed was."""

    columns: tuple[Column, ...]
    rows: tuple[PageRow, ...]
    choices: Mapping[str, tuple[str, ...]]
    measured: bool


def table(records: Sequence[Record], found: Mapping[str, Accuracy]) -> Table:
    """Every cell in the grid's order, with the columns for which the run has anything to show."""
    columns = tuple(_columns(records, found))
    rows = tuple(
        PageRow(
            cell=record.cell,
            filters=_filters(record),
            shown=tuple(column.show(record, found.get(record.cell)) for column in columns),
        )
        for record in records
    )
    choices = {name: tuple(dict.fromkeys(row.filters[name] for row in rows)) for name in FILTERS}
    return Table(
        columns=columns,
        rows=rows,
        choices={name: words for name, words in choices.items() if len(words) > 1},
        measured=any(record.fps is not None for record in records),
    )


def _filters(record: Record) -> dict[str, str]:
    """Draws of one source are one choice."""
    return {
        "model": record.model,
        "calibration": source_of(record) or "none",
        "algorithm": variant(record),
        "device": record.device,
        "verdict": record.verdict or NOT_MEASURED,
    }


def _columns(records: Sequence[Record], found: Mapping[str, Accuracy]) -> Iterator[Column]:
    yield Column(title="Model", number=False, show=lambda record, _: _word(record.model))
    yield Column(title="Variant", number=False, show=lambda record, _: _word(variant(record)))
    yield Column(title="Calibration", number=False, show=lambda record, _: _word(record.calibration))
    if len({record.device for record in records}) > 1:
        yield Column(title="Device", number=False, show=lambda record, _: _word(record.device))
    yield from _of_accuracy(records, found)
    if any(record.size_mib is not None for record in records):
        yield Column(title="Size", unit="MiB", show=lambda record, _: _number(record.size_mib, "{:.2f}"))
    if any(record.fps is not None for record in records):
        yield from SPEED
    if any(record.outcome != "ok" or record.reached is False for record in records):
        yield Column(title="Outcome", number=False, show=lambda record, _: _outcome(record))


def _of_accuracy(records: Sequence[Record], found: Mapping[str, Accuracy]) -> Iterator[Column]:
    metric = metric_of(records)
    if metric in METRICS:
        yield Column(title=metric_word(metric).capitalize(), unit="%", about=TOP1, show=_top1)
        yield Column(title="Drop", unit="points", about=DROP, show=_drop)
    else:
        yield Column(title=metric_word(metric), show=lambda record, _: _number(record.score, "{:.4f}"))
        yield Column(title="Drop", about=DROP, show=lambda record, _: _number(record.score_drop, "{:.4f}"))
    if any(each.worst_class_drop is not None for each in found.values()):
        yield Column(title="Worst class", unit="points", about=WORST, show=_worst)
    if any(each.real is not None for each in found.values()):
        yield Column(title="Against real", about=REAL, number=False, show=_real)


TOP1 = "accuracy on the test images, with its 95 % interval"
DROP = "lost against the FP32 IR, with its 95 % interval where predictions are known"
WORST = "of all classes, the greatest loss against the FP32 IR, and which class"
REAL = "the word for the loss against the same model calibrated with real images, and its 90 % interval in points"


def _word(text: str | None) -> Shown:
    return Shown(text=text, sort=text) if text is not None else Shown()


def _number(value: float | None, pattern: str, low: float | None = None, high: float | None = None) -> Shown:
    if value is None:
        return Shown()
    note = signed(f"{pattern.format(low)} to {pattern.format(high)}") if low is not None and high is not None else ""
    return Shown(text=signed(pattern.format(value)), note="" if low == high else note, sort=value)


def _top1(record: Record, found: Accuracy | None) -> Shown:
    score = accuracy_of(record)
    low, high = (100 * found.top1.low, 100 * found.top1.high) if found else (None, None)
    return _number(None if score is None else 100 * score, "{:.2f}", low, high)


def _drop(record: Record, found: Accuracy | None) -> Shown:
    drop = drop_of(record)
    if drop is None:
        return Shown()
    loss = found.fp32.loss if found and found.fp32 else None
    note = f"{points(loss.low)} to {points(loss.high)}" if loss else ""
    return Shown(text=points(drop), note=note, sort=drop)


def _worst(record: Record, found: Accuracy | None) -> Shown:
    if found is None or found.worst_class_drop is None or record.algorithm == "ir":
        return Shown()
    note = f"class {found.worst_class}" if found.worst_class_drop > 0 else ""
    return Shown(text=points(found.worst_class_drop), note=note, sort=found.worst_class_drop)


def _real(record: Record, found: Accuracy | None) -> Shown:
    del record
    real = found.real if found else None
    if real is None or real.standing is None:
        return Shown()
    note = f"{points(real.loss.low)} to {points(real.loss.high)}"
    return Shown(text=real.standing, note=note, sort=real.standing, kind=real.standing)


def _over_ir(record: Record, _: Accuracy | None) -> Shown:
    return _number(record.speedup_ir, "{:.2f}", record.speedup_ir_low, record.speedup_ir_high)


def _over_pytorch(record: Record, _: Accuracy | None) -> Shown:
    return _number(record.speedup_pytorch, "{:.2f}", record.speedup_pytorch_low, record.speedup_pytorch_high)


def _latency(record: Record) -> Shown:
    return _number(record.latency_p50_ms, "{:.3f}")


def _verdict(record: Record, _: Accuracy | None) -> Shown:
    return Shown(text=record.verdict, sort=record.verdict, kind=record.verdict) if record.verdict else Shown()


SPEED = (
    Column(title="FPS", about="inferences a second times the batch", show=lambda each, _: _number(each.fps, "{:,.1f}")),
    Column(title="Speed-up", unit="over IR", about="paired ratio to the FP32 IR, 99 % interval", show=_over_ir),
    Column(title="Speed-up", unit="over PyTorch", about="ratio to PyTorch, 99 % interval", show=_over_pytorch),
    Column(title="Verdict", about="whether the speed holds", number=False, show=_verdict),
    Column(title="Median", unit="ms", about="of all latencies", show=lambda record, _: _latency(record)),
)


def _outcome(record: Record) -> Shown:
    if record.outcome == "failed":
        return Shown(text=record.error_class or "failed", sort="failed", kind="failed")
    if record.outcome == "ok" and record.reached is False:
        return Shown(text="target missed", sort="ok, target missed", kind="noisy")
    return Shown(text=record.outcome, sort=record.outcome, kind=record.outcome)
