"""The study's Table 1 layout, in the terminal. Knows records, not where they come from."""

from collections.abc import Sequence
from itertools import groupby

from rich.table import Table
from rich.text import Text

from farm.record import Record

VARIANTS = {"pytorch": "PyTorch", "ir": "IR"}


def main_table(records: Sequence[Record]) -> Table:
    """One row a cell, grouped by model and device: accuracy and speed, as in the study's Table 1."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("model")
    table.add_column("variant")
    table.add_column("calibration")
    several = len({record.device for record in records}) > 1
    if several:
        table.add_column("device")
    for name in ("top-1", "drop", "FPS", "x IR", "x PyTorch", "p50 ms", "MiB"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("outcome", no_wrap=True)
    for _, group in groupby(records, key=lambda record: (record.model, record.device)):
        rows = list(group)
        for index, record in enumerate(rows):
            first = (record.model if index == 0 else "", variant(record), record.calibration or "-")
            placed = (record.device,) if several else ()
            texts = [Text(text) for text in (*first, *placed)]
            table.add_row(*texts, *_numbers(record), _outcome(record), end_section=index == len(rows) - 1)
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


def _numbers(record: Record) -> list[str]:
    return [
        _format(record.top1, "{:.4f}"),
        _format(record.top1_drop, "{:+.4f}") if record.algorithm != "ir" else "-",
        _format(record.fps, "{:,.1f}"),
        _format(record.speedup_ir, "{:.2f}"),
        _format(record.speedup_pytorch, "{:.2f}"),
        _format(record.latency_p50_ms, "{:.3f}"),
        _format(record.size_mib, "{:.2f}"),
    ]


def _format(value: float | None, pattern: str) -> str:
    return "-" if value is None else pattern.format(value)


def _outcome(record: Record) -> Text:
    if record.outcome == "failed":
        return Text(record.error_class or "failed", style="bold red")
    return Text(record.outcome, style="green" if record.outcome == "ok" else "yellow")
