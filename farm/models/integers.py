"""Models that take or give int8 numbers, as TFLite's do that are quantized throughout: made to speak in real numbers.

OpenVINO reads such an input as int8 that is converted, and then scaled by the FakeQuantize that stands for its scale
and zero point; and an output as a FakeQuantize into int8. What the numbers stand for is what farm prepares and
compares: so the input is rounded to int8 inside the model, as TFLite's own QUANTIZE would do it, and the output stays
real. Every other number in the model is as it was.
"""

from collections.abc import Iterator

import openvino as ov

QUANTIZED = (ov.Type.i8, ov.Type.u8)
KEEPS = ("Transpose", "Reshape", "Convert")  # what may stand between an end of a model and its FakeQuantize


def in_reals(model: ov.Model) -> ov.Model:
    """The model with a float32 input where it was int8, and a float32 output where it was one of 8 bits; changed.

    An input of uint8 stays: it is pixels. So do integers that reach or come from anything else than a FakeQuantize of
    their own.
    """
    for parameter in model.get_parameters():
        quantizers = [*_after(parameter)] if parameter.get_element_type() == ov.Type.i8 else []
        if quantizers and all(node.get_type_name() == "FakeQuantize" for node in quantizers):
            parameter.set_element_type(ov.Type.f32)
            for quantize in quantizers:
                _stay_within(quantize, low=3, high=4)
    for result in model.get_results():
        convert = result.input_value(0).get_node()
        quantize = convert.input_value(0).get_node() if convert.get_type_name() == "Convert" else None
        if convert.get_element_type() in QUANTIZED and quantize and _is_own(quantize):
            _stay_within(quantize, low=1, high=2)
            quantize.output(0).set_names(result.input_value(0).get_names())
            result.input(0).replace_source_output(quantize.output(0))
    model.validate_nodes_and_infer_types()
    return model


def _after(node: ov.Node) -> Iterator[ov.Node]:
    """Whatever an input's numbers reach first, behind what moves and converts them."""
    for target in node.output(0).get_target_inputs():
        after = target.get_node()
        if after.get_type_name() in KEEPS:
            yield from _after(after)
        else:
            yield after


def _is_own(node: ov.Node) -> bool:
    """Whether it is a FakeQuantize that a single node reads."""
    return node.get_type_name() == "FakeQuantize" and len(node.output(0).get_target_inputs()) == 1


def _stay_within(quantize: ov.Node, *, low: int, high: int) -> None:
    """Let a FakeQuantize round within one range: that of these of its inputs becomes both that it takes and gives."""
    for place, end in ((1, low), (2, high), (3, low), (4, high)):
        quantize.input(place).replace_source_output(quantize.input_value(end))
