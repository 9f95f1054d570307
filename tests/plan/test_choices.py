"""What a plan makes of a grid's choices: files, identity, preprocessing, sets to validate on, what is left out."""

from dataclasses import asdict, replace

import pytest

from farm.axes import Fit, Images, Model
from farm.catalog import CATALOG
from farm.errors import InputError
from farm.plan.choices import Choices
from farm.plan.parameters import Evaluate, Measure, Quantize, Synthesize
from tests.conftest import Located, plan_of

DIGITS = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5), "scale": 1 / 255}
CIFAR10 = asdict(CATALOG.preprocessing["cifar10"])
RAW = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0), "scale": 1.0}
AWARE = "accuracy-aware"
IN_FOLDER = {"name": "folder", "path": "p"}
NAMED = IN_FOLDER | {"classes": "c.txt"}


def one(plan, kind):
    [stage] = [stage for stage in plan.stages.values() if stage.kind == kind]
    return stage


def stages_of(plan, role):
    """The stages that have a role in some cell, each once."""
    uris = dict.fromkeys(cell.stages[role] for cell in plan.cells if role in cell.stages)
    return [plan.stages[uri] for uri in uris]


def prepared(plan):
    """The one preprocessing that every stage of a plan is given."""
    [found] = {
        stage.parameters.preprocessing
        for stage in plan.stages.values()
        if isinstance(stage.parameters, (Quantize, Evaluate, Measure))
    }
    return asdict(found)


def test_what_two_makers_of_one_name_make_of_the_same_is_kept_apart(files):
    choices = Choices(grid=files.grid(), catalog=CATALOG, locate=Located(), describe=describing())
    made = [choices.once(kind.fromhex, "ff") for kind in (bytes, bytearray, bytes)]
    assert [*map(type, made)] == [bytes, bytearray, bytes]
    assert made[2] is made[0]


def describing(**said):
    """A `describe` that says the same of every model, and keeps what it was asked."""

    def describe(name, parameters, found):
        describe.asked.append((name, found.path if found else None))
        return said

    describe.asked = []
    return describe


