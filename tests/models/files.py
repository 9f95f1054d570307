"""Model files that tests make: small classifiers as ONNX, TFLite and IR.

Each has a convolution, an average over the image and a linear layer, with random weights of one seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import flatbuffers
import numpy as np
import onnx
import openvino as ov
import tflite
import torch
from onnx import TensorProto, helper, numpy_helper

from farm.models import int8

FILTERS, CLASSES = 4, 10
ONNX_TYPES = {"f32": TensorProto.FLOAT, "f16": TensorProto.FLOAT16, "u8": TensorProto.UINT8, "i64": TensorProto.INT64}
RAW = {  # how u8 pixels become about -1 to 1 inside a model
    "mean": np.float32(127.5),
    "scale": np.float32(1 / 64),
}


def _drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).standard_normal(shape).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """A small ONNX classifier; the fields are what may be odd about it.

    batch: a number, or a name of a free one. built_in: the batch that a Reshape's constant has, if any; for
    32x32 images. flat_built_in: the same right before the linear layer, where OpenVINO frees it.
    outputs: their names, the first of which are the logits and the others other logits.
    custom: with an operation of nobody's. flat: logits, else what the convolution gives. inputs: more inputs of the
    same shape, added to the first.
    """

    batch: int | str = "N"
    size: tuple[int | str, int | str] = (32, 32)
    layout: str = "NCHW"
    input: str = "f32"
    built_in: int | None = None
    flat_built_in: int | None = None
    outputs: tuple[str, ...] = ("logits",)
    custom: bool = False
    inputs: tuple[str, ...] = ("images",)
    flat: bool = True
    classes: int = CLASSES
    channels: int = 3

    def model(self) -> onnx.ModelProto:
        spatial = [self.channels, *self.size] if self.layout == "NCHW" else [*self.size, self.channels]
        shape = [self.batch, *spatial]
        inputs = [helper.make_tensor_value_info(name, ONNX_TYPES[self.input], shape) for name in self.inputs]
        outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self.outputs]
        nodes = list(self._nodes())
        weights = {
            "kernel": _drawn(FILTERS, self.channels, 3, 3),
            **{f"matrix of {name}": _drawn(FILTERS, self.classes) * (i + 1) for i, name in enumerate(self.outputs)},
            **RAW,
            "rows": np.array([self.built_in or 0, FILTERS, 15 * 15]),
            "flat": np.array([self.flat_built_in or 0, FILTERS]),
        }
        used = {name: weights[name] for node in nodes for name in node.input if name in weights}
        constants = [numpy_helper.from_array(np.asarray(value), name) for name, value in used.items()]
        graph = helper.make_graph(nodes, "classifier", inputs, outputs, constants)
        domains = [helper.make_opsetid("", 17), helper.make_opsetid("nobody", 1)]
        return helper.make_model(graph, opset_imports=domains, ir_version=8)

    def write(self, path: Path) -> Path:
        onnx.save(self.model(), path)
        return path

    def _nodes(self) -> Any:
        """From the images to the logits, each step named after what it gives."""
        value = self.inputs[0]
        for other in self.inputs[1:]:
            yield helper.make_node("Add", [value, other], ["sum"])
            value = "sum"
        if self.input != "f32":
            yield helper.make_node("Cast", [value], ["floats"], to=TensorProto.FLOAT)
            value = "floats"
        if self.input == "u8":
            yield helper.make_node("Sub", [value, "mean"], ["centred"])
            yield helper.make_node("Mul", ["centred", "scale"], ["scaled"])
            value = "scaled"
        if self.layout == "NHWC":
            yield helper.make_node("Transpose", [value], ["channels first"], perm=[0, 3, 1, 2])
            value = "channels first"
        yield helper.make_node("Conv", [value, "kernel"], ["convolved"], name="conv", strides=[2, 2])
        yield helper.make_node("Relu", ["convolved"], ["positive"])
        value = "positive"
        if not self.flat:
            yield helper.make_node("Identity", [value], [self.outputs[0]])
            return
        if self.built_in:
            yield helper.make_node("Reshape", [value, "rows"], ["reshaped"])
            yield helper.make_node("ReduceMean", ["reshaped"], ["averages"], axes=[2], keepdims=1)
        else:
            yield helper.make_node("GlobalAveragePool", [value], ["averages"])
        if self.flat_built_in:
            yield helper.make_node("Reshape", ["averages", "flat"], ["features"])
        else:
            yield helper.make_node("Flatten", ["averages"], ["features"])
        value = "features"
        if self.custom:
            yield helper.make_node("Odd", [value], ["odd"], domain="nobody")
            value = "odd"
        for name in self.outputs:
            yield helper.make_node("MatMul", [value, f"matrix of {name}"], [name])


def write_ir(path: Path, classifier: Classifier, **save: Any) -> Path:
    """The same as .xml and .bin."""
    source = classifier.write(path.with_suffix(".source.onnx"))
    ov.save_model(ov.Core().read_model(source), path, **{"compress_to_fp16": False} | save)
    source.unlink()
    return path


def write_pixels_ir(path: Path, classifier: Classifier) -> Path:
    """An IR with OpenVINO's own preprocessing inside: uint8 NHWC images, as a camera gives them."""
    source = classifier.write(path.with_suffix(".source.onnx"))
    inside = ov.preprocess.PrePostProcessor(ov.Core().read_model(source))
    images = inside.input()
    images.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    images.preprocess().convert_element_type(ov.Type.f32).mean(127.5).scale(64.0)
    images.model().set_layout(ov.Layout("NCHW"))
    ov.save_model(inside.build(), path, compress_to_fp16=False)
    source.unlink()
    return path


