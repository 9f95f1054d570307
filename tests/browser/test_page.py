"""The page in a real browser: it sorts, filters, tells, fits, prints, and asks nothing of any network."""

import csv
import io
import os
from dataclasses import replace
from pathlib import Path

import pytest

from farm.analysis.analysis import analyse
from farm.report.figures import figures
from farm.report.page import document, pictures, section
from farm.report.page.document import FIRST
from farm.results.folder import Folder
from farm.results.reading import read_run
from farm.shown import harmless
from tests.browser.conftest import DESKTOP, PHONE
from tests.report.page.scenes import HOSTILE, MARKUP, study

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
PUBLISHED = sorted(path.parent.name for path in REFERENCE.glob("*/records.parquet"))
SHOTS = "FARM_SCREENSHOTS"  # names of published runs, by commas: their pages' pictures go beside them
DASH = "\N{EN DASH}"
PAPER = {"width": 703, "height": 1000}  # CSS pixels of A4 between the page's margins
DARK = 90  # of 255: what is darker is a dark page

HORIZONTAL = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def numbers(texts):
    return [float(text.replace(",", "").replace("\N{MINUS SIGN}", "-")) for text in texts if text != DASH]


def test_a_column_sorts_up_and_down_and_back_with_what_is_missing_last(visit, pages):
    page = visit(pages.table)
    before = page.column("Drop")
    head = page.tab.locator("table.cells thead th", has_text="Drop")
    for way in ("ascending", "descending"):
        head.get_by_role("button").click()
        drops = page.column("Drop")
        found = numbers(drops)
        assert found == sorted(found, reverse=way == "descending")
        assert drops[len(found) :] == [DASH] * (len(drops) - len(found))
        assert head.get_attribute("aria-sort") == way
        assert page.tab.locator(".count").text_content() == f"25 of 25 cells, sorted by Drop points, {way}"
    head.get_by_role("button").click()
    assert page.column("Drop") == before
    assert head.get_attribute("aria-sort") == "none"


def test_words_sort_as_words_and_only_one_column_sorts(visit, pages):
    page = visit(pages.table)
    for title in ("Top-1", "Calibration"):
        page.tab.locator("table.cells thead th", has_text=title).get_by_role("button").click()
    found = [text for text in page.column("Calibration") if text != DASH]
    assert found == sorted(found)
    assert page.tab.locator('table.cells [aria-sort="ascending"]').count() == 1


def test_every_column_sorts(visit, pages):
    page = visit(pages.table)
    buttons = page.tab.locator("table.cells thead button")
    assert buttons.count() == page.tab.locator("table.cells thead th").count()
    for button in buttons.all():
        button.click()
    assert len(page.column("Model")) == 25


def test_filters_narrow_the_table_together_and_say_how_many_are_left(visit, pages):
    page = visit(pages.table)
    form = page.tab.get_by_role("search")
    count = page.tab.get_by_role("status")
    form.get_by_label("Model").select_option(label="vgg16_bn")
    assert set(page.column("Model")) == {"vgg16_bn"}
    assert count.text_content().startswith("8 of 25 cells")
    form.get_by_label("Calibration").select_option(label="fractal")
    assert page.column("Calibration") == ["fractal", "fractal{seed=1}"]
    form.get_by_label("Verdict").select_option(label="valid")
    assert page.column("Calibration") == ["fractal"]
    form.get_by_role("button", name="Show all").click()
    page.tab.wait_for_function("document.querySelector('.count').textContent.startsWith('25 of 25')")
    form.get_by_label("Algorithm").select_option(label="PyTorch")
    assert page.column("Variant") == ["PyTorch"] * 3


def test_words_find_cells_by_all_that_their_rows_say(visit, pages):
    page = visit(pages.table)
    find = page.tab.get_by_label("Find")
    find.fill("NOISE worse vgg16")
    assert page.column("Calibration") == ["noise", "noise{seed=1}"]
    find.fill("nothing like it")
    assert page.column("Model") == []
    assert page.tab.get_by_role("status").text_content().startswith("0 of 25 cells")


def test_the_keyboard_alone_reaches_and_works_all(visit, pages):
    page = visit(pages.table)
    page.tab.keyboard.press("Tab")
    assert page.tab.evaluate("document.activeElement.textContent") == "Skip to the results"
    page.tab.keyboard.press("Enter")
    assert page.tab.evaluate("document.activeElement.id") == "main"
    page.tab.get_by_label("Find").focus()
    for _ in range(30):
        page.tab.keyboard.press("Tab")
        if page.tab.evaluate("document.activeElement.textContent").startswith("Drop"):
            break
    page.tab.keyboard.press("Enter")
    found = numbers(page.column("Drop"))
    assert found == sorted(found)


