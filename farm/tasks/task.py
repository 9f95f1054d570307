"""What a task is to the stage that evaluates: rows of what a model says, and what is told of all of them."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from farm.data.imageset import Block
from farm.errors import DataError
from farm.plan.facts import Evaluated

Outputs = Mapping[str, NDArray[Any]]  # of a model, by name, each (n, ...)


class Task(Protocol):
    """One model's evaluation, by its parameters and its dataset."""

    @property
    def batched(self) -> bool:
        """Whether outputs may be of several images."""

    def rows(self, outputs: Outputs, block: Block, start: int) -> pa.Table:
        """A batch's rows, an image each. start: the first image's position.

        Raises DataError where the model and the dataset do not go together.
        """

    def facts(self, table: pa.Table) -> Evaluated:
        """What is told of all rows together."""

    def tables(self, table: pa.Table) -> Mapping[str, pa.Table]:
        """The files that an evaluation leaves, by name: the rows, and what is worked out of all of them."""


def named(answer: Any) -> Outputs:
    """What PyTorch gives, by name: a mapping's own, else ``output``, or ``output_0``, ``output_1`` of several.

    Raises DataError where it is something else than tensors.
    """
    if not isinstance(answer, Mapping):
        several = isinstance(answer, tuple | list)
        answer = {f"output_{number}": one for number, one in enumerate(answer)} if several else {"output": answer}
    odd = [one for one in answer.values() if not hasattr(one, "numpy")]
    if odd or not answer:
        text = f"not {type(odd[0] if odd else answer).__name__}: give the factory a module that returns them by name"
        raise DataError(f"the model must give tensors, {text}")
    return {str(name): one.numpy() for name, one in answer.items()}


def only(outputs: Outputs) -> NDArray[np.float32]:
    """The output of a model that has one."""
    (output,) = outputs.values()
    return np.asarray(output, np.float32)
