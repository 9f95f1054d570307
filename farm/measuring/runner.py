"""Models made ready to run: by OpenVINO, one inference at a time or several in flight, or by PyTorch.

Imports openvino or torch when it is called: a fresh interpreter pays only for what its round needs.
"""

import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from farm.axes import Model
from farm.measuring.request import RoundRequest

THREADS, STREAMS, PRECISION = "INFERENCE_NUM_THREADS", "NUM_STREAMS", "INFERENCE_PRECISION_HINT"
READ_BACK = (STREAMS, THREADS, "ENABLE_CPU_PINNING", PRECISION, "EXECUTION_DEVICES")
REQUESTS = 16  # with an input of its own each: many more would push one another out of the cache
IMAGES = 4  # axes of a batch of images
NS_PER_MS = 1e6
MEMORY_FORMAT = "MEMORY_FORMAT"  # PyTorch's, among what is read back
MEMORY_FORMATS = ("contiguous_format", "channels_last")
TRIALS, TRIAL_NS, LEAST_IN_TRIAL = 2, 50_000_000, 2  # of each of them: how many, how long, of how many inferences

Images = NDArray[np.generic]
Inputs = Callable[[int], Images]  # the i-th input, rotating


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """A model ready to run.

    step: runs the i-th inference, or starts it; gives the latency that the runtime tells of it, in ms, or None.
    properties: what was read back of how it runs. depth: how many are in flight at once. finish: waits for them.
    choose: settles what the request leaves open, by what takes less time. ended: of asynchronous ones, when each ended
    on `time.perf_counter_ns`, and its latency in ns.
    """

    step: Callable[[int], float | None]
    properties: Mapping[str, str]
    depth: int = 1
    finish: Callable[[], None] = lambda: None
    choose: Callable[[], None] = lambda: None
    ended: list[tuple[int, int]] | None = None


def runner_of(request: RoundRequest, images: Images) -> Runner:
    """The runner that a request asks for. images: prepared ones, or uint8 pixels where each round prepares them."""
    if request.model is not None:
        return _pytorch(request, request.model, images)
    return (_synchronous if request.device.hint == "latency" else _asynchronous)(request, images)


def _inputs(images: Images, request: RoundRequest) -> Inputs:
    """Batches that cycle through the images: kept ready, or with `preprocess` prepared anew at each call."""
    batch = request.device.batch
    picks = [np.arange(i * batch, (i + 1) * batch) % len(images) for i in range(REQUESTS)]
    if not request.preprocess:
        ready = [np.ascontiguousarray(images[pick]) for pick in picks]
        return lambda index: ready[index % REQUESTS]
    from farm.data.imageset import prepare

    pixels = images.astype(np.uint8, copy=False)
    return lambda index: prepare(pixels[picks[index % REQUESTS]], request.preprocessing)


def _synchronous(request: RoundRequest, images: Images) -> Runner:
    """Requests that each have an input set beforehand, run in turn: nothing is copied while the clock runs.

    Tensors own their memory: one that shares an array's does not keep the array alive.
    """
    import openvino as ov

    inputs, anew = _inputs(images, request), request.preprocess
    compiled, properties = _compiled(request, inputs(0))
    queries = [compiled.create_infer_request() for _ in range(REQUESTS)]
    for index, query in enumerate(queries):
        query.set_input_tensor(ov.Tensor(inputs(index)))

    def step(index: int) -> float:
        query = queries[index % REQUESTS]
        if anew:
            query.set_input_tensor(ov.Tensor(inputs(index)))
        query.infer()
        return float(query.latency)

    return Runner(step=step, properties=properties)


