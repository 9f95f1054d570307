"""A cluster of one machine whose parts are killed at random, by a seed, while a grid runs on it.

Kinds: ``driver`` (the command, which is started again: the one thing that a person would do), ``worker`` (a Ray worker
with its stage), ``stage`` (the stage's own process), ``server`` (the fork server of stages), ``node`` (a raylet with
all its workers; another comes), ``stopped`` (a raylet that stops for some seconds), ``away`` (the link to an S3 store
that is cut for some seconds).
"""

import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import psutil

from farm.errors import DamageError
from farm.record import Outcome
from farm.results import tables
from farm.results.folder import Folder
from farm.store import Store
from tests import s3
from tests.chaos import cluster
from tests.cli.conftest import Place

STOPPED_S = 4.0
AWAY_S = 6.0
HANGS = -1  # in place of an exit code


@dataclass
class Storm:
    """Kills, one every so many seconds, drawn by a seed. command: the driver's. kills: how many of each kind.

    folder: where the grid lies. scratch: TMPDIR of the driver and of all nodes. way: to the store, if that is on S3.
    """

    sky: cluster.Sky
    command: list[str]
    folder: Path
    scratch: Path
    seed: int
    every_s: float
    kinds: list[str]  # in an order that the seed draws, again and again
    environment: Mapping[str, str] = field(default_factory=dict)
    way: s3.Way | None = None
    kills: Counter[str] = field(default_factory=Counter)
    said: str = ""
    killed: int = 0  # the driver that was killed last
    driver: subprocess.Popen[bytes] = field(init=False)

    def blow(self, count: int, longest_s: float) -> int:
        """Run the command until it has ended by itself, with so many kills on the way; its exit code, HANGS if none."""
        self.driver = self._start()
        try:
            return self._blow(count, longest_s)
        finally:
            self.driver.kill()
            self.driver.wait()

    def _blow(self, count: int, longest_s: float) -> int:
        rng, begun = random.Random(self.seed), time.monotonic()
        kinds, due = rng.sample(self.kinds, len(self.kinds)), begun + self.every_s
        while time.monotonic() < begun + longest_s:
            with suppress(subprocess.TimeoutExpired):
                self.driver.wait(max(0.05, min(1.0, due - time.monotonic())))
            if self.driver.returncode is not None:
                if self.driver.returncode >= 0 or self.driver.pid != self.killed:
                    self.said = self._log()
                    return self.driver.returncode
                self.driver = self._start()
            if self.kills.total() < count and time.monotonic() >= due:
                due = time.monotonic() + rng.uniform(0.5, 1.5) * self.every_s
                kind = kinds[self.kills.total() % len(kinds)]
                if KILLERS[kind](self, rng, self.driver):
                    self.kills[kind] += 1
        self.said = f"not over after {longest_s:.0f} s: {self._log()}"
        return HANGS

    def _log(self) -> str:
        return (self.folder / "storm.log").read_text(encoding="utf-8", errors="replace")

    def _start(self) -> subprocess.Popen[bytes]:
        with (self.folder / "storm.log").open("ab") as log:
            return subprocess.Popen(
                self.command, cwd=self.folder, env={**os.environ, **cluster.ENVIRONMENT, **self.environment},
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip


def workers(storm: Storm) -> list[psutil.Process]:
    """Ray workers that run a stage."""
    return [each for each in below(storm) if _is_worker(each)]


def below(storm: Storm) -> list[psutil.Process]:
    """All processes of the cluster's nodes."""
    found = []
    for raylet in storm.sky.raylets:
        with suppress(psutil.NoSuchProcess):
            found += psutil.Process(raylet).children(recursive=True)
    return found


def _is_worker(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        name = " ".join(process.cmdline())
        return name.startswith("ray::") and not name.startswith(("ray::IDLE", "ray::DashboardAgent", "ray::RuntimeEnv"))
    return False


def stages(storm: Storm) -> list[psutil.Process]:
    """Children of fork servers, which are nobody's children themselves."""
    return [child for server in servers(storm) for child in _children(server)]


def servers(storm: Storm) -> list[psutil.Process]:
    """Fork servers of stages of this storm's sessions: those that lie in its temporary folder."""
    found = [each for each in psutil.process_iter() if _says(each, "farm.engine.spawn.server", str(storm.scratch))]
    pids = {each.pid for each in found}
    return [each for each in found if _parent(each) not in pids]  # a stage's process has its server's name


def _says(process: psutil.Process, *words: str) -> bool:
    with suppress(psutil.Error):
        line = " ".join(process.cmdline())
        return all(word in line for word in words)
    return False


def _parent(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return process.ppid()
    return 0


def _children(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return process.children()
    return []


def _killed(found: list[psutil.Process], rng: random.Random) -> bool:
    if not found:
        return False
    with suppress(psutil.NoSuchProcess):
        rng.choice(sorted(found, key=lambda each: each.pid)).kill()
        return True
    return False


def _kill_driver(storm: Storm, rng: random.Random, driver: subprocess.Popen[bytes]) -> bool:
    storm.killed = driver.pid
    driver.kill()
    driver.wait()
    return True


def _kill_node(storm: Storm, rng: random.Random, driver: subprocess.Popen[bytes]) -> bool:
    storm.sky.ask(do="kill", index=rng.randrange(len(storm.sky.raylets)))
    storm.sky.ask(do="add", node=cluster.NODE)
    return True


def _stop_node(storm: Storm, rng: random.Random, driver: subprocess.Popen[bytes]) -> bool:
    raylet = psutil.Process(rng.choice(storm.sky.raylets))
    raylet.send_signal(signal.SIGSTOP)
    try:
        time.sleep(STOPPED_S)
    finally:
        raylet.send_signal(signal.SIGCONT)
    return True


def _cut_off(storm: Storm, rng: random.Random, driver: subprocess.Popen[bytes]) -> bool:
    assert storm.way is not None, "the store is on this host's disk"
    storm.way.open = False
    try:
        time.sleep(AWAY_S)
    finally:
        storm.way.open = True
    return True


Killer = Callable[[Storm, random.Random, "subprocess.Popen[bytes]"], bool]
KILLERS: Mapping[str, Killer] = {
    "driver": _kill_driver,
    "worker": lambda storm, rng, _: _killed(workers(storm), rng),
    "stage": lambda storm, rng, _: _killed(stages(storm), rng),
    "server": lambda storm, rng, _: _killed(servers(storm), rng),
    "node": _kill_node,
    "stopped": _stop_node,
    "away": _cut_off,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What a storm over one grid has left. restarts: of the killed driver, which is all that a person had to do.

    lost: stages without an artefact that is whole. doubled: finished more than once. failed: cells. orphans: processes
    that outlived driver and cluster.
    """

    kills: Counter[str]
    code: int
    restarts: int
    stages: int
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    failed: tuple[str, ...]
    orphans: tuple[str, ...]
    said: str


def weathered(
    place: Place,
    grid: Path,
    *,
    kinds: Sequence[str],
    kills: int,
    seed: int,
    longest_s: float,
    way: s3.Way | None = None,
) -> Aftermath:
    """Run a grid through a storm on a cluster of three nodes. kinds, kills, seed, way: as `Storm` has them."""
    url = str(place.folder / "results") if way is None else f"s3://{s3.BUCKET}/{uuid.uuid4().hex}"
    keys = {} if way is None else s3.environment(way.url)
    environment = {"FARM_SESSION": "", "FARM_CACHE": str(place.folder / "cache"), **keys}
    with cluster.scratch_folder() as scratch:
        environment["TMPDIR"] = str(scratch)
        with cluster.sky(3, environment) as there:
            words = ["run", grid.name, "--results", url, "--address", there.address]
            storm = Storm(
                sky=there, command=[sys.executable, "-P", "-m", "farm", *words], folder=place.folder, scratch=scratch,
                seed=seed, every_s=4.0, kinds=list(kinds), environment=environment, way=way,
            )  # fmt: skip
            code = storm.blow(kills, longest_s)
        orphans = cluster.settled(scratch)
    with patch.dict(os.environ, keys):
        return aftermath(storm, code, orphans, Folder(f"{url}/{grid.stem}"), Store(f"{url}/store"))


def aftermath(storm: Storm, code: int, orphans: Sequence[str], folder: Folder, store: Store) -> Aftermath:
    """What is left of it."""
    plan, records = folder.read_plan(), folder.read(tables.RECORDS).to_pylist() if folder.has(tables.RECORDS) else []
    assert len({record["cell"] for record in records}) == len(records), "a row is doubled"
    return Aftermath(
        kills=storm.kills,
        code=code,
        restarts=storm.kills["driver"],
        stages=len(plan.stages),
        lost=tuple(uri for uri in plan.stages if not _is_whole(store, uri)),
        doubled=tuple(doubled(store, list(plan.stages))),
        failed=tuple(record["cell"] for record in records if record["outcome"] != "ok"),
        orphans=tuple(orphans),
        said=storm.said[-4000:],
    )


def _is_whole(store: Store, uri: str) -> bool:
    try:
        store.check(uri)
    except DamageError:
        return False
    return store.has(uri)


def doubled(store: Store, uris: list[str]) -> list[str]:
    """Stages that were finished more than once."""
    return [uri for uri in uris if sum(finished(one) for one in store.attempts.of(uri)) > 1]


def finished(outcome: Outcome) -> bool:
    return outcome.ok and outcome.peak_rss_mib is not None  # one that found the artefact there has done nothing
