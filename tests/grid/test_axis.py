"""Axis entries -> choices: what an entry stands for, and what it is called."""

import pytest

from farm.catalog import CATALOG
from farm.grid.cell import expand


@pytest.mark.parametrize(
    ("axis", "entry", "labels"),
    [
        ("calibrations", {"name": "noise", "seed": [0, 1, 2]}, ["noise", "noise{seed=1}", "noise{seed=2}"]),
        (
            "calibrations",
            {"name": "noise", "seed": [0, 1], "count": [10, 1000]},
            ["noise{count=10}", "noise", "noise{count=10,seed=1}", "noise{seed=1}"],
        ),
        ("calibrations", {"name": "noise", "size": [8, 9]}, ["noise{size=[8, 9]}"]),
        ("calibrations", {"name": "noise", "size": [[8, 9], [8, 8]]}, ["noise{size=[8, 9]}", "noise{size=[8, 8]}"]),
        ("calibrations", {"name": "noise", "size": 8}, ["noise{size=[8, 8]}"]),
        ("models", {"factory": "nets:tiny", "size": 8}, ["tiny"]),
        ("models", {"factory": "nets:tiny", "size": [8, 16]}, ["tiny"]),
        ("algorithms", {"name": "default", "ignored_scope": ["a", "b"]}, ['default{ignored_scope=["a", "b"]}']),
        (
            "algorithms",
            {"name": "default", "ignored_scope": [["a"], ["b"], []]},
            ['default{ignored_scope=["a"]}', 'default{ignored_scope=["b"]}', "default"],
        ),
        ("algorithms", {"name": "default", "ignored_scope": []}, ["default"]),
        ("algorithms", {"name": "default", "fast_bias_correction": [True, False]},
         ["default", "default{fast_bias_correction=false}"]),
        ("algorithms", {"name": "default", "preset": [None, "mixed"]}, ["default", "default{preset=mixed}"]),
        (
            "calibrations",
            {"name": "folder", "path": "p", "classes": [2, "cat"]},
            ["folder{path=p}"],
        ),
        ("calibrations", {"name": "folder", "path": "p", "classes": "c.txt"}, ["folder{path=p}"]),
        ("devices", {"name": "CPU", "threads": 2, "batch": 8, "hint": "latency"}, ["CPU{batch=8,threads=2}"]),
        ("devices", "GPU.0", ["GPU.0"]),
        ("devices", "AUTO:GPU,CPU", ["AUTO:GPU,CPU"]),
        ("models", {"name": "resnet20", "weights": "w.pt"}, ["resnet20{weights=w.pt}"]),
        ("models", {"name": "mine", "factory": "nets:tiny"}, ["mine"]),
        ("models", {"factory": "nets:tiny", "weights": "w.pt"}, ["tiny"]),
        ("models", {"factory": "nets:tiny", "weights": ["a.pt", "b.pt"]}, ["tiny{weights=a.pt}", "tiny{weights=b.pt}"]),
        ("models", {"factory": "nets:tiny", "size": [[8, 8], [16, 16]]}, ["tiny{size=[8, 8]}", "tiny{size=[16, 16]}"]),
        ("models", "nets/classifier.onnx", ["classifier"]),
        ("models", "classifier.v2.tflite", ["classifier.v2"]),
        ("models", "Classifier.ONNX", ["Classifier"]),
        ("models", {"path": "nets/classifier.xml"}, ["classifier"]),
        ("models", {"path": "a:b.onnx"}, ["a:b"]),
        ("models", {"path": "classifier.onnx", "name": "mine"}, ["mine"]),
        ("models", {"path": ["a.onnx", "b.onnx"]}, ["a", "b"]),
        ("models", {"path": "a.onnx", "layout": ["NCHW", "NHWC"]}, ["a{layout=NCHW}", "a{layout=NHWC}"]),
        ("models", {"path": "a.onnx", "output": "logits", "sha256": "0123abcd"}, ["a"]),
        ("models", "torchvision/resnet50", ["torchvision/resnet50"]),
        (
            "models",
            {"name": "torchvision/resnet50", "weights": ["DEFAULT", "IMAGENET1K_V1"]},
            ["torchvision/resnet50", "torchvision/resnet50{weights=IMAGENET1K_V1}"],
        ),
        ("models", {"name": "repvgg_a0", "deploy": [False, True]}, ["repvgg_a0", "repvgg_a0{deploy=true}"]),
        ("calibrations", "distylegan", ["distylegan{weights=farm-cifar10}"]),  # shown, although it is the default
        ("calibrations", {"name": "distylegan", "weights": "gan"}, ["distylegan{weights=gan}"]),
        ("calibrations", {"factory": "photos:train", "count": 9}, ["train"]),
        ("calibrations", {"factory": "photos:train", "name": "mine", "count": [8, 9]},
         ["mine{count=8}", "mine{count=9}"]),
    ],
)  # fmt: skip
def test_an_entry_stands_for_these_labels_of_sorted_non_default_parameters(files, axis, entry, labels):
    assert [choice.label for choice in getattr(files.grid(**{axis: [entry]}), axis)] == labels


