"""Accuracy-aware quantization of a small network that int8 ruins."""

import inspect
import math
import re
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import nncf
import numpy as np
import openvino as ov
import pyarrow.parquet as pq
import pytest
import torch
from nncf.quantization.algorithms.accuracy_control.algorithm import QuantizationAccuracyRestorer
from nncf.quantization.algorithms.accuracy_control.evaluator import Evaluator, MetricResults
from nncf.quantization.algorithms.accuracy_control.ranker import Ranker
from openvino import opset13 as ops

from farm.axes import Algorithm
from farm.catalog.algorithms import AccuracyAware
from farm.data import imageset
from farm.data.datasets import PreparedImages
from farm.data.digits import split
from farm.data.imageset import Block
from farm.errors import DataError
from farm.plan.facts import Control
from farm.plan.parameters import Quantize
from farm.quantization import accuracy_aware
from farm.quantization.default import Quantization
from farm.stages import quantize, synthesize
from farm.tasks.metric import scorer, top1
from tests.models.files import layer_counts
from tests.stages.bench import PLAIN, synthesis

COUNT = 120
CONVOLUTIONS = 3


@dataclass(frozen=True)
class Images:
    """Images with any labels."""

    images: np.ndarray
    given: np.ndarray
    classes: int | None = None

    def __len__(self):
        return len(self.given)

    def block(self, start, stop):
        imageset.check_range(start, stop, len(self))
        return Block(self.images[start:stop], self.given[start:stop])


def digits(start, count):
    block = split("train").block(start, start + count)
    return PreparedImages(images=Images(block.images, block.labels), preprocessing=PLAIN)


def labelled(images, labels):
    return replace(images, images=replace(images.images, given=np.asarray(labels, np.int64)))


def network(ruin):
    """Random convolutions and a linear layer fitted to digits: 3 % wrong or so. `ruin` scales half of the
    channels between two convolutions up and down again: the same function in FP32, and no longer in int8."""
    torch.manual_seed(0)
    channels = (3, 16, 32, 32)
    layers = [torch.nn.Conv2d(a, b, 3, 2, 1) for a, b in pairwise(channels)]
    features = torch.nn.Sequential(*(part for layer in layers for part in (layer, torch.nn.ReLU())), torch.nn.Flatten())
    train = digits(200, 900)
    with torch.no_grad():
        known = features(torch.from_numpy(train.take(np.arange(len(train))))).numpy()
        known = np.concatenate([known, np.ones((len(known), 1))], axis=1).astype(np.float64)
        right = np.eye(10)[train.labels(len(train))]
        fitted = np.linalg.solve(known.T @ known + 1e-3 * np.eye(known.shape[1]), known.T @ right)
        last = torch.nn.Linear(known.shape[1] - 1, 10)
        last.weight.copy_(torch.from_numpy(fitted[:-1].T))
        last.bias.copy_(torch.from_numpy(fitted[-1]))
        for before, after in pairwise(layers):
            half = slice(before.out_channels // 2)
            before.weight[half] *= ruin
            before.bias[half] *= ruin
            after.weight[:, half] /= ruin
    return torch.nn.Sequential(*features, last).eval()


def converted(module):
    shape = ov.PartialShape([-1, 3, 32, 32])
    return ov.convert_model(module, example_input=torch.zeros(1, 3, 32, 32), input=[shape])


@pytest.fixture(scope="module")
def images():
    return digits(0, COUNT)


@pytest.fixture(scope="module")
def fragile():
    return converted(network(1000.0))


@pytest.fixture(scope="module")
def sturdy():
    return converted(network(1.0))


@dataclass
class Run:
    """A finished control."""

    model: ov.Model
    facts: Control
    history: list
    said: list


@dataclass
class Controlled:
    """Runs accuracy controls, each in a folder of its own."""

    folder: Path
    images: PreparedImages
    said: list = field(default_factory=list)

    def __call__(self, model, *, validation=None, score=top1, say=None, **parameters):
        said = []
        folder = self.folder / str(len(list(self.folder.iterdir())))
        folder.mkdir()
        quantization = Quantization(
            model=model,
            calibration=self.images,
            validation=validation or self.images,
            options=AccuracyAware(**{"subset_size": 50} | parameters).model_dump(),
            score=score,
            folder=folder,
            cores=1,
            say=say or said.append,
        )
        quantized, facts = accuracy_aware.accuracy_aware(quantization)
        return Run(quantized, facts, pq.read_table(folder / accuracy_aware.HISTORY).to_pylist(), said)


@pytest.fixture(scope="module", autouse=True)
def quantized_once():
    """NNCF quantizes a model once for the same parameters, and each control has a copy: all calibrate on `images`."""
    quantized, known = nncf.quantize, {}

    def once(model, calibration, **parameters):
        key = model, repr(parameters)
        if key not in known:
            known[key] = quantized(model, calibration, **parameters)
        return known[key].clone()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accuracy_aware.nncf, "quantize", once)
        yield


