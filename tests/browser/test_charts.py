"""The page's figures in a real browser: the script shows every one, they tell of their marks, and narrow."""

from farm.analysis.analysis import analyse
from farm.report.figures import FIGURES
from farm.report.page import document, section
from tests.browser.conftest import PHONE
from tests.report.page.scenes import picture, study


def test_every_figure_is_shown_tells_of_its_marks_and_is_narrowed_to_a_model_and_widened_again(visit, pages):
    page = visit(pages.study)
    assert len(page.draw_all()) >= 3
    mark = page.tab.locator("#run1-drops .chart .mark-text.role-mark text").last
    mark.hover()
    tooltip = page.tab.locator("#vg-tooltip-element.visible")
    tooltip.wait_for()
    assert "calibration" in tooltip.text_content()
    assert any(model in tooltip.text_content() for model in ("resnet20", "vgg16_bn", "repvgg_a2"))
    assert tooltip.evaluate("(tip) => getComputedStyle(tip).position") == "fixed"

    chart = page.tab.locator("#run1-drops .chart")
    every = chart.locator(".mark-rect.role-mark path").count()
    page.tab.get_by_label("Model in the figures").select_option(label="vgg16_bn")
    page.tab.wait_for_function(
        f"document.querySelectorAll('#run1-drops .chart .mark-rect.role-mark path').length < {every}"
    )
    text = chart.text_content()
    assert "vgg16_bn" in text
    assert "repvgg_a2" not in text
    page.tab.get_by_label("Model in the figures").select_option(label="all")
    page.tab.wait_for_function(
        f"document.querySelectorAll('#run1-drops .chart .mark-rect.role-mark path').length == {every}"
    )


def test_every_figure_that_farm_knows_is_shown_by_script_and_all_but_the_samples_narrowed(visit, pages):
    page = visit(pages.whole)
    assert page.draw_all() == [f"run1-{name}" for name in FIGURES]
    assert page.tab.locator("figure:not(.live)").count() == 0
    assert all(chart.is_visible() for chart in page.tab.locator("figure .chart").all())
    assert page.wrong == []

    narrowed = [name for name in FIGURES if name != "samples"]
    charts = [page.tab.locator(f"#run1-{name} .chart") for name in narrowed]
    assert all("resnet20" in chart.inner_html() for chart in charts)
    page.tab.get_by_label("Model in the figures").select_option(label="vgg16_bn")
    page.tab.wait_for_function(
        "[...document.querySelectorAll('figure .chart')].every((one) => !one.innerHTML.includes('resnet20'))"
    )
    assert all("vgg16_bn" in chart.inner_html() for chart in charts)
    assert page.tab.locator("#run1-pareto .chart").get_attribute("aria-label").endswith(": vgg16_bn alone")

    # The model that was chosen last is shown, however fast the choices were.
    page.tab.evaluate(
        """() => {
            const select = document.querySelector("form.models select");
            for (const word of ["vgg16_bn", "resnet20"]) {
                select.selectedIndex = [...select.options].findIndex((each) => each.dataset.word === word);
                select.dispatchEvent(new Event("input", { bubbles: true }));
            }
        }"""
    )
    page.tab.wait_for_function(
        "[...document.querySelectorAll('figure .chart')].every((one) => !one.innerHTML.includes('vgg16_bn'))"
    )
    for chart in charts:
        assert chart.locator("svg").count() == 1
        assert "resnet20" in chart.inner_html()


MOVED = {"drops", "classes", "samples"}  # squares of one size on every screen


def widths(page):
    """By figure: the pixels of its picture, and of the place it has."""
    sizes = "(one) => [one.querySelector('.chart svg').getBoundingClientRect().width, one.clientWidth]"
    return {
        one.get_attribute("id").removeprefix("run1-"): one.evaluate(sizes) for one in page.tab.locator("figure").all()
    }


def test_on_a_phone_figures_are_drawn_for_its_width_and_have_no_notes(visit, pages):
    page = visit(pages.whole, viewport=PHONE)
    page.draw_all()
    found = widths(page)
    assert {name for name, (drawn, room) in found.items() if drawn > room} <= MOVED
    assert set(found) == set(FIGURES)
    chart = page.tab.locator("#run1-losses .chart")
    assert not [text for text in chart.locator(".role-axis-label text").all_text_contents() if "(" in text]
    assert chart.locator(".mark-symbol.role-mark path").first.is_visible()
    assert page.tab.locator("#run1-losses .canvas").get_attribute("tabindex") is None


def test_on_a_desk_panels_stand_abreast(visit, pages):
    page = visit(pages.whole, viewport={"width": 1366, "height": 900})
    page.draw_all()
    found = widths(page)
    assert all(drawn <= room for drawn, room in found.values())
    assert found["convergence"][0] > 900
    assert found["losses"][0] == found["losses"][1]


def test_rows_of_no_model_stay_whatever_javascript_may_call_them(visit, tmp_path):
    models = ("resnet20", "vgg16_bn")
    path = tmp_path / "page.html"
    shown = picture(study(models=(*models, "constructor")))
    path.write_text(document([section(analyse(study(models=models)), [shown])]), encoding="utf-8")
    page = visit(path)
    page.draw_all()
    page.tab.get_by_label("Model in the figures").select_option(label="vgg16_bn")
    page.tab.wait_for_function("!document.querySelector('figure .chart').textContent.includes('resnet20')")
    assert "constructor" in page.tab.locator("figure .chart").text_content()
