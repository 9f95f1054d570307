"""What reaches a model, in which form, and what is read back of how it runs."""

import gc
import json
import time
from types import SimpleNamespace

import numpy as np
import openvino as ov
import pytest
import torch

from farm.axes import Model
from farm.data import imageset
from farm.errors import InputError
from farm.measuring import runner
from farm.measuring.requests import Measurement
from farm.measuring.runner import MEMORY_FORMAT, REQUESTS, TRIALS, faster_format, runner_of
from farm.measuring.verdict import mismatches
from tests.measuring import networks
from tests.measuring.conftest import CONFIG, request_with
from tests.stages.test_measure import measurement

FORMATS = ["contiguous_format", "channels_last"]
PYTORCH = {"model": Model(factory="tests.measuring.networks:recorder")}
THROUGHPUT = {"hint": "throughput", "config": CONFIG | {"PERFORMANCE_HINT": "THROUGHPUT"}}


def made(images, free, **changes):
    """The runner of a request; garbage of its making is collected, as it might be at any time."""
    found = runner_of(request_with(**{"ir": str(free)} | changes), images)
    gc.collect()
    return found


@pytest.fixture(params=[False, True], ids=["prepared before", "prepared each time"])
def preprocess(request):
    return request.param


@pytest.fixture
def images(preprocess, pixels, prepared):
    """What a round loads: raw images if it prepares them itself."""
    return pixels if preprocess else prepared


def batches(prepared, batch):
    """What should reach the model, in the order of its inferences."""
    return [prepared[np.arange(i * batch, (i + 1) * batch) % len(prepared)] for i in range(REQUESTS)]


@pytest.fixture
def inferred(monkeypatch):
    """What synchronous requests have as their input when they are run."""
    seen, infer = [], ov.InferRequest.infer

    def watched(self, *arguments, **more):
        seen.append(self.get_input_tensor().data.copy())
        return infer(self, *arguments, **more)

    monkeypatch.setattr(ov.InferRequest, "infer", watched)
    return seen


@pytest.mark.parametrize("batch", [1, 8])
def test_sixteen_inputs_rotate_and_each_reaches_the_model_whole(free, prepared, images, preprocess, inferred, batch):
    found = made(images, free, preprocess=preprocess, batch=batch)
    expected = batches(prepared, batch)
    for index in range(2 * REQUESTS):
        found.step(index)
        assert np.array_equal(inferred[index], expected[index % REQUESTS]), f"input {index}"
    assert len({each.tobytes() for each in inferred}) == REQUESTS


@pytest.fixture
def arrived(monkeypatch):
    """What asynchronous requests have as their input when they have ended."""
    seen = []

    class Watched(ov.AsyncInferQueue):
        def set_callback(self, callback):
            def both(query, userdata):
                seen.append(query.get_input_tensor().data.copy())
                callback(query, userdata)

            super().set_callback(both)

    monkeypatch.setattr(ov, "AsyncInferQueue", Watched)
    return seen


def test_every_input_in_flight_reaches_the_model_whole(free, prepared, images, preprocess, arrived):
    found = made(images, free, preprocess=preprocess, **THROUGHPUT)
    for index in range(2 * REQUESTS):
        found.step(index)
    found.finish()
    assert len(arrived) == len(found.ended) == 2 * REQUESTS
    expected = {each.tobytes() for each in batches(prepared, 1)}
    assert all(each.tobytes() in expected for each in arrived)
    if preprocess:
        assert {each.tobytes() for each in arrived} == expected


def test_of_inferences_in_flight_it_is_told_when_each_ended_and_how_long_it_took(free, prepared):
    found, begun = made(prepared, free, **THROUGHPUT), time.perf_counter_ns()
    for index in range(20):
        assert found.step(index) is None
    found.finish()
    whole_ns = time.perf_counter_ns() - begun
    assert len(found.ended) == 20
    assert all(begun < at <= begun + whole_ns and 0 < latency <= whole_ns for at, latency in found.ended)
    assert 1 <= found.depth <= 20


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("batch", [1, 64])  # 64 images are given back by the allocator at once when they are let go
def test_pytorch_is_given_rotating_inputs_in_its_memory_format(free, prepared, images, preprocess, form, batch):
    found = made(images, free, **PYTORCH, memory_format=form, preprocess=preprocess, batch=batch)
    for index in range(2 * REQUESTS):
        assert found.step(index) is None
    network = networks.LAST[0]
    expected = batches(prepared, batch)
    for index, seen in enumerate(network.seen):
        assert np.array_equal(seen.numpy(), expected[index % REQUESTS])
        assert seen.is_contiguous(memory_format=getattr(torch, form))
    assert len(network.seen) == 2 * REQUESTS
    assert all(network.modes), "in inference mode and not in training"
    assert network.first.weight.is_contiguous(memory_format=getattr(torch, form))
    assert found.properties["MEMORY_FORMAT"] == form


@pytest.mark.parametrize("slower", FORMATS)
def test_the_faster_memory_format_is_that_whose_best_inference_takes_less_time(monkeypatch, slower):
    """Each has its turns; a first inference after a change takes longer and does not count, nor does one that waits."""
    now, used, steps = [0], [], []

    def step(index):
        first = len(steps) == 0 or steps[-1] != used[-1:]
        steps.append(used[-1:])
        now[0] += (20 if used[-1] == slower else 10) * (100 if first or index == 1 else 1) * 1_000_000

    monkeypatch.setattr(runner, "time", SimpleNamespace(perf_counter_ns=lambda: now[0]))
    assert faster_format(used.append, step) == next(name for name in FORMATS if name != slower)
    assert used == FORMATS * TRIALS