@pytest.fixture
def controlled(tmp_path, images):
    return Controlled(tmp_path, images)


@pytest.fixture(scope="module")
def reached(tmp_path_factory, images, fragile):
    """A control that reached its target after several iterations."""
    return Controlled(tmp_path_factory.mktemp("control"), images)(fragile)


@pytest.fixture(scope="module")
def limited(tmp_path_factory, images, fragile):
    """Controls of so many iterations at most that tell all their progress, by that number."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accuracy_aware, "SAY_EVERY_S", 0.0)
        control = Controlled(tmp_path_factory.mktemp("limited"), images)
        return [control(fragile, max_iterations=limit, budget_s=600.0) for limit in (0, 1)]


def accuracy_of(model, images, labels=None):
    """Top-1, in batches of another size than the control's."""
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    labels = images.labels(len(images)) if labels is None else labels
    logits = np.concatenate([np.array(compiled(images[i])[0]) for i in range(len(images))])
    return (logits.argmax(axis=1) == labels).mean()


def best_of(run):
    (best,) = (row for row in run.history if row["best"])
    return best


def test_the_target_is_reached_after_several_iterations(reached):
    facts = reached.facts
    assert facts.stopped_by == "target"
    assert facts.reached is True
    assert facts.iterations > 1
    assert facts.control_drop <= 0.02 < reached.history[0]["drop"]
    assert (facts.control_labels, facts.validate_on, facts.control_images) == ("given", "calibration", COUNT)
    int8, weighted = layer_counts(reached.model)
    assert 0 < int8 < weighted == CONVOLUTIONS + 1
    assert facts.reverted_layers == weighted - int8


def test_the_history_has_a_row_an_iteration_and_marks_the_model_handed_over(reached):
    history = reached.history
    assert [row["iteration"] for row in history] == list(range(reached.facts.iterations + 1))
    assert [row["n_reverted"] for row in history] == [len(row["reverted"]) for row in history]
    assert history[0]["reverted"] == []
    assert all(len(set(row["reverted"])) == row["n_reverted"] for row in history)
    fp32 = history[0]["score"] + history[0]["drop"]
    assert [row["score"] + row["drop"] for row in history] == pytest.approx([fp32] * len(history))
    assert sorted(row["seconds"] for row in history) == [row["seconds"] for row in history]
    best = best_of(reached)
    assert best["drop"] == reached.facts.control_drop == min(row["drop"] for row in history)
    assert best["n_reverted"] == reached.facts.reverted_layers


def test_the_model_handed_over_is_as_accurate_as_the_history_says(reached, images):
    assert accuracy_of(reached.model, images) == best_of(reached)["score"]


def test_what_is_handed_over_survives_saving(reached, images, tmp_path):
    ov.save_model(reached.model, tmp_path / "model.xml", compress_to_fp16=False)
    model = ov.Core().read_model(tmp_path / "model.xml")
    assert accuracy_of(model, images) == best_of(reached)["score"]
    assert layer_counts(model) == layer_counts(reached.model)


