"""What may be said of speeds: which ratios hold, whose FP32 IR differs from itself. Knows records."""

from collections.abc import Sequence

from farm.analysis.families import together
from farm.record import Record, is_fp32_ir
from farm.results.speed import Place, ratio_of
from farm.stats.ratios import differs

UNLIKE = 1.05  # speeds of one FP32 IR beside different cells: above this ratio, their rows are not comparable


def over_pytorch(records: Sequence[Record]) -> dict[str, str | None]:
    """By cell, the verdict on its ratio to PyTorch: its own, or if that is valid, that of its PyTorch baseline."""
    baselines = {Place.of(record): record.verdict for record in records if record.runtime == "pytorch"}
    return {
        record.cell: baselines.get(Place.of(record)) if record.verdict == "valid" else record.verdict
        for record in records
    }


def differs_from_itself(record: Record) -> bool:
    """Whether it is an FP32 IR whose ratio to itself is surely not 1."""
    ratio = ratio_of(record)
    return ratio is not None and is_fp32_ir(record) and differs(ratio)


def unlike_speeds(records: Sequence[Record]) -> dict[Place, tuple[float, float]]:
    """Where the FP32 IR ran at other speeds beside other cells: FPS beside the slowest and beside the fastest."""
    speeds = together((Place.of(record), record.fps_ir) for record in records if record.fps_ir is not None)
    ends = {place: (min(fps), max(fps)) for place, fps in speeds.items()}
    return {place: (least, most) for place, (least, most) in ends.items() if most > UNLIKE * least}
