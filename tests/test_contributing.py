"""CONTRIBUTING.md's recipes: five steps each, followed to the letter on a copy of farm."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from farm.catalog.sources import Synthetic

ROOT = Path(__file__).parents[1]
RECIPES = ("Add a model", "Add an image source", "Add an algorithm", "Add a device")
FILE = re.compile(r"`(farm/[\w/]+\.py)`")
TABLE = re.compile(r"`(_?[A-Z]{3}[A-Z_]*)`")
NEW = {"farm/generators/plain.py", "tests/generators/test_plain.py", "farm/quantization/weights_only.py"}
GRID = """
dataset: digits
models: [resnet110]
calibrations: [{name: plain, count: 300}]
algorithms: [{name: weights-only, mode: [int8_asym, int8_sym]}]
devices: [NVIDIA]
baselines: []
"""
PLANS = """
import json, sys
import farm
from farm.cli import answer
assert [answer(["list", what]) for what in ("models", "sources", "algorithms", "devices")] == [0] * 4
print(json.dumps([cell.name for cell in farm.plan("grid.yaml").cells]))
"""
RESOLVES = """
from farm.catalog import CATALOG
from farm.spec import resolve
network = resolve(CATALOG.models["resnet110"].function)(10)
assert 1.6e6 < sum(tensor.numel() for tensor in network.parameters()) < 1.8e6
plain = resolve(CATALOG.sources["plain"].function)({"count": 3, "size": (4, 6), "seed": 0}, {})
assert plain.block(1, 3).images.shape == (2, 4, 6, 3)
assert callable(resolve(CATALOG.algorithms["weights-only"].function))
"""


def steps(heading):
    """The numbered steps of a section: number -> text."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
    parts = re.split(r"^(\d+)\. ", section, flags=re.MULTILINE)
    return {int(number): text for number, text in zip(parts[1::2], parts[2::2], strict=True)}


def blocks(text):
    """The Python examples of a step, in order."""
    fenced = re.findall(r"^   ```python\n(.*?)^   ```", text, re.DOTALL | re.MULTILINE)
    return [re.sub(r"^   ", "", block, flags=re.MULTILINE) for block in fenced]


def follow(tree, heading):
    """Each example of a recipe put where its step says: a new file, an entry, or a definition."""
    path = tree
    for text in steps(heading).values():
        path = tree / next(iter(FILE.findall(text)), path)
        for block in blocks(text):
            path.write_text(changed(path.read_text(encoding="utf-8") if path.exists() else "", block, text))


def changed(module, block, text):
    """A module's text with one more example in it."""
    if block.startswith('"') and not block.startswith('"""'):
        head = re.search(rf"^{TABLE.findall(text)[0]}\b.* = {{\n", module, re.MULTILINE)
        return module[: head.end()] + block + module[head.end() :]
    table = re.search(r"^[A-Z_]+ = {\n", module, re.MULTILINE)
    at = table.start() if table else len(module)
    return module[:at] + f"\n\n{block}\n\n" * bool(module) + block * (not module) + module[at:]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of farm in which all recipes were followed, with a grid that names what is new."""
    copy = tmp_path_factory.mktemp("recipes")
    left_out = shutil.ignore_patterns("__pycache__", "*.safetensors")
    shutil.copytree(ROOT / "farm", copy / "farm", ignore=left_out)
    for heading in RECIPES:
        follow(copy, heading)
    (copy / "grid.yaml").write_text(GRID, encoding="utf-8")
    return copy


def python(tree, code):
    ended = subprocess.run([sys.executable, "-c", code], cwd=tree, env={"PYTHONPATH": str(tree), "HOME": str(tree)},
                           capture_output=True, text=True, check=False)  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize("heading", RECIPES)
def test_a_way_to_add_something_has_five_steps_whose_files_exist(heading):
    text = "".join(steps(heading).values())
    named = set(re.findall(r"`((?:farm|tests|jobs)/[\w./]*|\w+\.(?:md|yaml|toml))`", text))
    assert list(steps(heading)) == [1, 2, 3, 4, 5]
    assert {name for name in named - NEW if not (ROOT / name).exists()} == set()


def test_what_the_recipes_add_is_listed_and_planned(tree):
    *listed, cells = python(tree, PLANS).splitlines()
    names = {line.split()[0] for line in listed if line and not line.startswith(" ")}
    assert {"resnet110", "plain", "weights-only", "NVIDIA"} <= names
    assert json.loads(cells) == [
        "resnet110/plain{count=300}/weights-only/NVIDIA",
        "resnet110/plain{count=300}/weights-only{mode=int8_sym}/NVIDIA",
    ]


@pytest.mark.slow
def test_what_the_recipes_add_can_be_called(tree):
    python(tree, RESOLVES)


def test_the_example_of_an_image_source_keeps_the_contract():
    names = {"__name__": __name__}
    exec(blocks(steps("Add an image source")[1])[0], names)  # noqa: S102 - our own page
    sets = [names["source"](Synthetic(count=300, size=(4, 6), seed=seed).model_dump(), {}) for seed in (0, 1)]
    pixels, labels, _ = sets[0].block(254, 258)
    assert (len(sets[0]), pixels.shape, pixels.dtype) == (300, (4, 4, 6, 3), np.uint8)
    assert np.array_equal(pixels[1:3], sets[0].block(255, 257).images)
    assert (pixels == pixels[:, :1, :1]).all(), "of one colour"
    assert len({image.tobytes() for images in sets for image in images.block(0, 300).images}) == 600
    assert sets[0].block(0, 0).images.shape == (0, 4, 6, 3)
    assert labels.tolist() == [-1] * 4
    with pytest.raises(IndexError):
        sets[0].block(0, 301)
