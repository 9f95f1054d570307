"""The one table of columns: what each is called, its value, how terminal and page show it, and what it means.

Knows rows, not who lays them out. A column that does not stand here has its stored value and no heading.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from farm.analysis.rows import Row
from farm.record import Record, accuracy_of, as_given, drop_of, metric_of
from farm.report.metric import WORDS, Metric
from farm.report.numbers import NOTHING, give_or_take, points, says_nothing, signed
from farm.report.verdicts import SLOWED
from farm.report.words import variant

MISSED = "ok, target missed"
Value = str | float | None
Typed = tuple[float, ...]  # the numbers that stand in one place, as they are rounded there


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What stands in one place of the page's table.

    text: a dash where there is nothing. note: an interval, or a class, in small print. sort: what its
    column sorts by, a number or a word; None goes last. kind: a word that the style sheet may know.
    """

    text: str = "\N{EN DASH}"
    note: str = ""
    sort: Value = None
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """A column on show. name: in CSV, Parquet and SQL. heading: on the terminal; none, where only the page has it.

    title, unit: on the page. meaning: for people who ask. pattern: of a number on the terminal; empty for words.
    of: its value where that is not what is stored under the name. word: what people are told in its place.
    interval: the column whose ``_low`` and ``_high`` go with it. beside: whether the terminal shows it too. on_page:
    how the page writes a number, if not in the pattern. label: what the number is of, such as a class.
    """

    name: str
    heading: str = ""
    title: str
    unit: str = ""
    meaning: str = ""
    pattern: str = ""
    of: Callable[[Record], Value] | None = None
    word: Callable[[Record], str] | None = None
    interval: str = ""
    beside: bool = False
    on_page: Callable[[float], str] | None = None
    label: Callable[[Row], int | None] | None = None

    def value(self, row: Row) -> Value:
        """What to sort and compare by; None where nothing stands."""
        stored: Value = row.value(self.name) if self.of is None else self.of(row.record)
        return stored

    def ends(self, row: Row) -> tuple[float | None, float | None]:
        """The interval of the value, as far as it is known."""
        low, high = (row.value(f"{self.interval}_{end}") if self.interval else None for end in ("low", "high"))
        return low, high

    def text(self, row: Row) -> str:
        """What stands on the terminal."""
        value, label = self.value(row), self.label(row) if self.label else None
        if not isinstance(value, int | float):
            return self.word(row.record) if self.word else value or NOTHING
        low, high = self.ends(row) if self.beside else (None, None)
        text = give_or_take(value, low, high, self.pattern)
        return text if label is None else f"{label}: {text}"

    def typed(self, row: Row) -> tuple[str | Typed, ...]:
        """All that may be typed to mean a row: words, or its number as it is, as it is rounded, and with all beside."""
        value, label = self.value(row), self.label(row) if self.label else None
        if not isinstance(value, int | float):
            return (value or NOTHING, self.text(row))
        rounded = self._rounded(value)
        low, high = self.ends(row) if self.beside else (None, None)
        sides = () if low is None or high is None else (self._rounded(max(value - low, high - value)),)
        return ((value,), (rounded,), (*(() if label is None else (float(label),)), rounded, *sides))

    def shown(self, row: Row) -> Shown:
        """What stands on the page."""
        value, label, (low, high) = self.value(row), self.label(row) if self.label else None, self.ends(row)
        if value is None:
            return Shown()
        write = self.on_page or (lambda number: signed(self.pattern.format(number)))
        note = "" if label is None else f"class {label}"
        if low is not None and high is not None and low != high:
            unsure = isinstance(value, float) and self.name.startswith("speedup") and says_nothing(value, low, high)
            note = "known too little for an interval" if unsure else f"{write(low)} to {write(high)}"
        if isinstance(value, str):
            text = self.word(row.record) if self.word else value
            kind = "noisy" if text == MISSED else value  # what the style sheet calls what is doubtful
            return Shown(text=text, note=note, sort=text, kind=kind if self.name in STYLED else "")
        return Shown(text=write(value), note=note, sort=value)

    def _rounded(self, value: float) -> float:
        return float(self.pattern.format(value).replace(",", ""))


STYLED = ("standing", "verdict", "outcome")  # columns whose words the style sheet knows


def score(metric: str | None, name: str = "score") -> Display:
    """The score of records of this metric; ``top-1`` is known of records of other metrics too."""
    shown = Metric(metric)

    def of(record: Record) -> float | None:
        if Metric(record.metric).word == shown.word:
            return accuracy_of(record)
        return record.top1 if metric in (None, "top1") else None

    return Display(
        name=name, heading=shown.word, title=shown.title, unit="%" if shown.in_percent else "", of=of,
        pattern="{:.4f}", interval="score" if name == "score" else "", on_page=shown.number,
        meaning=f"{'accuracy' if shown.in_percent else 'the metric'} on the test images, with its 95 % interval",
    )  # fmt: skip


