"""Headless Chromium, as Debian packages it. It installs nothing: without it these tests are skipped, and say so."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from farm.analysis.analysis import analyse
from farm.report.figures import figures
from farm.report.page import document, pictures, section
from farm.results.folder import Folder
from tests.report.page.scenes import HOSTILE, MARKUP, study, whole

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 320, "height": 640}


@pytest.fixture(scope="session")
def chromium():
    """The browser, in its sandbox's absence: the tests' machine may be a container."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def pages(tmp_path_factory) -> SimpleNamespace:
    """Where the pages lie: of a study, of one whose names are markup, and of a run with something for every figure.

    And the study's once more without figures, for what is done with its table: Vega takes a second to load.
    """
    folder = tmp_path_factory.mktemp("pages")
    runs = {"study": study(seeds=2), "hostile": study(models=(HOSTILE, "plain"), sets=("cifar10", MARKUP))}
    runs["whole"] = whole(Folder(str(folder / "whole")))
    found: dict[str, Path] = {}
    for name, run in runs.items():
        found[name] = folder / f"{name}.html"
        analysis = analyse(run)
        found[name].write_text(document([section(analysis, pictures(figures(analysis)))]), encoding="utf-8")
    found["table"] = folder / "table.html"
    found["table"].write_text(document([section(analyse(runs["study"]), [])]), encoding="utf-8")
    return SimpleNamespace(**found)


class Visit:
    """A page in a tab of its own, with all that went wrong in it."""

    def __init__(self, browser, path: Path, **how) -> None:
        self.context = browser.new_context(**{"viewport": DESKTOP, **how})
        self.tab = self.context.new_page()
        self.wrong: list[str] = []
        self.asked: list[str] = []
        self.tab.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)
        self.tab.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.tab.on("dialog", lambda dialog: (self.wrong.append(f"a dialog: {dialog.message}"), dialog.dismiss()))
        self.context.route("**/*", self._route)
        self.tab.goto(path.as_uri())

    def _route(self, route) -> None:
        """Nothing but the file itself is let through."""
        if route.request.url.startswith(("file:", "data:")):
            route.continue_()
        else:
            self.asked.append(route.request.url)
            route.abort()

    def column(self, title: str) -> list[str]:
        """The texts of a column's visible cells, without small print."""
        return self.tab.evaluate(
            """(title) => {
                const heads = [...document.querySelectorAll("table.cells thead th")];
                const at = heads.findIndex((head) => head.querySelector(".title").textContent === title);
                const rows = [...document.querySelectorAll("table.cells tbody tr")].filter((row) => !row.hidden);
                const text = (cell) => [...cell.childNodes].filter((one) => one.className !== "note");
                return rows.map((row) => text(row.cells[at]).map((one) => one.textContent).join("").trim());
            }""",
            title,
        )

    def draw_all(self) -> list[str]:
        """Scroll to every figure, wait until marks are in it, and say which there are."""
        figures = self.tab.locator("figure")
        for figure in figures.all():
            figure.scroll_into_view_if_needed()
            figure.locator(".chart svg .role-mark :is(path, image, text)").first.wait_for(state="attached")
        return [str(figure.get_attribute("id")) for figure in figures.all()]


@pytest.fixture
def visit(chromium):
    """Opens a page; at the end nothing may have gone wrong in it, and nothing may have been asked of a network."""
    visits: list[Visit] = []

    def opened(path: Path, **how) -> Visit:
        visits.append(Visit(chromium, path, **how))
        return visits[-1]

    yield opened
    for each in visits:
        each.context.close()
    assert [each.wrong for each in visits if each.wrong] == []
    assert [each.asked for each in visits if each.asked] == []
