"""`farm doctor`: is this host fit for measurements, and what would make it so."""

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any

import yaml
from rich.table import Table
from rich.text import Text
from typer import Option

from farm.campaign.execute import execute
from farm.campaign.resolve import resolve
from farm.catalog import CATALOG
from farm.cli import interrupt
from farm.cli.options import Json, say, stderr, stdout, table
from farm.cli.progress import console
from farm.errors import FarmError, InputError
from farm.grid.cell import Grid
from farm.grid.load import load
from farm.grid.settings import Measuring
from farm.host import checks
from farm.host.check import CheckResult, Host
from farm.host.lease import host_cores, lease, lock_folder
from farm.host.topology import measurable
from farm.plan import Effort, Plan, parameters
from farm.record import Record
from farm.report.verdicts import mismatch
from farm.results.location import Location
from farm.stats.ratios import Ratio, differs, looks
from farm.store import Store

EXAMPLES = """
farm doctor --threads 1

farm doctor --per-node 2 --json
"""

PAIRS = (6, 12)
# The packaged digits ResNet20: its FP32 IR is measured against itself, so that any difference is the host's.
GRID = {
    "name": "doctor",
    "dataset": {"name": "digits", "count": 64},
    "models": ["resnet20"],
    "baselines": ["ir"],
    "settings": {"measure": {"pairs": list(PAIRS), "target": 0.01}},
}
TARGET = Measuring().target  # of a campaign: what is known within that is known well enough
STYLES = {"good": "green", "doubtful": "yellow", "bad": "bold red"}
SHARES = {"foreign_share": "other programs took", "steal_share": "the hypervisor took"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was measured. facts: for ``--json``. text: for people. sound: whether measurements hold here."""

    facts: dict[str, Any]
    text: str
    sound: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """The doctor's grid in a folder of its own."""

    folder: Path
    grid: Grid
    plan: Plan
    store: Store


def doctor(
    per_node: Annotated[
        int | None, Option(min=2, metavar="K", help="Also measure what K measurements at once cost one another.")
    ] = None,
    noise: Annotated[bool, Option(help="Measure the noise floor too, which takes a minute or less.")] = True,
    threads: Annotated[int | None, Option(min=1, help="Threads of the noise floor; all cores by default.")] = None,
    as_json: Json = False,
) -> int:
    """Check this host before a campaign: what disturbs measurements here, the noise floor, what to change.

    The noise floor is an A/A test: a model measured against itself. Exit code 1 if measurements will not hold here.
    """
    _check(per_node, threads)
    results = checks.run_checks(Host())
    if not as_json:
        stdout.print(_table(results))
    with tempfile.TemporaryDirectory(prefix="farm-doctor-") as folder:
        lab = cache(partial(_lab, Path(folder), threads))
        answers = {"noise": _answered("noise floor", lambda: _noise(lab()))} if noise else {}
        if per_node is not None:
            answers["per_node"] = _answered(f"{per_node} at once", lambda: _company(lab(), per_node))
    if as_json:
        facts = {name: answer.facts for name, answer in answers.items()}
        stdout.print_json(json.dumps({"findings": [asdict(result) for result in results], **facts}))
    elif answers:
        say("\n" + "\n".join(answer.text for answer in answers.values()))
    sound = all(result.state != "bad" for result in results) and all(answer.sound for answer in answers.values())
    return 0 if sound else 1


def _check(per_node: int | None, threads: int | None) -> None:
    """Raises InputError if more cores are asked for than there are."""
    lent = len(measurable(host_cores()))
    for option, count in (("--per-node", per_node), ("--threads", threads)):
        if count is not None and count > lent:
            raise InputError(f"{option} {count}: this host lends {lent} cores to measurements")


def _table(results: Sequence[CheckResult]) -> Table:
    rows = table("state", "what", "this host")
    for result in results:
        change = f"\n-> {result.change}" if result.change else ""
        rows.add_row(Text(result.state, style=STYLES[result.state]), result.what, Text(f"{result.says}{change}"))
    return rows


def _answered(what: str, measure: Callable[[], Answer]) -> Answer:
    """The answer, or why there is none: what was found before is still worth saying."""
    try:
        return measure()
    except (FarmError, RuntimeError, OSError) as error:
        return Answer(facts={"error": str(error)}, text=f"{what}: not measured: {error}", sound=False)


def _lab(folder: Path, threads: int | None) -> Lab:
    path = folder / "doctor.yaml"
    device = {"name": "CPU", **({"threads": threads} if threads else {})}
    path.write_text(yaml.safe_dump({**GRID, "devices": [device]}), encoding="utf-8")
    grid = load(path, CATALOG)
    return Lab(folder=folder, grid=grid, plan=resolve(grid), store=Location.of(folder).store)


def _execute(lab: Lab, uris: set[str]) -> None:
    """Run these stages as far as they are not there, as `farm run` would. Raises FarmError if one failed."""
    wanted, listener = uris - lab.store.present(uris), replace(console(quiet=False), started=interrupt.listen)
    outcomes = execute(lab.plan, wanted, lab.store, CATALOG.stages, lab.grid.settings, listener=listener)
    for uri, outcome in outcomes.items():  # the first of them did not fail for another's sake
        if not outcome.ok:
            raise FarmError(f"the doctor's own {uri.partition('/')[0]} failed: {outcome.error_message}")


def _noise(lab: Lab) -> Answer:
    """The A/A test."""
    from farm.results.gather import gather  # noqa: PLC0415

    results = Location.of(lab.folder).folder(lab.grid.name)
    results.write_plan(replace(lab.plan, command="farm doctor"))
    stderr.print("a model against itself: up to a minute ...", style="dim")
    _execute(lab, set(lab.plan.stages))
    (record,) = gather(results, lab.store)
    text, sound = _judged(record)
    names = ("speedup_ir", "speedup_ir_low", "speedup_ir_high", "pairs", "disturbed_pairs", *SHARES)
    names += ("fps", "threads", "verdict", "cores_ran", "full_speed_share")
    facts = {name: getattr(record, name) for name in names}
    return Answer(facts=facts | {"mismatch": mismatch(record)}, text=f"noise floor: {text}", sound=sound)


def _company(lab: Lab, per_node: int) -> Answer:
    """What is left of a measurement's speed beside others, each on its part of the cores."""
    from farm.measuring.colocation import colocated  # noqa: PLC0415 - openvino is for those who ask
    from farm.measuring.pairing import interval  # noqa: PLC0415

    stage = next(stage for stage in lab.plan.stages.values() if stage.kind == "measure")
    _execute(lab, set(stage.inputs.values()))  # its FP32 IR
    scratch = lab.folder / "company"
    scratch.mkdir()
    with lease(measurable(host_cores()), None, lock_folder()) as held:
        measured = colocated(
            held.cores,
            per_node,
            parameters=stage.parameters_as(parameters.Measure),
            effort=lab.plan.effort or Effort(),
            ir=lab.store.open(stage.inputs["ir"]),
            folder=scratch,
            say=lambda text: stderr.print(f"    {per_node} at once: {text}", style="dim"),
        )
    ratio = interval(measured.pairs(), looks(*PAIRS))
    if ratio is None:
        raise FarmError("every pair was disturbed by other programs: end them, and try again")
    counts = {"pairs": len(measured.pairs()), "disturbed_pairs": measured.disturbed()}
    facts = {"measurements": per_node, **asdict(ratio), **counts}
    return Answer(facts=facts, text=_company_text(per_node, ratio), sound=True)


def _judged(record: Record) -> tuple[str, bool]:
    """What is said of the noise floor, and whether a campaign would see a difference only where there is one."""
    ratio = Ratio(value=record.speedup_ir or 1.0, low=record.speedup_ir_low, high=record.speedup_ir_high)
    if record.verdict == "invalid":
        return f"invalid, so nothing measured here holds: {mismatch(record)}", False
    if ratio.within is None or (record.pairs or 0) < PAIRS[0]:
        taken = ", ".join(f"{words} {getattr(record, name) or 0:.1%}" for name, words in SHARES.items())
        text = f"of at least {PAIRS[0]} undisturbed pairs there are {record.pairs}, {record.disturbed_pairs} disturbed"
        return f"not known: {text} ({taken} of the CPU time): end other programs, and try again", False
    work = f"{record.pairs} pairs, {record.disturbed_pairs} disturbed"
    seen = f"on {record.threads} threads a model against itself: x {ratio.value:.3f}{_sure(ratio)} after {work}"
    if differs(ratio):
        return f"{seen}: the same model seems to differ, so nothing measured here holds", False
    if ratio.within > TARGET:
        return f"{seen}: too noisy for a campaign's {TARGET:.1%}: fewer threads, or a quieter host", False
    slowed = f", on cores that neighbours slowed in {1 - (record.full_speed_share or 0):.0%} of the time"
    return (
        f"{seen}: differences above {ratio.within:.1%} show here{slowed if record.cores_ran == 'mixed' else ''}",
        True,
    )


def _company_text(per_node: int, ratio: Ratio) -> str:
    cost = f"{per_node} at once: each runs at x {ratio.value:.3f} of its speed alone{_sure(ratio)}"
    if ratio.value < 1 and differs(ratio):
        return f"{cost}: FPS would be wrong by that much; leave settings.measure.per_node at 1"
    if ratio.low is not None and ratio.low > 1 - TARGET:
        return f"{cost}: settings.measure.per_node: {per_node} is safe for a model like this one"
    return f"{cost}: not known well enough: end other programs, and try again"


def _sure(ratio: Ratio) -> str:
    """How well a ratio is known, as it is said after its value."""
    if ratio.within is None or ratio.within > 1:
        return ""
    return f", within {ratio.within:.1%} (99 %)"
