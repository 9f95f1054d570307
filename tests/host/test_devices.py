"""Devices really asked, and rounds really run on them; this host has a CPU, and the compound devices over it."""

import json

import numpy as np
import openvino as ov
import pytest

from farm.host.devices import configured
from farm.stages import measure
from tests.models.files import Classifier, write_ir
from tests.stages.test_measure import measured, measurement

DEVICES = ["CPU", "AUTO", "AUTO:CPU", "AUTO:-GPU", "AUTO:CPU(1)", "HETERO:CPU", "MULTI:CPU"]
ASKED = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}


@pytest.fixture(scope="module")
def free(tmp_path_factory):
    folder = tmp_path_factory.mktemp("free")
    return write_ir(folder / "model.xml", Classifier())


@pytest.fixture(scope="module")
def fixed(tmp_path_factory):
    """A model with a batch of 1 built in."""
    folder = tmp_path_factory.mktemp("fixed")
    return write_ir(folder / "model.xml", Classifier(batch=1, built_in=1))


def said_by(compiled):
    """A compiled model's properties, those of the member that runs it where it is on a compound device."""
    if "DEVICE_PROPERTIES" in compiled.get_property("SUPPORTED_PROPERTIES"):
        return compiled.get_property("DEVICE_PROPERTIES")["CPU"]
    return {name: compiled.get_property(name) for name in ASKED}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("hint", "precision"), [("LATENCY", "f32"), ("THROUGHPUT", "f32"), ("LATENCY", "bf16")])
def test_a_device_runs_with_what_was_asked_for(free, device, hint, precision):
    asked = ASKED | {"PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": precision}
    config = configured(device, asked)
    compiled = ov.Core().compile_model(ov.Core().read_model(free), device, config)
    found = said_by(compiled)
    assert compiled.get_property("EXECUTION_DEVICES") == ["CPU"]
    assert found["INFERENCE_NUM_THREADS"] == 1
    # a CPU with AVX-512 but without bf16 instructions takes the hint all the same, an older one does not
    assert found["INFERENCE_PRECISION_HINT"].to_string() in {precision, precision if _has(precision) else "f32"}
    assert found["PERFORMANCE_HINT"].upper() == hint
    assert np.array(compiled(np.zeros((2, 3, 32, 32), np.float32))[0]).shape == (2, 10)


def _has(precision):
    """Whether this host's CPU computes in it."""
    kinds = ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return {"f32": "FP32", "bf16": "BF16"}[precision] in kinds


def test_a_property_that_a_device_does_not_have_is_left_out():
    assert configured("CPU", ASKED | {"GPU_QUEUE_PRIORITY": "LOW"}) == ASKED
    assert configured("AUTO:CPU", {"GPU_QUEUE_PRIORITY": "LOW"}) == {"DEVICE_PROPERTIES": {"CPU": {}}}


def test_a_device_that_a_compound_one_leaves_out_is_not_configured():
    assert configured("AUTO:-CPU", ASKED)["DEVICE_PROPERTIES"] == {}


def test_a_device_that_is_not_there_is_told_by_openvino():
    with pytest.raises(RuntimeError, match='Device with "XPU" name is not registered'):
        configured("XPU", ASKED)


@pytest.mark.usefixtures("undisturbed")
@pytest.mark.parametrize(("device", "hint"), [("AUTO", "throughput"), ("HETERO:CPU", "latency")])
def test_a_round_on_a_compound_device_reads_properties_back(bench, free, device, hint):
    facts, rounds = measured(bench, measurement(name=device, hint=hint), {"ir": free.parent}, pairs=(1, 1))
    assert (facts.threads, facts.precision) == (1, "f32")
    for one in rounds:
        assert (one.threads, one.precision, one.streams) == (1, "f32", 1)
        properties = json.loads(one.properties)
        assert properties["EXECUTION_DEVICES"] == "CPU"
        assert set(properties) >= set(json.loads(one.asked))


@pytest.mark.usefixtures("undisturbed")
def test_a_fixed_batch_is_measured_one_by_one_only(bench, fixed, capfd):
    facts, _ = measured(bench, measurement(), {"ir": fixed.parent}, pairs=(1, 1))
    assert facts.threads == 1
    sentence = "the model has a fixed batch of 1, the device's `batch` is 2"
    with pytest.raises(RuntimeError, match=f"a round of openvino failed with exit code 1: {sentence}$"):
        bench.run(measure.run, measurement(batch=2), {"ir": fixed.parent})
    assert sentence in capfd.readouterr().err, "in the log, too"
