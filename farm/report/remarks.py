"""The lines below a table: what must be known of sets, which measurements do not hold, what failed. Knows records."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence

from farm.analysis.families import together
from farm.analysis.speeds import differs_from_itself, unlike_speeds
from farm.grid.selection import labels_of, options
from farm.host.processor import DOT_PRODUCT
from farm.measuring.full_speed import LEAST_SHARE
from farm.record import Record, as_given, source_of
from farm.report.numbers import MOST_NAMES, listed, span
from farm.report.verdicts import kind, sentence, word
from farm.report.words import AS_IT_COMES, DOUBTS, SATURATING

LITTLE = 0.5  # of all weights in int8


def remarks(records: Sequence[Record], every: Sequence[Record] = (), command: str = "") -> list[str]:
    """All that is to be said of these cells, what failed last. every, command: as for `reservations`."""
    return [*notes(records), *controlled(records), *reservations(records, every, command), *failures(records)]


def notes(records: Sequence[Record]) -> list[str]:
    """A line for each note of the test images and of a source; of a set where its source has several notes.

    And for what is implausible of a model, or what was quantized as it came, or hardly.
    """
    of_images = dict.fromkeys(record.dataset_note for record in records if record.dataset_note)
    noted = [record for record in records if record.calibration_note]
    count = Counter(source for source, _ in {(source_of(record), record.calibration_note) for record in noted})
    names = [source if count[source := source_of(record)] == 1 else record.calibration for record in noted]
    of_sets = dict.fromkeys((name, record.calibration_note) for name, record in zip(names, noted, strict=True))
    return [
        *(f"test images: {note}" for note in of_images),
        *(f"{name}: {note}" for name, note in of_sets),
        *doubtful(records),
        *_quantized(records),
    ]


def doubtful(records: Sequence[Record]) -> Iterator[str]:
    """What is implausible of models that are not quantized, a line a doubt."""
    found = (
        (doubt, figure, record) for record in records for doubt, figure in json.loads(record.doubts or "{}").items()
    )
    alike = together(((doubt, str(figure)), (figure, record)) for doubt, figure, record in found if doubt in DOUBTS)
    for (doubt, _), both in alike.items():
        figure, names = both[0][0], dict.fromkeys(record.model for _, record in both)
        values = figure if isinstance(figure, list) else [figure]
        yield f"{listed([*names])}: {DOUBTS[doubt].format(*values)}"


def _quantized(records: Sequence[Record]) -> Iterator[str]:
    """The models that were quantized as they came, and the cells of which little became int8."""
    given = [record for record in records if as_given(record)]
    if given:
        yield f"{listed([*dict.fromkeys(record.model for record in given)])}: {AS_IT_COMES}"
    lacking = dict.fromkeys(record.isa for record in given if record.isa and record.isa not in DOT_PRODUCT)
    for isa in lacking:
        yield f"int8 as given: {SATURATING.format(isa)}"
    int8 = [record for record in records if record.quantize_s and record.device.startswith("CPU")]
    overflowing = (record for record in int8 if "overflow_fix=enable" not in record.algorithm)
    for isa in dict.fromkeys(record.isa for record in overflowing if record.isa and record.isa not in DOT_PRODUCT):
        yield f"int8: {SATURATING.format(isa)}; `overflow_fix: enable` of the algorithm avoids it"
    little = [record for record in records if (record.int8_weights_share or 1.0) < LITTLE and record.quantize_s]
    for record in little:
        layers = f"{record.int8_layers} of {record.weighted_layers} layers with weights"
        share = f"{record.int8_weights_share:.1%} of its weights are int8"
        yield f"{record.cell}: {share}, in {layers}: the rest stays FP32"


def controlled(records: Sequence[Record]) -> list[str]:
    """One line for each accuracy-aware cell: what was validated, how it ended, what went back to FP32."""
    lines = []
    for record in (record for record in records if record.stopped_by is not None):
        what = "disagreement with FP32" if record.control_labels == "model" else "drop"
        optimistic = " (optimistic: the model was trained on them)" if record.validate_on == "train" else ""
        ending = "target reached" if record.reached else f"target missed, stopped by {record.stopped_by}"
        left = "; nothing is left in int8" if record.int8_layers == 0 else ""
        lines.append(
            f"{record.cell}: {what} {record.control_drop:.4f} on {record.control_images} {record.validate_on} images"
            f"{optimistic}; {ending}; {record.iterations} iterations, {record.reverted_layers} operations in FP32{left}"
        )
    return lines


def failures(records: Sequence[Record]) -> list[str]:
    """One line a cause: the class, what it hit, its message, and where the log is."""
    lines = []
    for first, *others in failed_alike(records):
        more = f" and {len(others)} more" if others else ""
        log = f"\n    log: {first.log}" if first.log else ""
        lines.append(f"{first.error_class}: {first.cell}{more}\n    {first.error_message}{log}")
    return lines


def failed_alike(records: Sequence[Record]) -> list[list[Record]]:
    """The cells that failed, those of one cause and message together, in the order of causes."""
    failed = [record for record in records if record.outcome == "failed"]
    alike = together(((record.error_class or "", record.error_message or ""), record) for record in failed)
    return [alike[reason] for reason in sorted(alike)]


def reservations(records: Sequence[Record], every: Sequence[Record] = (), command: str = "") -> list[str]:
    """One line for each reason for which measurements do not hold, and for each for which rows are not comparable.

    every: all cells of their run, where they are known: then many cells are to be measured again by what they
    have in common. command: that ran the grid; empty if unknown.
    """
    doubtful = [record for record in records if record.verdict not in (None, "valid")]
    unlike = [
        f"{record.cell}: the FP32 IR differs from itself, x {record.speedup_ir:.3f}: this host's speeds do not hold"
        for record in records
        if differs_from_itself(record)
    ]
    return [*_by_reason(doubtful, every, command), *_slowed(records), *unlike, *_baselines(records), *_speeds(records)]


def _slowed(records: Sequence[Record]) -> Iterator[str]:
    """The cells whose speed is that of cores which never, or hardly ever, ran at full speed."""
    stayed = [record.cell for record in records if record.cores_ran == "slow"]
    if stayed:
        yield (
            f"slowed: {listed(stayed)}\n    the cores were slower all the time than beside other cells of this run, as "
            "they are if a neighbour stays: x IR is that of the cores as they were"
        )
    mixed = [record for record in records if record.cores_ran == "mixed"]
    unclear = [record for record in mixed if (record.full_speed_share or 0.0) >= LEAST_SHARE]
    if unclear:
        yield (
            f"slowed: {listed([record.cell for record in unclear])}\n    the cores changed their speed too often, or "
            "seldom for long enough, to tell full speed from the rest: x IR is that of the cores as they were"
        )
    slowed = [record for record in mixed if record not in unclear]
    if slowed:
        share = span([record.full_speed_share or 0.0 for record in slowed], "{:.0%}".format)
        yield (
            f"slowed: {listed([record.cell for record in slowed])}\n    neighbours shared the cores, which ran at full "
            f"speed in {share} of the time: x IR is that of the cores as they were; at full speed it may be another"
        )


def _by_reason(doubtful: Sequence[Record], every: Sequence[Record], command: str) -> Iterator[str]:
    """Cells of one reason together, with the range of each number in it, and one command for them all."""
    for cells in together((kind(record), record) for record in doubtful).values():
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
        shorter = options(wanted, labels)
        if shorter is not None and len(shorter) < len(names):
            return shorter
    return names


def _baselines(records: Sequence[Record]) -> Iterator[str]:
    """What a PyTorch baseline that does not hold, or only for slowed cores, means for its model's other cells."""
    baselines = [record for record in records if record.runtime == "pytorch" and word(record) not in ("", "valid")]
    for verdict, names in together((word(one), f"{one.model}/{one.device}") for one in baselines).items():
        text = "its PyTorch baseline is {0}, and so is every x PyTorch over it"
        if len(names) > 1:
            text = "their PyTorch baselines are {0}, and so is every x PyTorch over them"
        yield f"{listed(names, len(names))}: {text.format(verdict)}"


def _speeds(records: Sequence[Record]) -> Iterator[str]:
    """The models whose FP32 IR ran at other speeds beside other cells of the same host."""
    several = len({record.host for record in records if record.fps_ir is not None}) > 1
    lines = [
        f"{place.model}/{place.device}{f' on {place.host}' if several else ''}: {least:,.1f} to {most:,.1f} FPS"
        for place, (least, most) in unlike_speeds(records).items()
    ]
    if lines:
        advice = "compare rows by x IR, which was measured side by side, not by FPS"
        yield "\n    ".join([f"{advice}: beside different cells the FP32 IR ran at other speeds:", *lines])
