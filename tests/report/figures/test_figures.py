"""All figures of a run: which there are, what every one has, and whatever users call their things."""

import json
import re
from dataclasses import replace

import pytest

from farm.analysis.analysis import analyse
from farm.report import figures as package
from farm.report.figures import FIGURES, figures, svg, vega
from farm.report.figures.rendering import still
from farm.results.folder import Folder
from tests.report.figures.grids import figures_of, full, measured, wrong
from tests.report.figures.marks import SVG, marks, texts, tree
from tests.runs import by, record, run

SETS = {"real": 103, "fractal": 106, "noise": 180}
ALL = tuple(name for name in FIGURES if name != "sizes")


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    folder = Folder(str(tmp_path_factory.mktemp("full")))
    return figures(analyse(full(folder, ["resnet20", "vgg16_bn"], SETS, 2)))


def test_a_whole_run_has_every_figure_in_the_order_of_the_table(everything):
    assert [each.name for each in everything] == list(ALL)
    assert [each.title for each in everything] == [FIGURES[name].title.format(metric="Top-1") for name in ALL]


def test_figures_speak_of_a_metric_of_ones_own_by_its_name_and_in_its_own_unit(tmp_path):
    found = by(full(Folder(str(tmp_path)), ["resnet20", "vgg16_bn"], SETS, 2), "my:score")
    made = {each.name: each for each in figures(analyse(found))}
    assert [*made] == [name for name in ALL if name != "classes"]  # of scores it is not known what a class is
    for name in ("losses", "drops", "pareto"):
        words = [made[name].title, made[name].caption, made[name].alt, *texts(made[name])]
        assert any("my:score" in text for text in words), name
        assert not any(word in text for text in words for word in ("top-1", "Top-1", "points", "%,")), name
    assert any(re.fullmatch(r"0\.0[78]\d\d", text) for text in texts(made["drops"])), "what noise lost"


def test_every_figure_says_what_it_shows_and_is_rendered_with_its_title(everything):
    for figure in everything:
        assert figure.caption.endswith("."), figure.name
        assert any(character.isdigit() for character in figure.alt), figure.name
        assert figure.title in texts(figure)
        assert tree(figure).get("width") not in (None, "0")


def test_every_chart_but_the_samples_names_its_units(everything):
    axes = {
        "losses": "top-1 lost against real images, percentage points", "speedup": "times as fast",
        "pareto": "images a second on CPU of bench", "latency": "latency, ms", "convergence": "pairs",
    }  # fmt: skip
    for figure in everything:
        if figure.name in axes:
            assert axes[figure.name] in texts(figure)


def test_every_measurement_says_how_sure_it_is(everything):
    said = {figure.name: figure.caption for figure in everything}
    assert "90 % interval" in said["losses"]
    for name in ("drops", "pareto"):
        assert "95 % interval" in said[name], name
    for name in ("speedup", "convergence"):
        assert "99 %" in said[name], name
    assert "without an interval" in said["latency"]


def test_a_page_gets_the_whole_spec_without_title_and_as_json(everything):
    for figure in everything:
        spec = json.loads(json.dumps(vega(figure)))
        assert spec["$schema"].startswith("https://vega.github.io/schema/vega-lite/v6")
        assert spec["description"] == figure.alt
        assert "title" not in spec
        assert still(figure)["title"] == figure.title
        assert '"url": "http' not in json.dumps(spec)


def test_single_views_are_as_wide_as_their_place_and_alone_have_a_width(everything):
    found = {figure.name: vega(figure).get("width") for figure in everything}
    assert {name for name, width in found.items() if width == "container"} == {"losses", "speedup", "pareto"}
    assert all(still(figure).get("width") != "container" for figure in everything)