def test_it_reverts_the_layers_that_nncf_itself_reverts(reached, images, fragile):
    labels = dict(enumerate(images.labels(COUNT)))

    def validate(compiled, items):
        scores = [float(compiled(image)[0].argmax() == label) for image, label in items]
        return float(np.mean(scores)), scores

    theirs = nncf.quantize_with_accuracy_control(
        fragile,
        nncf.Dataset(images),
        nncf.Dataset([(images[i], labels[i]) for i in range(COUNT)], lambda item: item[0]),
        validate,
        max_drop=0.02,
        subset_size=50,
        target_device=nncf.TargetDevice.CPU,
        advanced_accuracy_restorer_parameters=nncf.AdvancedAccuracyRestorerParameters(ranking_subset_size=300),
    )
    assert layer_counts(theirs) == layer_counts(reached.model)
    ours, expected = (ov.Core().compile_model(model, "CPU") for model in (reached.model, theirs))
    for image in (images[i] for i in range(5)):
        assert np.array_equal(ours(image)[0], expected(image)[0])


@pytest.mark.parametrize("limit", [0, 1])
def test_the_iteration_budget_hands_over_the_best_so_far(limited, images, limit):
    run = limited[limit]
    assert run.facts.stopped_by == "iterations"
    assert run.facts.reached is False
    assert run.facts.iterations == limit == len(run.history) - 1
    best = best_of(run)
    assert best["drop"] == run.facts.control_drop == min(row["drop"] for row in run.history)
    int8, weighted = layer_counts(run.model)
    assert int8 == weighted - best["n_reverted"]
    assert accuracy_of(run.model, images) == best["score"]


def test_a_tiny_time_budget_still_hands_over_the_quantized_model(controlled, fragile, images):
    run = controlled(fragile, budget_s=1e-6)
    assert run.facts.stopped_by == "budget"
    assert run.facts.reached is False
    assert run.facts.iterations == 0
    assert layer_counts(run.model) == (CONVOLUTIONS + 1, CONVOLUTIONS + 1)
    assert accuracy_of(run.model, images) == run.history[0]["score"]
    assert run.said[-2].startswith("quantized model: "), "no group is ranked"


