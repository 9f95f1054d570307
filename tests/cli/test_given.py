"""Other people's models, quantized as they come or given an input of another range: from `farm plan` to the table."""

import json
import os
from pathlib import Path

import pytest

from tests.models.files import Int8Classifier

CASES = (Path(os.environ.get("FARM_SHARED", "../shared")) / "cases").resolve()
pytestmark = pytest.mark.skipif(not CASES.exists(), reason=f"no {CASES}")

AS_IT_COMES = "qdq and ir_int8: quantized as it comes: judged as given, and not quantized again"
ODD = "odd: pixels of 0 and 255 become -2.12 and -1.79 in its input: check `mean`, `std` and `scale`"
RIGHT = 53 / 120


def models():
    plain = {"path": str(CASES / "trained.onnx")}
    return [
        {"path": str(CASES / "qdq.onnx")},
        {"path": str(CASES / "ir_int8.xml"), "scale_values": 255.0},
        {**plain, "std": 255.0},
        {**plain, "name": "odd", "mean": [123.675, 116.28, 103.53], "std": [58.4, 57.1, 57.4], "scale": 1 / 255},
    ]


def test_what_is_quantized_as_it_comes_is_judged_as_given_and_odd_inputs_are_told(place):
    grid = place.grid(
        dataset={"name": "folder", "path": str(CASES / "test")},
        models=models(),
        algorithms=["default", {"name": "default", "ignored_scope": [".*"]}],
    )
    foreseen = json.loads(place.farm("plan", grid, "--json"))
    assert len(foreseen["cells"]) == 8
    assert [note.partition(", which")[0] for note in foreseen["notes"]] == [ODD, AS_IT_COMES]

    said = place.farm("run", grid, "--engine", "inline", "--no-measure", code=1)
    rows = place.records()
    assert set(rows) == set(foreseen["cells"])
    for name in ("qdq", "ir_int8"):
        given = rows[f"{name}/-/ir/CPU"]
        assert (given["outcome"], given["int8_layers"], given["weighted_layers"]) == ("ok", 4, 4)
        assert given["int8_weights_share"] > 0.9
        assert given["doubts"] is None
    plain = rows["trained/-/ir/CPU"]
    assert plain["top1"] == pytest.approx(RIGHT)
    assert (plain["int8_layers"], plain["weighted_layers"], plain["doubts"]) == (None, 4, None)
    assert rows["ir_int8/-/ir/CPU"]["top1"] == pytest.approx(RIGHT, abs=0.03)
    doubts = json.loads(rows["odd/-/ir/CPU"]["doubts"])
    assert doubts["one_class"] == 1
    assert doubts["input_range"] == pytest.approx([-2.118, -1.786], abs=1e-3)
    nothing = rows['trained/noise{count=16}/default{ignored_scope=[".*"]}/CPU']
    assert nothing["outcome"] == "failed"
    assert "nothing became int8 of 4 layers" in nothing["error_message"]
    assert "qdq      int8 as given" in said
    assert AS_IT_COMES in said
    assert ODD in said


def test_a_tflite_file_of_int8_throughout_is_judged_as_given(place):
    Int8Classifier().write(place.folder / "whole.tflite")
    model = {"path": "whole.tflite", "mean": [0.5] * 3, "std": [0.5] * 3}
    said = place.farm("run", place.grid(models=[model]), "--engine", "inline", "--no-measure")
    [given] = place.records().values()
    assert (given["cell"], given["int8_layers"], given["weighted_layers"]) == ("whole/-/ir/CPU", 2, 2)
    assert "whole  int8 as given" in said


def test_a_cell_that_is_not_planned_is_asked_for_by_its_own_name(place):
    grid = place.grid(
        dataset={"name": "folder", "path": str(CASES / "test")}, models=[str(CASES / "qdq.onnx")], baselines=[]
    )
    only = ("--only", "qdq/noise{count=16}/default/CPU", "--no-measure")
    said = place.farm("run", grid, "--engine", "inline", *only)
    assert set(place.records()) == {"qdq/-/ir/CPU"}
    assert "int8 as given" in said
    assert "1 cell" in said
