"""NNCF's levers, by name: what the grid refuses, and that each reaches NNCF."""

import nncf
import numpy as np
import openvino as ov
import pytest
import torch
from nncf.quantization.range_estimator import RangeEstimatorParametersSet
from pydantic import ValidationError

from farm.axes import Algorithm, Preprocessing
from farm.catalog.algorithms import AccuracyAware, Default
from farm.data import imageset
from farm.data.datasets import PreparedImages
from farm.errors import DataError
from farm.plan.parameters import Quantize
from farm.quantization.default import check_ignored_scope, nncf_arguments
from farm.stages import quantize, synthesize
from tests.models.files import layer_counts
from tests.stages.bench import DIGITS_PREPROCESSING, synthesis

TRANSFORMER = {"model_type": "transformer"}


@pytest.fixture(scope="module")
def network():
    """Three convolutions and a linear layer."""
    torch.manual_seed(1)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, stride=2),
        torch.nn.Conv2d(8, 8, 3, stride=2),
        torch.nn.ReLU(),
        torch.nn.Conv2d(8, 16, 3),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(16, 10),
    )
    shape = ov.PartialShape([-1, 3, 32, 32])
    return ov.convert_model(module.eval(), example_input=torch.zeros(1, 3, 32, 32), input=[shape])


@pytest.fixture(scope="module")
def images(session_bench):
    _, shard = session_bench.run(synthesize.run, synthesis("digits", 0, 12, size=(32, 32)))
    return PreparedImages(images=imageset.read(shard / "images.parquet"), preprocessing=DIGITS_PREPROCESSING)


@pytest.fixture(scope="module")
def quantized_with(network, images):
    """Quantizes the network with 6 images, once for the same parameters: the model and its logits."""
    known = {}

    def quantized(**parameters):
        key = tuple(sorted(parameters.items()))
        if key not in known:
            arguments = nncf_arguments(Default(**{"subset_size": 6} | parameters).model_dump())
            model = nncf.quantize(network, nncf.Dataset(images), **arguments)
            compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
            known[key] = model, np.array(compiled(images.take(np.arange(12)))[0])
        return known[key]

    return quantized


def written(model, name):
    """What NNCF notes in the model of a parameter."""
    return model.get_rt_info(["nncf", "quantization", name]).value


@pytest.mark.parametrize(
    ("parameters", "name", "text"),
    [
        ({"preset": "mixed"}, "preset", "mixed"),
        ({"subset_size": 2}, "subset_size", "2"),
        ({"fast_bias_correction": False}, "fast_bias_correction", "False"),
        ({"disable_bias_correction": True}, "advanced_parameters", "'disable_bias_correction': True"),
        ({"overflow_fix": "disable"}, "advanced_parameters", "'overflow_fix': 'disable'"),
        ({"overflow_fix": "enable"}, "advanced_parameters", "'overflow_fix': 'enable'"),
        ({"activations_range_estimator": "minmax"}, "advanced_parameters", "'aggregator_type': 'max'"),
        ({"activations_range_estimator": "median_minmax"}, "advanced_parameters", "'aggregator_type': 'median'"),
        (
            {"activations_range_estimator": "mean_no_outliers_minmax"},
            "advanced_parameters",
            "'aggregator_type': 'mean_no_outliers'",
        ),
        ({"activations_range_estimator": "mean_quantile"}, "advanced_parameters", "'statistics_type': 'quantile'"),
        ({"activations_range_estimator": "histogram"}, "advanced_parameters", "'aggregator_type': 'histogram'"),
        ({"weights_range_estimator": "mean_quantile"}, "advanced_parameters", "'statistics_type': 'quantile'"),
        (TRANSFORMER, "model_type", "transformer"),
    ],
    ids=str,
)
def test_each_lever_reaches_nncf_and_changes_the_model(quantized_with, parameters, name, text):
    model, logits = quantized_with(**parameters)
    assert text in written(model, name)
    assert not np.array_equal(logits, quantized_with()[1])


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"smooth_quant_alpha": 0.3}, "'matmul': 0.3"),
        ({"smooth_quant_alpha": -1}, "'matmul': -1.0"),
        ({"smooth_quant_convolution_alpha": 0.5}, "'convolution': 0.5"),
    ],
    ids=str,
)
def test_smoothing_reaches_nncf_and_changes_a_transformer(quantized_with, parameters, text):
    model, logits = quantized_with(**TRANSFORMER, **parameters)
    assert text in written(model, "advanced_parameters")
    assert not np.array_equal(logits, quantized_with(**TRANSFORMER)[1])


@pytest.mark.parametrize(
    ("parameters", "name", "text"),
    [
        ({"target_device": "NPU"}, "target_device", "NPU"),
        ({"preset": "performance"}, "preset", "performance"),
        ({"overflow_fix": "first_layer_only"}, "advanced_parameters", "'overflow_fix': 'first_layer_only'"),
        ({"activations_range_estimator": "mean_minmax"}, "advanced_parameters", "'aggregator_type': 'mean'"),
        ({"weights_range_estimator": "minmax"}, "advanced_parameters", "'statistics_type': 'max'"),
    ],
    ids=str,
)
def test_what_nncf_does_by_itself_can_be_said(quantized_with, parameters, name, text):
    """Its own choices for this network."""
    model, logits = quantized_with(**parameters)
    assert text in written(model, name)
    assert np.array_equal(logits, quantized_with()[1])