@pytest.mark.parametrize(
    ("dataset", "described", "said", "found"),
    [
        ("digits", {}, {}, {**DIGITS, "size": (32, 32), "resize": None, "input": "f32", "layout": "NCHW"}),
        (
            "digits",
            {"mean": [0.1, 0.2, 0.3], "size": [224, 224], "resize": 256, "interpolation": "bicubic"},
            {},
            {**DIGITS, "mean": (0.1, 0.2, 0.3), "size": (224, 224), "resize": 256, "interpolation": "bicubic"},
        ),
        (
            "digits",
            {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.4, 0.4], "size": [224, 224]},
            {"mean": [0.9, 0.9, 0.9], "scale": 1.0},
            {"mean": (0.9, 0.9, 0.9), "std": (0.4, 0.4, 0.4), "scale": 1.0, "size": (224, 224)},
        ),
        ("digits", {"layout": "NHWC", "input": "f16"}, {}, {**DIGITS, "layout": "NHWC", "input": "f16"}),
        ("digits", {"url": "https://example.com/w.pt", "colour": "blue"}, {}, DIGITS),
        ({"name": "parquet", "path": "p"}, {}, {}, {**RAW, "scale": 1 / 255, "size": (32, 32), "resize": None}),
        ("digits", {}, {"mean": [123.7, 116.3, 103.5]}, {**RAW, "mean": (123.7, 116.3, 103.5)}),
        ("digits", {}, {"std": 255.0}, {**RAW, "std": (255.0,) * 3}),
        ("digits", {}, {"mean": [123.7] * 3, "std": [58.4] * 3}, {**RAW, "mean": (123.7,) * 3, "std": (58.4,) * 3}),
        ("digits", {}, {"mean": 0.4}, {**DIGITS, "mean": (0.4, 0.4, 0.4)}),
        ("digits", {}, {"mean": [123.7] * 3, "scale": 1 / 255}, {**DIGITS, "mean": (123.7,) * 3}),
        ("digits", {}, {"mean_values": 127.5, "scale_values": 63.0}, {**RAW, "mean": (127.5,) * 3, "std": (63.0,) * 3}),
        ("digits", {}, {"scale_values": 255.0}, {**RAW, "std": (255.0,) * 3}),
        ("digits", {}, {"mean_values": [0.5] * 3}, {**RAW, "mean": (0.5,) * 3}),
        ({"name": "parquet", "path": "p"}, {"size": [64, 48]}, {}, {**RAW, "scale": 1 / 255, "size": (64, 48)}),
        ({"name": "digits", "factory": "p:test"}, {}, {}, {**RAW, "scale": 1 / 255}),
        ("digits", {"mode": "grey"}, {}, {**DIGITS, "mode": "grey"}),
        ("digits", {"mode": "grey"}, {"mean": [0.1307], "std": 0.3081}, {"mean": (0.1307,) * 3, "std": (0.3081,) * 3}),
        ("cifar10", {"mode": "grey"}, {}, {**RAW, "scale": 1 / 255, "mode": "grey"}),
        ("cifar10", {}, {"mode": "bgr"}, {**CIFAR10, "mode": "bgr"}),
        ("cifar10", {}, {"mode": "rgb"}, CIFAR10),
        ("digits", {"input": "u8"}, {}, {**RAW, "input": "u8"}),
        ("digits", {"input": "u8"}, {"size": [8, 8]}, {**RAW, "input": "u8", "size": (8, 8)}),
        ("digits", {"size": [224, 224], "resize": 256}, {"size": [96, 96]}, {"size": (96, 96), "resize": None}),
        ("digits", {"size": [224, 224], "resize": 256}, {"resize": 240}, {"size": (224, 224), "resize": 240}),
        (
            "digits",
            {"size": [224, 224], "resize": 256, "interpolation": "bicubic"},
            {"size": [96, 96], "resize": 100},
            {"size": (96, 96), "resize": 100, "interpolation": "bicubic"},
        ),
    ],
)
def test_the_users_words_go_before_the_models_and_those_before_its_datasets(files, dataset, described, said, found):
    grid = files.grid(dataset=dataset, models=[{"factory": "nets:tiny", **said}])
    how = prepared(plan_of(grid, describe=describing(**described)))
    assert {key: how[key] for key in found} == found


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ({"mean": [0.485, 0.456, 0.406], "std": [58.4, 57.1, 57.4]}, True),
        ({"mean": 127.5, "std": 0.5}, True),
        ({"mean": 127.5, "std": 0.5, "scale": 1.0}, False),
        ({"mean": 0.0, "std": 255.0}, False),
        ({"mean": [103.9, 116.8, 123.7], "std": 1.0}, False),
        ({"mean": 0.5, "std": 0.25}, False),
    ],
)
def test_mean_and_deviation_are_of_the_same_pixels(files, said, refused):
    grid = files.grid(models=[{"path": "net.onnx", **said}])
    if not refused:
        assert plan_of(grid, describe=describing())
        return
    with pytest.raises(InputError, match=r"^model net: `mean` and `std` are of other pixels, .* or `scale` too$"):
        plan_of(grid, describe=describing())


def test_a_crop_that_is_larger_than_what_it_is_cut_from_is_refused(files):
    """torchvision would fill up with black."""
    said = {"path": "net.onnx", "size": [32, 40]}
    text = r"^model net: `resize: 31` is less than `size` \(32x40\), which would add a black border$"
    with pytest.raises(InputError, match=text):
        plan_of(files.grid(models=[{**said, "resize": 31}]), describe=describing())
    assert plan_of(files.grid(models=[{**said, "resize": 32}]), describe=describing()), "images may be wide"


@pytest.mark.parametrize(
    ("name", "values"), [("mean", [0.1, 0.2, 0.3]), ("std", [0.1, 0.1, 0.2]), ("scale_values", [1.0, 2.0, 3.0])]
)
def test_a_grey_model_has_one_mean_and_one_deviation(files, name, values):
    grid = files.grid(models=[{"path": "net.onnx", name: values}])
    with pytest.raises(InputError, match=f"^model net: a grey image has one channel: give one number as its `{name}`$"):
        plan_of(grid, describe=describing(mode="grey"))


