"""Figures as files."""

import io
import json

import pytest
from PIL import Image

from farm.analysis.analysis import analyse
from farm.errors import InputError
from farm.report.figures import figures, png, svg, write
from tests.report.figures.grids import wrong
from tests.report.figures.marks import tree
from tests.runs import record, run


@pytest.fixture(scope="module")
def two():
    return figures(analyse(run({record(): wrong(100), record("real"): wrong(101), record("noise"): wrong(150)})))


def test_each_figure_is_written_in_each_form(two, tmp_path):
    written = write(two, tmp_path / "new" / "folder")
    assert [path.name for path in written] == [
        f"{name}.{end}" for name in ("losses", "drops", "classes") for end in ("svg", "png", "json")
    ]
    assert (tmp_path / "new" / "folder" / "drops.svg").read_text(encoding="utf-8") == svg(two[1])
    assert json.loads((tmp_path / "new" / "folder" / "drops.json").read_text(encoding="utf-8"))["title"] == two[1].title


def test_only_the_forms_asked_for_are_written(two, tmp_path):
    assert [path.name for path in write(two, tmp_path, ("png",))] == ["losses.png", "drops.png", "classes.png"]
    assert len(list(tmp_path.iterdir())) == 3


def test_an_unknown_form_is_refused_before_anything_is_written(two, tmp_path):
    with pytest.raises(InputError, match="no figures as 'pdf'"):
        write(two, tmp_path / "none", ("svg", "pdf"))
    assert not (tmp_path / "none").exists()


def test_a_png_has_two_pixels_for_each_of_the_svg(two):
    image = Image.open(io.BytesIO(png(two[1])))
    width = float(tree(two[1]).get("width"))
    assert image.width == pytest.approx(2 * width, abs=2)  # a pixel is lost or won at each side
    assert len(image.convert("RGB").getcolors(maxcolors=1 << 20)) > 10, "it is blank"
