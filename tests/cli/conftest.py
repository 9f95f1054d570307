import io
import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import pyarrow.parquet as pq
import pytest
import yaml

from farm import cli
from farm.cli import interrupt

NETWORKS = '''
import ctypes, os, sys, time
import torch

def tiny():
    torch.manual_seed(0)
    layers = torch.nn
    return layers.Sequential(
        layers.Conv2d(3, 8, 3, stride=2),
        layers.ReLU(),
        layers.AdaptiveAvgPool2d(2),
        layers.Flatten(),
        layers.Linear(32, 10),
    )

def twelve():
    return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 12))

def segfaults():
    ctypes.string_at(0)

def hangs():
    while True:
        time.sleep(60)

def gated():
    """Waits until a gate lies beside this file, with a mark that it does."""
    open(os.path.join(os.path.dirname(__file__), f"at-gate-{os.getpid()}"), "x").close()
    while not os.path.exists(os.path.join(os.path.dirname(__file__), "gate")):
        time.sleep(0.2)
    return tiny()

gated_too = gated_again = gated_still = gated

def raises():
    raise ValueError("no such luck")

def eats():
    kept = []
    while True:
        kept.append(b"x" * (64 << 20))

def moody():
    """Raises while a mood lies beside this file."""
    if os.path.exists(os.path.join(os.path.dirname(__file__), "mood")):
        raise RuntimeError("not in the mood")
    return tiny()
'''

# Modules that everything imports, with names that the folder of a stranger's files may hold.
TRAPS = ("random", "farm", "numpy", "secrets")
TRAP = "import pathlib\npathlib.Path(__file__).with_suffix('.sprung').touch()\n"

QUICK = {
    "dataset": {"name": "digits", "count": 60},
    "models": [{"factory": "networks:tiny"}],
    "calibrations": [{"name": "noise", "count": 16}],
    "baselines": ["ir"],
    "settings": {
        "measure": {"pairs": 1, "min_seconds": 0.05, "min_inferences": 20, "warmup_seconds": 0.02, "max_redone": 0}
    },
}


class Place:
    """A folder with a grid and networks of its own, and the farm command in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "networks.py").write_text(NETWORKS)

    def grid(self, name="quick", **changes) -> Path:
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump({**QUICK, **changes}))
        return path

    def farm(self, *arguments, code=0, **environment) -> str:
        """Run the command in this process; what it prints, after checking its exit code.

        Its stages run in processes of their own, as always, forked from a server that lives as long as the tests.
        """
        ended, out, err = self.answer(*arguments, **environment)
        assert ended == code, f"exit code {ended}\n{out}\n{err}"
        return out + err

    def answer(self, *arguments, **environment) -> tuple[int, str, str]:
        """The same, whatever its exit code: that, and what it prints to either stream."""
        typed = ["farm", *map(str, arguments)]
        with inside(self.folder, environment) as (out, err), patch.object(sys, "argv", typed):
            code = cli.answer(typed[1:])
        return code, out.getvalue(), err.getvalue()

    def start(self, *arguments, **environment) -> subprocess.Popen:
        """Start the command in a process of its own, and with a fork server of its own: signals, pipes, what stays.

        As the installed command does, it imports nothing from the folder that it is started in.
        """
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "farm", *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, "FARM_SESSION": "", "FARM_CACHE": str(self.folder / "cache"), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def process(self, *arguments, code=0, **environment) -> str:
        """As `farm`, but in a process of its own: for what imports Ray."""
        with self.start(*arguments, **environment) as process:
            try:
                out, err = process.communicate(timeout=240)
            finally:
                process.kill()
        assert process.returncode == code, f"exit code {process.returncode}\n{out}\n{err}"
        return out + err

    def lay_traps(self) -> None:
        """Put modules into the folder that leave a mark if any process imports them."""
        for name in TRAPS:
            (self.folder / f"{name}.py").write_text(TRAP)

    def sprung(self) -> list[str]:
        """The traps that a process has imported."""
        return sorted(path.stem for path in self.folder.glob("*.sprung"))

    def records(self, grid="quick") -> dict:
        rows = pq.read_table(self.folder / "results" / grid / "records.parquet").to_pylist()
        assert len({row["cell"] for row in rows}) == len(rows), "a row is doubled"
        return {row["cell"]: row for row in rows}

    def events(self, grid="quick") -> list[dict]:
        """What drivers saw, so far."""
        path = self.folder / "results" / grid / "events.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def attempts(self) -> list[dict]:
        """Every attempt in the store, in no order."""
        return [json.loads(path.read_text()) for path in self.folder.glob("results/store/attempts/*/*.json")]


@contextmanager
def inside(folder, environment):
    """Where a command runs in this process. What it changes is put back: folder, environment, signals, modules, CPUs.

    Gives what it prints to either stream.
    """
    handlers = {number: signal.getsignal(number) for number in interrupt.SIGNALS}
    path, cpus = [*sys.path], os.sched_getaffinity(0)
    out, err = io.StringIO(newline=None), io.StringIO(newline=None)
    try:
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.chdir(folder)
            for name, value in {"FARM_CACHE": str(folder / "cache"), **environment}.items():
                patch.setenv(name, value)
            yield out, err
    finally:
        os.sched_setaffinity(0, cpus)
        sys.path[:] = path
        sys.modules.pop("networks", None)
        for number, handler in handlers.items():
            signal.signal(number, handler)


@pytest.fixture
def place(tmp_path, fork_server):
    return Place(tmp_path)


@pytest.fixture(scope="session")
def ran_once(tmp_path_factory, fork_server):
    """A place where the quick grid has run."""
    place = Place(tmp_path_factory.mktemp("ran"))
    place.farm("run", place.grid(), "--engine", "inline")
    return place


@pytest.fixture
def ran(ran_once, tmp_path):
    """A copy of it, to change."""
    shutil.copytree(ran_once.folder, tmp_path / "copy")
    return Place(tmp_path / "copy")
