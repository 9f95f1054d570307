"""The long table's columns: the text shown, and the value that --where and --sort use. Knows rows."""

from collections.abc import Callable
from dataclasses import dataclass

from farm.analysis.rows import Row
from farm.record import Record, accuracy_of, drop_of
from farm.report.numbers import NOTHING, give_or_take, written
from farm.report.words import METRICS, metric_word, variant

MISSED = "ok, target missed"

Value = str | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A heading. column: that it shows, or the first of several.

    value: of a row, to sort and compare by; None where nothing stands. text: what stands there.
    """

    column: str
    value: Callable[[Row], Value]
    text: Callable[[Row], str]


def _word(column: str, text: Callable[[Record], str] | None = None) -> Heading:
    """A column of words, as it is or as it is told to people."""

    def value(row: Row) -> Value:
        found: Value = getattr(row.record, column)
        return found

    return Heading(
        column=column, value=value, text=lambda row: text(row.record) if text else str(value(row) or NOTHING)
    )


def _number(column: str, pattern: str, value: Callable[[Record], float | None] | None = None) -> Heading:
    """A column of numbers in this pattern, or another number of the record."""

    def found(row: Row) -> float | None:
        number: float | None = value(row.record) if value else getattr(row.record, column)
        return number

    return Heading(column=column, value=found, text=lambda row: written(found(row), pattern))


def _ratio(column: str) -> Heading:
    """A ratio with its interval: ``2.35 ±.02``."""

    def text(row: Row) -> str:
        value, low, high = (getattr(row.record, f"{column}{end}") for end in ("", "_low", "_high"))
        return give_or_take(value, low, high, "{:.2f}", "{:.2f}")

    return Heading(column=column, value=lambda row: getattr(row.record, column), text=text)


def metric(word: str, column: str = "score") -> Heading:
    """The score of records whose metric is so called; ``top-1`` is known of records of other metrics too."""

    def value(record: Record) -> float | None:
        if metric_word(record.metric) == word:
            return accuracy_of(record)
        return record.top1 if word == METRICS["top1"] else None

    return _number(column, "{:.4f}", value)


def _worst_class(row: Row) -> str:
    """``3: +0.0300``; without a class where none lost anything."""
    drop = row.judged.worst_class_drop
    if drop is None or drop <= 0:
        return written(drop, "{:+.4f}")
    return f"{row.judged.worst_class}: {drop:+.4f}"


def _outcome(record: Record) -> str:
    """How a failed cell failed; of one that is there, whether it missed its target."""
    if record.outcome == "failed":
        return record.error_class or record.outcome
    return MISSED if record.outcome == "ok" and record.reached is False else record.outcome


HEADINGS: dict[str, Heading] = {
    "model": _word("model"),
    "variant": _word("algorithm", variant),
    "calibration": _word("calibration"),
    "device": _word("device"),
    "top-1": metric("top-1", "top1"),
    "top-5": metric("top-5"),
    "drop": _number("score_drop", "{:+.4f}", drop_of),
    "worst class": Heading(column="worst_class_drop", value=lambda row: row.judged.worst_class_drop, text=_worst_class),
    "MiB": _number("size_mib", "{:.2f}"),
    "FPS": _number("fps", "{:,.1f}"),
    "x IR": _ratio("speedup_ir"),
    "x PyTorch": _ratio("speedup_pytorch"),
    "p50 ms": _number("latency_p50_ms", "{:.3f}"),
    "verdict": _word("verdict"),
    "outcome": _word("outcome", _outcome),
}


def heading(named: str) -> Heading | None:
    """The heading so named, a metric of the user's own too, ``package.module:function``; None if there is none."""
    return HEADINGS.get(named) or (metric(named) if ":" in named else None)