@pytest.mark.parametrize(("last", "iterations"), [("ranking", 0), ("iteration 1", 1)])
def test_the_time_budget_ends_ranking_and_iterations(controlled, fragile, monkeypatch, last, iterations):
    """The clock stands still until a line of progress is told; the budget is then over."""
    now, said = [0.0], []

    def say(line):
        said.append(line)
        now[0] += 1000.0 * line.startswith(last)

    monkeypatch.setattr(accuracy_aware, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(accuracy_aware, "SAY_EVERY_S", 0.0)
    run = controlled(fragile, budget_s=600.0, say=say)
    assert run.facts.stopped_by == "budget"
    assert run.facts.iterations == iterations
    assert said[-2].startswith(last)


def test_progress_names_iteration_layers_drop_target_best_and_time(reached, limited):
    assert reached.said[0].startswith("FP32 model: score 0.9")
    assert reached.said[1].startswith("quantized model: drop 0.")
    run = limited[1]
    text = "\n".join(run.said)
    assert "ranking: group 1 of 4, " in text
    assert "ranking: group 4 of 4, " in text
    best = best_of(run)["drop"]
    drop = run.history[1]["drop"]
    assert f"iteration 1: 1 of 4 layers in FP32, drop {drop:.3g} (target 0.02), best {best:.3g}, " in text
    assert all(line.endswith(" s of 600 s") for line in run.said[1:-1])
    assert run.said[-1].startswith("stopped by iterations: the best is iteration ")


def test_a_target_that_the_start_reaches_needs_no_iteration(controlled, sturdy):
    run = controlled(sturdy, max_iterations=0)
    assert run.facts.stopped_by == "target"
    assert run.facts.reached is True
    assert run.facts.iterations == run.facts.reverted_layers == 0
    assert [row["best"] for row in run.history] == [True]
    assert layer_counts(run.model) == (CONVOLUTIONS + 1, CONVOLUTIONS + 1)


def test_a_drop_that_no_layer_causes_reverts_all_and_hands_over_the_start(controlled, sturdy):
    """Only the FP32 model is ever right: its scores are the first."""
    calls = []

    def score(logits, labels):
        calls.append(None)
        return np.full(len(labels), float(len(calls) <= math.ceil(COUNT / 100)), np.float32)

    run = controlled(sturdy, score=score)
    assert run.facts.stopped_by == "exhausted"
    assert run.facts.reached is False
    assert run.history[-1]["n_reverted"] == CONVOLUTIONS + 1
    assert run.facts.control_drop == 1.0
    assert run.facts.reverted_layers == 0, "of equal drops, the one with the fewest layers reverted"


def test_a_drop_of_exactly_the_target_reaches_it(controlled, sturdy):
    """2 of 100 images are 0.02, though 0.99 - 0.97 is a little more in binary."""
    calls = []

    def score(logits, labels):
        """Of 100 images, the FP32 model misses one, all others three."""
        calls.append(None)
        return (np.arange(len(labels)) >= (1 if len(calls) == 1 else 3)).astype(np.float32)

    run = controlled(sturdy, score=score, validate_count=100)
    assert 0.99 - 0.97 > 0.02
    assert run.facts.control_drop == 0.02
    assert run.facts.stopped_by == "target"


def test_labels_of_the_model_measure_disagreement(controlled, fragile, images):
    wrong = labelled(images, (images.labels(COUNT) + 1) % 10)
    run = controlled(fragile, validation=wrong, labels="model")
    assert run.facts.control_labels == "model"
    assert run.history[0]["score"] + run.history[0]["drop"] == 1.0, "the FP32 model agrees with itself"
    assert run.facts.reached is True
    assert "disagreement" in run.said[1]
    fp32 = ov.Core().compile_model(fragile, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    own = np.concatenate([np.array(fp32(images[i])[0]) for i in range(COUNT)]).argmax(axis=1)
    assert accuracy_of(run.model, images, own) == best_of(run)["score"]


def test_images_without_labels_are_judged_by_the_model_and_say_so(controlled, sturdy, images):
    run = controlled(sturdy, validation=labelled(images, [-1] * COUNT))
    assert run.facts.control_labels == "model"
    assert "its own answers as labels" in run.said[0]


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ([-1] * 3 + [0] * (COUNT - 3), "3 of the 120 validation images have no label: use `labels: model`"),
        ([0] * (COUNT - 1) + [10], "tells 10 classes apart, a validation image has the label 10: use `labels: model`"),
    ],
)
def test_labels_that_do_not_go_with_the_model_are_refused(controlled, sturdy, images, labels, text):
    with pytest.raises(DataError, match=text):
        controlled(sturdy, validation=labelled(images, labels))


def test_a_metric_of_the_users_own_may_mean_something_else_by_a_label(controlled, sturdy, images):
    run = controlled(
        sturdy,
        validation=labelled(images, [1000] * COUNT),
        score=lambda _, labels: (labels == 1000).astype(np.float32),
    )
    assert run.history[0]["score"] == 1.0


def nan_metric(logits, labels):
    return np.full(len(labels), np.nan)


def broken_metric(logits, labels):
    raise DataError("a metric of the user's own failed")


@pytest.mark.parametrize(("metric", "text"), [("nan_metric", "gives nan"), ("broken_metric", "user's own failed")])
def test_what_is_wrong_with_a_metric_is_told(controlled, sturdy, metric, text):
    with pytest.raises(DataError, match=text):
        controlled(sturdy, score=scorer(f"{__name__}:{metric}"))


def test_a_metric_that_fails_while_groups_are_ranked_is_told_too(controlled, fragile):
    calls = []

    def score(logits, labels):
        calls.append(None)
        if len(calls) > 5:  # two batches of the FP32 model, two of the start, then the ranking
            raise DataError("too late")
        return top1(logits, labels)

    with pytest.raises(DataError, match="too late"):
        controlled(fragile, score=score)