class Scales(NamedTuple):
    """What the numbers of a quantized tensor stand for: step * (number - zero). step: one, or one a channel."""

    step: float | np.ndarray
    zero: int = 0

    def whole(self, values: np.ndarray, kind: type[np.integer[Any]] = np.int8) -> np.ndarray:
        """The numbers that stand for these values."""
        step = np.reshape(self.step, (-1, *[1] * (values.ndim - 1))) if np.ndim(self.step) else self.step
        ends = np.iinfo(kind)
        return np.clip(np.round(values / step) + self.zero, ends.min, ends.max).astype(kind)

    def real(self, whole: np.ndarray) -> np.ndarray:
        """The values that these numbers stand for."""
        step = np.reshape(self.step, (-1, *[1] * (whole.ndim - 1))) if np.ndim(self.step) else self.step
        return ((whole.astype(np.float64) - self.zero) * step).astype(np.float32)


KINDS = {
    "float32": tflite.TensorType.FLOAT32, "uint8": tflite.TensorType.UINT8,
    "int8": tflite.TensorType.INT8, "int32": tflite.TensorType.INT32,
}  # fmt: skip


class _Graph:
    """A TFLite flatbuffer as it is put together: tensors, then operators between them."""

    def __init__(self) -> None:
        self.builder = flatbuffers.Builder(1024)
        self.buffers = [b""]
        self.tensors: list[tuple[str, Sequence[int], int, int, Scales | None]] = []
        self.operators: list[tuple[int, str, list[int], int, int, int]] = []

    def value(
        self, name: str, shape: Sequence[int], kind: int = tflite.TensorType.FLOAT32, scales: Scales | None = None
    ) -> int:
        self.tensors.append((name, shape, kind, 0, scales))
        return len(self.tensors) - 1

    def constant(self, name: str, array: np.ndarray, scales: Scales | None = None) -> int:
        self.buffers.append(array.tobytes())
        self.tensors.append((name, array.shape, KINDS[array.dtype.name], len(self.buffers) - 1, scales))
        return len(self.tensors) - 1

    def add(self, code: int, inputs: list[int], output: int, *options: int, custom: str = "") -> int:
        self.operators.append((code, custom, inputs, output, *(options or (0, 0))))
        return output

    def options(self, name: str, **fields: int) -> tuple[int, int]:
        getattr(tflite, f"{name}Start")(self.builder)
        for field, value in fields.items():
            getattr(tflite, f"{name}Add{field}")(self.builder, value)
        return getattr(tflite.BuiltinOptions, name), getattr(tflite, f"{name}End")(self.builder)

    def finish(self, inputs: list[int], outputs: list[int]) -> bytes:
        make = self.builder
        codes = self._vector(tflite.ModelStartOperatorCodesVector, [self._code(*each[:2]) for each in self.operators])
        operators = [self._operator(index, *each[2:]) for index, each in enumerate(self.operators)]
        operators = self._vector(tflite.SubGraphStartOperatorsVector, operators)
        tensors = self._vector(tflite.SubGraphStartTensorsVector, [self._tensor(*each) for each in self.tensors])
        first, last = make.CreateNumpyVector(np.int32(inputs)), make.CreateNumpyVector(np.int32(outputs))
        tflite.SubGraphStart(make)
        tflite.SubGraphAddTensors(make, tensors)
        tflite.SubGraphAddInputs(make, first)
        tflite.SubGraphAddOutputs(make, last)
        tflite.SubGraphAddOperators(make, operators)
        graphs = self._vector(tflite.ModelStartSubgraphsVector, [tflite.SubGraphEnd(make)])
        buffers = self._vector(tflite.ModelStartBuffersVector, [self._buffer(each) for each in self.buffers])
        tflite.ModelStart(make)
        tflite.ModelAddVersion(make, 3)
        tflite.ModelAddOperatorCodes(make, codes)
        tflite.ModelAddSubgraphs(make, graphs)
        tflite.ModelAddBuffers(make, buffers)
        make.Finish(tflite.ModelEnd(make), b"TFL3")
        return bytes(make.Output())

    def _vector(self, start: Any, offsets: Sequence[int]) -> int:
        start(self.builder, len(offsets))
        for offset in reversed(offsets):
            self.builder.PrependUOffsetTRelative(offset)
        return self.builder.EndVector()

    def _code(self, code: int, custom: str) -> int:
        name = self.builder.CreateString(custom) if custom else 0
        tflite.OperatorCodeStart(self.builder)
        tflite.OperatorCodeAddDeprecatedBuiltinCode(self.builder, code)
        tflite.OperatorCodeAddBuiltinCode(self.builder, code)
        if custom:
            tflite.OperatorCodeAddCustomCode(self.builder, name)
        tflite.OperatorCodeAddVersion(self.builder, 1)
        return tflite.OperatorCodeEnd(self.builder)

    def _operator(self, index: int, inputs: list[int], output: int, kind: int, options: int) -> int:
        sources, targets = (self.builder.CreateNumpyVector(np.int32(each)) for each in (inputs, [output]))
        tflite.OperatorStart(self.builder)
        tflite.OperatorAddOpcodeIndex(self.builder, index)
        tflite.OperatorAddInputs(self.builder, sources)
        tflite.OperatorAddOutputs(self.builder, targets)
        if options:
            tflite.OperatorAddBuiltinOptionsType(self.builder, kind)
            tflite.OperatorAddBuiltinOptions(self.builder, options)
        return tflite.OperatorEnd(self.builder)

    def _scales(self, scales: Scales) -> int:
        steps, zeros = np.atleast_1d(np.float32(scales.step)), np.atleast_1d(np.int64(scales.zero))
        vectors = self.builder.CreateNumpyVector(steps), self.builder.CreateNumpyVector(zeros.repeat(len(steps)))
        tflite.QuantizationParametersStart(self.builder)
        tflite.QuantizationParametersAddScale(self.builder, vectors[0])
        tflite.QuantizationParametersAddZeroPoint(self.builder, vectors[1])
        return tflite.QuantizationParametersEnd(self.builder)

    def _tensor(self, name: str, shape: Sequence[int], kind: int, buffer: int, scales: Scales | None) -> int:
        quantization = self._scales(scales) if scales else 0
        free = [-1 if size is None else size for size in shape]
        name, known, signature = (
            self.builder.CreateString(name),
            self.builder.CreateNumpyVector(np.int32([max(size, 1) for size in free])),
            self.builder.CreateNumpyVector(np.int32(free)),
        )
        tflite.TensorStart(self.builder)
        tflite.TensorAddShape(self.builder, known)
        tflite.TensorAddShapeSignature(self.builder, signature)
        tflite.TensorAddType(self.builder, kind)
        tflite.TensorAddBuffer(self.builder, buffer)
        tflite.TensorAddName(self.builder, name)
        if scales:
            tflite.TensorAddQuantization(self.builder, quantization)
        return tflite.TensorEnd(self.builder)

    def _buffer(self, content: bytes) -> int:
        data = self.builder.CreateByteVector(content) if content else 0
        tflite.BufferStart(self.builder)
        if content:
            tflite.BufferAddData(self.builder, data)
        return tflite.BufferEnd(self.builder)