def test_the_defaults_are_nncfs_own(quantized_with, network, images):
    own = nncf.quantize(network, nncf.Dataset(images), target_device=nncf.TargetDevice.CPU, subset_size=6)
    logits = ov.Core().compile_model(own, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(images.take(np.arange(12)))[0]
    assert np.array_equal(logits, quantized_with()[1])


def test_range_estimators_are_nncfs_by_name():
    names = {name.lower() for name in vars(RangeEstimatorParametersSet) if name.isupper()}
    annotation = str(Default.model_fields["activations_range_estimator"].annotation)
    assert all(f"'{name}'" in annotation for name in names)


@pytest.mark.parametrize(
    ("parameters", "field", "text"),
    [
        ({"ignored_scope": ("fc", "(")}, "ignored_scope", "'(' is no regular expression (missing ), unterminated"),
        ({"ignored_scope": ("a{2,1}",)}, "ignored_scope", "'a{2,1}' is no regular expression (min repeat greater"),
        ({"smooth_quant_alpha": 0.5}, "smooth_quant_alpha", "needs `model_type: transformer`"),
        (TRANSFORMER | {"smooth_quant_alpha": 1.5}, "smooth_quant_alpha", "must be from 0 to 1, or -1 for off"),
        (
            TRANSFORMER | {"smooth_quant_convolution_alpha": -0.5},
            "smooth_quant_convolution_alpha",
            "must be from 0 to 1, or -1 for off",
        ),
        ({"overflow_fix": "first_layer"}, "overflow_fix", "'first_layer_only'"),
        ({"activations_range_estimator": "min_max"}, "activations_range_estimator", "'minmax'"),
        ({"subset_size": 0}, "subset_size", "greater than or equal to 1"),
    ],
    ids=str,
)
def test_a_wrong_parameter_is_refused_by_name(parameters, field, text):
    with pytest.raises(ValidationError) as caught:
        Default(**parameters)
    (error,) = caught.value.errors()
    assert error["loc"] == (field,)
    assert text in error["msg"]


@pytest.mark.parametrize(
    "parameters",
    [{"max_drop": 0.0}, {"max_drop": -0.1}, {"max_iterations": -1}, {"budget_s": 0.0}, {"validate_count": 0}],
    ids=str,
)
def test_accuracy_control_refuses_values_out_of_range(parameters):
    with pytest.raises(ValidationError):
        AccuracyAware(**parameters)


def test_accuracy_control_has_the_study_s_defaults():
    parameters = AccuracyAware()
    assert parameters.max_drop == 0.02
    assert parameters.validate_on == "calibration"
    assert parameters.labels == "given"
    assert parameters.max_iterations is parameters.validate_count is None
    assert parameters.budget_s == 1800


@pytest.mark.parametrize(
    ("pattern", "matches"), [("7", False), (".*7", True), ("__module.7/aten::linear/MatMul", True)]
)
def test_ignored_scopes_are_matched_as_nncf_does(network, images, tmp_path, pattern, matches):
    """From a name's start on."""
    arguments = nncf_arguments(Default(ignored_scope=(pattern,), subset_size=1).model_dump())
    if matches:
        check_ignored_scope(network, [pattern], tmp_path)
        assert layer_counts(nncf.quantize(network, nncf.Dataset(images), **arguments)) == (3, 4)
    else:
        with pytest.raises(DataError):
            check_ignored_scope(network, [pattern], tmp_path)
        with pytest.raises(nncf.ValidationError):
            nncf.quantize(network, nncf.Dataset(images), **arguments)


def test_prepared_images_are_read_as_batches_in_any_order(images):
    taken = images.take(np.array([0, 1, 2, 7, 5, 6]))
    assert np.array_equal(taken, np.concatenate([images[i] for i in (0, 1, 2, 7, 5, 6)]))
    assert len(list(images)) == len(images) == len(images.labels(12))
    assert images.labels(3).tolist() == [images.images.block(i, i + 1).labels[0] for i in range(3)]
    with pytest.raises(IndexError):
        images[12]


def test_raw_pixels_go_to_a_model_as_they_are(images):
    raw = PreparedImages(images=images.images, preprocessing=Preprocessing(size=(32, 32), layout="NHWC", input="u8"))
    assert raw.take(np.arange(3)).shape == (3, 32, 32, 3)
    assert raw[0].dtype == np.uint8


def quantizing(**options):
    algorithm = Algorithm(name="default", options=Default(subset_size=6, **options).model_dump())
    return Quantize(algorithm=algorithm, preprocessing=DIGITS_PREPROCESSING)


@pytest.fixture
def inputs(session_bench, network, tmp_path):
    """Of a stage: the network's IR and a shard to calibrate with."""
    _, shard = session_bench.run(synthesize.run, synthesis("digits", 0, 12, size=(32, 32)))
    ov.save_model(network, tmp_path / "model.xml", compress_to_fp16=False)
    return {"model": tmp_path, "calibration": shard}


def test_nothing_in_int8_is_no_int8_model(bench, inputs):
    with pytest.raises(DataError, match="nothing became int8 of 4 layers with weights: `ignored_scope`"):
        bench.run(quantize.run, quantizing(ignored_scope=(".*",)), inputs)


def test_what_is_quantized_as_it_comes_is_not_quantized_again(bench, inputs):
    facts, folder = bench.run(quantize.run, quantizing(), inputs)
    assert (facts.int8_layers, facts.weighted_layers) == (4, 4)
    assert 0.9 < facts.int8_weights_share < 1
    with pytest.raises(DataError, match="quantized as it comes: judge it by the baseline `ir`"):
        bench.run(quantize.run, quantizing(), {**inputs, "model": folder})
