"""The heatmap of what each class loses."""

from dataclasses import replace

import numpy as np
import pytest

from farm.analysis.analysis import analyse
from farm.plan import Plan
from farm.plan.parameters import Images
from farm.report.figures.bounds import MOST_MARKS
from farm.report.figures.classes import MOST
from farm.report.figures.figure import material
from farm.results.folder import Folder
from farm.results.reading import OfClasses, Predicted
from tests.conftest import stage
from tests.report.figures.grids import figures_of, wrong
from tests.report.figures.marks import marks, texts
from tests.runs import N, by, record, run

MINUS = "\N{MINUS SIGN}"


def of_class(number, count):
    """So many images of a class of ten, which a cell gets wrong."""
    return [number + 10 * at for at in range(count)]


def square(figure, name, number):
    """What the mark of a set and a class says."""
    wanted = {f"calibration: {name}", f"class: {number}"}
    said = [mark for mark in marks(figure, "rect") if wanted <= set(mark.said.split("; "))]
    assert len(said) == 1
    return said[0]


def test_a_square_holds_the_points_that_a_class_lost_against_the_fp32_ir():
    cells = {record(): of_class(3, 10), record("noise"): [*of_class(3, 4), *of_class(7, 25)]}
    figure = figures_of(run(cells))["classes"]
    assert len(marks(figure, "rect")) == 10
    assert square(figure, "noise", 7).number("drop") == 25
    assert square(figure, "noise", 3).number("drop") == -6
    assert square(figure, "noise", 0).number("drop") == 0
    assert {"25.0", f"{MINUS}6.0", "0.0", "resnet20", "noise"} <= set(texts(figure))
    assert square(figure, "noise", 7).number("test images of the class") == 100
    assert "A class has 100 test images, so that one image is 1 point:" in figure.caption
    assert figure.alt.endswith("the most is 25.0 points, in class 7 by resnet20 with noise.")


def test_over_several_seeds_it_is_their_mean():
    cells = {
        record(): wrong(0),
        record("a"): of_class(2, 10),
        record("a", seed=1): of_class(2, 20),
        record("b"): wrong(0),
    }
    figure = figures_of(run(cells))["classes"]
    assert square(figure, "a", 2).number("drop") == 15
    assert square(figure, "a", 2).number("seeds") == 2
    assert "the mean over 1 to 2 seeds of the set" in figure.caption


def test_each_set_stands_under_its_model():
    cells = {}
    for model in ("resnet20", "vgg16_bn"):
        cells |= {record(model=model): wrong(0), record("noise", model=model): wrong(10)}
    said = [text for text in texts(figures_of(run(cells))["classes"]) if text in ("resnet20", "vgg16_bn", "noise")]
    assert said == ["resnet20", "noise", "vgg16_bn", "noise"]


def many(sets, classes):
    """A run of so many sets and classes, of which set i loses i images, all in class i."""
    cells = {record(): ()} | {record(f"set{index:03}"): () for index in range(sets)}
    found = run(cells)
    label = np.arange(classes * 100) % classes
    predictions = {}
    for index, cell in enumerate(found.records):
        prediction, losing = label.copy(), max(0, index - 1)
        prediction[losing % classes + classes * np.arange(losing)] = -1
        predictions[cell.cell] = Predicted(label=label, prediction=prediction, score=label.astype(np.float32))
    return replace(found, predictions=predictions)


def test_of_many_classes_those_are_shown_in_which_a_set_loses_most():
    figure = figures_of(many(31, 30))["classes"]
    assert figure.caption.startswith(f"The {MOST} of 30 classes in which a set loses most.")
    assert len({mark.said.split("class: ")[1].split(";")[0] for mark in marks(figure, "rect")}) == MOST
    assert "in 30 classes by 31 models and sets:" in figure.alt


def test_of_many_sets_those_are_shown_that_lose_most_in_a_class():
    figure = figures_of(many(60, 30))["classes"]
    assert figure.caption.startswith(
        f"The {MOST_MARKS // (2 * MOST)} of 60 models and sets that lose most in one class;"
    )
    assert "set059" in texts(figure)
    assert "set005" not in texts(figure)


def test_cells_without_predictions_or_of_other_images_are_left_out():
    found = run({record(): wrong(0), record("a"): wrong(10), record("b"): wrong(10)})
    a, b = (record(name).cell for name in "ab")
    fewer = {name: getattr(found.predictions[b], name)[: N // 2] for name in ("label", "prediction", "score")}
    figure = figures_of(replace(found, predictions={**found.predictions, b: Predicted(**fewer)}))["classes"]
    assert "b" not in texts(figure)
    assert "classes" not in figures_of(replace(found, predictions={a: found.predictions[a]}))


def test_classes_have_their_names_where_the_plan_tells_them(tmp_path):
    folder, judged = Folder(str(tmp_path)), stage("evaluate", "00")
    animals = Images(name="folder", options={"classes": tuple(f"animal{number}" for number in range(9))})
    judged = replace(judged, parameters=replace(judged.parameters, dataset=animals))
    folder.write_plan(Plan(stages={judged.uri: judged}))
    found = replace(run({record(): wrong(0), record("a"): wrong(10)}), folder=folder)
    assert material(analyse(found)).classes[3] == "animal3"
    assert {"animal0", "animal8", "9"} <= set(texts(figures_of(found)["classes"]))


def test_of_detectors_each_class_shows_what_its_metric_lost():
    cells = {record(): [], record("fractal"): [], record("noise"): []}
    found = by(run(cells), "map")
    scores = {"fractal": [0.5, 0.8], "noise": [0.4, 0.9], None: [0.6, 0.9]}
    of = {
        cell.cell: OfClasses(
            number=np.array([3, 7]), objects=np.array([5, 50]), score=np.array(scores[cell.calibration])
        )
        for cell in cells
    }
    figure = figures_of(replace(found, predictions={}, of_classes=of))["classes"]
    assert "Of each class the FP32 IR's mAP minus the quantized model's, in percentage points" in figure.caption
    assert "A class has 5 to 50 objects" in figure.caption
    assert figure.title == "mAP lost by class"
    assert square(figure, "noise", 3).number("drop") == pytest.approx(20)
    other = {**of, record("noise").cell: replace(of[record("noise").cell], number=np.array([3, 8]))}
    assert "noise" not in " ".join(texts(figures_of(replace(found, predictions={}, of_classes=other))["classes"]))
