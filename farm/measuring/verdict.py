"""What may be said of a measurement: which rounds were disturbed, and the verdict. Pure; knows no files, no sentences.

Judged from what the host says - steal, other programs, throttling - and from what was read back, never
from the latencies: to drop rounds for being slow would bias the result.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from farm.record import Cause, Signal, Verdict
from farm.stats.ratios import Ratio

LIMITS: dict[Signal, float] = {  # shares of a round's time; above them it was disturbed
    "steal": 0.01,
    "foreign": 0.05,
    "delayed": 0.05,
    "siblings": 0.05,
    "throttled": 0.01,
    "overheated": 0.0,
}
TICKED = ("steal", "siblings")  # counted by /proc/stat's clock: less than two of its ticks are its own error
LEAST_TICKED_S = 2 * 0.01
STRAY = "stray_cpus"  # the name of a mismatch that is no runtime property


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
class Mismatch:
    """A runtime property that was not what was asked for; `STRAY`: CPUs outside the lease that threads could run on."""

    property: str
    asked: str
    found: str


def shares(signals: Signals, wall_s: float, cpus: int) -> dict[Signal, float]:
    """Each signal as a share of a round's wall time, or of the time of all its CPUs; of ``overheated`` the count."""
    return {
        "steal": signals.steal_s / wall_s,
        "foreign": signals.foreign_s / (wall_s * cpus),
        "delayed": signals.delayed_s / wall_s,
        "siblings": signals.siblings_s / wall_s,
        "throttled": signals.throttled_s / wall_s,
        "overheated": float(signals.overheated),
    }


def disturbances(signals: Signals, wall_s: float, cpus: int, *, synchronous: bool) -> tuple[Signal, ...]:
    """What disturbed a round whose timed loop took so long on so many CPUs.

    synchronous: one inference at a time on threads that have cores of their own, so that a thread which had
    to wait for a CPU waited for somebody else.
    """
    by_signal = shares(signals, wall_s, cpus)
    too_short = {name for name in TICKED if getattr(signals, f"{name}_s") < LEAST_TICKED_S}
    unjudged = too_short if synchronous else {*too_short, "delayed"}
    return tuple(name for name, limit in LIMITS.items() if by_signal[name] > limit and name not in unjudged)


def mismatches(asked: Mapping[str, object], found: Mapping[str, object], stray: Sequence[int]) -> tuple[Mismatch, ...]:
    """How what ran differs from what was asked for.

    asked, found: runtime properties by name; one that the runtime does not tell is not judged.
    stray: CPUs outside the lease that threads of the round were allowed on.
    """
    different = tuple(
        Mismatch(property=name, asked=str(value), found=str(found[name]))
        for name, value in asked.items()
        if name in found and str(found[name]).lower() != str(value).lower()
    )
    if stray:
        different += (Mismatch(property=STRAY, asked="", found=", ".join(map(str, stray))),)
    return different


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a verdict rests on. pairs, disturbed: undisturbed and disturbed ones. least, target: what the grid asks for.

    ratio: the cell's speed over its FP32 IR's.
    """

    mismatches: tuple[Mismatch, ...]
    pairs: int
    disturbed: int
    least: int
    target: float
    ratio: Ratio | None


def judge(evidence: Evidence) -> tuple[Verdict, Cause | None]:
    """The verdict on one measurement, and why it is not ``valid``."""
    within = evidence.ratio.within if evidence.ratio else None
    if evidence.mismatches:
        return "invalid", "stray_cpus" if evidence.mismatches[0].property == STRAY else "property"
    if evidence.pairs < evidence.least:
        return "noisy", "disturbed" if evidence.disturbed else "few_pairs"
    if within is None or within > evidence.target:
        return "noisy", "wide"
    return "valid", None