def test_rgb_said_is_rgb_not_said(files):
    said, silent = (plan_of(files.grid(models=[{"factory": "nets:tiny", **how}])) for how in ({"mode": "rgb"}, {}))
    assert said.stages.keys() == silent.stages.keys()


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"mean": [0.0, 0.0, 0.0]}, "mean"),
        ({"scale": 1.0, "std": [1.0, 1.0, 1.0]}, "std, scale"),
        ({"scale_values": 255.0}, "scale_values"),
    ],
)
def test_a_model_of_raw_pixels_normalises_by_itself(files, said, named):
    grid = files.grid(models=[{"path": "net.onnx", **said}])
    text = f"model net: takes raw uint8 pixels, so its preprocessing is inside: leave out {named}"
    with pytest.raises(InputError, match=f"^{text}$"):
        plan_of(grid, describe=describing(input="u8"))


def test_only_a_model_in_a_file_is_described_by_it_and_each_model_once(files):
    describe = describing()
    models = ["resnet20", "torchvision/resnet50", {"factory": "nets:tiny"}, "net.onnx"]
    plan_of(files.grid(models=models, calibrations=["noise", "fractal"]), describe=describe)
    assert describe.asked == [
        ("resnet20", None),
        ("torchvision/resnet50", None),
        ("tiny", None),
        ("net", "/data/net.model"),
    ]


@pytest.mark.parametrize(
    ("model", "identity", "roles"),
    [
        ("resnet20", Model(name="resnet20"), {"weights"}),
        ({"name": "resnet20", "weights": "w.pt", "sha256": "0123abcd"}, Model(name="resnet20"), {"weights"}),
        ("repvgg_a0", Model(name="repvgg_a0", options={"deploy": False}), {"weights"}),
        ("torchvision/resnet50", Model(name="torchvision/resnet50"), {"weights"}),
        ({"name": "mine", "factory": "nets:tiny"}, Model(factory="nets:tiny"), {"factory"}),
        ({"factory": "nets:tiny", "weights": "w.pt", "mean": [0.0, 0.0, 0.0]}, Model(factory="nets:tiny"),
         {"factory", "weights"}),
        ("a.b/net.onnx", Model(format="onnx", options={"output": None}), {"model"}),
        ({"name": "mine", "path": "net.xml", "output": "logits", "layout": "NHWC", "sha256": "0123abcd"},
         Model(format="xml", options={"output": "logits"}), {"model"}),
    ],
)  # fmt: skip
def test_a_model_is_what_builds_it_and_neither_its_name_nor_where_it_lies(files, model, identity, roles):
    export = one(plan_of(files.grid(models=[model])), "export")
    assert export.parameters.model == identity
    assert set(export.files) == roles


def test_pytorch_is_given_the_model_itself_and_openvino_its_ir(files):
    plan = plan_of(files.grid(models=["repvgg_a0"]))
    by_runtime = {"pytorch" if stage.parameters.model else "openvino": stage for stage in stages_of(plan, "evaluate")}
    assert by_runtime["pytorch"].parameters.model == Model(name="repvgg_a0", options={"deploy": False})
    assert set(by_runtime["pytorch"].files) == {"weights"}
    assert by_runtime["openvino"].files == {}


def test_torchvisions_weights_are_at_the_address_that_their_name_stands_for(files):
    asked = []

    def locate(wanted, parameters, names):
        asked.extend([parameters["weights"]] if "weights" in parameters else [])
        return Located()(wanted, parameters, names)

    grid = files.grid(models=["torchvision/resnet50"], calibrations=[])
    plan_of(grid, locate, describe=describing(url="https://example.com/resnet50-0123abcd.pth"))
    assert set(asked) == {"https://example.com/resnet50-0123abcd.pth"}
    plan_of(grid, locate, describe=describing())
    assert asked[-1] == "DEFAULT"


