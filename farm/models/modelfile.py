"""Models in files that OpenVINO reads - ONNX, TFLite, IR - with one input, one output and a free batch.

Keeps a model's own input layout and type, so that nothing is measured that the model does not do itself.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from openvino.frontend import GeneralFailure, NotImplementedFailure, OpConversionFailure, OpValidationFailure

from farm.axes import IMAGE, Preprocessing
from farm.errors import DataError
from farm.models.describe import input_shape, misnamed, misshapen
from farm.models.integers import in_reals

INPUTS = ("f32", "f16", "u8")

Constants = Mapping[str, Any]  # by an input's name: `IMAGE`, or numbers
FAILURES = (RuntimeError, GeneralFailure, NotImplementedFailure, OpConversionFailure, OpValidationFailure)
UNCONVERTED = (  # the first that is found: operations without a rule make those after them fail, too
    re.compile(r"No conversion rule found for operations: (.+)"),
    re.compile(r"No translator found for (\S+) node"),
    re.compile(r"Conversion is failed for: (.+)"),
)


def read(path: Path, interface: Preprocessing, output: str | None, constants: Constants | None = None) -> ov.Model:
    """The model of a file, its batch free, or fixed at 1 where the model allows no other.

    interface: the size, layout and input that the grid says of it. output: a tensor's name; the only output by default.
    constants: of a model with several inputs, as of `opened`.
    Raises DataError if the file is no model, if an operation cannot be converted, or if its input or outputs are not
    what was said of them.
    """
    model = opened(path, (interface.input,), constants)
    model = ov.Model([_output(model, output, path)], model.get_parameters(), model.get_friendly_name())
    shape = model.output(0).partial_shape
    if shape.rank.is_dynamic or not len(shape):
        raise DataError(f"{path}: the output must be logits of shape (batch, classes), not {shape}")
    _reshape(model, interface, path, (1,) if _of_one_image(constants or {}) else (-1, 1))
    return flat(model, path)


def read_whole(path: Path, interface: Preprocessing, constants: Constants | None = None) -> ov.Model:
    """The model of a file with all its outputs as they are, its batch free where the file's is. Raises as `read`."""
    model = opened(path, (interface.input,), constants)
    shape = model.input(0).partial_shape
    if fault := misshapen(shape.to_string(), sides_of(shape), interface):
        raise DataError(f"{path}: {fault}")
    if shape.rank.is_static and shape[0].is_static and shape[0].get_length() != 1:
        raise DataError(
            f"{path}: the model's batch is fixed ({shape}) at another number than 1: save it with a free batch"
        )
    free = (shape.rank.is_dynamic or shape[0].is_dynamic) and not _of_one_image(constants or {})
    if free and not _batched(model, interface):
        free = False
    try:
        model.reshape(ov.PartialShape(input_shape(interface, -1 if free else 1)))
    except RuntimeError as error:
        height, width = interface.size
        raise DataError(
            f"{path}: the model takes no images of {height}x{width} (height x width): set its `size`"
        ) from error
    return model


def _batched(model: ov.Model, interface: Preprocessing) -> bool:
    """Whether a free batch goes through to all outputs, and is not built in."""
    try:
        model.reshape(ov.PartialShape(input_shape(interface, -1)))
    except RuntimeError:
        return False
    shapes = [output.partial_shape for output in model.outputs]
    return all(shape.rank.is_dynamic or (len(shape) and shape[0].is_dynamic) for shape in shapes)


def opened(path: Path, inputs: Collection[str] = INPUTS, constants: Constants | None = None) -> ov.Model:
    """The model of a file, with one input of one of these types; in real numbers where it takes or gives int8.

    constants: what the inputs get, by name: the one that is `IMAGE` stays, the others become constants of these
    numbers. Raises DataError if the file is no model, if an operation cannot be converted, or of other inputs.
    """
    with named_operations(path):
        model = in_reals(ov.Core().read_model(path))
    if constants:
        model = _with_constants(model, constants, path)
    if len(model.inputs) != 1:
        names = ", ".join(name_of(value) for value in model.inputs)
        example = f"`inputs: {{{name_of(model.inputs[0])}: image, NAME: [[1, 1]]}}`"
        text = f"{path}: the model has {len(model.inputs)} inputs ({names}): say what each gets, as in {example}"
        raise DataError(text)
    kind = model.input(0).element_type.to_string()
    if kind not in inputs:
        text = f"takes {kind}; farm gives float32, float16 or uint8: convert the model's input"
        raise DataError(f"{path}: the input {name_of(model.input(0))} {text}")
    return model