def test_what_is_shown_is_saved_as_csv_in_its_order(visit, pages, tmp_path):
    page = visit(pages.table)
    page.tab.get_by_role("search").get_by_label("Model").select_option(label="resnet20")
    head = page.tab.locator("table.cells thead th", has_text="Drop")
    head.get_by_role("button").click()
    with page.tab.expect_download() as saved:
        page.tab.get_by_role("button", name="Save as CSV").click()
    assert saved.value.suggested_filename == "small-study.csv"
    rows = [*csv.DictReader(saved.value.path().read_text(encoding="utf-8").splitlines())]
    assert [row["Calibration"] for row in rows] == [text.replace(DASH, "") for text in page.column("Calibration")]
    drops = [float(row["Drop points"]) for row in rows if row["Drop points"]]
    assert drops == numbers(page.column("Drop"))
    assert rows[0]["Drop points, interval or note"].count(" to ") == 1
    assert "Size MiB, interval or note" not in rows[0], "which has none"
    assert {len(row) for row in rows} == {len(rows[0])}


def test_names_that_a_spreadsheet_would_run_are_harmless_in_csv(visit, tmp_path):
    path = tmp_path / "formulas.html"
    names = ('=HYPERLINK("http://x")', "+1", "@a;b", "-", "=\n1+1")
    run = study(models=names)
    own = [replace(record, metric="=SUM(1):f", score=record.top1, top1=None) for record in run.records]
    path.write_text(document([section(analyse(replace(run, records=tuple(own))), [])]), encoding="utf-8")
    page = visit(path)
    with page.tab.expect_download() as saved:
        page.tab.get_by_role("button", name="Save as CSV").click()
    rows = [*csv.DictReader(io.StringIO(saved.value.path().read_text(encoding="utf-8"), newline=""))]
    assert {row["Model"] for row in rows} == {harmless(name) for name in names}
    assert "'=SUM(1):f" in rows[0]
    assert not [text for row in rows for text in (*row, *row.values()) if text.startswith(("=", "@"))]


def test_a_long_table_is_drawn_as_it_is_scrolled_to_and_sorted_and_filtered_as_a_whole(visit, tmp_path):
    path = tmp_path / "long.html"
    run = study(models=[f"network{number}" for number in range(160)])
    path.write_text(document([section(analyse(run), [])]), encoding="utf-8")
    page, every = visit(path), len(run.records)
    assert len(page.column("Model")) < every
    assert page.tab.locator(".count").text_content() == f"{every} of {every} cells, in the grid's order"
    page.tab.locator("table.cells thead th", has_text="Drop").get_by_role("button").click()
    least = 100 * min(record.score_drop for record in run.records if record.score_drop is not None)
    assert numbers(page.column("Drop"))[0] == pytest.approx(least, abs=0.005)
    page.tab.get_by_label("Find").fill("network159 noise")
    assert page.column("Model") == ["network159"]
    page.tab.get_by_label("Find").fill("")
    box = page.tab.locator(".scroll", has=page.tab.locator("table.cells"))
    assert len(page.column("Model")) < every
    box.evaluate("(box) => box.scrollTo(0, box.scrollHeight)")
    page.tab.locator("table.cells tbody tr").nth(every - 1).wait_for(state="attached")
    assert page.tab.locator(".rest").count() == 0


def test_a_long_table_is_printed_whole(visit, tmp_path):
    path = tmp_path / "long.html"
    run = study(models=[f"network{number}" for number in range(160)])
    path.write_text(document([section(analyse(run), [])]), encoding="utf-8")
    page = visit(path)
    page.tab.pdf(format="A4")
    assert len(page.column("Model")) == len(run.records)


def test_a_long_table_without_scripting_says_what_is_left_out(visit, tmp_path):
    path = tmp_path / "long.html"
    path.write_text(
        document([section(analyse(study(models=[f"network{number}" for number in range(160)])), [])]), encoding="utf-8"
    )
    page = visit(path, java_script_enabled=False)
    assert page.tab.locator("table.cells tbody tr").count() == FIRST
    assert page.tab.locator(".rest").text_content().startswith(f"The first {FIRST} of 801 cells")


def test_the_name_of_a_row_stays_in_sight_when_the_table_is_moved(visit, pages):
    page = visit(pages.table, viewport=PHONE)
    box = page.tab.locator(".scroll", has=page.tab.locator("table.cells"))
    box.evaluate("(box) => box.scrollTo(400, 0)")
    edge = box.bounding_box()["x"]
    for name in (box.locator("tbody th").first, box.locator("thead th").first):
        assert name.bounding_box()["x"] == pytest.approx(edge, abs=2)
    assert box.locator("tbody td").first.bounding_box()["x"] < edge


def test_names_that_are_markup_are_shown_and_never_run(visit, pages):
    page = visit(pages.hostile)
    assert HOSTILE in page.column("Model")
    assert MARKUP in page.column("Calibration")
    page.tab.get_by_role("search").get_by_label("Model").select_option(label=HOSTILE)
    assert set(page.column("Model")) == {HOSTILE}
    page.draw_all()
    mark = page.tab.locator("#run1-drops .chart .mark-text.role-mark text").first
    mark.hover()
    tooltip = page.tab.locator("#vg-tooltip-element.visible")
    tooltip.wait_for()
    assert "script" in tooltip.text_content()
    assert page.tab.locator("#vg-tooltip-element :is(script, img, b)").count() == 0
    assert page.tab.locator('body img:not([src^="data:image/svg+xml"])').count() == 0
    assert MARKUP in page.tab.locator(".failure pre").first.text_content()