def test_a_size_of_one_number_is_of_both_sides_wherever_it_stands(files):
    calibrations = [{"name": "noise", "size": 8}, {"name": "noise", "size": 9}]
    grid = files.grid(calibrations=calibrations, exclude=[{"calibration": {"name": "noise", "size": 9}}])
    assert [choice.parameters.size for choice in grid.calibrations] == [(8, 8), (9, 9)]
    assert {cell.calibration.label for cell in expand(grid) if cell.calibration} == {"noise{size=[8, 8]}"}


def test_a_parameter_written_as_its_default_makes_no_other_choice(files):
    grid = files.grid(calibrations=[{"name": "noise", "count": 1000, "seed": 0}])
    assert [choice.label for choice in grid.calibrations] == ["noise"]


def test_a_factory_keeps_its_function_and_the_zoo_its_name(files):
    [mine] = files.grid(models=[{"name": "mine", "factory": "nets:tiny"}]).models
    assert mine.spec is CATALOG.models["factory"]
    assert mine.parameters.factory == "nets:tiny"


def test_several_factories_in_one_list_are_named_after_their_functions(files):
    grid = files.grid(models=[{"factory": ["nets:one", "nets:two"]}])
    assert [choice.label for choice in grid.models] == ["one", "two"]


@pytest.mark.parametrize(
    ("axis", "entry", "key", "parameter"),
    [
        ("models", "nets/classifier.onnx", "path", "nets/classifier.onnx"),
        ("models", {"path": "Net.ONNX", "name": "resnet20"}, "path", "Net.ONNX"),
        ("models", {"factory": "nets:tiny", "name": "torchvision/resnet50"}, "factory", "nets:tiny"),
        ("calibrations", {"factory": "photos:train", "name": "digits"}, "factory", "photos:train"),
    ],
)
def test_an_entry_of_the_users_own_is_read_by_its_own_spec_whatever_its_name(files, axis, entry, key, parameter):
    [mine] = getattr(files.grid(**{axis: [entry]}), axis)
    assert getattr(mine.parameters, key) == parameter
    assert mine.spec is {"models": CATALOG.models, "calibrations": CATALOG.sources}[axis][key]


@pytest.mark.parametrize(("entry", "name"), [({"factory": "photos:test"}, "test"),
                                             ({"factory": "photos:test", "name": "mine"}, "mine")])  # fmt: skip
def test_a_dataset_of_the_users_own_is_named_after_its_function_or_as_is_said(files, entry, name):
    dataset = files.grid(dataset=entry).dataset
    assert (dataset.name, dataset.label, dataset.spec) == (name, name, CATALOG.datasets["factory"])
