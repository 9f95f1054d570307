"""What farm itself costs: while a measurement runs, of a round and its turns, and to start a light stage.

1. `farm run`, on a terminal, of one measured cell (the packaged digits ResNet20's FP32 IR on one thread, rounds as by
   default), inline and on Ray: the CPU time (user and system, not that of processes they waited for) of the driver, the
   stage's process and the fork server in the middle of the measurement, as a share of one core. The stage's process is
   the conductor: what it does between turns is included, and for the many rounds that start in that time; the rounds
   themselves are not. On Ray, the driver has Ray's threads in it, and Ray's own
   processes include the worker that asked for the stage.
2. A round, in a fresh interpreter on one leased core: from its start until its model is compiled; its first turn, a
   warm-up as by default; all of it, the answer read by the parent included, but for its turns. Of each other turn what
   a switch costs: from when it is let go on until it is stopped, but for the time in which it settles and that in
   which it is timed; the probes amid a turn are part of it. And one probe.
3. An attempt of a stage that does nothing, on a warm fork server, through `farm.engine.process.run`: scratch folder,
   lease, fork, and artefact and attempt written to the store on this disk; not Ray's hand-over. Of that the forked
   process alone, from asking the server until it says that the process has ended.
"""

import os
import pty
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from statistics import median
from threading import Thread
from typing import Any, NamedTuple

import numpy as np
import psutil
import yaml
from cells import GRID, digits
from processes import leased_core, running, say, session
from publishing import NO_GOAL, goal, options, parser, publish

from farm.axes import Images
from farm.cli import interrupt
from farm.engine import Work, process
from farm.engine.spawn import client
from farm.engine.spawn.child import LINES
from farm.engine.spawn.messages import Request, write_request
from farm.inputs import HashMemo, Input
from farm.measuring import one_round
from farm.measuring.one_round import SETTLING_NS
from farm.measuring.pairing import CELL, PARTNER
from farm.measuring.probe import Probe
from farm.measuring.request import RoundRequest
from farm.measuring.running import RunningRound
from farm.measuring.turns import TURN_NS
from farm.plan import Stage
from farm.plan.parameters import Synthesize
from farm.plan.stage import digest
from farm.record import Outcome
from farm.stages import measure
from farm.store import Store

NAME = "overhead"
CORE_SHARE, ROUND_MS, LIGHT_MS = 0.01, 1000, 50
SETTLE_S = 2.0  # after the first round has begun
WATCH_S = 0.1
START_S = 180.0  # until it must have begun; a busy host takes long to start Ray
MARK = "FARM_CACHE"  # a folder of the run's own: its processes inherit the variable, and so are found by it
FARMS_OWN = ("driver", "stage", "fork server")
PAIRS = 32  # more than are watched
TURNS = 20  # of each round
NONE = Synthesize(images=Images(name="nothing"), start=0, stop=1)
NOTHING = "def run(job):\n    return {}\n"


class Sizes(NamedTuple):
    """engines: under which a measurement is watched, for watch_s each. rounds, lights: how many are timed."""

    engines: tuple[str, ...]
    watch_s: float
    rounds: int
    lights: int


class Taken(NamedTuple):
    """What a round took. beyond_s: all but its turns; switches_s: of each, what it neither settled nor timed."""

    compiled_s: float
    warmup_s: float
    beyond_s: float
    switches_s: list[float]


FULL, TRIAL = Sizes(("inline", "ray"), 20.0, 10, 30), Sizes(("ray",), 2.0, 1, 5)
Family = dict[str, list[psutil.Process]]


def main() -> None:
    """Watch, time, publish."""
    interrupt.listen()
    sizes = TRIAL if options(parser(__doc__)).quick else FULL
    rows = []
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        for engine in sizes.engines:
            rows += parents(engine, Path(folder, engine), sizes)
        rows += rounds(Path(folder, "rounds"), sizes.rounds)
        rows += lights(Path(folder, "lights"), sizes.lights)
    publish(NAME, rows, note=f"CPU time was watched for {sizes.watch_s:g} s, in which the clock's tick is 10 ms.")


