"""Runs whose results lie on a real S3 server, over a link that is slow, breaks, and does not come back."""

import json
import re
import subprocess
import sys
import time
import uuid

import fsspec
import pytest

from tests import s3
from tests.cli.conftest import Place

INLINE = ("--engine", "inline", "--quiet")
IMPATIENT = "import farm.remote; farm.remote.PATIENCE_S = 5.0; from farm.cli import main; main()"


@pytest.fixture(scope="module")
def link(tmp_path_factory):
    with s3.served(tmp_path_factory.mktemp("s3")) as url, s3.Way(url, 0.005) as way:
        yield way


@pytest.fixture
def far(link, tmp_path):
    """A place, where its results lie, and what has a process find them."""
    link.open = True
    return Place(tmp_path), f"s3://{s3.BUCKET}/{uuid.uuid4().hex}", s3.environment(link.url)


def grid_of(place, **changes):
    return place.grid(accuracy_only=[{"device": "CPU"}], **changes)


@pytest.mark.slow
def test_a_grid_is_run_shown_and_has_nothing_left_to_do(far, link):
    place, results, environment = far
    told = place.process("run", grid_of(place), *INLINE, "--results", results, **environment)
    assert f"2 cells: {results}/quick/records.parquet" in told
    before = link.requests
    assert "nothing to run" in place.process("run", grid_of(place), *INLINE, "--results", results, **environment)
    assert link.requests - before < 100
    shown = json.loads(place.process("show", "--json", "--results", results, **environment))
    assert [row["outcome"] for row in shown] == ["ok", "ok"]
    said = place.process("logs", shown[1]["cell"], "--results", results, **environment)
    assert "== quantize, attempt 1 on " in said
    where = re.search(r"s3://\S+\.log", said)[0]
    with fsspec.filesystem("s3", endpoint_url=link.url, **s3.KEYS).open(where, "rt") as log:
        assert log.read().strip() in said, "what is printed can be opened"
    assert "all of them whole" in place.process("store", "verify", "-q", "--results", results, **environment)


@pytest.mark.slow
def test_a_link_that_breaks_for_some_seconds_costs_a_run_nothing_but_those(far, link):
    place, results, environment = far
    grid = grid_of(place, calibrations=[{"name": "noise", "count": 16, "seed": [0, 1, 2]}])
    before = link.requests
    with place.start("run", grid, *INLINE, "--results", results, **environment) as run:
        while link.requests < before + 60:
            assert run.poll() is None, run.communicate()
            time.sleep(0.05)
        link.open = False
        time.sleep(8.0)
        link.open = True
        out, err = run.communicate(timeout=240)
    assert run.returncode == 0, f"{out}\n{err}"
    assert "4 cells" in out
    attempts = place.process("show", "--json", "--results", results, **environment)
    assert [row["attempts"] for row in json.loads(attempts)] == [2, 5, 5, 5]


@pytest.mark.slow
def test_a_store_that_stays_away_ends_the_run_in_one_sentence_and_the_same_command_goes_on(far, link):
    place, results, environment = far
    grid, words = grid_of(place), ["run", "quick.yaml", *INLINE, "--results", results]
    before = link.requests
    once = {"AWS_MAX_ATTEMPTS": "1", "AWS_RETRY_MODE": "standard"}  # what S3's library itself tries
    inherited = s3.inherited(FARM_SESSION="", FARM_CACHE=str(place.folder / "cache"), **environment, **once)
    with subprocess.Popen(
        [sys.executable, "-c", IMPATIENT, *words], cwd=place.folder, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=inherited,
    ) as run:  # fmt: skip
        while link.requests < before + 40:
            assert run.poll() is None, run.communicate()
            time.sleep(0.05)
        link.open = False
        out, err = run.communicate(timeout=280)
    assert run.returncode == 2, f"{out}\n{err}"
    assert "cannot be reached" in err
    assert "run the same command again when it is back" in err
    assert "Traceback" not in err
    link.open = True
    assert "2 cells" in place.process("run", grid, *INLINE, "--results", results, **environment)
