"""The performance scripts: what they share, and trials of those that are short."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from farm.host.topology import usable_cores

FOLDER = Path(__file__).with_name("benchmarks")
ROWS = [
    {"what": "one", "fps": 2.0, "mhz": None, "goal": "above 1", "met": True, "reason": None},
    {"what": "other", "fps": None, "mhz": None, "goal": None, "met": None, "reason": None},
]


@pytest.fixture
def publishing(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import publishing as module

    monkeypatch.setenv(module.OUT, "set, so that it is put back afterwards")
    monkeypatch.delenv(module.OUT)
    yield module
    del sys.modules["publishing"]


def given(publishing, monkeypatch, *options):
    monkeypatch.setattr(sys, "argv", ["bench", *map(str, options)])
    return publishing.options(publishing.parser("A benchmark."))


def test_rows_with_other_keys_raise(publishing, tmp_path, monkeypatch):
    given(publishing, monkeypatch, "--out", tmp_path)
    with pytest.raises(ValueError, match="same keys"):
        publishing.publish("some", [{"what": "one"}, {"what": "other", "fps": 1.0}])
    assert list(tmp_path.iterdir()) == []


def test_a_benchmark_without_rows_raises(publishing, tmp_path, monkeypatch):
    given(publishing, monkeypatch, "--out", tmp_path)
    with pytest.raises(ValueError, match="at least one"):
        publishing.publish("some", [])


def test_a_trial_is_not_kept(publishing, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(publishing, "PUBLISHED", tmp_path)
    given(publishing, monkeypatch, "--quick")
    publishing.publish("some", ROWS)
    assert list(tmp_path.iterdir()) == []
    assert "a trial: not kept" in capsys.readouterr().out


@pytest.mark.parametrize("options", [(), ("--quick", "--out", "{}"), ("--out", "{}")], ids=" ".join)
def test_what_is_kept(publishing, tmp_path, monkeypatch, options):
    monkeypatch.setattr(publishing, "PUBLISHED", tmp_path / "published")
    folder = tmp_path / "out" if "--out" in options else tmp_path / "published"
    given(publishing, monkeypatch, *(option.format(folder) for option in options))
    publishing.publish("some", ROWS, note="A note.")
    table = pq.read_table(folder / "some.parquet")
    assert table.to_pylist() == ROWS
    assert table.schema.field("mhz").type == pa.float64(), "a figure that no row has"
    facts = json.loads(table.schema.metadata[b"benchmark"])
    assert (facts["name"], facts["note"]) == ("some", "A note.")


def test_a_goal_that_is_met_needs_no_reason(publishing):
    assert publishing.goal("above 1", met=True, reason="0.5") == {"goal": "above 1", "met": True, "reason": None}
    assert publishing.goal("above 1", met=False, reason="0.5") == {"goal": "above 1", "met": False, "reason": "0.5"}


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(600)  # half a minute on an idle host; a busy one disturbs pairs, which are measured again
@pytest.mark.parametrize(
    "name", ["bootstrap", "fidelity", "honesty", "policy", pytest.param("overhead", marks=pytest.mark.ray)]
)  # the other scripts' trials take minutes
def test_a_trial_runs_and_says_what_it_found(name, tmp_path):
    if name == "overhead" and len(usable_cores()) < 2:
        pytest.skip("a measurement takes a core, and who watches it needs another")
    environment = {**os.environ, "FARM_DATA": "", "FARM_SESSION": "", "FARM_LOCKS": str(tmp_path / "locks")}
    command = [sys.executable, str(FOLDER / f"bench_{name}.py"), "--quick", "--out", str(tmp_path)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    table = pq.read_table(tmp_path / f"{name}.parquet")
    assert table.column_names[0] == "what"
    assert table.column_names[-3:] == ["goal", "met", "reason"]
    rows = table.to_pylist()
    assert any(row["goal"] for row in rows)
    for row in rows:
        assert (row["goal"] is None) == (row["met"] is None)
        assert bool(row["reason"]) == (row["met"] is False), "a goal that is missed says why, and no other does"
    facts = json.loads(table.schema.metadata[b"benchmark"])
    assert facts["name"] == name
    assert facts["note"]
    assert {"finished_at", "host", "versions"} <= facts.keys()


# Another checkout's farm: it notes what it was asked, and does nothing else.
NOTES = """
import sys
from pathlib import Path
with Path("asked.txt").open("a") as file:
    print(*sys.argv[1:3], file=file)
"""


@pytest.mark.slow
@pytest.mark.alone
def test_commands_are_timed_beside_those_of_another_checkout(tmp_path):
    other = tmp_path / "other"
    (other / "farm").mkdir(parents=True)
    (other / "farm" / "__init__.py").touch()
    (other / "farm" / "__main__.py").write_text(NOTES)
    command = [sys.executable, str(FOLDER / "bench_commands.py"), "--quick", "--other", str(other)]
    ended = subprocess.run([*command, "--out", str(tmp_path)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    run = "results/reference/quickstart"
    assert (other / "asked.txt").read_text().splitlines() == ["--help", f"show {run}", f"report {run}"] * 2, (
        "the first time uncounted"
    )
    help_row, *others = rows = pq.read_table(tmp_path / "commands.parquet").to_pylist()
    assert help_row["goal"] == "below 0.4 s"
    assert [row["what"] for row in others if row["goal"] is None] == ["farm show RUN", "farm report RUN"]
    for row in rows:
        assert row["farm_s"] > row["other_s"], "who does nothing is faster"
        assert row["ratio"] == pytest.approx(row["farm_s"] / row["other_s"]), "of one repeat"


def test_another_checkout_must_be_one(tmp_path):
    command = [sys.executable, str(FOLDER / "bench_commands.py"), "--quick", "--other", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "no checkout of farm" in ended.stderr
