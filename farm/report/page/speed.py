"""Sentences on speed and size: what int8 buys, by what the verdicts allow to say."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from farm.analysis.analysis import Analysis
from farm.record import Record
from farm.report.numbers import count, span, times


def what_it_buys(analysis: Analysis) -> list[str]:
    """Speed-ups over the FP32 IR and PyTorch by device and host, and sizes."""
    int8 = [record for record in analysis.run.records if record.calibration is not None]
    measured = sorted((record for record in int8 if record.speedup_ir is not None), key=_where)
    sentences = [text for _, group in groupby(measured, key=_where) for text in _speeds(list(group), analysis)]
    if not measured:
        sentences.append("Speed was not measured in this run.")
    return [*sentences, *_sizes(int8, analysis.run.records)]


def _where(record: Record) -> tuple[str, str]:
    return (record.device, record.host or "")


def _speeds(measured: Sequence[Record], analysis: Analysis) -> Iterator[str]:
    device, host = _where(measured[0])
    several = len({record.host or "" for record in analysis.run.records if record.fps}) > 1
    where = f"On {device}" + (f" of {host}" if several else "")
    valid = [record for record in measured if record.verdict == "valid"]
    doubtful = [record for record in measured if record.verdict != "valid"]
    if valid:
        yield f"{where}, int8 runs {_range(valid)} as fast as its FP32 IR, by {count(len(valid), 'valid measurement')}."
        slower = sum(record.speedup_ir_high is not None and record.speedup_ir_high < 1 for record in valid)
        if slower:
            yield f"{where}, {count(slower, 'cell is', 'cells are')} surely slower than the FP32 IR."
    else:
        none = f"none of {count(len(measured), 'measurement')} is valid"
        yield f"{where}, no speed-up is sure enough to be claimed: {none}."
    if doubtful:
        words = " or ".join(sorted({record.verdict or "unjudged" for record in doubtful}))
        those = count(len(doubtful), f"{words} measurement is", f"{words} measurements are")
        yield (f"{those} not counted there: {_range(doubtful)} was seen, with 99 % intervals from {_reach(doubtful)}.")
    yield from _over_pytorch(measured, analysis, where)


def _range(records: Sequence[Record]) -> str:
    return f"{span([record.speedup_ir for record in records if record.speedup_ir is not None], times)} times"


def _reach(records: Sequence[Record]) -> str:
    lows = [record.speedup_ir_low for record in records if record.speedup_ir_low is not None]
    highs = [record.speedup_ir_high for record in records if record.speedup_ir_high is not None]
    return f"{times(min(lows))} to {times(max(highs))}" if lows and highs else "a single pair, which has none"


def _over_pytorch(measured: Sequence[Record], analysis: Analysis, where: str) -> Iterator[str]:
    """Over PyTorch a ratio holds only where both measurements do."""
    ratios = {record.cell: record.speedup_pytorch for record in measured if record.speedup_pytorch is not None}
    sure = [ratio for cell, ratio in ratios.items() if analysis.over_pytorch[cell] == "valid"]
    if sure:
        rest = f", by {len(sure)} of {count(len(ratios), 'measurement')} whose baseline is valid too"
        yield f"{where}, int8 runs {span(sure, times)} times as fast as PyTorch{rest}."
    elif ratios:
        yield (
            f"{where}, {span([*ratios.values()], times)} times the speed of PyTorch was seen, which is not claimed: "
            "of no cell are its own measurement and its PyTorch baseline's both valid."
        )


def _sizes(int8: Sequence[Record], records: Sequence[Record]) -> Iterator[str]:
    fp32 = {record.model: record.size_mib for record in records if record.algorithm == "ir" and record.size_mib}
    shares = [
        round(100 * record.size_mib / size)
        for record in int8
        if record.size_mib is not None and (size := fp32.get(record.model))
    ]
    if shares:
        yield f"An int8 model takes {span(shares)} % of the space of its FP32 IR."
