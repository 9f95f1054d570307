"""The long table in the terminal, a row a cell, and the lines below it. Knows records, not where they come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.console import Group
from rich.table import Table
from rich.text import Text

from farm.record import Record
from farm.report.judged import Judged, accuracy_of, by_records, is_fp32_ir
from farm.stats.ratios import Ratio, differs

VARIANTS = {"pytorch": "PyTorch", "ir": "IR"}
VERDICTS = {"valid": "green", "noisy": "yellow", "invalid": "bold red"}
UNLIKE = 1.05  # speeds of one FP32 IR beside different cells: above this ratio, their rows are not comparable
BEST, WORSE = "*", "!"
MARKS = {
    BEST: "best calibration set of its model, algorithm and device, by the number alone",
    WORSE: "significantly worse than with real images (McNemar, p < 0.05 by Holm)",
}
METRICS = {None: "top-1", "top1": "top-1", "top5": "top-5"}


def main_table(records: Sequence[Record], judged: Mapping[str, Judged] | None = None) -> Group:
    """One row a cell, grouped by model and device: accuracy and speed, as in the study's Table 1.

    judged: by cell; without it, what the records alone say. Below the table stands what its marks mean, if it has any.
    """
    said = by_records(records) if judged is None else judged
    there = _there(records, said)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("model", "variant", "calibration", *(("device",) if there.devices else ())):
        table.add_column(name, overflow="fold" if name in ("variant", "calibration") else "ellipsis")
    for name in (there.metric, "drop", *(("worst class",) if there.classes else ()), "MiB", *there.speeds):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("verdict", "outcome") if there.speeds else ("outcome",):
        table.add_column(name, no_wrap=True)
    for _, group in groupby(records, key=lambda record: (record.model, record.device)):
        rows = list(group)
        for index, record in enumerate(rows):
            first = (record.model if index == 0 else "", variant(record), record.calibration or "-")
            texts = [Text(text) for text in (*first, *((record.device,) if there.devices else ()))]
            numbers = _accuracy(record, said[record.cell], classes=there.classes)
            speed: tuple[str | Text, ...] = (*_speed(record), _verdict(record)) if there.speeds else ()
            table.add_row(*texts, *numbers, *speed, _outcome(record), end_section=index == len(rows) - 1)
    return Group(table, *map(Text, legend([said[record.cell] for record in records])))


def legend(judged: Sequence[Judged]) -> list[str]:
    """A line for each mark that occurs."""
    marks = {mark for each in judged for mark in (_best(each), _worse(each))}
    return [f"{mark} {text}" for mark, text in MARKS.items() if mark in marks]


@dataclass(frozen=True, slots=True, kw_only=True)
class _There:
    """What there is to show: whether several devices, the metric's heading, whether classes, the columns of speed."""

    devices: bool
    metric: str
    classes: bool
    speeds: tuple[str, ...]


def _there(records: Sequence[Record], judged: Mapping[str, Judged]) -> _There:
    metric = next((record.metric for record in records if record.metric), None)
    measured = any(record.fps is not None for record in records)
    return _There(
        devices=len({record.device for record in records}) > 1,
        metric=METRICS.get(metric, metric or ""),
        classes=any(judged[record.cell].worst_class_drop is not None for record in records),
        speeds=("FPS", "x IR", "x PyTorch", "p50 ms") if measured else (),
    )


def variant(record: Record) -> str:
    """``PyTorch``, ``IR``, or ``int8`` with the algorithm."""
    return VARIANTS.get(record.algorithm, f"int8 {record.algorithm}")


def failures(records: Sequence[Record]) -> list[str]:
    """One line a cause: the class, what it hit, what was said, and where the log is."""
    failed = [record for record in records if record.outcome == "failed"]
    lines = []
    by_cause = sorted(failed, key=lambda record: (record.error_class or "", record.error_message or ""))
    for (cause, message), group in groupby(by_cause, key=lambda record: (record.error_class, record.error_message)):
        cells = list(group)
        more = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
        log = f"\n    log: {cells[0].log}" if cells[0].log else ""
        lines.append(f"{cause}: {cells[0].cell}{more}\n    {message}{log}")
    return lines


