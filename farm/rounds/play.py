"""One measurement round: a script for a fresh interpreter that imports only what it needs.

Run as ``python -P round.py REQUEST.json ANSWER.npz`` with its affinity mask set. The answer holds every
latency of the timed loop in nanoseconds, the loop's wall time, and the properties read back.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

READ_BACK = (
    "NUM_STREAMS",
    "INFERENCE_NUM_THREADS",
    "ENABLE_CPU_PINNING",
    "INFERENCE_PRECISION_HINT",
    "EXECUTION_DEVICES",
)

Infer = Callable[[int], None]  # runs the i-th input, rotating


def main() -> None:
    """Compile, warm up, time, answer."""
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    sys.path[:0] = request["python_path"]
    batches = _batches(np.load(request["inputs"]), request["batch"])
    if request["runtime"] == "pytorch":
        infer, properties = _pytorch(request, batches)
        latencies, wall_ns = _timed(infer, request)
    elif request["hint"] == "latency":
        infer, properties = _openvino(request, batches)
        latencies, wall_ns = _timed(infer, request)
    else:
        latencies, wall_ns, properties = _throughput(request, batches)
    said = {
        "runtime": request["runtime"],
        "batch": request["batch"],
        "inferences": len(latencies),
        "wall_ns": wall_ns,
        "threads": int(properties["INFERENCE_NUM_THREADS"]),
        "streams": int(properties["NUM_STREAMS"]),
        "precision": properties["INFERENCE_PRECISION_HINT"],
        "properties": json.dumps(properties, sort_keys=True),
    }
    np.savez(sys.argv[2], said=json.dumps(said), latencies_ns=np.asarray(latencies, dtype=np.int64))


def _batches(images: np.ndarray, batch: int) -> list[np.ndarray]:
    """Float32 batches of the asked size, cycling through the images; contiguous."""
    count = max(1, len(images) // batch)
    return [np.ascontiguousarray(images[np.arange(i * batch, (i + 1) * batch) % len(images)]) for i in range(count)]


def _compiled(request: dict[str, Any], batches: list[np.ndarray]) -> tuple[Any, dict[str, str]]:
    import openvino as ov

    core = ov.Core()
    model = core.read_model(request["model"])
    _reshape(model, ov.PartialShape(batches[0].shape))
    compiled = core.compile_model(model, request["device"], request["config"])
    supported = set(compiled.get_property("SUPPORTED_PROPERTIES"))
    found = {name: compiled.get_property(name) for name in READ_BACK if name in supported}
    if "DEVICE_PROPERTIES" in supported:  # of AUTO and the like: what the device that runs the model says
        device = found["EXECUTION_DEVICES"][0].strip("()")  # AUTO brackets one that only helps out at first
        inner = compiled.get_property("DEVICE_PROPERTIES")[device]
        found = {**{name: inner[name] for name in READ_BACK if name in inner}, **found}
    properties = {name: _text(value) for name, value in found.items()}
    return compiled, {"NUM_STREAMS": "0", "INFERENCE_NUM_THREADS": "0", "INFERENCE_PRECISION_HINT": ""} | properties


def _reshape(model: Any, shape: Any) -> None:
    own = model.input(0).partial_shape
    if not own[0].compatible(shape[0]):
        sys.exit(f"the model has a fixed batch of {own[0]}, the device's `batch` is {shape[0]}")
    if not own.compatible(shape):
        sys.exit(f"the model takes {own}, the images are {shape}")
    model.reshape(shape)


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return value.to_string() if hasattr(value, "to_string") else str(value)


def _openvino(request: dict[str, Any], batches: list[np.ndarray]) -> tuple[Infer, dict[str, str]]:
    import openvino as ov

    compiled, properties = _compiled(request, batches)
    query = compiled.create_infer_request()
    tensors = [ov.Tensor(batch, shared_memory=True) for batch in batches]

    def infer(index: int) -> None:
        query.set_input_tensor(tensors[index % len(tensors)])
        query.infer()

    return infer, properties


def _pytorch(request: dict[str, Any], batches: list[np.ndarray]) -> tuple[Infer, dict[str, str]]:
    import torch

    from farm.stages.network import build

    torch.set_num_threads(request["threads"])
    network = build(request["network"], {role: Path(path) for role, path in request["files"].items()})
    tensors = [torch.from_numpy(batch) for batch in batches]

    def infer(index: int) -> None:
        with torch.inference_mode():
            network(tensors[index % len(tensors)])

    threads = str(torch.get_num_threads())
    return infer, {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": "1", "INFERENCE_PRECISION_HINT": "f32"}


def _timed(infer: Infer, request: dict[str, Any]) -> tuple[list[int], int]:
    """Synchronous inferences one after another: the latency of each, and the wall time of all (ns)."""
    clock = time.perf_counter_ns
    count, end = 0, clock() + int(request["warmup_seconds"] * 1e9)
    while clock() < end or count == 0:
        infer(count)
        count += 1
    latencies: list[int] = []
    least, begun = request["min_inferences"], clock()
    end, before = begun + int(request["min_seconds"] * 1e9), begun
    while before < end or len(latencies) < least:
        infer(len(latencies))
        now = clock()
        latencies.append(now - before)
        before = now
    return latencies, before - begun


def _throughput(request: dict[str, Any], batches: list[np.ndarray]) -> tuple[list[int], int, dict[str, str]]:
    """Asynchronous inferences, as many in flight as the device asks for; the latency of each, in ns."""
    import openvino as ov

    compiled, properties = _compiled(request, batches)
    queue = ov.AsyncInferQueue(compiled)
    latencies: list[int] = []
    queue.set_callback(lambda query, _: latencies.append(int(query.latency * 1e6)))
    clock, index = time.perf_counter_ns, 0
    end = clock() + int(request["warmup_seconds"] * 1e9)
    while clock() < end or index == 0:
        queue.start_async({0: ov.Tensor(batches[index % len(batches)], shared_memory=True)})
        index += 1
    queue.wait_all()
    latencies.clear()
    begun, started = clock(), 0
    end = begun + int(request["min_seconds"] * 1e9)
    while clock() < end or started < request["min_inferences"]:
        queue.start_async({0: ov.Tensor(batches[started % len(batches)], shared_memory=True)})
        started += 1
    queue.wait_all()
    return latencies, clock() - begun, properties


if __name__ == "__main__":
    main()
