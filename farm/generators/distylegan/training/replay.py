"""A step of a training as one CUDA graph: a GPU need not wait for the host to start thousands of small kernels."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

WARM = 3  # first steps, done without a graph: libraries choose their kernels meanwhile


@dataclass(slots=True, kw_only=True)
class Replay:
    """A function of one tensor of fixed shape, which changes networks in place; recorded at its fourth call.

    random: the generator of its random numbers; its state is set from outside between calls.
    """

    function: Callable[[Tensor], Tensor]
    random: torch.Generator
    calls: int = 0
    graph: Any = None
    given: Tensor = field(default_factory=lambda: torch.empty(0))
    value: Tensor = field(default_factory=lambda: torch.empty(0))

    def __call__(self, given: Tensor) -> Tensor:
        """The function's value; a copy, for the next call writes to the same place."""
        self.calls += 1
        if self.calls <= WARM:
            return self._aside(given)
        if self.graph is None:
            self._record(given)
        self.given.copy_(given)
        self.graph.replay()
        return self.value.clone()

    def _aside(self, given: Tensor) -> Tensor:
        """On a stream of its own, as CUDA wants it before a recording."""
        stream: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            value = self.function(given)
        torch.cuda.current_stream().wait_stream(stream)
        return value.clone()

    def _record(self, given: Tensor) -> None:
        self.given = given.clone()
        self.graph = torch.cuda.CUDAGraph()
        self.graph.register_generator_state(self.random)
        with torch.cuda.graph(self.graph):
            self.value = self.function(self.given)
