"""The study's Table 1 layout, in the terminal. Knows records, not where they come from."""

from collections.abc import Sequence
from itertools import groupby

from rich.table import Table
from rich.text import Text

from farm.record import Record
from farm.stats.ratios import Ratio, differs

VARIANTS = {"pytorch": "PyTorch", "ir": "IR"}
VERDICTS = {"valid": "green", "noisy": "yellow", "invalid": "bold red"}
UNLIKE = 1.05  # speeds of one FP32 IR beside different cells: above this ratio, their rows are not comparable
METRICS = {None: "top-1", "top1": "top-1", "top5": "top-5"}


def main_table(records: Sequence[Record]) -> Table:
    """One row a cell, grouped by model and device: accuracy and speed, as in the study's Table 1.

    The accuracy is the grid's metric: `score`, or `top1` of records that are older than metrics.
    """
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("model")
    table.add_column("variant", overflow="fold")
    table.add_column("calibration", overflow="fold")
    several = len({record.device for record in records}) > 1
    if several:
        table.add_column("device")
    metric = next((record.metric for record in records if record.metric), None)
    measured = any(record.fps is not None for record in records)
    speeds = ("FPS", "x IR", "x PyTorch", "p50 ms") if measured else ()
    for name in (METRICS.get(metric, metric or ""), "drop", "MiB", *speeds):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("verdict", "outcome") if measured else ("outcome",):
        table.add_column(name, no_wrap=True)
    for _, group in groupby(records, key=lambda record: (record.model, record.device)):
        rows = list(group)
        for index, record in enumerate(rows):
            first = (record.model if index == 0 else "", variant(record), record.calibration or "-")
            placed = (record.device,) if several else ()
            texts = [Text(text) for text in (*first, *placed)]
            speed: tuple[str | Text, ...] = (*_speed(record), _verdict(record)) if measured else ()
            last = index == len(rows) - 1
            table.add_row(*texts, *_accuracy(record), *speed, _outcome(record), end_section=last)
    return table


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
        if record.algorithm == "ir" and record.precision == "f32" and _differs(record)
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


def _accuracy(record: Record) -> list[str]:
    drop = record.top1_drop if record.score_drop is None else record.score_drop
    return [
        _format(record.top1 if record.score is None else record.score, "{:.4f}"),
        _format(drop, "{:+.4f}") if record.algorithm != "ir" else "-",
        _format(record.size_mib, "{:.2f}"),
    ]


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
