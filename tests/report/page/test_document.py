"""The page as a file: nothing of a user's runs, nothing is fetched, and it reads in order."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from farm.analysis.analysis import analyse
from farm.report.figures import FIGURES, figures
from farm.report.page import document, pictures, section
from farm.report.page.document import _vega, policy
from farm.results.folder import Folder
from tests.report.page.scenes import HOSTILE, MARKUP, picture, study, whole

LIMIT = 5_000_000  # bytes


class Elements(HTMLParser):
    """Every element with its attributes, and its text up to the next tag."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.inside = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self.texts.append("")
        self.inside = True

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.texts[-1] += data

    def all(self, tag):
        return [(said, text) for (name, said), text in zip(self.found, self.texts, strict=True) if name == tag]


def page_of(*runs):
    return document([section(analyse(run), [picture(run)]) for run in runs])


@pytest.fixture(scope="module")
def plain():
    return page_of(study(seeds=2))


@pytest.fixture(scope="module")
def hostile():
    return page_of(study(models=(HOSTILE, "plain"), sets=("cifar10", MARKUP)))


def test_names_and_errors_of_a_user_are_text(hostile):
    found = Elements(hostile)
    scripts = found.all("script")
    assert [said.get("type") for said, _ in scripts] == ["application/json", "application/json", None]
    assert "onerror" not in {name for _, said in found.found for name in said}
    assert not found.all("b")
    rows = [said for said, _ in found.all("tr") if "data-model" in said]
    assert HOSTILE in {row["data-model"] for row in rows}
    assert MARKUP in {row["data-calibration"] for row in rows}


def test_data_inside_the_page_is_what_was_put_there(hostile):
    spec = json.loads(next(text for said, text in Elements(hostile).all("script") if said.get("class") == "spec"))
    assert HOSTILE in {row["model"] for row in spec["data"]["values"]}
    raw = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', hostile, re.DOTALL)
    assert len(raw) == 2
    assert not any("<" in text for text in raw)


def test_the_policy_lists_the_script_and_the_style_that_are_there_and_fetches_nothing(plain):
    found = Elements(plain)
    (said,) = [each["content"] for each, _ in found.all("meta") if each.get("http-equiv") == "Content-Security-Policy"]
    (style,) = [text for _, text in found.all("style")]
    (script,) = [text for each, text in found.all("script") if "type" not in each]
    assert said == policy(script, style)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in said
    assert said.startswith("default-src 'none'; ")
    assert "unsafe" not in said


def test_nothing_is_loaded_from_elsewhere(plain):
    found = Elements(plain)
    assert not found.all("link")
    assert all("src" not in said for said, _ in found.all("script"))
    assert {said["src"].partition(",")[0] for said, _ in found.all("img")} == {"data:image/svg+xml;base64"}
    assert all(said["href"].startswith("#") for said, _ in found.all("a"))
    (style,) = [text for _, text in found.all("style")]
    assert "url(" not in style
    assert "@import" not in style


def test_every_link_in_the_page_has_its_place(plain):
    found = Elements(plain)
    places = [said["id"] for _, said in found.found if "id" in said]
    assert len(set(places)) == len(places)
    assert {said["href"][1:] for said, _ in found.all("a")} <= set(places)
    labelled = {said["aria-labelledby"] for _, said in found.found if "aria-labelledby" in said}
    assert labelled <= set(places)


def test_it_reads_in_order_without_eyes(plain):
    found = Elements(plain)
    levels = [int(tag[1]) for tag, _ in found.found if re.fullmatch("h[1-6]", tag)]
    assert levels[:3] == [1, 2, 3]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert [len(found.all(tag)) for tag in ("main", "header", "footer", "nav")] == [1, 1, 1, 1]
    assert found.all("a")[0] == ({"class": "skip", "href": "#main"}, "Skip to the results")
    assert all(said.get("scope") in {"col", "row"} for said, _ in found.all("th"))
    assert all(said["alt"] for said, _ in found.all("img"))
    assert found.found[0] == ("html", {"lang": "en"})


def test_several_seeds_have_a_table_with_mean_spread_and_interval(plain):
    assert "Over several seeds" in plain
    found = Elements(plain)
    heads = [text for _, text in found.all("th")]
    assert "Spread" in heads
    assert "Lost against real" in heads
    assert "Over several seeds" not in page_of(study())


def test_a_run_of_no_cells_is_a_page_too():
    empty = replace(study(), records=(), predictions={})
    assert "Speed was not measured" in document([section(analyse(empty), [])])


def test_several_runs_are_a_section_each():
    page = Elements(page_of(study(), study(models=("other",))))
    sections = [said["id"] for said, _ in page.all("section") if said.get("class") == "run"]
    assert sections == ["run1", "run2"]
    assert [said["href"] for said, _ in page.all("a") if said.get("class") == "name"] == ["#run1", "#run2"]


def test_a_page_without_figures_has_no_vega():
    bare = document([section(analyse(study()), [])])
    assert len(bare) < 200_000
    assert "vega" not in Elements(bare).all("script")[-1][1][:1000]
    assert 'class="figures"' not in bare


def test_a_page_of_pictures_has_no_vega_and_all_that_is_said(plain):
    run = study(seeds=2)
    still, lively = Elements(document([section(analyse(run), [picture(run)])], lively=False)), Elements(plain)
    assert "vega" not in still.all("script")[-1][1][:1000]
    assert "spec" not in [said.get("class") for said, _ in still.all("script")]
    for tag in ("td", "li", "figcaption", "h4", "img"):
        assert still.all(tag) == lively.all(tag)


@pytest.mark.slow
def test_the_page_of_a_large_run_with_all_its_figures_stays_small(tmp_path):
    run = whole(Folder(str(tmp_path)), [f"model{index}" for index in range(12)], ("real", "a", "b", "fractal"), 5)
    assert len(run.records) > 300
    analysis = analyse(run)
    made = pictures(figures(analysis))
    assert [each.figure.name for each in made] == list(FIGURES)
    assert len(document([section(analysis, made)]).encode()) < LIMIT


def test_the_same_run_gives_the_same_page(plain):
    """With Vega's code bundled anew, too, which is kept in the process."""
    _vega.cache_clear()
    assert page_of(study(seeds=2)) == plain
