"""What may be said of a measurement: which rounds were disturbed, and the verdict. Pure; knows no files.

Judged from what the host says - steal, other programs, throttling - and from what was read back, never
from the latencies: to drop rounds for being slow would bias the result.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from farm.stats.ratios import Ratio

STEAL = 0.01  # shares of a round's wall time
FOREIGN = 0.05
DELAYED = 0.05
THROTTLED = 0.01
TICKS = 2  # of /proc/stat's clock: less than this is its own error
TICK_S = 0.01
THEN = ", then: "  # parts a reason from the command that measures again

Ended = Literal["target", "pairs", "budget", "disturbed"]
WAYS_OUT: dict[Ended, str] = {  # by what ended a measurement that is not sure enough
    "target": "it was enough by the rules that it was measured under: measure it again",
    "pairs": "raise settings.measure.pairs, or measure on fewer threads or a quieter host",
    "budget": "the time was spent: raise settings.measure.budget_s",
    "disturbed": "ask farm doctor what runs there",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What went on while a round was timed, as the host tells it.

    Inferences wait for the slowest of their threads, so the worst of several is what counts. steal_s: taken by
    the hypervisor, from the leased CPU that lost most. foreign_s: CPU time on all leased CPUs that was not this
    process's, beyond what the clock's ticks leave open. delayed_s: ready to run but made to wait, the thread
    that waited longest. siblings_s: the busiest of the cores' sibling threads that are not leased. throttled_s:
    held back by the cgroup's quota. overheated: the processor's own throttling events. mhz: mean frequency of
    the leased CPUs at the end, not judged; None where the host does not show it.
    """

    steal_s: float
    foreign_s: float
    delayed_s: float
    siblings_s: float
    throttled_s: float
    overheated: int
    mhz: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``valid``, ``noisy`` or ``invalid``, and why, with what to do about it."""

    word: Literal["valid", "noisy", "invalid"]
    reason: str


def disturbance(signals: Signals, wall_s: float, cpus: int, *, synchronous: bool) -> str:
    """What disturbed a round whose timed loop took so long on so many CPUs, in words; empty if nothing did.

    synchronous: one inference at a time on threads that have cores of their own, so that a thread which had
    to wait for a CPU waited for somebody else.
    """
    least_s = TICKS * TICK_S
    found = [
        _share("the hypervisor took", signals.steal_s, wall_s, STEAL, least_s),
        _share("other programs took", signals.foreign_s, wall_s * cpus, FOREIGN),
        _share("other programs kept it waiting", signals.delayed_s, wall_s, DELAYED) if synchronous else "",
        _share("other programs on the cores' sibling threads took", signals.siblings_s, wall_s, FOREIGN, least_s),
        _share("the CPU quota held it back", signals.throttled_s, wall_s, THROTTLED),
        f"the processor throttled itself {signals.overheated} times" if signals.overheated > 0 else "",
    ]
    return "; ".join(filter(None, found))


def _share(what: str, seconds: float, wall_s: float, limit: float, least_s: float = 0.0) -> str:
    if seconds <= limit * wall_s or seconds < least_s:
        return ""
    return f"{what} {seconds / wall_s:.0%} of the time"


def mismatch(asked: Mapping[str, Any], found: Mapping[str, Any], stray: Sequence[int]) -> str:
    """How what ran differs from what was asked for, in words; empty if it does not.

    asked, found: runtime properties by name; one that the runtime does not tell is not judged.
    stray: CPUs outside the lease that threads of the round were allowed on.
    """
    differences = [
        f"{name} was {found[name]}, not {value}"
        for name, value in asked.items()
        if name in found and str(found[name]).lower() != str(value).lower()
    ]
    if stray:
        differences.append(f"threads were allowed on CPUs {', '.join(map(str, stray))} outside the lease")
    return "; ".join(differences)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a verdict rests on. pairs, disturbed: undisturbed and disturbed ones. worst: the words of a disturbance.

    least, target: what the grid asks for. ratio: the cell's speed over its FP32 IR's.
    """

    mismatch: str
    pairs: int
    disturbed: int
    worst: str
    least: int
    target: float
    ended: Ended
    ratio: Ratio | None


def judge(evidence: Evidence, again: str) -> Verdict:
    """The verdict on one measurement. again: the command that measures it again."""
    within = evidence.ratio.within if evidence.ratio else None
    if evidence.mismatch:
        text = f"{evidence.mismatch}; change the device in the grid, or measure on a host that has it{THEN}{again}"
        return Verdict(word="invalid", reason=text)
    if evidence.pairs < evidence.least or within is None or within > evidence.target:
        return Verdict(word="noisy", reason=f"{_doubt(evidence, within)}; {WAYS_OUT[evidence.ended]}{THEN}{again}")
    disturbed = f", {evidence.disturbed} done again" if evidence.disturbed else ""
    return Verdict(word="valid", reason=f"within {within:.1%} after {evidence.pairs} pairs{disturbed}")


def _doubt(evidence: Evidence, within: float | None) -> str:
    """Why a measurement is not sure enough."""
    if evidence.pairs < evidence.least and evidence.disturbed:
        tried = evidence.pairs + evidence.disturbed
        return f"only {evidence.pairs} of {tried} pairs were undisturbed: {evidence.worst}"
    if evidence.pairs < evidence.least:
        return f"{evidence.pairs} of at least {evidence.least} pairs were measured"
    if within is None:
        return "one pair says nothing of its spread"
    disturbed = f", {evidence.disturbed} more disturbed" if evidence.disturbed else ""
    known = f"known within {within:.1%}, not the {evidence.target:.1%} asked for"
    return f"{known}, after {evidence.pairs} pairs{disturbed}"