def _asynchronous(request: RoundRequest, images: Images) -> Runner:
    """As many requests in flight as the device asks for, each with an input set beforehand."""
    import openvino as ov

    inputs, anew = _inputs(images, request), request.preprocess
    compiled, properties = _compiled(request, inputs(0))
    queue = ov.AsyncInferQueue(compiled)
    for index, query in enumerate(queue):
        query.set_input_tensor(ov.Tensor(inputs(index)))
    ended: list[tuple[int, int]] = []
    queue.set_callback(lambda query, _: ended.append((time.perf_counter_ns(), int(query.latency * NS_PER_MS))))

    def step(index: int) -> None:
        queue.start_async({0: ov.Tensor(inputs(index))} if anew else None)

    return Runner(step=step, properties=properties, depth=len(queue), finish=queue.wait_all, ended=ended)


def _compiled(request: RoundRequest, first: Images) -> tuple[Any, dict[str, str]]:
    """The model compiled for inputs like the first one, and its properties, read back."""
    import openvino as ov

    core, shape = ov.Core(), ov.PartialShape(first.shape)
    model = core.read_model(request.ir)
    taken = model.input(0).partial_shape
    if not taken[0].compatible(shape[0]):
        sys.exit(f"the model has a fixed batch of {taken[0]}, the device's `batch` is {shape[0]}")
    if not taken.compatible(shape):
        sys.exit(f"the model takes {taken}, the images are {shape}")
    model.reshape(shape)
    compiled = core.compile_model(model, request.device.name, request.config)
    supported = set(compiled.get_property("SUPPORTED_PROPERTIES"))
    properties = {name: compiled.get_property(name) for name in READ_BACK if name in supported}
    if "DEVICE_PROPERTIES" in supported:  # of AUTO and the like: what the device that runs the model says
        device = properties["EXECUTION_DEVICES"][0].strip("()")  # AUTO brackets one that only helps out at first
        inner = compiled.get_property("DEVICE_PROPERTIES")[device]
        properties = {**{name: inner[name] for name in READ_BACK if name in inner}, **properties}
    return compiled, {name: _text(value) for name, value in properties.items()}


def _text(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return str(value.to_string() if hasattr(value, "to_string") else value)


def _pytorch(request: RoundRequest, model: Model, images: Images) -> Runner:
    """The network in inference mode, in a memory format which is read back."""
    import torch

    from farm.models.zoo import build

    torch.set_num_threads(request.device.threads or 1)
    network = build(model, {role: Path(path) for role, path in request.files.items()})
    inputs, anew = _inputs(images, request), request.preprocess
    properties = {THREADS: str(torch.get_num_threads()), STREAMS: "1", PRECISION: "f32"}
    tensors: list[torch.Tensor] = []

    def tensor(index: int) -> torch.Tensor:
        memory_format = getattr(torch, properties[MEMORY_FORMAT])
        return torch.from_numpy(inputs(index)).contiguous(memory_format=memory_format)

    def use(memory_format: str) -> None:
        properties[MEMORY_FORMAT] = memory_format
        network.to(memory_format=getattr(torch, memory_format))
        tensors[:] = [tensor(index) for index in range(REQUESTS)]

    def step(index: int) -> None:
        with torch.inference_mode():
            network(tensor(index) if anew else tensors[index % REQUESTS])

    use(request.memory_format or MEMORY_FORMATS[0])
    if request.memory_format:
        return Runner(step=step, properties=properties)
    return Runner(step=step, properties=properties, choose=lambda: use(faster_format(use, step)))


def faster_format(use: Callable[[str], None], step: Callable[[int], None]) -> str:
    """PyTorch's memory format in which an inference takes less time: of either the best of some, in turns.

    use: a format from now on. step: an inference.
    """
    best_ns = dict.fromkeys(MEMORY_FORMATS, math.inf)
    for memory_format in MEMORY_FORMATS * TRIALS:
        use(memory_format)
        step(0)  # what comes first takes longer
        ends, index = time.perf_counter_ns() + TRIAL_NS, 0
        while index < LEAST_IN_TRIAL or time.perf_counter_ns() < ends:
            begun = time.perf_counter_ns()
            step(index)
            best_ns[memory_format] = min(best_ns[memory_format], time.perf_counter_ns() - begun)
            index += 1
    return min(MEMORY_FORMATS, key=best_ns.__getitem__)
