"""What may be said of a measurement: which rounds were disturbed, and the verdict. Pure; knows no files, no sentences.

Judged from what the host says - steal, other programs, throttling - and from what was read back, never
from the latencies: to drop rounds for being slow would bias the result.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from farm.measuring.round import Round
from farm.record import Cause, Signal, Verdict
from farm.stats.ratios import Ratio

LIMITS: dict[Signal, float] = {  # shares of a pair's time; above them it was disturbed
    "steal": 0.02,  # it falls on either of a pair alike, and on FPS with no more than that
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
class Mismatch:
    """A runtime property that was not what was asked for; `STRAY`: CPUs outside the lease that threads could run on."""

    property: str
    asked: str
    found: str


def shares(measured: Round) -> dict[Signal, float]:
    """Each signal as a share of a pair's time, of all its CPUs' or of the round's own; of ``overheated`` the count."""
    return {
        "steal": measured.steal_s / measured.played_s,
        "foreign": measured.foreign_s / (measured.played_s * len(measured.cpus)),
        "delayed": measured.delayed_s / measured.wall_s,
        "siblings": measured.siblings_s / measured.played_s,
        "throttled": measured.throttled_s / measured.played_s,
        "overheated": float(measured.overheated),
    }


def disturbances(measured: Round) -> tuple[Signal, ...]:
    """What disturbed a round. Delays count where it was synchronous.

    One inference at a time runs on threads that have cores of their own, so that a thread which had to wait for a
    CPU waited for somebody else.
    """
    too_short = {name for name in TICKED if getattr(measured, f"{name}_s") < LEAST_TICKED_S}
    unjudged = too_short if measured.synchronous else {*too_short, "delayed"}
    return tuple(name for name, share in shares(measured).items() if share > LIMITS[name] and name not in unjudged)


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


def judge(
    differences: Sequence[Mismatch], ratio: Ratio | None, *, pairs: int, disturbed: int, least: int, target: float
) -> tuple[Verdict, Cause | None]:
    """The verdict on one measurement, and why it is not ``valid``.

    ratio: the cell's speed over its FP32 IR's. pairs, disturbed: undisturbed and disturbed ones. least, target: what
    the grid asks for.
    """
    within = ratio.within if ratio else None
    if differences:
        return "invalid", "stray_cpus" if differences[0].property == STRAY else "property"
    if pairs < least:
        return "noisy", "disturbed" if disturbed else "few_pairs"
    if within is None or within > target:
        return "noisy", "wide"
    return "valid", None
