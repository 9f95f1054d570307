"""The project's frame: constraints, Makefile, CI, licence and pages say what is so."""

import hashlib
import os
import re
import shutil
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import farm
import farm.data
import farm.models
import farm.stages

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
MIB = 2**20
APACHE_2 = "c71d239df91726fc519c6eb72d318ec65820627232b2f796219e87dcf35d0ab4"  # SHA-256 of the licence's own text


def page(name):
    return (ROOT / name).read_text(encoding="utf-8")


def constraints():
    lines = [line.partition("#")[0].strip() for line in page("constraints.txt").splitlines()]
    return [Requirement(line) for line in lines if line]


def pins():
    return {canonicalize_name(each.name): str(each.specifier).removeprefix("==") for each in constraints()}


def declared():
    """What pyproject.toml names: for building, for farm itself, for its extras."""
    extras = [text for texts in PROJECT["optional-dependencies"].values() for text in texts]
    return [Requirement(text) for text in [*PYPROJECT["build-system"]["requires"], *PROJECT["dependencies"], *extras]]


def closure():
    """Every installed package that the declared ones bring in on this machine."""
    found, todo = {}, [(each, extra) for each in declared() for extra in ("", *each.extras)]
    while todo:
        requirement, extra = todo.pop()
        name = canonicalize_name(requirement.name)
        if (name, extra) in found or (requirement.marker and not requirement.marker.evaluate({"extra": extra})):
            continue
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        found[name, extra] = needs
        inner = [need for text in needs if _wanted(need := Requirement(text), extra)]
        todo += [(need, each) for need in inner for each in ("", *need.extras)]
    return {name for name, _ in found}


def _wanted(requirement, extra):
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def make(*arguments, **variables):
    if shutil.which("make") is None:
        pytest.skip("there is no make")
    command = ["make", "--no-print-directory", *arguments, *(f"{key}={value}" for key, value in variables.items())]
    quiet = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    return subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True, check=False)


# constraints.txt


def test_every_constraint_is_one_exact_version_of_one_package():
    names = [canonicalize_name(each.name) for each in constraints()]
    assert len(names) == len(set(names))
    assert [str(each) for each in constraints() if not re.fullmatch(r"==[\w.]+", str(each.specifier))] == []


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_a_declared_package_is_pinned_within_its_range(requirement):
    assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)])


def test_every_package_that_those_bring_in_is_pinned():
    found = closure()
    assert {"torch", "typing-extensions", "pluggy"} <= found  # it does walk down
    assert found - set(pins()) == set()


def test_the_build_backend_is_pinned_where_pip_looks_for_it():
    assert PYPROJECT["build-system"]["requires"] == [f"setuptools=={pins()['setuptools']}"]


# Makefile and CI


def test_make_alone_lists_every_target():
    said = make()
    listed = re.findall(r"^make (\w+) +\S", said.stdout, re.MULTILINE)
    assert said.returncode == 0, said.stderr
    assert listed == ["help", "install", "run", "test", "check", "bench", "clean"]
    assert set(re.findall(r"^\.PHONY: (.*)$", page("Makefile"), re.MULTILINE)[0].split()) == set(listed)


@pytest.mark.parametrize(
    ("target", "runs"),
    [
        ("install", "pip install --disable-pip-version-check --no-compile -c constraints.txt -e '.[dev]'"),
        ("run", ".venv/bin/farm run jobs/quickstart.yaml"),
        ("test", "-m pytest -n 2"),
        ("test", "--cov --cov-report="),
        ("test", "--fail-under=100"),
        ("check", "ruff format --check"),
        ("check", "ruff check"),
        ("check", "lint-imports"),
        ("check", "mypy"),
    ],
)
def test_a_target_installs_first_and_then_runs_its_tools(target, runs):
    said = make("--dry-run", "--always-make", target).stdout.replace("\\\n", " ")
    said = re.sub(r"\s+", " ", said)
    assert runs in said
    assert said.index("-m venv .venv") < said.index(runs)
    assert said.index("pip install") < said.index("touch .venv/installed")


def test_a_python_that_is_not_there_is_named():
    said = make("--always-make", "install", PYTHON="no-such-python", VENV="no-such-venv")
    assert said.returncode != 0
    assert "no no-such-python here" in said.stderr
    assert not (ROOT / "no-such-venv").exists()


def test_a_python_that_is_too_old_is_told_so(tmp_path):
    old = tmp_path / "python"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2"\nexit 1\n', encoding="utf-8")
    old.chmod(0o755)
    said = make("--always-make", "install", PYTHON=old, VENV=tmp_path / "venv")
    assert said.returncode != 0
    assert "Python 3.9.2 is too old" in said.stderr


def test_the_pure_core_that_must_be_covered_is_there():
    measured = PYPROJECT["tool"]["coverage"]["run"]
    assert measured["branch"] is True
    for pattern in measured["include"]:
        assert list(ROOT.glob(pattern)), pattern


def test_ci_can_be_run_and_makes_the_tests_and_the_checks():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = script.read_text(encoding="utf-8").splitlines()
    assert "set -euo pipefail" in lines
    assert lines.index('make check > "$said" 2>&1 &') < lines.index("make test"), "beside them"
    assert lines[-1] == 'exit "$checked"', "what the checks found counts as well"
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0


# pages


def test_the_licence_is_apache_2():
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == APACHE_2
    assert PROJECT["license"] == "Apache-2.0"


def test_the_changelog_has_this_version():
    assert re.search(rf"^## \[{re.escape(farm.__version__)}\] - ", page("CHANGELOG.md"), re.MULTILINE)


def test_no_tracked_file_is_over_5_mib():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert [path.name for path in paths if path.is_file() and path.stat().st_size > 5 * MIB] == []
