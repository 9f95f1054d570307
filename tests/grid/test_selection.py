"""Which cells a user names: by axes, whole, and as few options as mean them."""

import re

import pytest

from farm.errors import InputError
from farm.grid.label import AXES, NO_CALIBRATION, CellLabels, Label
from farm.grid.selection import labels_of, means, names, only, options
from farm.record import Record


def labelled(*texts):
    return CellLabels(*map(Label, texts))


CELLS = {
    f"{model}/noise{{seed={seed}}}/default/CPU": labelled(model, f"noise{{seed={seed}}}", "default", "CPU")
    for model in ("resnet20", "vgg16")
    for seed in (1, 2)
}
FIRST, SECOND, THIRD, FOURTH = CELLS


def test_a_records_labels_stand_in_the_axes_order():
    axes = {"model": "resnet20", "algorithm": "ir", "device": "CPU"}
    record = Record(grid="g", cell="resnet20/-/ir/CPU", runtime="openvino", outcome="ok", **axes)
    assert labels_of(record) == ("resnet20", "-", "ir", "CPU")


def test_a_name_means_a_label_and_what_stands_before_its_parameters():
    label = Label("noise{seed=1}")
    assert means("noise", label)
    assert means("noise{seed=1}", label)
    assert not means("noise{seed=2}", label)
    assert means("-", NO_CALIBRATION)
    assert names([label, Label("fractal")]) == ["fractal", "noise", "noise{seed=1}"]


def test_without_options_all_cells_are_meant():
    assert only([], CELLS) == list(CELLS)


@pytest.mark.parametrize(
    ("texts", "cells"),
    [
        (["model=vgg16"], [THIRD, FOURTH]),
        (["model=vgg16", "calibration=noise{seed=1}"], [THIRD]),
        (["model=vgg16", "model=resnet20", "calibration=noise{seed=2}"], [SECOND, FOURTH]),
        ([SECOND], [SECOND]),
        ([SECOND, "model=vgg16"], [SECOND, THIRD, FOURTH]),
    ],
)
def test_options_mean_cells_whole_or_by_all_axes_that_are_named(texts, cells):
    assert only(texts, CELLS) == cells


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (FIRST.replace("20", "21"), "no such cell, did you mean"),
        ("modle=vgg16", "write AXIS=NAME, did you mean"),
        ("model=", "write AXIS=NAME"),
        ("model=vgg17", "means no cell, did you mean"),
    ],
)
def test_an_option_that_means_no_cell_says_what_was_meant(text, says):
    with pytest.raises(InputError, match=f"--only {re.escape(text)}.*{says}"):
        only([text], CELLS)


def test_options_that_mean_no_cell_together_are_refused():
    cells = {"a": labelled("a", "noise", "default", "CPU"), "b": labelled("b", "fractal", "default", "CPU")}
    with pytest.raises(InputError, match="no cell is meant by all of them together"):
        only(["model=a", "calibration=fractal"], cells)


@pytest.mark.parametrize("wanted", [list(CELLS), [FIRST, THIRD], [FIRST, SECOND], [FOURTH]])
def test_few_options_mean_the_wanted_cells_and_no_other(wanted):
    texts = options(wanted, CELLS)
    assert only(texts, CELLS) == wanted
    assert len(texts) < len(AXES)


def test_cells_that_no_axes_tell_from_others_have_no_options():
    assert options([FIRST, FOURTH], CELLS) is None