def write_tflite(path: Path, *, batch: int | None = 1, input: str = "f32", custom: bool = False) -> Path:  # noqa: A002
    """A classifier of 32x32 NHWC images as a TFLite flatbuffer. custom: with an operation of nobody's."""
    kinds = {"f32": KINDS["float32"], "u8": KINDS["uint8"]}
    code, graph = tflite.BuiltinOperator, _Graph()
    images = value = graph.value("images", [batch, 32, 32, 3], kinds[input])
    if input == "u8":
        cast = graph.options("CastOptions", InDataType=kinds["u8"], OutDataType=kinds["f32"])
        value = graph.add(code.CAST, [value], graph.value("floats", [batch, 32, 32, 3]), *cast)
    kernel = graph.constant("kernel", np.ascontiguousarray(_drawn(FILTERS, 3, 3, 3).transpose(0, 2, 3, 1)))
    bias = graph.constant("bias", _drawn(FILTERS))
    strides = graph.options("Conv2DOptions", Padding=tflite.Padding.VALID, StrideH=2, StrideW=2)
    convolved = graph.value("convolved", [batch, 15, 15, FILTERS])
    value = graph.add(code.CONV_2D, [value, kernel, bias], convolved, *strides)
    value = graph.add(code.RELU, [value], graph.value("positive", [batch, 15, 15, FILTERS]))
    axes = graph.constant("axes", np.array([1, 2], np.int32))
    reducer = graph.options("ReducerOptions", KeepDims=False)
    value = graph.add(code.MEAN, [value, axes], graph.value("features", [batch, FILTERS]), *reducer)
    if custom:
        value = graph.add(code.CUSTOM, [value], graph.value("odd", [batch, FILTERS]), custom="NobodysOwn")
    matrix = graph.constant("matrix", np.ascontiguousarray(_drawn(FILTERS, CLASSES).T))
    offset = graph.constant("offset", _drawn(CLASSES))
    full = graph.options("FullyConnectedOptions", KeepNumDims=False)
    logits = graph.add(code.FULLY_CONNECTED, [value, matrix, offset], graph.value("logits", [batch, CLASSES]), *full)
    path.write_bytes(graph.finish([images], [logits]))
    return path


