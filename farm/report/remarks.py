"""The lines below a table: what must be known of sets, which measurements do not hold, what failed. Knows records."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from farm.grid.selection import labels_of, options
from farm.record import Record, is_fp32_ir, source_of
from farm.report.numbers import MOST_NAMES, listed
from farm.report.verdicts import kind, sentence
from farm.stats.ratios import Ratio, differs

UNLIKE = 1.05  # speeds of one FP32 IR beside different cells: above this ratio, their rows are not comparable


def remarks(records: Sequence[Record], every: Sequence[Record] = (), command: str = "") -> list[str]:
    """All that is to be said of these cells, what failed last. every, command: as for `doubts`."""
    return [*notes(records), *controlled(records), *doubts(records, every, command), *failures(records)]


def notes(records: Sequence[Record]) -> list[str]:
    """One line for each source of calibration sets of which a reader must know something."""
    noted = [record for record in records if record.calibration_note]
    said = {source_of(record): record.calibration_note for record in noted}
    return [f"{source}: {note}" for source, note in said.items()]


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


def doubts(records: Sequence[Record], every: Sequence[Record] = (), command: str = "") -> list[str]:
    """One line for each reason for which measurements do not hold, and for each for which rows are not comparable.

    every: all cells of their run, where they are known: then many cells are told to be measured again by what they
    have in common. command: that ran the grid; empty if unknown.
    """
    doubtful = [record for record in records if record.verdict not in (None, "valid")]
    unlike = [
        f"{record.cell}: the FP32 IR differs from itself, x {record.speedup_ir:.3f}: this host's speeds do not hold"
        for record in records
        if is_fp32_ir(record) and _differs(record)
    ]
    return [*_by_reason(doubtful, every, command), *unlike, *_baselines(doubtful), *_speeds(records)]


def _by_reason(doubtful: Sequence[Record], every: Sequence[Record], command: str) -> Iterator[str]:
    """Cells of one reason together, with the range of each number in it, and one command for them all."""
    groups: dict[tuple[object, ...], list[Record]] = {}
    for record in doubtful:
        groups.setdefault(kind(record), []).append(record)
    for cells in groups.values():
        reason = sentence(cells, command, _only(cells, every))
        yield f"{cells[0].verdict}: {listed([record.cell for record in cells])}\n    {reason}"


def _only(cells: Sequence[Record], every: Sequence[Record]) -> list[str]:
    """What ``--only`` takes to mean these cells; many, by what they or all noisy ones of their run have in common."""
    names = [record.cell for record in cells]
    labels = {record.cell: labels_of(record) for record in every}
    noisy = [record.cell for record in every if record.verdict == "noisy"]
    if len(names) <= MOST_NAMES or not {*names} <= {*labels}:
        return names
    for wanted in (names, noisy if {*names} <= {*noisy} else names):
        found = options(wanted, labels)
        if found is not None and len(found) < len(names):
            return found
    return names


def _baselines(doubtful: Sequence[Record]) -> Iterator[str]:
    """What a PyTorch baseline that does not hold means for its model's other cells."""
    places: dict[str | None, list[str]] = {}
    for record in doubtful:
        if record.runtime == "pytorch":
            places.setdefault(record.verdict, []).append(_place(record))
    for verdict, found in places.items():
        said = "its PyTorch baseline is {0}, and so is every x PyTorch over it"
        if len(found) > 1:
            said = "their PyTorch baselines are {0}, and so is every x PyTorch over them"
        yield f"{listed(found, len(found))}: {said.format(verdict)}"


def _speeds(records: Sequence[Record]) -> Iterator[str]:
    """The models whose FP32 IR ran at other speeds beside other cells of the same host."""
    speeds: dict[tuple[str | None, str], list[float]] = {}
    for record in records:
        if record.fps_ir is not None:
            speeds.setdefault((record.host, _place(record)), []).append(record.fps_ir)
    several = len({host for host, _ in speeds}) > 1
    apart = {
        f"{place} on {host}" if several else place: found
        for (host, place), found in speeds.items()
        if max(found) > UNLIKE * min(found)
    }
    if apart:
        said = [f"{place}: {min(found):,.1f} to {max(found):,.1f} FPS" for place, found in apart.items()]
        advice = "compare rows by x IR, which was measured side by side, not by FPS"
        yield "\n    ".join([f"{advice}: beside different cells the FP32 IR ran at other speeds:", *said])


def _place(record: Record) -> str:
    """Who is compared in speed: a model on a device."""
    return f"{record.model}/{record.device}"


def _differs(record: Record) -> bool:
    """Whether its ratio to the FP32 IR is surely not 1."""
    if record.speedup_ir is None:
        return False
    return differs(Ratio(value=record.speedup_ir, low=record.speedup_ir_low, high=record.speedup_ir_high))
