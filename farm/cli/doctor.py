"""`farm doctor`: is this host fit for measurements, and what would make it so."""

import json
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.table import Table
from rich.text import Text

from farm.catalog import CATALOG
from farm.cli.run import carry_out
from farm.cli.wiring import Json, folder_of, plan_of, stderr, stdout, store_of
from farm.drive import Limits
from farm.errors import InputError
from farm.host.lease import host_cores, lease, lock_folder
from farm.host.topology import measurable
from farm.plan import Plan, as_json
from farm.record import Record
from farm.stats import Ratio, differs
from farm.store import Store

# The packaged digits ResNet20: its FP32 IR is measured against itself, so that any difference is the host's.
GRID = {
    "name": "doctor",
    "dataset": {"name": "digits", "count": 64},
    "models": ["resnet20"],
    "baselines": ["ir"],
    "settings": {"measure": {"pairs": [8, 16], "min_seconds": 0.5, "target": 0.01}},
}
STYLES = {"good": "green", "doubtful": "yellow", "bad": "bold red"}


def doctor(
    per_node: Annotated[
        int | None, typer.Option(min=2, metavar="K", help="Also measure what K measurements at once cost one another.")
    ] = None,
    noise: Annotated[bool, typer.Option(help="Measure the noise floor too, which takes half a minute.")] = True,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of the noise floor; all cores by default.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Check this host before a campaign: what disturbs measurements here, the noise floor, and what to change.

    The noise floor is an A/A test: a model measured against itself. Exit code 1 if measurements will not hold here.
    """
    from farm.host.finding import Host  # noqa: PLC0415 - psutil and more that planning need not pay
    from farm.host.health import findings  # noqa: PLC0415

    cores = measurable(host_cores())
    if per_node is not None and per_node > len(cores):
        raise InputError(f"--per-node {per_node}: this host lends {len(cores)} cores to measurements")
    found = findings(Host())
    if not as_json:
        stdout.print(_table(found))
    said: dict[str, Any] = {"findings": [asdict(each) for each in found]}
    sound = all(each.state != "bad" for each in found)
    if noise or per_node is not None:
        with tempfile.TemporaryDirectory(prefix="farm-doctor-") as folder:
            record, plan, store = _against_itself(Path(folder), threads)
            said["noise"] = _noise_facts(record)
            sound = sound and record.verdict == "valid"
            lines = [_noise_text(record)]
            if per_node is not None:
                ratio = _in_company(per_node, plan, store, Path(folder))
                said["per_node"] = {"measurements": per_node, **asdict(ratio)}
                lines.append(_company_text(per_node, ratio))
        if not as_json:
            stdout.print("\n" + "\n".join(lines), highlight=False, soft_wrap=True)
    if as_json:
        stdout.print_json(json.dumps(said))
    return 0 if sound else 1


def _table(found: Sequence[Any]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("state", "what"):
        table.add_column(column, no_wrap=True)
    table.add_column("this host", overflow="fold")
    for each in found:
        change = f"\n-> {each.change}" if each.change else ""
        table.add_row(Text(each.state, style=STYLES[each.state]), each.what, Text(f"{each.says}{change}"))
    return table


def _against_itself(folder: Path, threads: int | None) -> tuple[Record, Plan, Store]:
    """Run the doctor's grid in a folder of its own, as `farm run` would."""
    from farm.results.gather import gather  # noqa: PLC0415

    path = folder / "doctor.yaml"
    device = {"name": "CPU", **({"threads": threads} if threads else {})}
    path.write_text(yaml.safe_dump({**GRID, "devices": [device]}), encoding="utf-8")
    grid, plan = plan_of(path)
    store, results = store_of(str(folder)), folder_of(str(folder), grid.name)
    results.write_plan(as_json(plan, str(path)))
    limits = Limits(stages=CATALOG.stages, settings=grid.settings, session=uuid.uuid4().hex[:12])
    stderr.print("a model against itself: about half a minute ...", style="dim")
    carry_out(plan, set(plan.stages), set(), store, limits, engine="inline", address=None, quiet=False)
    (record,) = gather(results, store)
    if record.outcome != "ok":
        raise InputError(f"the doctor's own model failed: {record.error_message}")
    return record, plan, store


def _in_company(per_node: int, plan: Plan, store: Store, folder: Path) -> Ratio:
    """What is left of a measurement's speed beside others, each on its part of the cores."""
    from farm.pairing import interval  # noqa: PLC0415
    from farm.stages.colocation import colocated  # noqa: PLC0415 - openvino is for those who ask
    from farm.stages.job import Job  # noqa: PLC0415
    from farm.stats import looks  # noqa: PLC0415

    stage = next(stage for stage in plan.stages.values() if stage.kind == "measure")
    scratch = folder / "company"
    scratch.mkdir()
    inputs = {role: store.open(uri) for role, uri in stage.inputs.items()}
    with lease(measurable(host_cores()), None, lock_folder()) as held:
        each = len(held.cores) // per_node
        parts = [held.cores[index * each : (index + 1) * each] for index in range(per_node)]
        parameters = {**stage.parameters, "device": {**stage.parameters["device"], "threads": each}}
        job = Job(parameters=parameters, inputs=inputs, files={}, folder=scratch, cpus=held.cpus, cores=each)
        played = colocated(job, parts, lambda text: stderr.print(f"    {per_node} at once: {text}", style="dim"))
    ratio = interval(played.pairs(), looks(*parameters["measure"]["pairs"]))
    if ratio is None:
        raise InputError("every pair was disturbed by other programs: end them, and try again")
    return ratio


def _noise_facts(record: Record) -> dict[str, Any]:
    names = ("speedup_ir", "speedup_ir_low", "speedup_ir_high", "pairs", "redone_pairs", "foreign_share", "steal_share")
    return {name: getattr(record, name) for name in (*names, "fps", "threads", "verdict", "verdict_reason")}


def _noise_text(record: Record) -> str:
    ratio = Ratio(value=record.speedup_ir or 1.0, low=record.speedup_ir_low, high=record.speedup_ir_high)
    if ratio.within is None:
        return f"noise floor: not known. {record.verdict_reason}"
    seen = f"on {record.threads} threads a model against itself: x {ratio.value:.3f}, within {ratio.within:.1%} (99 %)"
    work = f"{record.pairs} pairs of half a second, {record.redone_pairs} disturbed"
    if differs(ratio):
        return f"noise floor: {seen} after {work}: the same model seems to differ, so nothing measured here holds"
    if record.verdict != "valid":
        return f"noise floor: {seen} after {work}. noisy: small differences need more pairs, or fewer threads, here"
    return f"noise floor: {seen} after {work}: differences above {ratio.within:.1%} show here"


def _company_text(per_node: int, ratio: Ratio) -> str:
    sure = "" if ratio.within is None else f", within {ratio.within:.1%} (99 %)"
    cost = f"each runs at x {ratio.value:.3f} of its speed alone{sure}"
    if ratio.value < 1 and differs(ratio):
        return f"{per_node} at once: {cost}: FPS would be wrong by that much; leave settings.measure.per_node at 1"
    return f"{per_node} at once: {cost}: settings.measure.per_node: {per_node} is safe for a model like this one"