def keys(plan):
    return {role: stage.key for planned in plan.cells[-1:] for role, uri in planned.stages.items()
            for stage in [plan.stages[uri]]}  # fmt: skip


def changed(before, after):
    """The roles of the last cell whose keys differ."""
    first, second = keys(before), keys(after)
    assert set(first) == set(second)
    return {role for role in first if first[role] != second[role]}


EVERYTHING_OF_A_MODEL = {"export", "fp32", "quantize", "evaluate", "measure"}


@pytest.mark.parametrize(
    ("one_way", "other_way", "roles"),
    [
        ({"models": ["repvgg_a0"]}, {"models": [{"name": "repvgg_a0", "deploy": True}]}, EVERYTHING_OF_A_MODEL),
        ({"models": ["net.onnx"]}, {"models": [{"path": "net.onnx", "output": "x"}]}, EVERYTHING_OF_A_MODEL),
        ({"models": ["net.onnx"]}, {"models": [{"path": "net.onnx", "layout": "NHWC"}]}, EVERYTHING_OF_A_MODEL),
        ({"models": ["net.onnx"]}, {"models": [{"path": "net.onnx", "resize": 40}]},
         {"fp32", "quantize", "evaluate", "measure"}),
        ({"models": ["net.onnx"]}, {"models": [{"path": "net.onnx", "sha256": "0123abcd"}]}, set()),
        ({"metric": "top1"}, {"metric": "top5"}, {"fp32", "evaluate"}),
        ({"metric": "a:b"}, {"metric": "a:c"}, {"fp32", "evaluate"}),
        ({"metric": "top1", "algorithms": [AWARE]}, {"metric": "top5", "algorithms": [AWARE]},
         {"quantize", "fp32", "evaluate", "measure"}),
        ({"accuracy_only": []}, {"accuracy_only": [{"algorithm": "ir"}]}, set()),
        ({"dataset": {"factory": "p:test", "name": "a"}}, {"dataset": {"factory": "p:test", "name": "b"}}, set()),
        ({"dataset": {"factory": "p:test"}}, {"dataset": {"factory": "p:test", "count": 9}},
         {"fp32", "evaluate", "measure"}),
        ({"dataset": IN_FOLDER}, {"dataset": IN_FOLDER | {"classes": ["a", "b"]}}, {"fp32", "evaluate", "measure"}),
        ({"calibrations": [IN_FOLDER]}, {"calibrations": [NAMED]},
         {"calibration", "quantize", "evaluate", "measure"}),
        ({"calibrations": [NAMED | {"classes": ["a", "b"]}]}, {"calibrations": [NAMED | {"classes": ["b", "a"]}]},
         {"calibration", "quantize", "evaluate", "measure"}),
        ({"calibrations": [NAMED]}, {"calibrations": [NAMED | {"classes": "d.txt"}]}, set()),
        ({"calibrations": [{"factory": "p:train", "name": "a"}]},
         {"calibrations": [{"factory": "p:train", "name": "b"}]}, set()),
        ({"calibrations": [{"factory": "p:train"}]}, {"calibrations": [{"factory": "p:train", "skip": 9}]},
         {"calibration", "quantize", "evaluate", "measure"}),
    ],
)  # fmt: skip
def test_what_is_said_of_a_grid_changes_exactly_the_keys_that_it_matters_to(files, one_way, other_way, roles):
    contents = Located(contents={"model": "same", "images": "same", "metric": "same", "classes": "same"})
    assert changed(plan_of(files.grid(**one_way), contents), plan_of(files.grid(**other_way), contents)) == roles


def test_the_source_of_a_metric_of_the_users_own_is_a_file_of_what_scores(files):
    grid = files.grid(metric="scores:mine", algorithms=["default", AWARE])
    plan = plan_of(grid, Located(contents={"metric": "first"}))
    with_metric = {stage.kind for stage in plan.stages.values() if "metric" in stage.files}
    assert with_metric == {"evaluate", "quantize"}
    assert ["metric" in stage.files for stage in stages_of(plan, "quantize")] == [False, True]
    assert [stage.parameters.metric is not None for stage in stages_of(plan, "quantize")] == [False, True]
    edited = plan_of(grid, Located(contents={"metric": "second"}))
    assert changed(plan, edited) == {"quantize", "fp32", "evaluate", "measure"}


