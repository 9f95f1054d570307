"""The folder that a command is started in is no module path: no interpreter of farm's imports a stranger's files."""

import ast
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import farm
from tests.models.files import Classifier, write_ir

SOURCES = sorted(Path(farm.__file__).parent.rglob("*.py"))
UNMEASURED = {"models": ["resnet20"], "accuracy_only": [{"device": "CPU"}]}


@pytest.fixture
def trapped(place):
    place.lay_traps()
    return place


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "says", "code"),
    [
        ("run quick.yaml --engine inline", "records.parquet", 0),
        ("synth noise --count 4 --out set", "4 images", 0),
        ("train distylegan --engine inline --images pixels.parquet --out gan", "no column", 2),
    ],
)
def test_a_stage_imports_nothing_from_there(trapped, command, says, code):
    trapped.grid(**UNMEASURED)
    pq.write_table(pa.table({"pixels": [1, 2]}), trapped.folder / "pixels.parquet")
    assert says in trapped.process(*command.split(), code=code)
    assert trapped.sprung() == []


def test_openvino_is_asked_for_its_devices_without_it(trapped):
    trapped.grid(**UNMEASURED | {"devices": ["GPU.7"], "accuracy_only": [{"device": "GPU.7"}]})
    assert "no device 'GPU.7' on any node" in trapped.process("run", "quick.yaml", "--engine", "inline", code=2)
    assert trapped.sprung() == []


def test_a_model_file_is_described_without_it(trapped):
    write_ir(trapped.folder / "net.xml", Classifier())
    trapped.grid(models=["net.xml"])
    assert "net/-/ir/CPU" in trapped.process("plan", "quick.yaml", "--json")
    assert trapped.sprung() == []


def test_the_traps_are_such_as_an_interpreter_falls_into(trapped):
    subprocess.run([sys.executable, "-c", "import random"], cwd=trapped.folder, check=False)
    assert trapped.sprung() == ["random"]


def test_every_interpreter_is_started_so():
    """What a command is: a list that begins with the interpreter, and goes on with ``-P``."""
    commands = [
        [ast.unparse(item) for item in node.elts]
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.List) and node.elts and ast.unparse(node.elts[0]) == "sys.executable"
    ]
    assert len(commands) == sum(path.read_text(encoding="utf-8").count("sys.executable") for path in SOURCES) >= 4
    assert {command[1] for command in commands} == {"'-P'"}
