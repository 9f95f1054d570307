"""What a campaign costs farm itself, of 100 to 100,000 cells: to plan, to drive, and when nothing is left to do.

Cells: the packaged digits ResNet20 with calibration sets of one source, each quantized in ten ways, evaluated and
measured. Stages do nothing here: the store holds what those of one real cell left, under the names of all (see
`filled`); all else goes the whole way, in processes of its own. The driver alone runs in this process, on an engine of
64 nodes whose stages end at once.

*local*: a store on this host's disk. *S3*: a real S3 server in a process of its own on this host, behind a relay over
which each request takes 30 ms longer.

cpu_s: user and system time of the command and what it started; wall_s: its wall time. requests: to the S3 server.
first gather: nothing was gathered before; gather: nothing has changed since; gather, one cell: its measurement is
gone. `--quick`: 100 cells, and 20 on S3. `--cells` takes other numbers of cells.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
from filled import Made, fill, grid_of, made_by_kind
from processes import say
from publishing import NO_GOAL, goal, options, parser, publish

from farm.campaign.resolve import resolve
from farm.catalog import CATALOG
from farm.drive import Driver
from farm.engine import Place, ProgressLine, Work
from farm.grid.load import load
from farm.grid.settings import Settings
from farm.plan import Plan
from farm.record import Outcome
from farm.results.location import Location
from farm.store import Store

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))

from tests import s3  # noqa: E402

NAME = "scale"
CELLS, TRIAL = (100, 1_000, 10_000, 100_000), (100,)
ON_S3, TRIAL_ON_S3 = 1_000, 20
DELAY_S = 0.03
GOALS: Mapping[tuple[int, str], tuple[str, float]] = {  # cells, what -> figure, at most
    (10_000, "nothing to do"): ("cpu_s", 6.0),
    (10_000, "gather"): ("wall_s", 10.0),
    (10_000, "show"): ("wall_s", 4.0),
    (100_000, "plan"): ("wall_s", 20.0),
    (100_000, "gather"): ("wall_s", 120.0),
    (100_000, "driver, a stage"): ("driver_ms", 3.0),
}
GOALS_ON_S3 = {"nothing to do": ("wall_s", 10.0), "first gather": ("wall_s", 30.0), "gather": ("wall_s", 30.0)}
MOST_KIB = 8.0
NODES = [Place(name=str(number), cores=8) for number in range(64)]


class AtOnce:
    """An engine whose stages end as soon as they are handed over."""

    def __init__(self) -> None:
        """Nothing was submitted yet."""
        self.ended: list[Outcome] = []

    def places(self) -> Sequence[Place]:
        """The nodes that are there."""
        return NODES

    def wish(self, works: Sequence[Work]) -> None:
        """All nodes are there."""

    def preflight(self, works: Sequence[Work]) -> None:
        """All work fits."""

    def submit(self, work: Work, place: str) -> None:
        """End a stage."""
        self.ended.append(Outcome(uri=work.stage.uri, label=""))

    def wait(self, timeout_s: float) -> Collection[Outcome | ProgressLine]:
        """What has ended."""
        ended, self.ended = self.ended, []
        return ended

    def written(self, work: Work, outcome: Outcome) -> Outcome:
        """Written down nowhere."""
        return outcome


def main() -> None:
    """Measure each size, publish."""
    asked = parser(__doc__)
    asked.add_argument("--cells", type=int, nargs="+", help="how many, on the local store")
    said = options(asked)
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        say("one real cell")
        made = made_by_kind(Path(folder))
        rows = [row for cells in said.cells or (TRIAL if said.quick else CELLS) for row in local(cells, made)]
        rows += on_s3(TRIAL_ON_S3 if said.quick else ON_S3, made)
    publish(NAME, rows)


def local(cells: int, made: Mapping[str, Made]) -> Iterator[dict[str, Any]]:
    """Rows of a store on this host's disk."""
    with tempfile.TemporaryDirectory(prefix="bench") as name:
        folder = Path(name)
        grid, place = grid_of(cells, folder), Location.of(folder / "results")
        begun = time.perf_counter()
        plan = resolve(load(grid, CATALOG))
        yield row("local", cells, "plan", wall_s=time.perf_counter() - begun)
        yield driven(plan, cells)
        say(f"filling a store for {cells:,} cells")
        fill(place.store, plan, made)
        yield from commands("local", cells, grid, place, plan, {})


def on_s3(cells: int, made: Mapping[str, Made]) -> Iterator[dict[str, Any]]:
    """Rows of a store on an S3 server."""
    with tempfile.TemporaryDirectory(prefix="bench") as name, s3.served(Path(name)) as url:
        folder = Path(name)
        os.environ.update(s3.environment(url))
        place = Location.of(f"s3://{s3.BUCKET}/results")
        grid = grid_of(cells, folder)
        plan = resolve(load(grid, CATALOG))
        say(f"filling an S3 store for {cells:,} cells")
        fill(place.store, plan, made)
        with s3.Way(url, DELAY_S) as way:
            yield from commands("S3", cells, grid, place, plan, s3.environment(way.url), way)