def parents(engine: str, folder: Path, sizes: Sizes) -> Iterator[dict[str, Any]]:
    """Rows of the CPU time of those who wait while rounds are measured."""
    say(f"farm run --engine {engine}: watching who waits")
    folder.mkdir()
    path, log = folder / "grid.yaml", folder / "log.txt"
    settings = {"measure": {"pairs": PAIRS, "max_redone": PAIRS}}
    path.write_text(yaml.safe_dump({**GRID, "baselines": ["ir"], "settings": settings}), encoding="utf-8")
    command = [sys.executable, "-m", "farm", "run", str(path), "--engine", engine, "--results", str(folder / "results")]
    with on_terminal(command, folder / "cache", log) as driver:
        family = waiting(driver, folder / "cache", log)
        time.sleep(SETTLE_S)
        before, begun = used(family), time.perf_counter()
        time.sleep(sizes.watch_s)
        after, watched_s = used(family), time.perf_counter() - begun
        if not family["stage"][0].is_running():
            sys.exit(f"the measurement ended while it was watched:\n{log.read_text(encoding='utf-8')}")
    shares = {who: (after[who] - before[who]) / watched_s for who in family}
    for who, share in shares.items():
        yield row(f"{engine}: {who}", core_share=share)
    own = sum(shares[who] for who in FARMS_OWN)
    most = max(FARMS_OWN, key=lambda who: shares[who])
    reason = f"most of it is the {most}'s: {shares[most]:.2%}"
    aim = goal(f"below {CORE_SHARE:.0%} of a core", met=own < CORE_SHARE, reason=reason)
    yield row(f"{engine}: {', '.join(FARMS_OWN)} together", core_share=own) | aim


@contextmanager
def on_terminal(command: Sequence[str], cache: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A command on a terminal of its own; what it shows is logged."""
    screen, terminal = pty.openpty()
    Thread(target=_copy, args=(screen, log), daemon=True).start()
    environment = {**os.environ, MARK: str(cache), "TERM": "xterm"}
    with running(command, stdout=terminal, stderr=terminal, env=environment) as driver:
        os.close(terminal)
        yield driver


def _copy(screen: int, log: Path) -> None:
    """What is shown on a terminal, to a file, until nothing has it open any more: then reading fails."""
    with log.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(os.read(screen, 65536))


def waiting(driver: subprocess.Popen[bytes], cache: Path, log: Path) -> Family:
    """Who waits for the first round: the stage's process, the fork server that it came from, the driver, and Ray."""
    deadline = time.monotonic() + START_S
    while not (ancestors := _ancestors_of_round(cache)):
        if driver.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"farm run does not measure:\n{log.read_text(encoding='utf-8')}")
        time.sleep(WATCH_S)
    own = psutil.Process(driver.pid)
    found = {"driver": [own], "stage": ancestors[:1], "fork server": ancestors[1:2]}
    of_ray = own.children(recursive=True)
    return {**found, "Ray's own processes": of_ray} if of_ray else found


def _ancestors_of_round(cache: Path) -> list[psutil.Process]:
    for each in psutil.process_iter(["cmdline"]):
        with suppress(psutil.Error):
            if one_round.__name__ in (each.info["cmdline"] or ()) and each.environ().get(MARK) == str(cache):
                return each.parents()
    return []


def used(family: Family) -> dict[str, float]:
    """CPU seconds so far, of those that still run."""
    found = dict.fromkeys(family, 0.0)
    for who, processes in family.items():
        for each in processes:
            with suppress(psutil.NoSuchProcess):
                times = each.cpu_times()
                found[who] += times.user + times.system
    return found


def rounds(folder: Path, count: int) -> Iterator[dict[str, Any]]:
    """Rows of how long rounds and their turns take beyond what they are for."""
    job = digits(folder, {}, "pytorch")
    with leased_core() as cpus:
        conductor = measure.conductor_of(replace(job, cpus=cpus), folder)
        for name, variant in (("OpenVINO", PARTNER), ("PyTorch", CELL)):
            say(f"{count} rounds of {name}")
            request = replace(conductor.requests[variant], memory_format="channels_last")
            taken = [timed_round(request, folder / variant) for _ in range(count)]
            yield timed(f"{name}: start of a round until its model is compiled", [each.compiled_s for each in taken])
            yield timed(f"{name}: its first turn, a warm-up", [each.warmup_s for each in taken])
            beyond = timed(f"{name}: a round but for its turns", [each.beyond_s for each in taken])
            yield beyond | (within(beyond, ROUND_MS) if variant == PARTNER else NO_GOAL)
            switches = [switch_s for each in taken for switch_s in each.switches_s]
            yield timed(f"{name}: a turn beyond what it settles and times", switches)
        probe = Probe()
        yield timed("a probe", [_seconds(probe.here) for _ in range(TURNS * count)])


