"""A round that infers in another way than farm's, under the same turns. Started by `processes.Beside`.

    python stand_in.py WAY REQUEST.json ANSWER.npz SOCKET

plain: a loop as one writes it, over requests with inputs set beforehand, timed from its begin to its end.
benchmark_app: OpenVINO's own loop, `Benchmark.sync_inference` of a request without new inputs, by its own clock.
unsettled: farm's, but that nothing settles, and each inference is a stretch.
"""

import json
import os
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from farm.codec import decode
from farm.measuring import one_round
from farm.measuring.one_round import Turns
from farm.measuring.request import RoundRequest
from farm.measuring.runner import Runner

LOOP_S = 0.005  # from one probe to the next


class Queue:
    """What `Benchmark` asks for: how many images a batch has."""

    def get_next_batch_size(self) -> int:
        """One."""
        return 1


class Model(NamedTuple):
    """What is asked for, compiled. requests: of it, one for each image."""

    compiled: Any
    requests: list[Any]


MODEL: list[Model] = []  # the one of this process


def main() -> None:
    """Be farm's round, but for how it infers."""
    way = sys.argv.pop(1)
    if way == "unsettled":
        one_round.SETTLING_NS, one_round.STRETCH_NS = 0, 1
    else:
        one_round.Turns = {"plain": Plain, "benchmark_app": BenchmarkApp}[way]
        asked = decode(RoundRequest, json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
        MODEL.append(compiled(asked))
    one_round.main()


def compiled(asked: RoundRequest) -> Model:
    """Read and compiled as OpenVINO's first examples do."""
    import openvino as ov

    images = np.load(asked.images).astype(np.float32)
    model = ov.Core().read_model(asked.ir)
    model.reshape([1, *images.shape[1:]])
    made = ov.Core().compile_model(model, asked.device.name, dict(asked.config))
    requests = [made.create_infer_request() for _ in images]
    for request, image in zip(requests, images, strict=True):
        request.set_input_tensor(ov.Tensor(image[None].copy()))
    return Model(made, requests)


class Plain(Turns):
    """Turns of loops of some milliseconds each, with probes around them."""

    def loop(self, _each_ns: int) -> tuple[int, int]:
        """How many inferences, and what they took."""
        model, begun, count = MODEL[0], time.perf_counter_ns(), 0
        while (now := time.perf_counter_ns()) < begun + LOOP_S * 1e9:
            model.requests[count % len(model.requests)].infer()
            count += 1
        return count, now - begun

    def _one_by_one(self, runner: Runner, turn_ns: int) -> None:
        begun, first = time.perf_counter_ns(), self.started
        self._settle(runner)
        each_ns = (time.perf_counter_ns() - begun) // (self.started - first)
        self.loop(each_ns)  # its own model has to settle, too
        played_ns, probed = 0, self._probed()
        while played_ns < turn_ns:
            count, wall_ns = self.loop(each_ns)
            last, probed = probed, self._probed()
            self._keep(wall_ns, [wall_ns // count] * count, last + probed)
            played_ns += wall_ns


@cache
def benchmark_app() -> Any:
    """OpenVINO's own."""
    from openvino.tools.benchmark.benchmark import Benchmark

    return Benchmark("CPU", number_iterations=1, api_type="sync", inference_only=True)


class BenchmarkApp(Plain):
    """The same with `benchmark_app`'s loop."""

    def loop(self, each_ns: int) -> tuple[int, int]:
        """How many inferences, and what they took."""
        app = benchmark_app()
        app.niter = max(1, round(LOOP_S * 1e9 / each_ns))
        _, seconds, count = app.sync_inference(MODEL[0].requests[0], Queue())
        return count, round(seconds * 1e9)


if __name__ == "__main__":
    main()
    sys.stderr.flush()
    os._exit(0)