def drop(metric: str | None) -> Display:
    """What the score lost: in points on the page, where it is a share of images."""
    shown = Metric(metric)
    return Display(
        name="score_drop", heading="drop", title="Drop", unit=shown.points, of=drop_of, pattern="{:+.4f}",
        interval="drop", on_page=shown.number,
        meaning="lost against the FP32 IR, with its 95 % interval where predictions are known",
    )  # fmt: skip


def standing(metric: str | None) -> Display:
    """The word for a loss against real images, with its interval."""
    shown = Metric(metric)
    return Display(
        name="standing", title="Against real", interval="real_loss", on_page=shown.number,
        meaning="the word for the loss against the same model calibrated with real images, and its 90 % interval"
        f"{' in points' if shown.in_percent else ''}",
    )  # fmt: skip


def _worst_class(row: Row) -> int | None:
    """None where no class lost anything."""
    return row.assessment.worst_class if (row.assessment.worst_class_drop or 0) > 0 else None


def _outcome(record: Record) -> str:
    """How a failed cell failed; of one that is there, whether it missed its target."""
    if record.outcome == "failed":
        return record.error_class or record.outcome
    return MISSED if record.outcome == "ok" and record.reached is False else record.outcome


def _over_ir(record: Record) -> float | None:
    """None of a model that was quantized as it came: it was measured beside itself."""
    return None if as_given(record) else record.speedup_ir


def _verdict(record: Record) -> str:
    """The verdict, and whether it is of cores that were slowed."""
    return f"{record.verdict or NOTHING}{', slowed' if record.cores_ran in SLOWED else ''}"


FIXED = (
    Display(name="model", heading="model", title="Model", meaning="the network, with its parameters"),
    Display(name="algorithm", heading="variant", title="Variant", word=variant,
            meaning="PyTorch, the FP32 IR, or int8: with the algorithm that made it, or as given"),
    Display(name="calibration", heading="calibration", title="Calibration",
            meaning="the set that calibrated it, with its seed; a baseline has none"),
    Display(name="device", heading="device", title="Device", meaning="what it ran on"),
    Display(name="worst_class_drop", heading="worst class", title="Worst class", unit="points", pattern="{:+.4f}",
            on_page=points, label=_worst_class,
            meaning="of all classes, the greatest loss against the FP32 IR, and which class"),
    Display(name="size_mib", heading="MiB", title="Size", unit="MiB", pattern="{:.2f}", meaning="size of the IR"),
    Display(name="fps", heading="FPS", title="FPS", pattern="{:,.1f}", meaning="inferences a second times the batch"),
    Display(name="speedup_ir", heading="x IR", title="Speed-up", unit="over IR", pattern="{:.2f}", beside=True,
            of=_over_ir, interval="speedup_ir", meaning="paired ratio to the FP32 IR, 99 % interval"),
    Display(name="speedup_pytorch", heading="x PyTorch", title="Speed-up", unit="over PyTorch", pattern="{:.2f}",
            beside=True, interval="speedup_pytorch", meaning="ratio to PyTorch, 99 % interval"),
    Display(name="latency_p50_ms", heading="p50 ms", title="Median", unit="ms", pattern="{:.3f}",
            meaning="of all latencies"),
    Display(name="verdict", heading="verdict", title="Verdict", word=_verdict,
            meaning="whether the speed holds; slowed where neighbours shared the cores nearly all the time"),
    Display(name="outcome", heading="outcome", title="Outcome", word=_outcome,
            meaning="ok, how it failed, or pending; ok, target missed of an accuracy-aware cell that missed its "
            "target"),
)  # fmt: skip
HEADED = {
    column.heading: column
    for column in (
        score("top1", "top1"),
        *(score(name) for name in WORDS if name not in (None, "top1")),
        drop("top1"),
        *FIXED,
    )
    if column.heading
}


def column(named: str) -> Display | None:
    """The column under a heading, of a metric of the user's own too (``package.module:function``); None if none is."""
    return HEADED.get(named) or (score(named) if ":" in named else None)


def columns(rows: Sequence[Row], order: Sequence[str]) -> list[Display]:
    """Those of an order of names that have something to show; ``score`` and ``score_drop`` are of the rows' metric."""
    metric = metric_of([row.record for row in rows])
    by_name = {one.name: one for one in (score(metric), drop(metric), standing(metric), *FIXED)}
    return [by_name[name] for name in order if _is_needed(name, rows)]


def _is_needed(name: str, rows: Sequence[Row]) -> bool:
    """Whether there is anything to show; who is shown and how accurate it is always are."""
    if name == "device":
        return len({row.record.device for row in rows}) > 1
    if name in SPEED and all(row.record.fps is None for row in rows):
        return False
    return name not in OPTIONAL or any(row.value(name) is not None for row in rows)


SPEED = ("fps", "speedup_ir", "speedup_pytorch", "latency_p50_ms", "verdict")
OPTIONAL = ("worst_class_drop", "standing", "speedup_pytorch")
