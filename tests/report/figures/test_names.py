"""What cells are called in figures."""

from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.report.figures.names import LONGEST, names_of, plain, short
from tests.runs import record


@given(st.text())
def test_a_name_is_one_line_that_xml_can_hold_and_never_longer_than_there_is_room_for(text):
    said = short(text)
    assert len(said) <= LONGEST
    assert ET.fromstring(f"<name>{escape(said)}</name>").text in (said, None)  # noqa: S314
    assert plain(said) == said


def test_a_short_name_stays_as_it_is():
    assert short("fractal{count=5000,seed=1}") == "fractal{count=5000,seed=1}"


def test_an_algorithm_is_named_by_its_parameters_only_where_its_name_is_not_enough():
    drops = ("0.01", "0.02")
    two = [record("a", algorithm=f"accuracy-aware{{max_drop={drop}}}") for drop in drops]
    assert names_of([record("a"), two[0]]).series("a", two[0].algorithm) == "a, accuracy-aware"
    assert names_of([record("a"), *two]).series("a", two[0].algorithm) == "a, accuracy-aware{max_drop=0.01}"
    assert names_of([record("a"), *two]).series("a", "default") == "a"
    assert names_of(two[:1]).series("a", two[0].algorithm) == "a"


@pytest.mark.parametrize(("algorithm", "name"), [("ir", "FP32 IR"), ("pytorch", "PyTorch"), ("onnx", "onnx")])
def test_baselines_have_names_of_their_own(algorithm, name):
    assert names_of([]).series(None, algorithm) == name


def test_a_host_is_named_only_where_speeds_are_from_several():
    here, there = (record("a", host=host, fps=1.0) for host in ("one", "two"))
    assert names_of([here]).measured(here) == "resnet20"
    assert names_of([here, there]).measured(here) == "resnet20 on CPU of one"
    assert names_of([here, there]).group("resnet20", "CPU") == "resnet20"
