"""Devices really asked, and rounds really run on them; this host has a CPU, and the compound devices over it."""

import json
import subprocess
import sys

import numpy as np
import openvino as ov
import pyarrow.parquet as pq
import pytest

from farm.stages import measure
from farm.stages.device import configured
from tests.stages.files import Classifier, write_ir
from tests.stages.test_stages import measurement

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
    assert found["INFERENCE_PRECISION_HINT"].to_string() == (precision if _has(precision) else "f32")
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


@pytest.mark.parametrize(
    ("device", "hint"), [("AUTO:CPU", "latency"), ("AUTO", "throughput"), ("HETERO:CPU", "latency")]
)
def test_a_round_on_a_compound_device_reads_properties_back(bench, free, device, hint):
    parameters = measurement(name=device, hint=hint)
    parameters["measure"] |= {"pairs": 1}
    parameters["dataset"]["count"] = 64
    facts, folder = bench.run(measure.run, parameters, {"ir": free.parent})
    (row,) = pq.read_table(folder / "rounds.parquet").to_pylist()
    assert facts["threads"] == row["threads"] == 1
    assert facts["precision"] == row["precision"] == "f32"
    assert row["streams"] == 1
    properties = json.loads(row["properties"])
    assert properties["EXECUTION_DEVICES"] == "CPU"
    assert set(properties) >= {"NUM_STREAMS", "INFERENCE_NUM_THREADS", "INFERENCE_PRECISION_HINT"}


def test_a_fixed_batch_is_measured_one_by_one_only(bench, fixed, capfd):
    parameters = measurement()
    parameters["measure"] |= {"pairs": 1}
    facts, _ = bench.run(measure.run, parameters, {"ir": fixed.parent})
    assert facts["threads"] == 1
    parameters["device"]["batch"] = 2
    sentence = "the model has a fixed batch of 1, the device's `batch` is 2"
    with pytest.raises(RuntimeError, match=f"a round of openvino failed with exit code 1: {sentence}$"):
        bench.run(measure.run, parameters, {"ir": fixed.parent})
    assert sentence in capfd.readouterr().err, "in the log, too"


REQUEST = {
    "runtime": "openvino",
    "device": "CPU",
    "config": ASKED,
    "threads": 1,
    "hint": "latency",
    "batch": 1,
    "min_seconds": 0.0,
    "min_inferences": 3,
    "warmup_seconds": 0.0,
    "network": None,
    "files": {},
    "python_path": [],
}


def round_of(folder, **changes):
    """Run the script: its exit code, what it said, and its answer's path."""
    inputs = folder / "inputs.npy"
    if not inputs.exists():
        np.save(inputs, np.zeros((4, 3, 32, 32), np.float32))
    asked, answer = folder / "round.json", folder / "round.npz"
    asked.write_text(json.dumps(REQUEST | {"inputs": str(inputs)} | changes))
    command = [sys.executable, "-P", str(measure.ROUND_SCRIPT), str(asked), str(answer)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    return ended.returncode, ended.stderr, answer


def test_the_round_script_alone_answers_with_every_latency(tmp_path, free):
    code, said, answer = round_of(tmp_path, model=str(free))
    assert (code, said) == (0, "")
    with np.load(answer) as found:
        assert len(found["latencies_ns"]) == 3
        assert json.loads(str(found["said"]))["inferences"] == 3


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model": "nowhere.xml"}, "Could not open the file"),
        ({"device": "XPU"}, 'Device with "XPU" name is not registered'),
        ({"config": {"NO_SUCH_PROPERTY": 1}}, "NO_SUCH_PROPERTY"),
        ({"config": {"INFERENCE_PRECISION_HINT": "f13"}}, "f13"),
        ({"batch": 0}, "ZeroDivisionError"),
        ({"inputs": "nowhere.npy"}, "FileNotFoundError"),
        ({"runtime": "pytorch", "network": {"factory": "nowhere:f"}}, "cannot import 'nowhere:f'"),
    ],
    ids=str,
)
def test_the_round_script_refuses_nothing_silently(tmp_path, free, changes, says):
    code, said, answer = round_of(tmp_path, **{"model": str(free)} | changes)
    assert code == 1
    assert says in said
    assert not answer.exists()


@pytest.mark.parametrize("model", ["free", "fixed"])
def test_images_of_another_size_than_the_model_s_are_refused(tmp_path, request, model):
    np.save(tmp_path / "inputs.npy", np.zeros((4, 3, 48, 48), np.float32))
    code, said, answer = round_of(tmp_path, model=str(request.getfixturevalue(model)))
    assert code == 1
    assert said.endswith("3,32,32], the images are [1,3,48,48]\n")
    assert not answer.exists()
