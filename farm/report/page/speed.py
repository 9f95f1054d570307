"""Sentences on speed and size: what int8 buys, by what the verdicts allow to say."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from farm.record import Record
from farm.report.numbers import count, span, times

Place = tuple[str, str]  # device, host


def what_it_buys(records: Sequence[Record]) -> list[str]:
    """Speed-ups over the FP32 IR and PyTorch by device and host, and sizes."""
    int8 = [record for record in records if record.calibration is not None]
    measured = sorted((record for record in int8 if record.speedup_ir is not None), key=_place)
    sentences = [text for _, group in groupby(measured, key=_place) for text in _speeds(list(group), records)]
    if not measured:
        sentences.append("Speed was not measured in this run.")
    return [*sentences, *_sizes(int8, records)]


def _place(record: Record) -> Place:
    return (record.device, record.host or "")


def _speeds(measured: Sequence[Record], records: Sequence[Record]) -> Iterator[str]:
    device, host = _place(measured[0])
    where = f"On {device}" + (f" of {host}" if len({_place(each)[1] for each in records if each.fps}) > 1 else "")
    valid = [record for record in measured if record.verdict == "valid"]
    doubted = [record for record in measured if record.verdict != "valid"]
    if valid:
        yield f"{where}, int8 runs {_range(valid)} as fast as its FP32 IR, by {count(len(valid), 'valid measurement')}."
        yield from _slower(valid, where)
    else:
        none = f"none of {count(len(measured), 'measurement')} is valid"
        yield f"{where}, no speed-up is sure enough to be claimed: {none}."
    if doubted:
        words = " or ".join(sorted({record.verdict or "unjudged" for record in doubted}))
        those = count(len(doubted), f"{words} measurement is", f"{words} measurements are")
        yield (f"{those} not counted there: {_range(doubted)} was seen, with 99 % intervals from {_reach(doubted)}.")
    yield from _over_pytorch(measured, records, where)


def _range(records: Sequence[Record]) -> str:
    values = [record.speedup_ir for record in records if record.speedup_ir is not None]
    least, most = times(min(values)), times(max(values))
    return f"{least} times" if least == most else f"{least} to {most} times"


def _reach(records: Sequence[Record]) -> str:
    lows = [record.speedup_ir_low for record in records if record.speedup_ir_low is not None]
    highs = [record.speedup_ir_high for record in records if record.speedup_ir_high is not None]
    return f"{times(min(lows))} to {times(max(highs))}" if lows and highs else "a single pair, which has none"


def _slower(valid: Sequence[Record], where: str) -> Iterator[str]:
    slower = [record for record in valid if record.speedup_ir_high is not None and record.speedup_ir_high < 1]
    if slower:
        yield f"{where}, {count(len(slower), 'cell is', 'cells are')} surely slower than the FP32 IR."


def _over_pytorch(measured: Sequence[Record], records: Sequence[Record], where: str) -> Iterator[str]:
    """Over PyTorch a ratio holds only where both measurements do."""
    baseline = {(each.model, _place(each)): each.verdict for each in records if each.runtime == "pytorch"}
    known = [record for record in measured if record.speedup_pytorch is not None]
    sure = [each for each in known if each.verdict == baseline.get((each.model, _place(each))) == "valid"]
    values = [record.speedup_pytorch for record in sure or known if record.speedup_pytorch is not None]
    if not values:
        return
    reach = f"{times(min(values))} to {times(max(values))} times" if len(values) > 1 else f"{times(values[0])} times"
    if sure:
        rest = f", by {len(sure)} of {count(len(known), 'measurement')} whose baseline is valid too"
        yield f"{where}, int8 runs {reach} as fast as PyTorch{rest}."
    else:
        yield (
            f"{where}, {reach} the speed of PyTorch was seen, which is not claimed: "
            "of no cell are its own measurement and its PyTorch baseline's both valid."
        )


def _sizes(int8: Sequence[Record], records: Sequence[Record]) -> Iterator[str]:
    whole = {record.model: record.size_mib for record in records if record.algorithm == "ir" and record.size_mib}
    shares = [
        round(100 * record.size_mib / size)
        for record in int8
        if record.size_mib is not None and (size := whole.get(record.model))
    ]
    if shares:
        yield f"An int8 model takes {span(shares)} % of the space of its FP32 IR."