def test_a_built_in_metric_has_no_source(files):
    assert not any("metric" in stage.files for stage in plan_of(files.grid(metric="top5")).stages.values())


FITTED = {"factory": "nets:tiny", "size": [36, 30], "resize": 40}
FIT = Fit(resize=40, size=(36, 30), interpolation="bilinear")


@pytest.mark.parametrize("dataset", ["digits", {"name": "folder", "path": "test"}, {"factory": "p:test"}])
def test_a_model_that_resizes_has_test_images_fitted_to_it(files, dataset):
    plan = plan_of(files.grid(dataset=dataset, models=[FITTED, {"name": "plain", **FITTED, "resize": None}]))
    for role in ("fp32", "evaluate", "measure"):
        fits = {planned.model: plan.stages[planned.stages[role]].parameters.dataset.fit
                for planned in plan.cells}  # fmt: skip
        assert fits == {"tiny": FIT, "plain": None}


@pytest.mark.parametrize(
    ("source", "size", "fit"),
    [
        ("digits", None, FIT),
        ({"name": "folder", "path": "photos"}, None, FIT),
        ({"factory": "p:train"}, None, FIT),
        ("noise", (36, 30), None),
        ({"name": "fractal", "size": [8, 8]}, (8, 8), None),
        ("distylegan", None, None),
    ],
)
def test_real_images_are_fitted_to_a_model_and_computed_ones_are_made_at_its_size(files, source, size, fit):
    found = one(plan_of(files.grid(models=[FITTED], calibrations=[source])), "synthesize").parameters.images
    assert (found.options.get("size"), found.fit) == (size, fit)


def test_models_of_one_fit_share_their_real_images(files):
    models = [FITTED, {**FITTED, "name": "same"}, {**FITTED, "name": "other", "interpolation": "bicubic"}]
    plan = plan_of(files.grid(models=models, calibrations=["digits"]))
    assert [stage.parameters.images.fit for stage in stages_of(plan, "calibration")] == [
        FIT,
        replace(FIT, interpolation="bicubic"),
    ]


def test_the_images_of_a_users_own_code_are_named_factory_whatever_they_are_called(files):
    grid = files.grid(dataset={"factory": "p:test", "name": "digits"},
                      calibrations=[{"factory": "p:train", "name": "noise", "count": 9}])  # fmt: skip
    plan = plan_of(grid)
    assert plan.dataset == "digits"
    synthesis = one(plan, "synthesize")
    images = Images(name="factory", options={"factory": "p:train", "seed": 0, "skip": 0})
    assert synthesis.parameters == Synthesize(images=images, start=0, stop=9)
    assert set(synthesis.files) == {"images"}
    for stage in (*stages_of(plan, "evaluate"), *stages_of(plan, "measure")):
        assert stage.parameters.dataset == Images(name="factory", options={"factory": "p:test", "count": None})
        assert stage.files["images"].path == "/data/digits.images"


def test_cells_whose_accuracy_alone_is_asked_for_are_not_measured(files):
    grid = files.grid(models=["resnet20", "vgg11_bn"], accuracy_only=[{"model": "vgg11_bn"}, {"algorithm": "ir"}])
    measured = {planned.name for planned in plan_of(grid).cells if "measure" in planned.stages}
    assert measured == {"resnet20/-/pytorch/CPU", "resnet20/noise/default/CPU"}
    assert {"evaluate", "fp32", "export"} <= set(plan_of(grid).cells[-1].stages)


def test_plan_json_says_the_metric(files):
    assert plan_of(files.grid(metric="top5")).metric == "top5"


FOLDER = {"name": "folder", "path": "test"}
OWN = {"factory": "p:test", "name": "digits"}


