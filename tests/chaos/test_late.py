"""Hosts that are no help: one that lacks what the run was planned with, one that never answers, one that dies."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from tests.chaos import cluster
from tests.cli.conftest import Place
from tests.engine.test_contract import wait_until

FARM = "from farm.cli import main; main()"
SILENT = f"import farm.engine.ray.nodes as nodes; nodes.SILENT_S = 30.0; {FARM}"  # instead of a minute
SLEEPS_S = 90  # longer than that


@dataclass
class Run:
    """One on a small cluster, which waits at a gate."""

    place: Place
    sky: cluster.Sky
    process: subprocess.Popen
    environment: dict[str, str]
    errors: Path

    def goes_on_without(self, text: str) -> None:
        """Once that is said of a node that is left out, open the gate: all ends well, on the first node."""
        wait_until(lambda: "a node is left out: " in self.errors.read_text() or self.process.poll() is not None, 120)
        (self.place.folder / "gate").touch()
        assert self.process.wait(120) == 0, self.errors.read_text()
        assert text in self.errors.read_text()
        assert {record["outcome"] for record in self.place.records().values()} == {"ok"}
        assert len({attempt["node_id"] for attempt in self.place.attempts()}) == 1


@contextmanager
def started(folder: Path, program: str, nodes: int, before: Callable[[cluster.Sky], None]) -> Iterator[Run]:
    """A run on a cluster of so many nodes. before: done to them, before it starts."""
    place, errors = Place(folder), folder / "errors.txt"
    models = [{"factory": "networks:tiny"}, {"factory": "networks:gated"}]
    grid = place.grid(models=models, accuracy_only=[{"device": "CPU"}])
    with cluster.scratch_folder() as scratch:
        environment = {"TMPDIR": str(scratch), "FARM_SESSION": "", "FARM_CACHE": str(folder / "cache")}
        environment = {**os.environ, **cluster.ENVIRONMENT, **environment}
        with cluster.sky(nodes, environment) as sky, errors.open("w") as written:
            before(sky)
            with subprocess.Popen(
                [sys.executable, "-c", program, "run", grid.name, "--address", sky.address], cwd=folder,
                env=environment, stdout=subprocess.DEVNULL, stderr=written,
            ) as process:  # fmt: skip
                try:
                    yield Run(place, sky, process, environment, errors)
                finally:
                    process.kill()


@contextmanager
def begun(folder: Path, program: str) -> Iterator[Run]:
    """One on a cluster of one node, which has done something."""
    with started(folder, program, 1, lambda _: None) as run:
        wait_until(lambda: run.place.attempts() or run.process.poll() is not None, 120)
        yield run


@contextmanager
def joined(run: Run, file: Path, other: Path) -> Iterator[None]:
    """A host joins on which another file lies in one's place. Skips the test where that cannot be."""
    mounts = ["unshare", "-m", "sh", "-c", f'mount --bind "{other}" "{file}" && exec "$@"', "sh"]
    if shutil.which("unshare") is None or subprocess.run([*mounts, "true"], check=False).returncode != 0:
        pytest.skip("no process can be given mounts of its own here")
    joins = cluster.joining(run.sky.address, "127.0.0.1")
    with subprocess.Popen([*mounts, *joins], env=run.environment, stdout=subprocess.DEVNULL) as node:
        try:
            yield
        finally:
            node.terminate()


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(450)
def test_a_host_that_lacks_what_the_run_was_planned_with_is_left_out_and_said_so(tmp_path):
    with begun(tmp_path, FARM) as run, joined(run, tmp_path / "networks.py", Path("/dev/null")):
        run.goes_on_without(f"{tmp_path}/networks.py is not there, or cannot be read")


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(450)
def test_a_host_that_never_answers_is_left_out_and_said_so(tmp_path):
    """Its Ray workers sleep before they have said anything."""
    (sleeper := tmp_path / "sleeper.py").write_text(f"import time\ntime.sleep({SLEEPS_S})\n")
    worker = Path(find_spec("ray").origin).parent / "_private" / "workers" / "default_worker.py"
    with begun(tmp_path, SILENT) as run, joined(run, worker, sleeper):
        run.goes_on_without(": it does not answer")


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(450)
def test_a_host_that_dies_while_it_is_asked_costs_a_run_nothing(tmp_path):
    """Stopped before the run starts, so that it never answers; killed while the run waits for that."""

    def stop(sky: cluster.Sky) -> None:
        psutil.Process(sky.raylets[1]).send_signal(signal.SIGSTOP)

    with started(tmp_path, FARM, 2, stop) as run:
        (run.place.folder / "gate").touch()
        wait_until(lambda: "joining Ray" in run.errors.read_text() or run.process.poll() is not None, 60)
        time.sleep(10.0)  # as long as the other host takes to answer
        assert run.place.attempts() == [], "it is waited for"
        run.sky.ask(do="kill", index=1)
        assert run.process.wait(120) == 0, run.errors.read_text()
        assert {record["outcome"] for record in run.place.records().values()} == {"ok"}
        assert len({attempt["node_id"] for attempt in run.place.attempts()}) == 1
