"""Why measurements hold or not, in words, and the command that measures them again. Knows records."""

import json
import shlex
from collections.abc import Sequence

from farm.measuring.verdict import STRAY
from farm.record import Ended, Record, Signal
from farm.report.numbers import give_or_take, listed, span, within
from farm.shown import in_line

WAYS_OUT: dict[Ended, str] = {  # by what ended a measurement that is not sure enough
    "target": "it was enough by the rules that it was measured under: measure it again",
    "pairs": "raise settings.measure.pairs, or measure on fewer threads or a quieter host",
    "budget": "the time was spent: raise settings.measure.budget_s",
    "disturbed": "ask farm doctor what else runs there, or leave speed out (--no-measure)",
    "futile": "twice as many pairs would not do: raise settings.measure.target, or measure on a quieter host",
}
SLOWED = ("mixed", "slow")  # how cores ran that were not at full speed when figures were taken
BY_PROGRAMS = ("foreign", "delayed", "siblings")  # the signals of what other programs of this host do
ANOTHER_DEVICE = "change the device in the grid, or measure on a host that has it"
SIGNALS: dict[Signal, str] = {
    "steal": "the hypervisor took {} of the time",
    "foreign": "other programs took {} of the time",
    "delayed": "other programs kept it waiting {} of the time",
    "siblings": "other programs on the cores' sibling threads took {} of the time",
    "throttled": "the CPU quota held it back {} of the time",
    "overheated": "the processor throttled itself",
}


def again(command: str, *only: str) -> str:
    """The command that measures cells again. command: the one that ran the grid. only: which; all if none is named."""
    return f"{command}{''.join(f' --only {shlex.quote(text)}' for text in only)} --fresh measure"


def word(record: Record) -> str:
    """The verdict, or that it is one on slowed cores; empty where no speed was measured."""
    return "slowed" if record.verdict == "valid" and record.cores_ran in SLOWED else record.verdict or ""


def states(record: Record) -> str:
    """How often the cores were at full speed, and the speed-up of the rest; empty where no probe said so."""
    if record.full_speed_share is None:
        return ""
    slow = give_or_take(record.speedup_slow, record.speedup_slow_low, record.speedup_slow_high, "{:.2f}")
    rest = f"; x IR of the rest of the time: {slow}" if record.speedup_slow is not None else ""
    return f"cores at full speed in {record.full_speed_share:.0%} of the time{rest}"


def kind(record: Record) -> tuple[object, ...]:
    """Measurements of one kind have one sentence, with other numbers in it."""
    parts = (record.verdict, record.verdict_cause, record.ended, record.worst_signal, record.mismatches)
    return (*parts, record.within is None, bool(record.disturbed_pairs))


def sentence(records: Sequence[Record], command: str, only: Sequence[str] | None = None) -> str:
    """Why the measurements of one kind do not hold, what to do, and the command for it.

    A number that differs among them is a range. command: that ran the grid; empty if unknown. only: what it is to
    measure again, all if that is empty; by default these cells.
    """
    first = records[0]
    if first.verdict_cause is None:
        return _width(records) if first.verdict == "valid" else ""
    way_out = ANOTHER_DEVICE if first.verdict == "invalid" else WAYS_OUT[first.ended] if first.ended else ""
    text = "; ".join(filter(None, (cause(records), way_out)))
    cells = [record.cell for record in records] if only is None else only
    return f"{text}, then: {again(command, *cells)}" if command else text


def cause(records: Sequence[Record]) -> str:
    """Why measurements of one kind do not hold."""
    first = records[0]
    if first.verdict == "invalid":
        return mismatch(first)
    pairs = _span(records, "pairs")
    if first.verdict_cause == "few_pairs":
        return f"{pairs} of at least {_span(records, 'least_pairs')} pairs were measured"
    if first.verdict_cause == "disturbed":
        tried = span([(record.pairs or 0) + (record.disturbed_pairs or 0) for record in records], str)
        few = f"only {pairs}" if any(record.pairs for record in records) else "none"
        return f"{few} of {tried} pairs {'were' if few != 'none' else 'was'} undisturbed{_worst(records)}"
    return f"known {_width(records)}" if first.within is not None else "one pair says nothing of its spread"


def _worst(records: Sequence[Record]) -> str:
    """What disturbed most, and the programs that ran meanwhile, as far as they are known."""
    signal = records[0].worst_signal
    if signal is None:
        return ""
    programs = dict.fromkeys(in_line(name) for record in records for name in json.loads(record.disturbers or "[]"))
    named = f" ({listed([*programs])})" if programs and signal in BY_PROGRAMS else ""
    return f": {SIGNALS[signal].format(_span(records, 'worst_share', '{:.0%}'))}{named}"


def mismatch(record: Record) -> str:
    """How what ran differs from what was asked for; empty if it does not."""
    return "; ".join(
        f"threads were allowed on CPUs {one['found']} outside the lease"
        if one["property"] == STRAY
        else f"{one['property']} was {one['found']}, not {one['asked']}"
        for one in json.loads(record.mismatches or "[]")
    )


def _width(records: Sequence[Record]) -> str:
    """``within 8.3%, not the 5.0% asked for, after 16 pairs``; what is not known is left out."""
    first = records[0]
    if first.within is None:
        return ""
    width = within([record.within or 0.0 for record in records])
    if first.verdict != "valid" and first.asked is not None:
        width += f", not the {_span(records, 'asked', '{:.1%}')} asked for,"
    more = ""
    if first.disturbed_pairs:
        more = f", {_span(records, 'disturbed_pairs')} {'done again' if first.verdict == 'valid' else 'more disturbed'}"
    return f"{width} after {_span(records, 'pairs')} pairs{more}"


def _span(records: Sequence[Record], column: str, pattern: str = "{}") -> str:
    """A number of these records: ``10.4% to 18.6%``, or the one that all are."""
    return span([getattr(record, column) or 0 for record in records], pattern.format)