def doubts(records: Sequence[Record]) -> list[str]:
    """One line for each measurement that does not hold, and one for each model whose rows are not comparable."""
    lines = [
        f"{record.verdict}: {record.cell}\n    {record.verdict_reason}"
        for record in records
        if record.verdict not in (None, "valid")
    ]
    lines += [
        f"{record.cell}: the IR differs from itself, x {record.speedup_ir:.3f}: this host's speeds do not hold"
        for record in records
        if is_fp32_ir(record) and _differs(record)
    ]
    lines += [
        f"{record.model}/{record.device}: its PyTorch baseline is {record.verdict}, and so is every x PyTorch over it"
        for record in records
        if record.runtime == "pytorch" and record.verdict not in (None, "valid")
    ]
    by_model: dict[tuple[str, str], list[float]] = {}
    for record in records:
        if record.fps_ir is not None:
            by_model.setdefault((record.model, record.device), []).append(record.fps_ir)
    for key, speeds in by_model.items():
        if max(speeds) > UNLIKE * min(speeds):
            spread = f"its FP32 IR ran at {min(speeds):,.1f} to {max(speeds):,.1f} FPS beside different cells"
            lines.append(
                f"{'/'.join(key)}: {spread}: compare rows by x IR, which was measured side by side, not by FPS"
            )
    return lines


def _differs(record: Record) -> bool:
    """Whether its ratio to the FP32 IR is surely not 1."""
    if record.speedup_ir is None:
        return False
    return differs(Ratio(value=record.speedup_ir, low=record.speedup_ir_low, high=record.speedup_ir_high))


def notes(records: Sequence[Record]) -> list[str]:
    """One line for each calibration set of which a reader must know something."""
    said = {record.calibration: record.calibration_note for record in records if record.calibration_note}
    return [f"{calibration}: {note}" for calibration, note in said.items()]


def controlled(records: Sequence[Record]) -> list[str]:
    """One line for each accuracy-aware cell: what was validated, how it ended, what went back to FP32."""
    return [_controlled(record) for record in records if record.stopped_by is not None]


def _controlled(record: Record) -> str:
    what = "disagreement with FP32" if record.control_labels == "model" else "drop"
    images = f"{record.control_images} {record.validate_on} images"
    if record.validate_on == "train":
        images += " (optimistic: the model was trained on them)"
    ending = "target reached" if record.reached else f"target missed, stopped by {record.stopped_by}"
    work = f"{record.iterations} iterations, {record.reverted_layers} operations in FP32"
    work += "; nothing is left in int8" if record.int8_layers == 0 else ""
    return f"{record.cell}: {what} {record.control_drop:.4f} on {images}; {ending}; {work}"


def _accuracy(record: Record, judged: Judged, *, classes: bool) -> list[str]:
    """The metric, the drop, the worst class' one if asked for, and the size. Marks stand before their number."""
    drop = record.top1_drop if record.score_drop is None else record.score_drop
    whole = _format(drop, "{:+.4f}") if record.algorithm != "ir" else "-"
    return [
        f"{_best(judged)} {_format(accuracy_of(record), '{:.4f}')}".strip(),
        f"{_worse(judged)} {whole}".strip(),
        *((_worst_class(judged),) if classes else ()),
        _format(record.size_mib, "{:.2f}"),
    ]


def _best(judged: Judged) -> str:
    return BEST if judged.best else ""


def _worse(judged: Judged) -> str:
    return WORSE if judged.standing == "worse" else ""


def _worst_class(judged: Judged) -> str:
    """``3: +0.0300``; without a class where none lost anything."""
    drop = judged.worst_class_drop
    if drop is None or drop <= 0:
        return _format(drop, "{:+.4f}")
    return f"{judged.worst_class}: {drop:+.4f}"


def _speed(record: Record) -> list[str]:
    return [
        _format(record.fps, "{:,.1f}"),
        _ratio(record.speedup_ir, record.speedup_ir_low, record.speedup_ir_high),
        _ratio(record.speedup_pytorch, record.speedup_pytorch_low, record.speedup_pytorch_high),
        _format(record.latency_p50_ms, "{:.3f}"),
    ]


def _format(value: float | None, pattern: str) -> str:
    return "-" if value is None else pattern.format(value)


def _ratio(value: float | None, low: float | None, high: float | None) -> str:
    """``1.71 ±.02``: with the greater side of its interval."""
    if value is None or low is None or high is None or low == high:
        return _format(value, "{:.2f}")
    within = max(value - low, high - value)
    return f"{value:.2f} ±{within:.2f}".replace("±0.", "±.")


def _verdict(record: Record) -> Text:
    return Text(record.verdict or "-", style=VERDICTS.get(record.verdict or "", ""))


def _outcome(record: Record) -> Text:
    if record.outcome == "failed":
        return Text(record.error_class or "failed", style="bold red")
    if record.outcome == "ok" and record.reached is False:
        return Text("ok, target missed", style="yellow")
    return Text(record.outcome, style="green" if record.outcome == "ok" else "yellow")
