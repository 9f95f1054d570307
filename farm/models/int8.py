"""What of a model is in int8: its layers, its weights. Knows OpenVINO's graph, not who quantized it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import openvino as ov

WEIGHTED = ("Convolution", "GroupConvolution", "MatMul")  # types of operations with weights
RECURRENT = ("LSTMSequence", "GRUSequence", "RNNSequence", "LSTMCell", "GRUCell", "RNNCell")
CASTING = ("Convert", "Reshape", "Unsqueeze", "Broadcast", "Transpose")  # what may stand between a constant and a layer
SCALING = ("Multiply", "Subtract", "FakeQuantize")  # of constants
BYTES = (ov.Type.i8, ov.Type.u8)
FLOATS = (ov.Type.f32, ov.Type.f16, ov.Type.bf16, ov.Type.f64)
LEVELS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Int8:
    """What of a model is in int8.

    layers: with int8 weights, of weighted_layers. weights_share: of all numbers that it holds those in int8, 0 to 1.
    quantized: whether there is anything of that kind, activations too.
    """

    layers: int
    weighted_layers: int
    weights_share: float
    quantized: bool


def of_model(model: ov.Model) -> Int8:
    """Layers with weights are convolutions, products with a constant matrix, and recurrent ones.

    An int8 weight is a constant of 8-bit integers, or a float one that a FakeQuantize of 256 levels or fewer rounds.
    """
    ops = [*_ops(model)]
    layers = [op for op in ops if op.get_type_name() in RECURRENT or (op.get_type_name() in WEIGHTED and weighs(op))]
    in_int8 = sum(any(_is_int8(value.get_node()) for value in op.input_values()) for op in layers)
    constants = [op for op in ops if op.get_type_name() == "Constant" and op.get_element_type() in (*BYTES, *FLOATS)]
    total = sum(_count(op) for op in constants)
    share = sum(_count(op) for op in constants if _is_kept_in_int8(op)) / max(1, total)
    quantized = in_int8 > 0 or any(_rounds(op) for op in ops)
    return Int8(layers=in_int8, weighted_layers=len(layers), weights_share=share, quantized=quantized)


def weighs(op: ov.Node) -> bool:
    """Whether one of its inputs is always the same: it is no product of two activations."""
    return any(is_constant(value.get_node()) for value in op.input_values())


def is_constant(op: ov.Node) -> bool:
    """Whether it always gives the same: a constant, or one in another type or shape, scaled or quantized."""
    kind = op.get_type_name()
    if kind in CASTING:
        return is_constant(op.input_value(0).get_node())
    return kind == "Constant" or (kind in SCALING and all(is_constant(value.get_node()) for value in op.input_values()))


def _ops(model: ov.Model) -> Iterator[ov.Node]:
    """All operations, those of loops' bodies too."""
    for op in model.get_ordered_ops():
        yield op
        if op.get_type_name() in ("TensorIterator", "Loop"):
            yield from _ops(op.get_function())


def _count(op: ov.Node) -> int:
    return math.prod(op.get_output_shape(0))


def _rounds(op: ov.Node) -> bool:
    return op.get_type_name() == "FakeQuantize" and op.get_attributes()["levels"] <= LEVELS


def _is_kept_in_int8(constant: ov.Node) -> bool:
    takers = ((taker.get_node(), taker.get_index()) for taker in constant.output(0).get_target_inputs())
    return constant.get_element_type() in BYTES or any(_rounds(op) and index == 0 for op, index in takers)


def _is_int8(op: ov.Node) -> bool:
    """Whether a layer's input is a constant in int8, cast and scaled as may be."""
    while op.get_type_name() in (*CASTING, *SCALING):
        if _rounds(op):
            return is_constant(op.input_value(0).get_node())
        op = op.input_value(0).get_node()
    return bool(op.get_type_name() == "Constant" and op.get_element_type() in BYTES)
