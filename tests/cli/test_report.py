"""`farm report`: where the page goes, and what it says of it."""

import os
import re
import shutil
from pathlib import Path

import pytest

from farm.cli.report import _file_names, _place
from farm.results.folder import Folder
from tests.report.page.scenes import kept, study

PUBLISHED = Path(__file__).parents[2] / "results" / "reference"


@pytest.fixture
def published(place):
    """A copy of a published run: records only."""
    folder = place.folder / "published" / "synthetic"
    folder.mkdir(parents=True)
    shutil.copy(PUBLISHED / "synthetic" / "records.parquet", folder)
    return folder


def test_a_run_gets_its_page_beside_its_results(place):
    here = kept(study(), place.folder / "results" / "small")
    said = place.farm("report")
    assert str(here / "report.html") in said.replace("\n", "")
    assert " MiB): open it in a browser" in said
    text = (here / "report.html").read_text()
    assert "Calibrated with fractal, 3 of 3 models are shown to be equivalent" in text
    assert "farm run jobs/study.yaml --failed" in text
    assert text.count("<figure") >= 3


def test_a_published_run_gets_its_page_too(place, published):
    place.farm("report", published)
    text = (published / "report.html").read_text()
    assert "nothing is claimed" in text
    assert "shufflenetv2_x2_0" in text
    assert "Speed was not measured in this run." in text


def test_out_names_another_file_and_several_runs_share_one_page(place, published):
    other = shutil.copytree(published, place.folder / "published" / "other")
    assert "both.html" in place.farm("report", published, other, "--out", "both.html")
    text = (place.folder / "both.html").read_text()
    assert text.count('<section class="run"') == 2


def test_a_page_of_pictures_is_smaller_for_it_leaves_vega_out(place, published):
    place.farm("report", published)
    lively = (published / "report.html").stat().st_size
    place.farm("report", published, "--still")
    text = (published / "report.html").read_text()
    assert len(text.encode()) < lively - 500_000
    assert '<img class="still"' in text


def test_one_grid_in_two_places_has_two_names_and_two_folders_of_figures(place, published):
    other = shutil.copytree(published, place.folder / "elsewhere" / "synthetic")
    place.farm("report", published, other, "--out", "both.html", "--figures", "drawn")
    text = (place.folder / "both.html").read_text()
    assert len(set(re.findall('<h2 id="run[12]-name">([^<]*)</h2>', text))) == 2
    folders = sorted(each.name for each in (place.folder / "drawn").iterdir())
    assert len(folders) == 2
    assert all(name.endswith("-synthetic") for name in folders)


@pytest.mark.parametrize(
    ("names", "folders"),
    [
        (["small", "../../x"], ["small", "x"]),
        (["s3://a/b c", ".."], ["s3-a-b-c", "run"]),
        (["s3://b/a/t", "s3://b-a/t"], ["s3-b-a-t-1", "s3-b-a-t-2"]),
    ],
)
def test_no_name_leads_out_of_its_folder_or_into_anothers(names, folders):
    assert _file_names(names) == folders


def test_several_runs_or_a_place_that_cannot_be_written_give_a_page_here(place, published):
    place.farm("report", published, published)
    assert (place.folder / "report.html").exists()
    (place.folder / "report.html").unlink()
    published.chmod(0o555)
    place.farm("report", published)
    beside = os.access(published, os.W_OK)  # as root is allowed all
    published.chmod(0o755)
    assert (published / "report.html").exists() == beside
    assert (place.folder / "report.html").exists() != beside


def test_a_run_on_a_remote_place_gets_its_page_here():
    assert _place([Folder("memory://results/small")]) == Path("report.html")


def test_figures_are_written_as_files_when_asked(place, published):
    assert "files of figures" in place.farm("report", published, "--figures", "drawn")
    names = {path.name for path in (place.folder / "drawn").iterdir()}
    assert {"drops.svg", "drops.png", "drops.json"} <= names


def test_a_page_that_cannot_be_written_says_what_to_do(place, published):
    said = place.farm("report", published, "--out", "no/such/folder/page.html", code=2)
    assert "cannot write no/such/folder/page.html" in said
    assert "--out FILE.html" in said


def test_a_run_that_is_not_there_is_bad_input(place):
    assert "nothing was run in results yet" in place.farm("report", code=2)