def test_pytorch_chooses_its_memory_format_when_it_is_told_to_and_none_is_asked_for(free, prepared, monkeypatch):
    monkeypatch.setattr(runner, "faster_format", lambda use, step: FORMATS[1])
    found = made(prepared, free, **PYTORCH)
    assert found.properties[MEMORY_FORMAT] == FORMATS[0]
    found.choose()
    found.step(0)
    assert found.properties[MEMORY_FORMAT] == FORMATS[1]
    assert networks.LAST[0].seen[-1].is_contiguous(memory_format=torch.channels_last)
    asked = made(prepared, free, **PYTORCH, memory_format=FORMATS[0])
    asked.choose()
    assert asked.properties[MEMORY_FORMAT] == FORMATS[0]


def test_pytorch_says_how_many_threads_it_runs_on(free, prepared):
    before = torch.get_num_threads()
    try:
        found = made(prepared, free, **PYTORCH, memory_format="channels_last", threads=2)
        assert (found.properties["INFERENCE_NUM_THREADS"], torch.get_num_threads()) == ("2", 2)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("changes", [{}, THROUGHPUT, PYTORCH | {"memory_format": "contiguous_format"}], ids=str)
def test_preparing_is_timed_with_each_inference_only_where_it_is_asked_for(
    free, prepared, images, preprocess, monkeypatch, changes
):
    calls, prepare = [], imageset.prepare

    def counted(*arguments):
        calls.append(len(arguments[0]))
        return prepare(*arguments)

    monkeypatch.setattr(imageset, "prepare", counted)
    found = made(images, free, preprocess=preprocess, batch=2, **changes)
    calls.clear()
    for index in range(5):
        found.step(index)
    found.finish()
    assert calls == ([2] * 5 if preprocess else [])


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"ir": "nowhere.xml"}, RuntimeError, "Could not open the file"),
        ({"config": {"NO_SUCH_PROPERTY": 1}}, RuntimeError, "NO_SUCH_PROPERTY"),
        ({"config": {"INFERENCE_PRECISION_HINT": "f13"}}, RuntimeError, "f13"),
        ({"model": Model(factory="nowhere:f"), "memory_format": FORMATS[1]}, InputError, "cannot import 'nowhere:f'"),
    ],
    ids=str,
)
def test_nothing_is_refused_silently(free, prepared, changes, error, says):
    with pytest.raises(error, match=says):
        made(prepared, free, **changes)


@pytest.mark.parametrize("model", ["free", "fixed"])
def test_images_of_another_size_than_the_model_s_are_refused(request, model):
    with pytest.raises(SystemExit, match=r"3,32,32\], the images are \[1,3,48,48\]$"):
        made(np.zeros((4, 3, 48, 48), np.float32), request.getfixturevalue(model))


def test_fewer_images_than_inputs_go_round(prepared):
    inputs = runner._inputs(prepared[:3], request_with(batch=2))
    picked = [[int(np.flatnonzero((prepared[:3] == image).all(axis=(1, 2, 3)))[0]) for image in inputs(index)]
              for index in range(4)]  # fmt: skip
    assert picked == [[0, 1], [2, 0], [1, 2], [0, 1]]


@pytest.mark.parametrize("name", ["CPU", "AUTO:CPU", "AUTO", "HETERO:CPU", "MULTI:CPU"])
@pytest.mark.parametrize("hint", ["latency", "throughput"])
def test_what_was_asked_for_is_what_is_read_back(free, prepared, name, hint):
    request = Measurement(
        parameters=measurement(name=name, hint=hint), ir=free.parent, variant=free.parent, files={},
        images=free, cpus=(0,), cores=1,
    ).request("cell")  # fmt: skip
    runner = runner_of(request, prepared)
    assert set(request.asked) <= set(runner.properties), "nothing of it goes unjudged"
    assert mismatches(request.asked, runner.properties, []) == ()
    assert runner.properties["EXECUTION_DEVICES"] == "CPU"


def test_what_a_device_made_of_it_is_read_back_and_not_what_was_asked(free, prepared):
    asked = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1}
    other = CONFIG | {"INFERENCE_NUM_THREADS": 2, "NUM_STREAMS": 2}
    found = made(prepared, free, config=other)
    assert [(one.property, one.found, one.asked) for one in mismatches(asked, found.properties, [])] == [
        ("INFERENCE_NUM_THREADS", "2", "1"), ("NUM_STREAMS", "2", "1")
    ]  # fmt: skip


class Accelerator:
    """A compiled model on a device that knows no threads of the host: OpenVINO's CPU, all but what it tells of it."""

    def __init__(self, compiled):
        self.compiled = compiled
        self.told = {"NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": ov.Type.f32, "EXECUTION_DEVICES": ["GPU.0"]}

    def get_property(self, name):
        return list(self.told) if name == "SUPPORTED_PROPERTIES" else self.told[name]

    def create_infer_request(self):
        return self.compiled.create_infer_request()


@pytest.fixture
def accelerator(monkeypatch):
    class Core(ov.Core):
        def compile_model(self, model, device, config):
            assert device == "GPU.0"
            return Accelerator(super().compile_model(model, "CPU", config))

    monkeypatch.setattr(ov, "Core", Core)


def test_what_a_device_does_not_tell_is_no_mismatch(free, prepared, accelerator):
    asked = {"INFERENCE_NUM_THREADS": 4, "INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": True}
    found = made(prepared, free, name="GPU.0")
    assert mismatches(asked, json.loads(json.dumps(dict(found.properties))), []) == ()
    assert found.properties["EXECUTION_DEVICES"] == "GPU.0"
