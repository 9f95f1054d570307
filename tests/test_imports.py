"""What is imported when."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from farm.cli import COMMANDS

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "torchvision", "ray", "openvino", "nncf", "sklearn", "scipy", "pandas", "matplotlib")

PLANS = """
import json, sys
from farm.cli import app
code = app(["plan", "jobs/quickstart.yaml", "--results", sys.argv[1]], standalone_mode=False)
print(json.dumps({"code": code or 0, "modules": sorted(sys.modules)}))
"""


def test_planning_imports_nothing_heavy(tmp_path):
    environment = {**os.environ, "FARM_CACHE": str(tmp_path / "cache")}
    ended = subprocess.run(
        [sys.executable, "-c", PLANS, str(tmp_path)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    said = json.loads(ended.stdout.splitlines()[-1])
    assert said["code"] == 0
    assert "farm.plan" in said["modules"]
    assert [name for name in HEAVY if name in said["modules"]] == []
    assert not (tmp_path / "store").exists(), "plan wrote something"


HELP = """
import json, sys
from farm.cli import app
app(["--help"], standalone_mode=False)
print(json.dumps(sorted(sys.modules)))
"""


def test_the_help_imports_no_command():
    ended = subprocess.run([sys.executable, "-c", HELP], cwd=ROOT, capture_output=True, text=True, check=True)
    modules = json.loads(ended.stdout.splitlines()[-1])
    ours = {name for name in modules if name.startswith("farm")}
    assert ours == {"farm", "farm.cli", "farm.cli.interrupt", "farm.cli.options", "farm.errors", "farm.shown"}
    assert not {"numpy", "pyarrow", "pydantic", "yaml", "fsspec"} & set(modules)


@pytest.mark.parametrize(("name", "line"), COMMANDS.items())
def test_a_commands_own_help_begins_as_the_list_of_all_says(name, line):
    function = "listing" if name == "list" else name
    assert getattr(import_module(f"farm.cli.{function}"), function).__doc__.partition("\n")[0] == line
