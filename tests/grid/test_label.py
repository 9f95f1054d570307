"""Labels: written once, taken apart once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.grid.label import Label

VALUES = st.one_of(
    st.text('ab,={}"[]\\ é/.', max_size=6).filter(lambda text: not text.startswith(("[", '"'))),
    st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False),
    st.lists(st.text('a,]"=', max_size=3), max_size=3),
)  # fmt: skip
PARAMETERS = st.dictionaries(st.sampled_from(["count", "seed", "size", "weights"]), VALUES)


@pytest.mark.parametrize(
    ("label", "name", "parameters"),
    [
        ("noise", "noise", {}),
        ("noise{count=10,size=[8, 9]}", "noise", {"count": "10", "size": "[8, 9]"}),
        ('default{ignored_scope=["a,b=c", "}"],preset=mixed}', "default",
         {"ignored_scope": '["a,b=c", "}"]', "preset": "mixed"}),
        ('folder{path="a,b"}', "folder", {"path": '"a,b"'}),
        ("folder{path=1984/photos,seed=1}", "folder", {"path": "1984/photos", "seed": "1"}),
        ("torchvision/resnet50{weights=IMAGENET1K_V1}", "torchvision/resnet50", {"weights": "IMAGENET1K_V1"}),
        ("-", "-", {}),
    ],
)  # fmt: skip
def test_a_label_is_taken_apart_as_it_was_written(label, name, parameters):
    assert (Label(label).name, Label(label).parameters) == (name, parameters)


@given(parameters=PARAMETERS)
def test_what_is_left_out_of_a_label_changes_nothing_else(parameters):
    label = Label.of("noise", parameters)
    assert label.name == "noise"
    assert sorted(label.parameters) == sorted(parameters)
    for key in parameters:
        rest = {other: value for other, value in parameters.items() if other != key}
        assert label.without(key) == Label.of("noise", rest)
    assert label.without("nothing") == label
    assert label.without(*parameters) == "noise"


def test_a_label_can_have_other_parameters():
    assert Label("folder{path=a/b,seed=1}").having({"path": "b"}) == "folder{path=b}"
    assert Label("folder{path=a/b}").having({}) == "folder"


def test_a_free_name_with_braces_is_left_as_it_is():
    assert Label("mine{1").without("seed") == "mine{1"
