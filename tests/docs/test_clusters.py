"""The scripts of docs/clusters, run with stand-ins for what a cluster has and this machine has not."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLUSTERS = ROOT / "docs" / "clusters"
SAYS = '#!/bin/bash\necho "$(basename "$0") $*" >> "$SAID"\n'


@pytest.fixture
def there(tmp_path):
    """A checkout whose commands only say that they were called. Runs a script in it; gives what was called."""
    commands = tmp_path / ".venv" / "bin"
    commands.mkdir(parents=True)
    (commands / "activate").write_text(f"PATH={commands}:$PATH\n")
    said = tmp_path / "said.txt"

    def make(name, body=""):
        (commands / name).write_text(SAYS + body)
        (commands / name).chmod(0o755)

    def run(script, *words, code=0, **environment):
        said.write_text("")
        ended = subprocess.run(
            ["bash", CLUSTERS / script, *words], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
            env={**os.environ, "PATH": f"{commands}:{os.environ['PATH']}", "SAID": str(said), **environment},
        )  # fmt: skip
        assert ended.returncode == code, ended.stderr
        return said.read_text().splitlines(), ended.stdout + ended.stderr

    return make, run


def test_hosts_are_brought_up_one_by_one_and_one_that_fails_is_named(there):
    make, run = there
    make("ray")
    make("ssh", '[ "$3" = beta ] && exit 255\nbash -c "$4"\n')
    said, told = run("hosts.sh", "up", "alpha", "beta", "gamma", code=1, FARM_HEAD="10.0.0.1")
    starts = [line for line in said if line.startswith("ray start")]
    assert starts[0] == "ray start --head --port=6379 --num-cpus=0 --dashboard-host=127.0.0.1"
    asked = ["bash", "-c", "lscpu -p=CORE,SOCKET | grep -v '#' | sort -u | wc -l"]
    cores = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    assert starts[1:] == [f'ray start --address=10.0.0.1:6379 --num-cpus={cores} --resources={{"bench": 1}}'] * 2
    assert "beta: failed" in told
    assert "alpha: up" in told


def test_hosts_are_taken_down(there):
    make, run = there
    make("ray")
    make("ssh", 'bash -c "$4"\n')
    said, _ = run("hosts.sh", "down", "alpha")
    assert [line for line in said if line.startswith("ray")] == ["ray stop"] * 2


@pytest.mark.parametrize("words", [(), ("up",), ("sideways", "alpha")])
def test_hosts_says_how_it_is_used(there, words):
    _, run = there
    assert "up|down HOST..." in run("hosts.sh", *words, code=2)[1]


SRUN = 'while [ "${1#--}" != "$1" ]; do shift; done\n"$@"\n'
SLURM = {"SLURM_JOB_ID": "12345", "SLURM_JOB_NODELIST": "n[1-4]"}


@pytest.mark.parametrize("code", [0, 1])
def test_a_slurm_job_starts_a_cluster_and_ends_as_the_run_does(there, code):
    make, run = there
    make("scontrol", 'printf "n1\\nn2\\n"\n')
    make("srun", SRUN)
    make("hostname", "echo 10.0.0.7\n")
    make("ray")
    make("farm", f"exit {code}\n")
    said, _ = run("slurm.sh", "grid.yaml", "--results", "/shared/results", code=code, **SLURM)
    heads = [line for line in said if line.startswith("ray start --head")]
    started = "ray start --head --node-ip-address=10.0.0.7 --port=22345 --num-cpus=0 --include-dashboard=false --block"
    assert heads == [started]
    assert any(line.startswith('ray start --address=10.0.0.7:22345 --resources={"bench": 1} --block') for line in said)
    assert "farm run grid.yaml --results /shared/results --address 10.0.0.7:22345" in said
