"""What is imported when."""

import json
import os
import subprocess
import sys
from pathlib import Path

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
