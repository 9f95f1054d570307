"""What the calibration sets look like."""

import base64
import io
from dataclasses import replace

import pytest
from PIL import Image

from farm.results.folder import Folder
from tests.report.figures.grids import figures_of, sampled, wrong
from tests.report.figures.marks import SVG, texts, tree
from tests.runs import record, run


def figure(folder, cells, **more):
    sampled(folder, [cell.calibration for cell in cells], **more)
    return figures_of(replace(run(dict.fromkeys(cells, wrong(10))), folder=folder))["samples"]


def images(shown):
    return [
        each.get("{http://www.w3.org/1999/xlink}href") or each.get("href") for each in tree(shown).iter(f"{SVG}image")
    ]


def test_each_set_has_a_row_of_its_first_images(tmp_path):
    folder = Folder(str(tmp_path))
    shown = figure(folder, [record("real"), record("noise")])
    assert len(images(shown)) == 2 * 14
    assert [text for text in texts(shown) if text in ("real", "noise")] == ["real", "noise"]
    first = folder.read("samples.parquet").to_pylist()[0]["png"]
    assert images(shown)[0] == f"data:image/png;base64,{base64.b64encode(first).decode()}"


def test_of_several_seeds_the_first_is_shown(tmp_path):
    shown = figure(Folder(str(tmp_path)), [record("real"), record("real", seed=1), record("noise")])
    assert len(images(shown)) == 2 * 14
    assert "real{seed=1}" not in texts(shown)


def test_large_images_are_made_small(tmp_path):
    shown = figure(Folder(str(tmp_path)), [record("real")], count=3, size=224)
    stored = Image.open(io.BytesIO(base64.b64decode(images(shown)[0].partition(",")[2])))
    assert stored.size == (64, 64)


@pytest.mark.parametrize("sets", [1, 20])
def test_all_images_together_are_small_enough_for_the_page(sets, tmp_path):
    shown = figure(Folder(str(tmp_path)), [record(f"set{index}") for index in range(sets)], count=14, size=32)
    assert sum(map(len, images(shown))) <= 350_000  # the budget, and the least that each set shows
    assert len(images(shown)) >= 4 * sets