@pytest.mark.parametrize(
    ("dataset", "source", "said", "found"),
    [
        ("digits", "digits", {}, ("digits", 1000, 0, 1000)),
        ("digits", {"name": "digits", "count": 300, "seed": 5, "skip": 10}, {"validate_count": 200},
         ("digits", 200, 5, 310)),
        ("digits", "noise", {}, ("digits", 1000, 0, 0)),
        ("digits", {"name": "fractal", "seed": 7}, {"validate_count": 50},
         ("digits", 50, 0, 0)),
        ("digits", {"name": "folder", "path": "photos"}, {},
         ("digits", 1000, 0, 0)),
        ("cifar10", {"name": "cifar10", "count": 300}, {},
         ("cifar10", 1000, 0, 300)),
    ],
)  # fmt: skip
def test_accuracy_is_validated_on_train_images_that_no_calibration_used(files, dataset, source, said, found):
    algorithm = {"name": AWARE, "validate_on": "train", **said}
    plan = plan_of(files.grid(dataset=dataset, calibrations=[source], algorithms=[algorithm]))
    quantize = one(plan, "quantize")
    assert quantize.missing == ""
    assert set(quantize.inputs) == {"model", "calibration", "validation"}
    name, stop, seed, skip = found
    images = Images(name=name, options={"seed": seed, "skip": skip})
    assert plan.stages[quantize.inputs["validation"]].parameters == Synthesize(images=images, start=0, stop=stop)
    assert quantize.inputs["calibration"] != quantize.inputs["validation"]
    assert plan.cells[-1].stages["validation"] == quantize.inputs["validation"], "the cell runs it"


def test_each_sample_of_the_train_split_is_validated_on_what_itself_leaves(files):
    sources = [{"name": "digits", "count": 300, "seed": [1, 2]}, "noise"]
    plan = plan_of(files.grid(calibrations=sources, algorithms=[{"name": AWARE, "validate_on": "train"}]))
    validations = [plan.stages[stage.inputs["validation"]] for stage in stages_of(plan, "quantize")]
    assert [
        (each.parameters.images.options["seed"], each.parameters.images.options["skip"]) for each in validations
    ] == [(1, 300), (2, 300), (0, 0)]
    assert len({each.label for each in validations}) == 3


@pytest.mark.parametrize(("content", "found"), [("train", (310, 5)), ("others", (0, 0))])
def test_a_file_of_the_train_split_by_another_name_is_still_the_train_split(files, content, found):
    source = {"name": "parquet", "path": "train.parquet", "count": 300, "seed": 5, "skip": 10}
    algorithm = {"name": AWARE, "validate_on": "train"}

    def locate(wanted, parameters, names):
        return Located(contents={"images": content if "path" in parameters else "train"})(wanted, parameters, names)

    plan = plan_of(files.grid(dataset="cifar10", calibrations=[source], algorithms=[algorithm]), locate)
    validated = plan.stages[one(plan, "quantize").inputs["validation"]].parameters.images
    assert validated.name == "cifar10"
    assert (validated.options["skip"], validated.options["seed"]) == found


def test_cells_that_are_validated_on_the_same_images_share_them(files):
    algorithm = {"name": AWARE, "validate_on": "train", "max_drop": [0.01, 0.02]}
    plan = plan_of(files.grid(calibrations=["noise", "fractal"], algorithms=[algorithm]))
    assert len({stage.inputs["validation"] for stage in stages_of(plan, "quantize")}) == 1
    assert len([stage for stage in plan.stages.values() if stage.kind == "synthesize"]) == 3


def test_images_to_validate_on_are_fitted_to_the_model_too(files):
    algorithm = {"name": AWARE, "validate_on": "train"}
    plan = plan_of(files.grid(models=[FITTED], algorithms=[algorithm]))
    assert plan.stages[one(plan, "quantize").inputs["validation"]].parameters.images.fit == FIT


