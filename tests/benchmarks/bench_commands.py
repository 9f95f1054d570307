"""What farm's commands take as whole processes: `farm --help`, `farm show RUN` and `farm report RUN`.

Each is `python -m farm ...`, from its start until it has ended; what it prints goes nowhere. RUN is a published run, by
default the study's: hundreds of cells, with predictions. Beside each command runs another process, the two in an order
by lot (seeded): `python -c pass`, which says what the interpreter alone takes; or, with `--other CHECKOUT`, the same
command of another checkout of farm, on that checkout's own copy of the run. All commands take turns, and the first
repeat, which fills caches, is not counted.

farm_s, other_s: medians. ratio: farm's seconds over the other's, the geometric mean over repeats with its 99 %
t-interval. What is compared with another checkout is kept only where `--out` says so. `--quick` takes the quickstart's
run, once.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, NamedTuple

from processes import say
from publishing import NO_GOAL, OUT, goal, options, parser, publish

from farm.stats.ratios import Pair, Ratio, paired_ratio

NAME = "commands"
HELP_S = 0.4
SEED = 0
HERE = Path(__file__).parents[2]
RUNS = Path("results", "reference")
BARE = ("-c", "pass")


class Sizes(NamedTuple):
    """run: a published one. repeats: of each command, the first left out."""

    run: str
    repeats: int


FULL, TRIAL = Sizes("study", 15), Sizes("quickstart", 1)


class Process(NamedTuple):
    """Arguments of the interpreter, and the checkout that it finds farm in."""

    arguments: Sequence[str]
    checkout: Path


def main() -> None:
    """Time the commands beside others, and publish."""
    asked = parser(__doc__)
    asked.add_argument("--other", type=Path, metavar="CHECKOUT", help="compare with another checkout of farm")
    chosen = options(asked)
    if chosen.other is not None and not (chosen.other / "farm" / "__main__.py").exists():
        sys.exit(f"--other {chosen.other}: no checkout of farm")
    if chosen.other is not None and chosen.out is None:
        os.environ[OUT] = ""
    sizes = TRIAL if chosen.quick else FULL
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        processes = beside(sizes.run, Path(folder, "report.html"), chosen.other)
        seconds = timed(processes, sizes.repeats)
    other = "`python -c pass`" if chosen.other is None else f"the same command of {version(chosen.other)}"
    note = f"RUN is the published run {sizes.run}; {sizes.repeats} repeats. other: {other}."
    publish(NAME, [row(what, pairs) for what, pairs in seconds.items()], note=note)


def beside(run: str, page: Path, other: Path | None) -> dict[str, tuple[Process, Process]]:
    """By command, its process here and the one that runs beside it. page: that reports are written to."""
    commands = {
        "farm --help": ("--help",),
        "farm show RUN": ("show", str(RUNS / run)),
        "farm report RUN": ("report", str(RUNS / run), "--out", str(page)),
    }
    processes = {}
    for what, words in commands.items():
        arguments = ("-m", "farm", *words)
        partner = Process(BARE, HERE) if other is None else Process(arguments, other.resolve())
        processes[what] = (Process(arguments, HERE), partner)
    return processes


def timed(processes: Mapping[str, tuple[Process, Process]], repeats: int) -> dict[str, list[Pair]]:
    """Seconds of each command and of what runs beside it, repeat by repeat."""
    rng = Random(SEED)
    seconds: dict[str, list[Pair]] = {what: [] for what in processes}
    for repeat in range(1 + repeats):
        for what, both in processes.items():
            taken = {side: seconds_of(both[side]) for side in rng.sample((0, 1), 2)}
            say(f"{what}, {repeat} of {repeats}: {taken[0]:.2f} s beside {taken[1]:.2f} s")
            if repeat:
                seconds[what].append((taken[0], taken[1]))
    return seconds


def seconds_of(process: Process) -> float:
    """How long a process takes, from its start to its end. Exits if it fails."""
    environment = {**os.environ, "PYTHONPATH": str(process.checkout)}
    begun = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, *process.arguments], check=False, capture_output=True, cwd=process.checkout, env=environment
    )
    seconds = time.perf_counter() - begun
    if ended.returncode != 0:
        sys.exit(f"exit code {ended.returncode} of {' '.join(process.arguments)}\n{ended.stderr.decode()}")
    return seconds


def version(checkout: Path) -> str:
    """What a checkout is called: by its commit, where git knows it."""
    command = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    return f"commit {ended.stdout.strip()}" if ended.returncode == 0 else "another checkout"


def row(what: str, pairs: Sequence[Pair]) -> dict[str, Any]:
    """A command's figures; the help has a goal, whatever runs beside it."""
    farm_s, other_s = (median(pair[index] for pair in pairs) for index in range(2))
    ratio = paired_ratio(pairs) or Ratio(value=farm_s / other_s)
    aim = goal(f"below {HELP_S:g} s", met=farm_s < HELP_S, reason=f"{farm_s:.2f} s")
    figures = {"farm_s": farm_s, "other_s": other_s, "ratio": ratio.value, "ratio_low": ratio.low}
    figures |= {"ratio_high": ratio.high, "repeats": len(pairs)}
    return {"what": what, **figures, **(aim if what == "farm --help" else NO_GOAL)}


if __name__ == "__main__":
    main()