def test_a_script_that_the_policy_does_not_list_is_refused(chromium, pages, tmp_path):
    changed = tmp_path / "changed.html"
    text = pages.study.read_text(encoding="utf-8")
    changed.write_text(text.replace("</main>", "<script>document.title = 'taken'</script></main>"), encoding="utf-8")
    tab = chromium.new_page()
    refused = []
    tab.on("console", lambda said: refused.append(said.text))
    tab.goto(changed.as_uri())
    assert tab.title() != "taken"
    assert any("Content Security Policy" in each for each in refused)
    tab.close()


def test_on_a_phone_only_tables_and_figures_scroll_sideways(visit, pages):
    page = visit(pages.study, viewport=PHONE)
    page.draw_all()
    assert page.tab.evaluate(HORIZONTAL) == 0
    box = page.tab.locator(".scroll").first
    assert box.evaluate("(box) => box.scrollWidth > box.clientWidth")
    assert box.get_attribute("tabindex") == "0"


def lightness(page, selector):
    """0 (black) to 255, of the colours that a selector's element really has on the screen."""
    from io import BytesIO

    from PIL import Image, ImageStat

    image = Image.open(BytesIO(page.tab.locator(selector).first.screenshot())).convert("L")
    return ImageStat.Stat(image).median[0]


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_page_and_figures_follow_the_colour_scheme(visit, pages, scheme, dark):
    page = visit(pages.study, color_scheme=scheme)
    page.draw_all()
    for selector in ("h1", ".scroll", "#run1-speedup .chart"):
        assert (lightness(page, selector) < DARK) == dark, selector


def test_without_scripting_all_is_there_and_figures_are_pictures(visit, pages):
    page = visit(pages.study, java_script_enabled=False)
    assert page.tab.locator("table.cells tbody tr").count() == 25
    assert page.tab.locator("form.filters").first.is_hidden()
    stills = page.tab.locator("img.still")
    assert stills.count() >= 3
    for still in stills.all():
        assert still.is_visible()
        assert still.bounding_box()["height"] > 50


def test_a_page_of_pictures_sorts_its_table_and_shows_its_figures(visit, tmp_path):
    analysis = analyse(study())
    path = tmp_path / "still.html"
    path.write_text(document([section(analysis, pictures(figures(analysis)))], lively=False), encoding="utf-8")
    page = visit(path)
    page.tab.locator("table.cells thead th", has_text="Drop").get_by_role("button").click()
    found = numbers(page.column("Drop"))
    assert found == sorted(found)
    assert all(still.is_visible() for still in page.tab.locator("img.still").all())
    assert page.tab.locator("form.models").count() == 0


def test_it_prints_to_pdf_with_light_pictures_in_place_of_charts(visit, pages):
    page = visit(pages.study, color_scheme="dark")
    page.draw_all()
    printed = page.tab.pdf(format="A4")
    assert printed.startswith(b"%PDF-")
    assert printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ") >= 2
    page.tab.set_viewport_size(PAPER)
    page.tab.emulate_media(media="print")
    assert page.tab.locator("#run1-drops img.still").is_visible()
    assert page.tab.locator("#run1-drops .chart").is_hidden()
    assert page.tab.locator("form.filters").first.is_hidden()
    assert page.tab.evaluate(HORIZONTAL) <= 0


def test_two_runs_on_one_page_have_tables_of_their_own(visit, tmp_path):
    runs = (study(), study(models=("other", "another")))
    path = tmp_path / "two.html"
    path.write_text(document([section(analyse(run), []) for run in runs]), encoding="utf-8")
    page = visit(path)
    page.tab.locator("#run2").get_by_role("search").get_by_label("Model").select_option(label="other")
    assert page.tab.locator("#run1 .count").text_content().startswith("16 of 16")
    assert page.tab.locator("#run2 .count").text_content().startswith("6 of 11")


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_page_opens_and_shows_every_cell_and_figure(visit, name):
    page = visit(REFERENCE / name / "report.html")
    cells = len(read_run(Folder(str(REFERENCE / name))).records)
    assert page.tab.locator(".count").text_content().startswith(f"{cells} of {cells} cells")
    stills = page.tab.locator("img.still").all()
    assert stills
    assert all(still.evaluate("image => image.complete && image.naturalWidth > 0") for still in stills)


@pytest.mark.parametrize("name", os.environ.get(SHOTS, "").split(","))
def test_pictures_of_a_published_page(visit, name):
    if not name:
        pytest.skip(f"no pictures are asked for: {SHOTS}=study,quickstart names published runs")
    ways = {"light": {}, "dark": {"color_scheme": "dark"}, "phone": {"viewport": PHONE}}
    for way, how in ways.items():
        page = visit(REFERENCE / name / "report.html", **{"viewport": DESKTOP, **how})
        page.tab.screenshot(path=REFERENCE / name / f"page-{way}.png", full_page=way != "phone")
        assert (REFERENCE / name / f"page-{way}.png").stat().st_size > 0
