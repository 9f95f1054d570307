"""farm from Python: light to import, silent, and at home in a notebook."""

import asyncio
import signal
import subprocess
import sys
import threading

import pytest

import farm
from farm.campaign.listener import Listener
from farm.catalog import CATALOG
from farm.errors import GridError, InputError
from farm.grid.load import load
from tests.cli.conftest import Place

CELLS = ["tiny/-/ir/CPU", "tiny/noise{count=16}/default/CPU"]
IMPORT = """
import sys
before = set(sys.modules)
import time
begun = time.process_time()
import farm
spent = time.process_time() - begun
print(spent, *sorted(set(sys.modules) - before - {"time"}))
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("FARM_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return Place(tmp_path)


def test_importing_farm_imports_nothing_else_and_takes_less_than_50_ms():
    spent, *modules = subprocess.run(
        [sys.executable, "-c", IMPORT], check=True, capture_output=True, text=True
    ).stdout.split()
    assert [name for name in modules if name.startswith("farm")] == ["farm"]
    assert not {name.partition(".")[0] for name in modules} - {"farm", *sys.stdlib_module_names}
    assert float(spent) < 0.05


def test_plan_is_the_function_whatever_was_imported_from_its_package():
    from farm.plan.build import build

    assert callable(farm.plan)
    assert callable(build)
    assert farm.__getattr__("plan") is farm.plan
    with pytest.raises(AttributeError, match="has no attribute 'plam'"):
        farm.plam  # noqa: B018


def test_a_grid_is_loaded_and_planned_and_nothing_is_run(place):
    grid = farm.load(place.grid())
    assert grid == load(place.grid(), CATALOG)
    plan = farm.plan(grid)
    assert [cell.name for cell in plan.cells] == CELLS
    assert farm.plan(str(place.grid())) == plan
    assert not (place.folder / "results").exists()
    with pytest.raises(GridError, match="unknown key"):
        farm.load(place.grid(modles=[]))


def test_a_run_beside_an_event_loop_in_another_thread_prints_nothing_and_is_read_as_tables(place, capfd):
    """As in a notebook."""
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    heard, threads, runs = [], [], []

    async def cell():
        listener = Listener(say=heard.append, started=lambda: threads.append(threading.current_thread()))
        runs.append(farm.run(place.grid(), only=["algorithm=ir"], engine="inline", listener=listener))

    thread = threading.Thread(target=lambda: asyncio.run(cell()))
    thread.start()
    thread.join()
    (run,) = runs
    assert threads == [thread]
    assert capfd.readouterr() == ("", "")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert [row["outcome"] for row in run.records.to_pylist()] == ["ok", "pending"]
    assert run.attempts.num_rows == 3
    assert (run.predictions.num_rows, run.latencies.num_rows > 0, run.samples.num_rows) == (60, True, 0)
    assert {farm.read(named).folder.url for named in ("quick", None, "results")} == {run.folder.url}
    assert farm.compare(run, "quick").regressions == ()


def test_what_was_not_gathered_is_an_empty_table_and_what_was_never_run_an_error(place):
    with pytest.raises(InputError, match="nothing was run"):
        farm.read()
    folder = place.folder / "results" / "quick"
    folder.mkdir(parents=True)
    (folder / "plan.json").write_text("{}")
    assert farm.read().latencies.num_rows == 0
    with pytest.raises(InputError, match=r"there is no .*records.parquet"):
        farm.read().records  # noqa: B018
