"""What stands behind the numbers: hosts, how speed was measured, versions, failures, and the commands to repeat it."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from farm.analysis.families import together
from farm.plan import Plan
from farm.record import FAILURE_CLASSES, Record, metric_of
from farm.report.metric import Metric
from farm.report.numbers import count, listed, span
from farm.report.remarks import failed_alike, notes
from farm.results.folder import PLAN
from farm.results.reading import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Cells that failed for one reason, the first's. about: what its class means. commands: what to type next."""

    first: Record
    about: str
    cells: tuple[str, ...]
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """hosts: rows under `HOST_COLUMNS`. where: the one host's processor, or how many hosts; empty if none is known.

    versions: by library. notes: what must be known of test images and calibration sets.
    """

    hosts: tuple[tuple[str, ...], ...]
    where: str
    measured: tuple[str, ...]
    versions: Mapping[str, str]
    notes: tuple[str, ...]
    failures: tuple[Failure, ...]
    again: tuple[str, ...]
    when: str


HOST_FACTS = ("host", "cpu_model", "isa", "cores", "device", "threads", "streams", "precision")
HOST_COLUMNS = ("Host", "Processor", "Instructions", "Cores", "Device", "Threads", "Streams", "Precision")


def facts(run: Run) -> Facts:
    """Everything below the figures."""
    plan = run.folder.read_plan() if run.folder.has(PLAN) else None
    command = plan.command if plan else ""
    hosts = _hosts(run.records)
    return Facts(
        hosts=hosts,
        where=_where(hosts),
        measured=tuple(_measured(run, plan)),
        versions=versions(run.records),
        notes=tuple(notes(run.records)),
        failures=failures(run.records, command),
        again=tuple(_again(run, command)),
        when=_when(run.records),
    )


def _hosts(records: Sequence[Record]) -> tuple[tuple[str, ...], ...]:
    """Each host, device and way of running once, in the records' order: where speed was measured, if it was."""
    ran = [record for record in records if record.host is not None and record.runtime != "pytorch"]
    measured = [record for record in ran if record.fps is not None]
    rows = [tuple(getattr(record, name) for name in HOST_FACTS) for record in measured or ran]
    return tuple(tuple("\N{EN DASH}" if one is None else str(one) for one in row) for row in dict.fromkeys(rows))


def _where(hosts: Sequence[Sequence[str]]) -> str:
    processors = {name: processor for name, processor, *_ in hosts}
    if len(processors) == 1:
        return next(iter(processors.values()))
    return count(len(processors), "host") if processors else ""


def versions(records: Sequence[Record]) -> dict[str, str]:
    """The versions of each library, by name; all of them where cells were made by several."""
    versions = together(item for record in records for item in json.loads(record.versions or "{}").items())
    return {name: " and ".join(dict.fromkeys(versions[name])) for name in sorted(versions)}


def _when(records: Sequence[Record]) -> str:
    """From the first stage's start to the last one's end, in UTC; empty if nothing ran."""
    starts = [record.started_at for record in records if record.started_at]
    ends = [record.finished_at for record in records if record.finished_at]
    if not starts or not ends:
        return ""
    first, last = (f"{time:%Y-%m-%d %H:%M}" for time in (min(starts), max(ends)))
    return f"{first} to {last[11:] if first[:10] == last[:10] else last} UTC"


def _measured(run: Run, plan: Plan | None) -> Iterator[str]:
    yield "Each int8 model and its FP32 IR saw the same test images."
    metric = Metric(metric_of(run.records))
    if run.has_answers:
        yield (
            f"{metric.article} has {metric.method.score} interval, a drop {metric.method.drop}, both at 95 %. Surely "
            "means that such an interval, each on its own, leaves nothing else."
        )
    if run.claims.reference is not None:
        yield (
            f"Equivalent to real images ({run.claims.reference}) means that the 90 % interval of the loss lies within "
            f"{metric.margin(run.claims.margin)} either way; worse or better that p < 0.05 ({metric.method.test}; "
            "over several seeds Welch's, with the doubt of the test images added), corrected by Holm "
            "for all sets of a model; undecided is all else."
        )
    timed = [record for record in run.records if record.verdict is not None]
    if timed:
        yield from _rounds(timed)
    if timed and plan and plan.effort:
        (least, most), effort = plan.effort.pairs, plan.effort
        yield f"Asked for: {least} to {most} pairs, within {effort.target:.1%}, in {effort.budget_s:g} s a cell."


def _rounds(timed: Sequence[Record]) -> Iterator[str]:
    pairs = [record.pairs for record in timed if record.pairs is not None]
    disturbed = sum(record.disturbed_pairs or 0 for record in timed)
    what = sorted({record.timed for record in timed if record.timed})
    yield (
        "Speed was measured in pairs of fresh processes on cores of their own, the cell's and its FP32 IR's, by turns: "
        f"{span(pairs or [0])} undisturbed pairs a cell; {count(disturbed, 'pair was', 'pairs were')} "
        "disturbed by other programs. A speed-up is the geometric mean of paired ratios with its 99 % interval."
        f"{f' Timed: {listed(what)}.' if what else ''}"
    )
    foreign = max((record.foreign_share or 0.0 for record in timed), default=0.0)
    steal = max((record.steal_share or 0.0 for record in timed), default=0.0)
    yield (
        f"Of the leased processors' time other programs took at most {foreign:.2%}, the hypervisor {steal:.2%}. "
        "A speed is valid when enough pairs were undisturbed and its interval is as narrow as asked for; else noisy; "
        "invalid when the runtime did not run what was asked for."
    )


def failures(records: Sequence[Record], command: str) -> tuple[Failure, ...]:
    """One for each cause and message, in the order of causes. command: that ran the grid; empty if unknown."""
    again = (f"{command} --failed",) if command else ()
    return tuple(
        Failure(
            first=cells[0],
            about=FAILURE_CLASSES.get(cells[0].error_class or "", ""),
            cells=tuple(record.cell for record in cells),
            commands=(f"farm why {shlex.quote(cells[0].cell)}", *again),
        )
        for cells in failed_alike(records)
    )


def _again(run: Run, command: str) -> Iterator[str]:
    exact = [f"{name}=={version}" for name, version in versions(run.records).items() if name in INSTALLED]
    if exact and not any(" and " in one for one in exact):
        yield f"pip install {' '.join(exact)}"
    yield command or f"farm run GRID.yaml    # the grid named {shlex.quote(run.name)}; its plan is not with its results"
    yield f"farm report {shlex.quote(run.name)}"


INSTALLED = ("nncf", "openvino", "torch")
