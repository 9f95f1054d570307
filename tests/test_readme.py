"""The README tells the truth: its generated parts are up to date, its links resolve, its examples load."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from farm.catalog import CATALOG
from farm.columns import described
from farm.grid.cell import expand
from farm.grid.load import load
from farm.results.tables import ROWS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "results/README.md"])


def test_generated_parts_are_up_to_date():
    checked = subprocess.run([sys.executable, "docs/making/generate.py", "--check"], cwd=ROOT, check=False)
    assert checked.returncode == 0, "run: python docs/making/generate.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_resolve(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_column_of_every_table_is_explained():
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z0-9_]+)` \| .* \| ([^|]+) \|$", text, re.MULTILINE)
    expected = [column.name for tables in ROWS.values() for column in described(*tables)]
    assert {*expected} <= {name for name, _ in rows}
    assert len(rows) >= len(expected)


def test_the_first_example_is_the_quickstart():
    shown = yaml.safe_load(re.search(r"```yaml\n(.*?)```", README, re.DOTALL)[1])
    grid = yaml.safe_load((ROOT / "jobs/quickstart.yaml").read_text())
    assert {key: grid[key] for key in shown} == shown


def test_the_own_model_example_is_a_grid(tmp_path):
    (example,) = re.findall(r"```yaml\n(# mine.yaml\n.*?)```", README, re.DOTALL)
    path = tmp_path / "mine.yaml"
    path.write_text(example)
    cells = expand(load(path, CATALOG))
    # two devices; the ONNX file has no PyTorch baseline; of four calibration sets one is excluded
    assert len(cells) == 2 * ((1 + 3 * 2) + (2 + 3 * 2))
    assert not any("seed=2" in cell.name for cell in cells)


@pytest.mark.slow
@pytest.mark.usefixtures("fork_server")
def test_the_python_example_runs_as_it_is_printed(tmp_path):
    (example,) = re.findall(r"```python\n(import farm\n.*?)```", README, re.DOTALL)
    grid = yaml.safe_load((ROOT / "jobs/quickstart.yaml").read_text())
    quick = {"pairs": 1, "min_seconds": 0.05, "warmup_seconds": 0.02, "max_redone": 0}
    grid["settings"]["measure"] |= quick
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "quickstart.yaml").write_text(yaml.safe_dump(grid))
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "reference").symlink_to(ROOT / "results" / "reference")
    ended = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    cells, records, predictions, changes = ended.stdout.splitlines()
    assert cells == "5 cells, 17 stages"
    assert [row["outcome"] for row in ast.literal_eval(records)].count("ok") == 1
    assert predictions == "599 predictions"
    assert changes == "5 cells in both, 1 judged by accuracy"


@pytest.mark.parametrize("job", sorted((ROOT / "jobs").glob("*.yaml")), ids=lambda job: job.name)
def test_every_job_is_a_grid(job):
    assert expand(load(job, CATALOG))