def test_panels_stand_as_many_abreast_as_a_page_has_room_for(everything):
    specs = {figure.name: vega(figure) for figure in everything}
    abreast = {name: spec["columns"]["signal"] for name, spec in specs.items() if "facet" in spec}
    assert abreast == {
        "latency": "isFinite(containerSize()[0]) ? max(1, floor(containerSize()[0] / 300)) : 2",
        "convergence": "isFinite(containerSize()[0]) ? max(1, floor(containerSize()[0] / 270)) : 3",
    }


def test_every_figure_asks_whether_its_place_is_narrow(everything):
    for figure in everything:
        spec = vega(figure)
        assert spec["params"] == [{"name": "narrow", "expr": "containerSize()[0] < 600"}]
        assert "narrow ? 10 : 12" in json.dumps(spec["config"])
        assert 'font-size="12px"' in svg(figure), "alone, no figure is narrow"


def test_a_large_run_stays_under_a_megabyte(tmp_path):
    models = ["resnet20", "vgg16_bn", "mobilenetv2_x1_4", "shufflenetv2_x2_0", "repvgg_a2"]
    found = full(Folder(str(tmp_path)), models, {f"set-{index}": 100 + index for index in range(6)}, 5)
    assert len(found.records) == 160
    assert sum(len(json.dumps(vega(figure))) for figure in figures(analyse(found))) < 1_000_000


def test_a_run_without_speeds_predictions_or_samples_shows_its_drops_only():
    found = replace(run({record(): wrong(100), record("noise"): wrong(150)}), predictions={})
    assert [each.name for each in figures(analyse(found))] == ["drops"]


def test_a_run_in_which_all_failed_has_no_figure():
    failed = replace(record("noise"), outcome="failed", top1=None)
    found = replace(run({record(): wrong(0)}), records=(failed,), predictions={})
    assert figures(analyse(found)) == ()


def test_a_run_of_one_cell_has_its_figures():
    found = measured(run({record("noise"): wrong(10)}), "resnet20/noise/default/CPU", [2.0, 2.1])
    assert [each.name for each in figures(analyse(found))] == ["speedup", "pareto"]
    assert "noise" in texts(figures_of(found)["speedup"])


@pytest.mark.parametrize(
    "name",
    [
        '</script><script> it\'s "quoted" & <b>',
        "画像 — ünïcode 😀",
        "a\u2003b tab\there\x00\x1b",
    ],
)
def test_whatever_a_user_calls_a_model_or_a_set_survives(name, tmp_path):
    folder = Folder(str(tmp_path))
    found = full(folder, [name], {"real": 103, name: 120}, 2)
    made = figures_of(found)
    assert set(made) == set(ALL)
    said = name.replace("\t", " ").replace("\x00\x1b", "").replace("\u2003", " ")
    for figure in made.values():
        labels = [label for each in tree(figure).iter() for label in each.attrib.values()]
        assert any(said in text for text in (*texts(figure), *labels)), figure.name
        assert not list(tree(figure).iter(f"{SVG}script"))


def test_a_long_name_is_whole_where_a_mark_is_pointed_at(tmp_path):
    name = "folder{path=/a/rather/long/path/to/a/folder/of/images/of/cats}"
    found = figures_of(full(Folder(str(tmp_path)), ["resnet20"], {"real": 103, name: 120}, 1))
    assert "folder" in texts(found["drops"])
    assert name in marks(found["speedup"], "symbol")[-1].said


def test_two_long_names_that_differ_in_their_middle_stay_two():
    names = [f"folder{{path=/a/rather/long/path/{middle}/of/images/of/all/kinds}}" for middle in ("one", "two")]
    figure = figures_of(run({record(): wrong(100), record(names[0]): wrong(110), record(names[1]): wrong(120)}))[
        "drops"
    ]
    assert len(marks(figure, "rect")) == 2
    assert {"1.00", "2.00", "folder{path=one/of/images/of/all/kinds}"} <= set(texts(figure))


def test_the_package_offers_what_the_page_is_built_on():
    assert {"Figure", "figures", "vega", "svg", "png", "write", "FIGURES"} <= set(package.__all__)
