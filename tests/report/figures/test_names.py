"""What cells are called in figures."""

from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.report.figures.names import LONGEST, apart, differing, names_of, plain
from tests.runs import record

CATS = "folder{path=/a/very/long/path/to/some/images/of/cats}"


def named(*sets, **changes):
    """What sets are called in a run of them."""
    names = names_of([record(one, **changes) for one in sets])
    return [names.series(one, "default") for one in sets]


@given(st.lists(st.text(), max_size=8))
def test_a_name_is_one_line_that_xml_can_hold_and_never_longer_than_there_is_room_for(texts):
    for shown in apart({text: text for text in texts}).values():
        assert len(shown) <= LONGEST
        assert ET.fromstring(f"<name>{escape(shown)}</name>").text in (shown, None)  # noqa: S314
        assert plain(shown) == shown


@given(st.lists(st.text("ab{=,}/\t", max_size=60), unique=True, max_size=8))
def test_no_two_names_of_a_run_are_alike(texts):
    assert len(set(apart(differing(texts)).values())) == len(texts)
    names = names_of([record(text or "none", model=text, cell=f"{at}") for at, text in enumerate(texts)])
    assert len({names.model(text) for text in texts}) == len(texts)
    assert len({names.series(text, "default") for text in texts if text}) == len([text for text in texts if text])


def test_a_short_name_stays_as_it_is():
    assert named("noise", "fractal") == ["noise", "fractal"]


def test_what_all_sets_of_one_name_share_is_left_out():
    assert named(CATS, "noise{count=9}") == ["folder", "noise"]
    assert named("fractal{count=9,size=8}", "fractal{count=9,size=16}") == ["fractal{size=8}", "fractal{size=16}"]
    assert named("fractal", "fractal{count=50}") == ["fractal", "fractal{count=50}"]


def test_of_paths_the_last_parts_are_said_that_tell_them_apart():
    paths = [f"folder{{path=/a/long/{animal}/{split}}}" for animal, split in ("ax", "bx", "by")]
    assert named(*paths) == ["folder{path=a/x}", "folder{path=b/x}", "folder{path=y}"]
    assert named("folder{path=/a}", "folder{path=/b/a}") == ["folder{path=/a}", "folder{path=/b/a}"]
    assert named('folder{path="/some/a,b"}', 'folder{path="/some/c"}') == ["folder{path=a,b}", "folder{path=c}"]


def test_a_free_name_with_braces_is_not_taken_for_parameters():
    assert named("mine{/a/b", "mine{/a/c") == ["mine{/a/b", "mine{/a/c"]


def test_a_long_name_is_cut_in_its_middle():
    long = "a-set-of-images-that-has-a-very-long-name-indeed"
    assert named(long) == ["a-set-of-images-that…ry-long-name-indeed"]


def test_of_long_names_that_would_be_cut_alike_it_is_shown_where_they_differ():
    start, end = "a-set-of-images-that-begins-alike-", "-and-ends-in-the-very-same-words"
    shown = named(f"{start}one{end}", f"{start}two{end}", "other")
    assert shown == ["a-set-of-ima…one-and-ends-…ry-same-words", "a-set-of-ima…two-and-ends-…ry-same-words", "other"]
    assert all(len(one) <= LONGEST for one in shown)


def test_what_is_alike_all_the_same_has_a_number():
    assert list(apart(dict(enumerate(["a b", "a\tb", "a b (2)"]))).values()) == ["a b", "a b (2)", "a b (2) (2)"]
    far = [f"{'x' * 60}{one}{'y' * 30}{two}{'z' * 60}" for one in "ab" for two in "ab"]
    shown = apart(dict(enumerate(far)))
    assert len(set(shown.values())) == 4
    assert max(map(len, shown.values())) <= LONGEST


def test_the_seed_is_named_only_of_a_source_that_has_several():
    names = names_of([record("real", seed=3), record("noise", seed=1), record("noise", seed=2)])
    assert names.series("real{seed=3}", "default") == names.series("real", "default") == "real"
    assert names.series("noise{seed=1}", "default") == "noise{seed=1}"
    assert names.calibration("noise") == "noise"


def test_models_and_devices_say_what_differs_too():
    models = [f"onnx{{inputs=8,path=models/of/mine/{name}.onnx}}" for name in ("resnet", "vgg")]
    records = [record(model=model, device=f"{device}{{threads=4}}") for model in models for device in ("CPU", "GPU")]
    names = names_of(records)
    assert [names.model(model) for model in models] == ["onnx{path=resnet.onnx}", "onnx{path=vgg.onnx}"]
    assert names.group(models[0], "GPU{threads=4}") == "onnx{path=resnet.onnx} on GPU"
    assert names.place(records[0]) == "CPU"


def test_an_algorithm_is_named_by_its_parameters_only_where_its_name_is_not_enough():
    drops = ("0.01", "0.02")
    two = [record("a", algorithm=f"accuracy-aware{{max_drop={drop},preset=mixed}}") for drop in drops]
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
