"""`farm layers`: where in a model quantization hurts."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from farm.errors import InputError
from farm.results.folder import Folder

sys.path.append(str(Path(__file__).parents[2] / "docs" / "making"))
import layers

IR, INT8 = "tiny/-/ir/CPU", "tiny/noise{count=16}/default/CPU"


def test_layers_of_an_int8_cell_are_listed_in_the_models_order(ran):
    """In processes of their own: one core is leased, and OpenVINO remembers how many there were."""
    found = json.loads(ran.process("layers", INT8, "--images", "4", "--json"))
    assert [(layer["name"], layer["kind"]) for layer in found] == [("0", "Convolution"), ("4", "MatMul")]
    for layer in found:
        assert layer["sqnr_db"] > 10, "8 bits of a layer or two are far better than noise"
        assert layer["range_ratio"] >= 1
    named, *said = ran.process("layers", INT8, "--images", "4").splitlines()
    assert named == f"{INT8} of the grid quick:"
    assert said[0].split() == ["layer", "kind", "SQNR", "dB", "range"]
    assert said[1].split()[:3] == ["0", "Convolution", f"{found[0]['sqnr_db']:.1f}"]


def test_the_pages_table_of_layers_is_made_of_them(ran, monkeypatch):
    monkeypatch.setattr(layers, "MODELS", ("tiny",))
    monkeypatch.chdir(ran.folder)
    monkeypatch.setenv("PYTHONPATH", str(ran.folder))
    folder = Folder(str(ran.folder / "results" / "quick"))
    rows = layers.rows_of(folder)
    assert [(row["model"], row["calibration"], row["name"]) for row in rows] == [
        ("tiny", "noise{count=16}", "0"),
        ("tiny", "noise{count=16}", "4"),
    ]
    assert all(row["sqnr_db"] > 10 and abs(row["drop"]) <= 1 for row in rows)
    shutil.rmtree(ran.folder / "results" / "store" / "quantize")
    with pytest.raises(InputError, match="has no layers to publish"):
        layers.rows_of(folder)
    monkeypatch.setattr(layers, "MODELS", ("resnet20",))
    with pytest.raises(InputError, match="has no int8 cell of resnet20"):
        layers.rows_of(folder)


def test_a_baseline_has_no_layers_that_quantization_could_hurt(ran):
    assert f"{IR} is a baseline: name an int8 cell" in ran.farm("layers", IR, code=2)


def test_an_unknown_cell_says_what_was_meant(ran):
    assert f"did you mean '{INT8}'?" in ran.farm("layers", "tiny/noise/default/CPU", code=2)


def test_a_cell_without_its_model_says_what_to_do(ran):
    shutil.rmtree(ran.folder / "results" / "store" / "quantize")
    said = ran.farm("layers", INT8, code=2)
    assert (
        f"{INT8} has no layers, for its quantize was not done yet: run the grid; or ask: farm why '{INT8}' --grid quick"
        in said
    )