def timed_round(request: RoundRequest, scratch: Path) -> Taken:
    """What a round of some turns took."""
    begun = time.perf_counter()
    with RunningRound(request, scratch) as one:
        one.compiled()
        compiled_s = time.perf_counter() - begun
        warmup_s = _seconds(one.warmed_up)
        turns_s = [_seconds(lambda: one.turn(TURN_NS)) for _ in range(TURNS)]
        answer = one.end()
    beyond_s = time.perf_counter() - begun - warmup_s - sum(turns_s)
    timed_ns = np.bincount(answer.stretches.turn, answer.stretches.wall_ns)
    switches_s = np.array(turns_s) - (SETTLING_NS + timed_ns) / 1e9
    return Taken(compiled_s, warmup_s, beyond_s, switches_s.tolist())


def lights(folder: Path, count: int) -> Iterator[dict[str, Any]]:
    """Rows of what a light stage costs beyond its work."""
    say(f"{count} stages that do nothing")
    folder.mkdir()
    module = folder / "nothing.py"
    module.write_text(NOTHING, encoding="utf-8")
    content = HashMemo(None).content(module)
    code = {"code": Input(role="code", path=str(folder), sha256=content, beside=(str(module),), code=True)}
    name, store = session(), Store(str(folder / "store"))
    try:
        works = [_nothing(number, code, store, name) for number in range(count + 1)]
        attempts = [_seconds(lambda work=work: _attempt(work)) for work in works][1:]  # the first starts the server
        forks = [_seconds(lambda number=number: _fork(folder, name, number)) for number in range(count)]
    finally:
        process.release(process.session_folder(name))
    whole = timed("a light stage's attempt, doing nothing", attempts)
    yield whole | within(whole, LIGHT_MS)
    yield timed("of that the forked process alone", forks)


def _nothing(number: int, code: Mapping[str, Input], store: Store, name: str) -> Work:
    stage = Stage(
        kind="synthesize", key=digest(number), label="nothing", parameters=NONE, inputs={}, files=code, libraries={}
    )
    return Work(stage=stage, function="nothing:run", store=store, session=name)


def _attempt(work: Work) -> None:
    *_, outcome = process.run(work)
    if not isinstance(outcome, Outcome) or not outcome.ok:
        sys.exit(f"the stage failed: {outcome}")


def _fork(folder: Path, name: str, number: int) -> None:
    scratch = folder / f"fork{number}"
    scratch.mkdir()
    request = Request(
        function="nothing:run",
        kind="synthesize",
        parameters=NONE,
        inputs={},
        files={},
        cpus=tuple(sorted(os.sched_getaffinity(0))),
        cores=1,
        memory_gib=4,
        visible="",
        python_path=(str(folder),),
    )
    path = write_request(scratch, request)
    *_, ending = client.run_child(process.session_folder(name), path, scratch / LINES, START_S)
    if ending != replace(client.Ending(), peak_rss_kib=getattr(ending, "peak_rss_kib", 0)):
        sys.exit(f"the forked process failed: {ending}")


def _seconds(call: Callable[[], None]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def within(found: Mapping[str, Any], limit_ms: float) -> dict[str, Any]:
    """A goal on a row's median."""
    met = found["median_ms"] < limit_ms
    return goal(f"median below {limit_ms:,} ms", met=met, reason=f"{found['median_ms']:.0f} ms of {found['what']}")


def timed(what: str, seconds: Sequence[float]) -> dict[str, Any]:
    """A row of durations."""
    found = {"median_ms": median(seconds), "least_ms": min(seconds), "most_ms": max(seconds)}
    return row(what, count=len(seconds), **{name: each * 1000 for name, each in found.items()})


def row(
    what: str,
    *,
    core_share: float | None = None,
    count: int | None = None,
    median_ms: float | None = None,
    least_ms: float | None = None,
    most_ms: float | None = None,
) -> dict[str, Any]:
    """A row without a goal."""
    figures = {"median_ms": median_ms, "least_ms": least_ms, "most_ms": most_ms, "count": count}
    return {"what": what, "core_share": core_share, **figures, **NO_GOAL}


if __name__ == "__main__":
    main()