def test_a_model_that_gives_nan_is_refused(controlled):
    images = ops.parameter([-1, 3, 32, 32], np.float32)
    logits = ops.matmul(ops.reduce_mean(images, np.array([2, 3])), np.full((3, 10), np.nan, np.float32), False, False)
    with pytest.raises(DataError, match="NaN or infinite logits"):
        controlled(ov.Model([logits], [images]))


def test_other_images_validate_and_only_as_many_as_asked(controlled, sturdy):
    run = controlled(sturdy, validation=digits(150, 60), validate_count=40, validate_on="train")
    assert (run.facts.control_images, run.facts.validate_on) == (40, "train")
    assert accuracy_of(run.model, digits(150, 40)) == run.history[0]["score"]


def test_a_model_of_a_fixed_batch_of_one_gives_the_same(controlled, reached, fragile):
    fixed = fragile.clone()
    fixed.reshape([1, 3, 32, 32])
    run = controlled(fixed)
    assert [row["score"] for row in run.history] == [row["score"] for row in reached.history]
    assert layer_counts(run.model) == layer_counts(reached.model)


def test_the_model_given_stays_in_fp32(reached, fragile, images):
    assert "FakeQuantize" not in {op.get_type_name() for op in fragile.get_ops()}
    assert accuracy_of(fragile, images) == pytest.approx(best_of(reached)["score"] + best_of(reached)["drop"])


def test_the_stage_keeps_the_history_beside_the_model(bench, sturdy):
    (bench.folder / "ir").mkdir()
    ov.save_model(sturdy, bench.folder / "ir/model.xml", compress_to_fp16=False)
    shards = [bench.run(synthesize.run, synthesis("digits", 0, 30, seed=seed, size=(32, 32)))[1] for seed in (0, 1)]
    options = AccuracyAware(validate_on="train", validate_count=20).model_dump()
    algorithm = Algorithm(name="accuracy-aware", options=options)
    parameters = Quantize(algorithm=algorithm, preprocessing=PLAIN, metric="top1")
    inputs = {"model": bench.folder / "ir", "calibration": shards[0], "validation": shards[1]}
    facts, folder = bench.run(quantize.run, parameters, inputs)
    assert {each.name for each in folder.iterdir()} == {"model.xml", "model.bin", "history.parquet"}
    assert (facts.control.control_images, facts.control.validate_on) == (20, "train")
    assert facts.int8_layers == facts.weighted_layers == CONVOLUTIONS + 1


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (
            QuantizationAccuracyRestorer.__init__,
            "self ranking_subset_size max_num_iterations max_drop drop_type num_ranking_workers restore_mode",
        ),
        (
            QuantizationAccuracyRestorer.apply,
            """self initial_model initial_metric_results quantized_model quantized_metric_results
            validation_dataset validation_dataset_size evaluator""",
        ),
        (
            Ranker.__init__,
            "self ranking_subset_size dataset algo_backend evaluator num_workers ranking_fn restore_mode",
        ),
        (Ranker.find_groups_of_quantizers_to_rank, "self quantized_model_graph"),
        (Evaluator.__init__, "self validation_fn"),
        (Evaluator.is_metric_mode, "self"),
        (Evaluator.prepare_model, "self model"),
        (Evaluator.validate_prepared_model, "self prepared_model dataset indices"),
        (Evaluator.validate, "self model dataset indices"),
        (MetricResults, "metric_value values_for_each_item preparation_time validation_time"),
    ],
)
def test_nncf_has_the_private_interface_that_is_used(function, names):
    assert list(inspect.signature(function).parameters) == names.split()


def test_nncf_calls_nothing_else_of_an_evaluator():
    """What `Control` does not override would look for a validation function and a data set."""
    source = inspect.getsource(QuantizationAccuracyRestorer) + inspect.getsource(Ranker)
    assert set(re.findall(r"evaluator\.(\w+)", source)) == {
        "validate",
        "prepare_model",
        "validate_prepared_model",
        "is_metric_mode",
        "collect_values_for_each_item",  # only where `validate` gives no values
        "collect_values_for_each_item_using_prepared_model",  # only without a metric
    }