@pytest.mark.parametrize("dataset", [FOLDER, {**OWN, "name": "mine"}, OWN])
@pytest.mark.parametrize("source", ["fractal", "digits", {"name": "folder", "path": "photos"}])
def test_without_a_train_split_there_is_nothing_to_validate_on(files, dataset, source):
    algorithms = [{"name": AWARE, "validate_on": ["calibration", "train"]}]
    plan = plan_of(files.grid(dataset=dataset, calibrations=[source], algorithms=algorithms))
    text = f"`validate_on: train` needs a dataset with a train split; {plan.dataset} has none"
    assert [stage.missing for stage in stages_of(plan, "quantize")] == ["", text]
    assert [set(stage.inputs) for stage in stages_of(plan, "quantize")] == [{"model", "calibration"}] * 2


@pytest.mark.parametrize("algorithm", ["default", AWARE, {"name": AWARE, "validate_on": "calibration"}])
def test_other_algorithms_have_no_images_to_validate_on(files, algorithm):
    plan = plan_of(files.grid(calibrations=["digits"], algorithms=[algorithm]))
    assert set(one(plan, "quantize").inputs) == {"model", "calibration"}
    assert "validation" not in plan.cells[-1].stages


YOLO = {"name": "yolo", "path": "p", "boxes": "b", "classes": ["cat", "dog"]}
YOLOX = {"path": "yolox.onnx", "decode": "yolox", "size": 64}


def detecting(files, *models, **changes):
    """The plan of a grid of detectors."""
    return plan_of(files.grid(dataset=YOLO, models=list(models) or [YOLOX], **changes))


def test_an_evaluation_of_a_detector_knows_its_head_and_what_counts(files):
    task = {"name": "detection", "score_threshold": 0.05}
    plan = detecting(files, {**YOLOX, "label_offset": 1}, task=task, baselines=["ir"], calibrations=[])
    evaluation, export = one(plan, "evaluate"), one(plan, "export")
    assert evaluation.parameters.task.name == "detection"
    assert evaluation.parameters.task.options == {
        "score_threshold": 0.05, "iou_threshold": 0.65, "max_detections": 100, "decode": "yolox", "label_offset": 1,
    }  # fmt: skip
    assert evaluation.parameters.metric == "map"
    assert "pycocotools" in evaluation.libraries
    assert export.parameters.whole is True
    assert "decode" not in export.parameters.model.options
    assert "decode" not in evaluation.files


def test_the_source_of_a_decode_of_the_users_own_is_a_file_of_what_scores(files):
    plan = detecting(files, {**YOLOX, "decode": "heads:mine"}, baselines=["ir"], calibrations=[])
    assert "decode" in one(plan, "evaluate").files
    assert "decode" not in one(plan, "export").files


def test_what_only_detectors_say_is_in_no_key_of_a_classifier(files):
    evaluation = one(plan_of(files.grid(baselines=["ir"], calibrations=[])), "evaluate")
    assert evaluation.parameters.task is None
    assert one(plan_of(files.grid(baselines=["ir"], calibrations=[])), "export").parameters.whole is None


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"resize": "stretch"}, {"whole": "stretch", "resize": None}),
        ({"resize": "letterbox"}, {"whole": "letterbox", "corner": None, "pad": None}),
        ({"resize": "letterbox", "position": "corner", "pad": 0}, {"whole": "letterbox", "corner": True, "pad": 0}),
        ({"resize": "letterbox", "position": "centre"}, {"whole": "letterbox", "corner": False}),
        ({"resize": 70}, {"whole": None, "resize": 70}),
    ],
)
def test_images_are_made_to_fit_as_the_model_says(files, said, found):
    plan = detecting(files, {**YOLOX, **said})
    how = prepared(plan)
    assert {name: how[name] for name in found} == found
    (evaluation, *_) = stages_of(plan, "evaluate")
    fit = evaluation.parameters.dataset.fit
    assert {name: getattr(fit, name) for name in found} == found


def test_the_whole_of_an_image_in_place_of_what_a_model_says_of_itself(files):
    describe = describing(size=[64, 64], resize=72)
    grid = files.grid(dataset=YOLO, models=[{**YOLOX, "resize": "stretch"}])
    how = Choices(grid=grid, catalog=CATALOG, locate=Located(), describe=describe).preprocessing(grid.models[0])
    assert (how.whole, how.resize) == ("stretch", None)