def commands(
    where: str, cells: int, grid: Path, place: Location, plan: Plan, more: Mapping[str, str], way: s3.Way | None = None
) -> Iterator[dict[str, Any]]:
    """Rows of what is typed when all stages are done."""
    results = ("--results", place.name)
    place.folder("scale").write_plan(plan)
    steps = {
        "first gather": ("gather", "scale", "--fresh"),
        "gather": ("gather", "scale"),
        "nothing to do": ("run", str(grid), "--quiet"),
        "show": ("show", "scale"),
    }
    cache = {"FARM_CACHE": str(grid.parent / "cache")}
    for what, words in steps.items():
        yield row(where, cells, what, **taken([*words, *results], {**more, **cache}, way))
    place.store.discard(plan.cells[0].stages["measure"])
    yield row(where, cells, "gather, one cell", **taken(["gather", "scale", *results], {**more, **cache}, way))


def taken(words: Sequence[str], more: Mapping[str, str], way: s3.Way | None) -> dict[str, Any]:
    """What a command takes. Exits if it fails."""
    say(f"farm {' '.join(words)}")
    before, begun = os.times(), time.perf_counter()
    requests = way.requests if way else 0
    ended = subprocess.run(
        [sys.executable, "-m", "farm", *words], check=False, capture_output=True, cwd=ROOT, env={**os.environ, **more}
    )
    wall_s, after = time.perf_counter() - begun, os.times()
    if ended.returncode:
        sys.exit(f"exit code {ended.returncode} of farm {' '.join(words)}\n{ended.stderr.decode()}")
    cpu_s = sum(getattr(after, name) - getattr(before, name) for name in ("children_user", "children_system"))
    return {"cpu_s": cpu_s, "wall_s": wall_s, "requests": way.requests - requests if way else None}


def driven(plan: Plan, cells: int) -> dict[str, Any]:
    """A row of the driver's loop: CPU time a stage, and memory at its most."""
    say(f"driving {len(plan.stages):,} stages")
    process, most = psutil.Process(), 0
    driver = Driver(
        plan=plan, wanted=plan.stages, engine=AtOnce(), store=Store("memory://scale"), stages=CATALOG.stages,
        settings=Settings(cores={}),
    )  # fmt: skip
    before, looked_at = process.memory_info().rss, 0.0

    def report(_: object) -> None:
        nonlocal most, looked_at
        if time.monotonic() > looked_at + 0.05:
            looked_at = time.monotonic()
            most = max(most, process.memory_info().rss)

    begun = time.process_time()
    outcomes = driver.drive(report)
    cpu_s, most = time.process_time() - begun, max(most, process.memory_info().rss)
    if not all(outcome.ok for outcome in outcomes.values()):
        sys.exit("a stage failed that does nothing")
    figures = {"driver_ms": cpu_s * 1e3 / len(plan.stages), "driver_kib": (most - before) / 1024 / len(plan.stages)}
    found = row("local", cells, "driver, a stage", **figures)
    if found["goal"]:
        met = found["met"] and figures["driver_kib"] <= MOST_KIB
        reason = f"{figures['driver_ms']:.2f} ms, {figures['driver_kib']:.1f} KiB"
        found |= goal(f"{found['goal']}, {MOST_KIB:g} KiB", met=met, reason=reason)
    return found


def row(
    where: str,
    cells: int,
    what: str,
    *,
    cpu_s: float | None = None,
    wall_s: float | None = None,
    requests: int | None = None,
    driver_ms: float | None = None,
    driver_kib: float | None = None,
) -> dict[str, Any]:
    """A row, with the goal that there is of it."""
    figures = {"cpu_s": cpu_s, "wall_s": wall_s, "requests": requests, "driver_ms": driver_ms, "driver_kib": driver_kib}
    aims = {what: aim for (size, what), aim in GOALS.items() if size == cells} if where == "local" else GOALS_ON_S3
    name, most = aims.get(what, ("", 0.0))
    is_judged = name and (where == "local" or cells == ON_S3)
    text = {"driver_ms": f"at most {most:g} ms"}.get(name, f"{name.removesuffix('_s')} at most {most:g} s")
    aim = goal(text, met=figures[name] <= most, reason=f"{figures[name]:.1f} s") if is_judged else NO_GOAL
    say(f"{where}, {cells:,} cells, {what}: {', '.join(f'{n} {v:.4g}' for n, v in figures.items() if v is not None)}")
    return {"what": what, "store": where, "cells": cells, **figures, **aim}


if __name__ == "__main__":
    main()