LARGEST = 63  # of the int8 weights: sums of more overflow on processors without int8 dot products


class Int8Classifier:
    """The same without ReLU, quantized throughout as TensorFlow's converter does it: int8 in, int8 out.

    Every tensor has scales of its own, the kernel one for each filter.
    """

    images = Scales(1.5 / 127, -3)
    convolved = Scales(0.1)
    features = Scales(0.05)
    logits = Scales(0.08, 4)

    def weights(self) -> dict[str, tuple[np.ndarray, Scales]]:
        """By name the numbers of each constant, and what they stand for."""
        kernel = np.ascontiguousarray(_drawn(FILTERS, 3, 3, 3).transpose(0, 2, 3, 1))
        matrix = np.ascontiguousarray(_drawn(FILTERS, CLASSES).T)
        of_kernel, of_matrix = (
            Scales(abs(kernel).max(axis=(1, 2, 3)) / LARGEST),
            Scales(float(abs(matrix).max()) / LARGEST),
        )
        of_bias, of_offset = Scales(self.images.step * of_kernel.step), Scales(self.features.step * of_matrix.step)
        return {
            "kernel": (of_kernel.whole(kernel), of_kernel),
            "bias": (of_bias.whole(_drawn(FILTERS), np.int32), of_bias),
            "matrix": (of_matrix.whole(matrix), of_matrix),
            "offset": (of_offset.whole(_drawn(CLASSES), np.int32), of_offset),
        }

    def answers(self, images: np.ndarray) -> np.ndarray:
        """What TFLite's integers stand for, (n, classes), of real images (n, 32, 32, 3)."""
        kernel, bias, matrix, offset = (scales.real(whole) for whole, scales in self.weights().values())
        given = torch.tensor(self.images.real(self.images.whole(images)).transpose(0, 3, 1, 2))
        maps = torch.nn.functional.conv2d(
            given, torch.tensor(kernel.transpose(0, 3, 1, 2)), torch.tensor(bias), stride=2
        ).numpy()
        maps = self.convolved.real(self.convolved.whole(maps))
        features = self.features.real(self.features.whole(maps.mean(axis=(2, 3))))
        return self.logits.real(self.logits.whole(features @ matrix.T + offset))

    def write(self, path: Path) -> Path:
        """As a TFLite flatbuffer of one image."""
        code, graph, kind = tflite.BuiltinOperator, _Graph(), KINDS["int8"]
        images = graph.value("images", [1, 32, 32, 3], kind, self.images)
        kernel, bias, matrix, offset = (graph.constant(name, *of) for name, of in self.weights().items())
        strides = graph.options("Conv2DOptions", Padding=tflite.Padding.VALID, StrideH=2, StrideW=2)
        convolved = graph.value("convolved", [1, 15, 15, FILTERS], kind, self.convolved)
        maps = graph.add(code.CONV_2D, [images, kernel, bias], convolved, *strides)
        axes, reducer = graph.constant("axes", np.array([1, 2], np.int32)), graph.options("ReducerOptions")
        features = graph.add(
            code.MEAN, [maps, axes], graph.value("features", [1, FILTERS], kind, self.features), *reducer
        )
        full, named = graph.options("FullyConnectedOptions"), graph.value("logits", [1, CLASSES], kind, self.logits)
        logits = graph.add(code.FULLY_CONNECTED, [features, matrix, offset], named, *full)
        path.write_bytes(graph.finish([images], [logits]))
        return path