def flat(model: ov.Model, path: Path | None = None) -> ov.Model:
    """The model with logits of shape (batch, classes), without axes of length 1 beside these.

    Raises DataError, where `path` is named, of an output that is something else.
    """
    output = model.output(0)
    shape = output.partial_shape
    batch = model.input(0).partial_shape[0]
    if shape.rank.is_static and not (len(shape) and shape[0].compatible(batch)):
        where = f"{path}: " if path else ""
        raise DataError(f"{where}the output must be logits of shape (batch, classes), not {shape} of {batch} images")
    if shape.rank.is_static and len(shape) == 1:
        return _with_output(model, ov.opset13.unsqueeze(output.get_node().input_value(0), 1))
    axes = range(1, len(shape) if shape.rank.is_static else 1)
    classes = [axis for axis in axes if shape[axis] != ov.Dimension(1)] or [*axes[:1]]  # one class is a class, too
    ones = [axis for axis in axes if axis not in classes]
    if len(classes) != 1 or shape[classes[0]].is_dynamic:
        where = f"{path}: " if path else ""
        raise DataError(f"{where}the output must be logits of shape (batch, classes), not {shape}")
    if not ones:
        return model
    return _with_output(model, ov.opset13.squeeze(output.get_node().input_value(0), ones))


def _with_output(model: ov.Model, node: ov.Node) -> ov.Model:
    """The model that gives this, by the name of what it gave."""
    logits, names = node.output(0), model.output(0).names
    logits.set_names(names)
    return ov.Model([logits], model.get_parameters(), model.get_friendly_name())


def _with_constants(model: ov.Model, constants: Constants, path: Path) -> ov.Model:
    """The model of one input, the others constants. Raises DataError where they are not the model's inputs."""
    known = {name: value for value in model.inputs for name in (name_of(value), *value.names)}
    strange, there = [name for name in constants if name not in known], ", ".join(map(name_of, model.inputs))
    if strange or len(constants) != len(model.inputs):
        what = (
            f"no input {strange[0]!r}"
            if strange
            else f"`inputs` says of {len(constants)} of {len(model.inputs)} inputs"
        )
        raise DataError(f"{path}: {what}: the model has {there}")
    for name, numbers in constants.items():
        if numbers != IMAGE:
            value = known[name]
            constant = ov.opset13.constant(np.array(numbers), dtype=value.element_type)
            if not value.partial_shape.compatible(constant.output(0).partial_shape):
                shapes = f"{constant.output(0).partial_shape}, and it takes {value.partial_shape}"
                raise DataError(f"{path}: the numbers of input {name!r} are {shapes}")
            value.replace(constant.output(0))
    image = next(known[name].get_node() for name, numbers in constants.items() if numbers == IMAGE)
    return ov.Model(model.get_results(), [image], model.get_friendly_name())


@contextmanager
def named_operations(path: Path | None = None) -> Iterator[None]:
    """Say OpenVINO's complaints in a sentence, naming the operations that it cannot convert."""
    try:
        yield
    except FAILURES as error:
        operations = next(filter(None, (pattern.findall(str(error)) for pattern in UNCONVERTED)), [])
        where = f"{path}: " if path else ""
        if operations:
            text = f"{where}OpenVINO cannot convert {', '.join(operations)}: replace these operations in the model"
            raise DataError(text) from error
        if path is None:
            raise
        lines = (line.strip() for line in str(error).splitlines() if not line.startswith(("Exception", "Check")))
        raise DataError(f"{path}: not a model that OpenVINO can read, or damaged ({' '.join(lines)})") from error


def _of_one_image(constants: Constants) -> bool:
    """Whether a constant has a batch of its own, which is 1."""
    return any(np.array(numbers).ndim > 1 for numbers in constants.values())


def _reshape(model: ov.Model, interface: Preprocessing, path: Path, batches: Sequence[int] = (-1, 1)) -> None:
    """Free the batch and fix the size; a batch that the model itself fixes must be 1. batches: that are tried."""
    shape = model.input(0).partial_shape
    if fault := misshapen(shape.to_string(), sides_of(shape), interface):
        raise DataError(f"{path}: {fault}")
    for batch in batches:
        try:
            model.reshape(ov.PartialShape(input_shape(interface, batch)))
        except RuntimeError:
            continue  # the model has its batch built in
        if model.output(0).partial_shape[0].is_dynamic == (batch == -1):
            return
    raise DataError(f"{path}: the model's batch is fixed ({shape}) at another number than 1: save it with a free batch")


def _output(model: ov.Model, wanted: str | None, path: Path) -> ov.Output:
    """What gives the output of this name, or the only one."""
    names = [{name_of(value), *value.names} for value in model.outputs]
    if fault := misnamed(wanted, names):
        raise DataError(f"{path}: {fault}")
    chosen = 0 if wanted is None else next(at for at, known in enumerate(names) if wanted in known)
    return model.outputs[chosen].get_node().input_value(0)


def sides_of(shape: ov.PartialShape) -> list[int | None] | None:
    """The lengths of a shape's axes, None where one is free; None of a shape whose number of axes is not known."""
    if shape.rank.is_dynamic:
        return None
    return [None if side.is_dynamic else int(side.get_length()) for side in shape]


def name_of(value: ov.Output) -> str:
    """What an input or output is called: by one of its tensor's names, or by its node's."""
    return next(iter(sorted(value.names)), value.get_node().get_friendly_name())