def layer_counts(model: ov.Model) -> tuple[int, int]:
    """How many layers of a model have int8 weights, and how many have any."""
    found = int8.of_model(model)
    return found.layers, found.weighted_layers


def write_detector(path: Path, *, batch: int | str = 1, classes: int = 2) -> Path:
    """A small YOLOX of 32x32 images as ONNX: a convolution, averages of it for the larger strides, random weights."""
    numbers = 5 + classes
    weights = {
        "patches": _drawn(FILTERS, 3, 8, 8) / 64,
        "head": _drawn(numbers, FILTERS, 1, 1),
        "rows": np.array([0, numbers, -1]),
    }
    nodes = [
        helper.make_node("Conv", ["images", "patches"], ["features"], strides=[8, 8]),
        helper.make_node("Relu", ["features"], ["at 8"]),
        helper.make_node("AveragePool", ["at 8"], ["at 16"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("AveragePool", ["at 16"], ["at 32"], kernel_shape=[2, 2], strides=[2, 2]),
    ]
    for stride in (8, 16, 32):
        nodes.append(helper.make_node("Conv", [f"at {stride}", "head"], [f"head {stride}"]))
        nodes.append(helper.make_node("Reshape", [f"head {stride}", "rows"], [f"rows {stride}"]))
    nodes += [
        helper.make_node("Concat", [f"rows {stride}" for stride in (8, 16, 32)], ["columns"], axis=2),
        helper.make_node("Transpose", ["columns"], ["raw"], perm=[0, 2, 1]),
        helper.make_node("Sigmoid", ["raw"], ["output"]),
    ]
    constants = [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, 32, 32])
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "detector", [images], [output], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path
