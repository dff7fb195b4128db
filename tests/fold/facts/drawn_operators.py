"""Single operators with random attributes and sizes, to compare sizes with those of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[Any]
FLOAT = np.float32


@dataclass
class Drawn:
    """One operator over inputs of these shapes and constants.

    Attributes:
        op: its name.
        shapes: of what is fed.
        constants: inputs that are initializers; None for one that is left out.
        attributes: of the node.
        order: "x" for an input that is fed, "c" for a constant, input by input.
        outputs: how many.
        opset: of the model.
    """

    op: str
    shapes: list[tuple[int, ...]]
    constants: list[Array | None] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    order: str = ""
    outputs: int = 1
    opset: int = 18
    dtype: Any = FLOAT

    def model(self, declared: list[list[int | str | None]]) -> onnx.ModelProto:
        """The operator behind a Relu of each input, which is declared so; outputs undeclared."""
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(self.dtype))
        order = self.order or "x" * len(self.shapes) + "c" * len(self.constants)
        nodes, names, tensors = [], [], []
        fed, constants = iter(range(len(self.shapes))), iter(self.constants)
        for index, letter in enumerate(order):
            if letter == "x":
                number = next(fed)
                nodes.append(helper.make_node("Identity", [f"x{number}"], [f"v{number}"]))
                names.append(f"v{number}")
                continue
            constant = next(constants)
            names.append("" if constant is None else f"c{index}")
            if constant is not None:
                tensors.append(numpy_helper.from_array(constant, f"c{index}"))
        outputs = [f"y{i}" for i in range(self.outputs)]
        nodes.append(helper.make_node(self.op, names, outputs, **self.attributes))
        inputs = [
            helper.make_tensor_value_info(f"x{i}", kind, dims) for i, dims in enumerate(declared)
        ]
        made = [onnx.ValueInfoProto(name=name) for name in outputs]
        graph = helper.make_graph(nodes, "drawn", inputs, made, tensors)
        opsets = [helper.make_opsetid("", self.opset)]
        ir_version = 8 if self.opset < 21 else 11
        model = helper.make_model(graph, opset_imports=opsets, ir_version=ir_version)
        inferred = onnx.shape_inference.infer_shapes(model)
        for value, found in zip(model.graph.output, inferred.graph.output, strict=True):
            value.type.CopyFrom(found.type)
            if not value.type.tensor_type.elem_type:
                value.type.tensor_type.elem_type = kind
            value.type.tensor_type.ClearField("shape")
        return model

    def feeds(self) -> dict[str, Array]:
        """Ones of these shapes."""
        return {f"x{i}": np.ones(shape, self.dtype) for i, shape in enumerate(self.shapes)}


Draw = Callable[[np.random.Generator], Drawn]


def _window(random: np.random.Generator, rank: int, *, ceil: bool) -> dict[str, Any]:
    kernel = random.integers(1, 5, rank)
    attributes: dict[str, Any] = {"kernel_shape": kernel.tolist()}
    if random.random() < 0.7:
        attributes["strides"] = random.integers(1, 5, rank).tolist()
    if random.random() < 0.4:
        attributes["dilations"] = random.integers(1, 4, rank).tolist()
    kind = random.choice(["NOTSET", "pads", "pads", "SAME_UPPER", "SAME_LOWER", "VALID"])
    if kind == "pads":
        attributes["pads"] = random.integers(0, 3, 2 * rank).tolist()
    elif kind != "NOTSET" or random.random() < 0.3:
        attributes["auto_pad"] = str(kind)
    if ceil and random.random() < 0.5:
        attributes["ceil_mode"] = 1
    return attributes


def _size(random: np.random.Generator, rank: int, low: int = 3, high: int = 20) -> tuple[int, ...]:
    return tuple(int(n) for n in random.integers(low, high, rank))


def _conv(random: np.random.Generator) -> Drawn:
    rank = int(random.integers(1, 4))
    attributes = _window(random, rank, ceil=False)
    group = int(random.choice([1, 2]))
    weight = np.ones((4, 4 // group, *attributes["kernel_shape"]), FLOAT)
    return Drawn("Conv", [(2, 4, *_size(random, rank))], [weight], {**attributes, "group": group})


def _conv_transpose(random: np.random.Generator) -> Drawn:
    rank = int(random.integers(1, 3))
    attributes = _window(random, rank, ceil=False)
    weight = np.ones((4, 3, *attributes["kernel_shape"]), FLOAT)
    size = _size(random, rank, 3, 9)
    strides = attributes.get("strides", [1] * rank)
    if random.random() < 0.4:
        attributes["output_padding"] = [int(random.integers(0, s)) for s in strides]
    if random.random() < 0.2:
        attributes["output_shape"] = [
            int(n * s + random.integers(-1, 2)) for n, s in zip(size, strides, strict=True)
        ]
    return Drawn("ConvTranspose", [(2, 4, *size)], [weight], attributes)


def _pool(op: str) -> Draw:
    def draw(random: np.random.Generator) -> Drawn:
        rank = int(random.integers(1, 4))
        attributes = _window(random, rank, ceil=True)
        opset = int(random.choice([12, 18, 19, 22]))
        if op == "AveragePool" and opset < 19:
            attributes.pop("dilations", None)
        if op == "LpPool" and opset < 18:
            attributes.pop("dilations", None)
            attributes.pop("ceil_mode", None)
        return Drawn(op, [(1, 3, *_size(random, rank))], [], attributes, opset=opset)

    return draw


def _resize(random: np.random.Generator) -> Drawn:
    rank = int(random.integers(3, 5))
    shape = (1, 3, *_size(random, rank - 2))
    mode = str(random.choice(["nearest", "linear"]))
    attributes: dict[str, Any] = {"mode": mode}
    if random.random() < 0.5:
        attributes["coordinate_transformation_mode"] = "asymmetric"
    step = random.choice([0.05, 0.1, 0.125, 1 / 3])
    scales = [
        1.0,
        1.0,
        *(float(n) for n in np.round(random.uniform(0.3, 3, rank - 2) / step) * step),
    ]
    if random.random() < 0.3:
        sizes = [*shape[:2], *_size(random, rank - 2)]
        constants: list[Array | None] = [None, None, np.array(sizes, np.int64)]
        if random.random() < 0.5:
            attributes["axes"] = list(range(2, rank))
            constants[2] = np.array(sizes[2:], np.int64)
            policies = ["stretch", "not_larger", "not_smaller"]
            attributes["keep_aspect_ratio_policy"] = str(random.choice(policies))
        return Drawn("Resize", [shape], constants, attributes)
    if random.random() < 0.3:
        attributes["axes"] = list(range(2, rank))
        return Drawn("Resize", [shape], [None, np.array(scales[2:], FLOAT)], attributes)
    return Drawn("Resize", [shape], [None, np.array(scales, FLOAT)], attributes)


def _upsample(random: np.random.Generator) -> Drawn:
    shape = (1, 3, *_size(random, 2))
    scales = [1.0, 1.0, *np.round(random.uniform(1, 3, 2), 1)]
    return Drawn("Upsample", [shape], [np.array(scales, FLOAT)], {"mode": "nearest"}, opset=9)


def _pad(random: np.random.Generator) -> Drawn:
    shape = _size(random, int(random.integers(1, 5)), 3, 7)
    pads = random.integers(-1, 3, 2 * len(shape))
    return Drawn("Pad", [shape], [pads.astype(np.int64)], {"mode": "constant"})


def _slice(random: np.random.Generator) -> Drawn:
    shape = _size(random, int(random.integers(1, 4)), 2, 9)
    count = int(random.integers(1, len(shape) + 1))
    axes = random.permutation(len(shape))[:count]
    steps = random.choice([1, 1, 2, 3, -1, -2], count)
    bounds = [random.integers(-12, 12, count) for _ in range(2)]
    constants: list[Array | None] = [a.astype(np.int64) for a in (*bounds, axes, steps)]
    return Drawn("Slice", [shape], constants)


def _gather(random: np.random.Generator) -> Drawn:
    shape = _size(random, int(random.integers(1, 4)), 2, 6)
    axis = int(random.integers(-len(shape), len(shape)))
    indices = random.integers(0, shape[axis], _size(random, int(random.integers(0, 3)), 1, 4))
    return Drawn("Gather", [shape], [np.asarray(indices, np.int64)], {"axis": axis})


def _concat(random: np.random.Generator) -> Drawn:
    shape = _size(random, int(random.integers(1, 4)), 1, 6)
    axis = int(random.integers(-len(shape), len(shape)))
    other = list(shape)
    other[axis] = int(random.integers(0, 5))
    return Drawn("Concat", [shape, tuple(other)], [], {"axis": axis})


def _split(random: np.random.Generator) -> Drawn:
    shape = list(_size(random, int(random.integers(1, 4)), 2, 9))
    axis = int(random.integers(-len(shape), len(shape)))
    count = int(random.integers(1, 4))
    if random.random() < 0.5:
        parts = random.integers(1, 4, count)
        shape[axis] = int(parts.sum())
        constants: list[Array | None] = [parts.astype(np.int64)]
        return Drawn("Split", [tuple(shape)], constants, {"axis": axis}, outputs=count)
    attributes = {"axis": axis, "num_outputs": count}
    return Drawn("Split", [tuple(shape)], [], attributes, outputs=count)


def _reshape(random: np.random.Generator) -> Drawn:
    shape = _size(random, int(random.integers(2, 5)), 1, 6)
    target = list(shape)
    target[int(random.integers(0, len(shape)))] = -1
    if random.random() < 0.5:
        target[int(random.integers(0, len(shape)))] = 0
    else:
        random.shuffle(target)
    if target.count(-1) == 0:
        target = [-1]
    return Drawn("Reshape", [shape], [np.array(target, np.int64)])


def _flatten(random: np.random.Generator) -> Drawn:
    shape = _size(random, int(random.integers(1, 5)), 1, 6)
    axis = int(random.integers(-len(shape), len(shape) + 1))
    return Drawn("Flatten", [shape], [], {"axis": axis})


def _squeeze(random: np.random.Generator) -> Drawn:
    shape = list(_size(random, int(random.integers(2, 5)), 2, 6))
    axis = int(random.integers(0, len(shape)))
    shape[axis] = 1
    if random.random() < 0.3:
        return Drawn("Squeeze", [tuple(shape)])
    return Drawn("Squeeze", [tuple(shape)], [np.array([axis - len(shape)], np.int64)])


def _unsqueeze(random: np.random.Generator) -> Drawn:
    shape = _size(random, int(random.integers(0, 4)), 1, 6)
    axes = random.permutation(len(shape) + 2)[:2] - random.choice([0, len(shape) + 2])
    return Drawn("Unsqueeze", [shape], [axes.astype(np.int64)])


def _transpose(random: np.random.Generator) -> Drawn:
    shape = _size(random, int(random.integers(1, 5)), 1, 6)
    attributes = {"perm": random.permutation(len(shape)).tolist()} if random.random() < 0.8 else {}
    return Drawn("Transpose", [shape], [], attributes)


def _broadcast_pair(random: np.random.Generator) -> tuple[tuple[int, ...], tuple[int, ...]]:
    shape = _size(random, int(random.integers(0, 5)), 1, 5)
    left = tuple(1 if random.random() < 0.2 else n for n in shape)
    right = tuple(1 if random.random() < 0.2 else n for n in shape)
    return left, right[int(random.integers(0, len(right) + 1)) :]


def _binary(op: str) -> Draw:
    def draw(random: np.random.Generator) -> Drawn:
        pair = list(_broadcast_pair(random))
        return Drawn(op, pair[:: int(random.choice([1, -1]))])

    return draw


def _unary(op: str, **attributes: Any) -> Draw:
    def draw(random: np.random.Generator) -> Drawn:
        return Drawn(op, [_size(random, int(random.integers(2, 5)), 1, 6)], [], attributes)

    return draw


def _expand(random: np.random.Generator) -> Drawn:
    left, right = _broadcast_pair(random)
    return Drawn("Expand", [left], [np.array(right, np.int64)])


def _tile(random: np.random.Generator) -> Drawn:
    shape = _size(random, int(random.integers(1, 4)), 1, 5)
    return Drawn("Tile", [shape], [random.integers(1, 4, len(shape)).astype(np.int64)])


def _reduce(op: str, *, axes_are_inputs: bool = False) -> Draw:
    def draw(random: np.random.Generator) -> Drawn:
        shape = _size(random, int(random.integers(1, 5)), 1, 6)
        count = int(random.integers(1, len(shape) + 1))
        axes = random.permutation(len(shape))[:count] - random.choice([0, len(shape)])
        attributes: dict[str, Any] = {"keepdims": int(random.integers(0, 2))}
        if random.random() < 0.2:
            return Drawn(op, [shape], [], attributes, opset=17)
        if axes_are_inputs:
            return Drawn(op, [shape], [axes.astype(np.int64)], attributes)
        return Drawn(op, [shape], [], {**attributes, "axes": axes.tolist()}, opset=17)

    return draw


def _arg(op: str) -> Draw:
    def draw(random: np.random.Generator) -> Drawn:
        shape = _size(random, int(random.integers(1, 5)), 1, 6)
        axis = int(random.integers(-len(shape), len(shape)))
        return Drawn(op, [shape], [], {"axis": axis, "keepdims": int(random.integers(0, 2))})

    return draw


def _top_k(random: np.random.Generator) -> Drawn:
    shape = _size(random, int(random.integers(1, 4)), 3, 6)
    axis = int(random.integers(-len(shape), len(shape)))
    return Drawn("TopK", [shape], [np.array([2], np.int64)], {"axis": axis}, outputs=2)


def _blocks(op: str) -> Draw:
    def draw(random: np.random.Generator) -> Drawn:
        shape = (1, 8, 2 * int(random.integers(1, 5)), 2 * int(random.integers(1, 5)))
        return Drawn(op, [shape], [], {"blocksize": 2})

    return draw


def _matmul(random: np.random.Generator) -> Drawn:
    k = int(random.integers(1, 5))
    left = (*_size(random, int(random.integers(0, 4)), 1, 5), k)
    right = (k, *_size(random, int(random.integers(0, 2)), 1, 5))
    if random.random() < 0.4:
        return Drawn("MatMul", [right[::-1], left[::-1] if len(left) < 3 else (k, 2)])
    if random.random() < 0.4:
        first, second = _broadcast_pair(random)
        pair = (*first, 2, k), (*second, k, 3)
        return Drawn("MatMul", list(pair))
    return Drawn("MatMul", [left, right])


def _gemm(random: np.random.Generator) -> Drawn:
    m, k, n = _size(random, 3, 1, 6)
    a, b = int(random.integers(0, 2)), int(random.integers(0, 2))
    shapes = [(k, m) if a else (m, k), (n, k) if b else (k, n)]
    return Drawn("Gemm", [*shapes], [np.ones(n, FLOAT)], {"transA": a, "transB": b})


def _recurrent(op: str, gates: int) -> Draw:
    def draw(random: np.random.Generator) -> Drawn:
        steps, batch, width, hidden = _size(random, 4, 1, 5)
        weights: list[Array | None] = [
            np.ones((1, gates * hidden, width), FLOAT),
            np.ones((1, gates * hidden, hidden), FLOAT),
        ]
        return Drawn(op, [(steps, batch, width)], weights, {"hidden_size": hidden}, outputs=2)

    return draw


def _norm(op: str) -> Draw:
    def draw(random: np.random.Generator) -> Drawn:
        shape = (2, 4, *_size(random, int(random.integers(1, 3)), 1, 5))
        count = 4 if op != "LayerNormalization" else shape[-1]
        parameters: list[Array | None] = [np.ones(count, FLOAT)] * 2
        if op == "BatchNormalization":
            parameters *= 2
        attributes = {"num_groups": 2} if op == "GroupNormalization" else {}
        opset = 21 if op == "GroupNormalization" else 18
        return Drawn(op, [shape], parameters, attributes, opset=opset)

    return draw


def _prelu(random: np.random.Generator) -> Drawn:
    shape = (2, 4, *_size(random, 2, 1, 5))
    return Drawn("PRelu", [shape], [np.ones((4, 1, 1), FLOAT)])


def _where(random: np.random.Generator) -> Drawn:
    left, right = _broadcast_pair(random)
    condition = np.ones(left if random.random() < 0.5 else (), np.bool_)
    return Drawn("Where", [left, right], [condition], order="cxx")


def _quantize(random: np.random.Generator) -> Drawn:
    constants: list[Array | None] = [np.array(0.1, FLOAT), np.array(3, np.uint8)]
    return Drawn("QuantizeLinear", [_size(random, 3, 1, 5)], constants)


def _cast(random: np.random.Generator) -> Drawn:
    return Drawn("Cast", [_size(random, 3, 0, 5)], [], {"to": TensorProto.DOUBLE})


def _shape(random: np.random.Generator) -> Drawn:
    shape = _size(random, int(random.integers(0, 5)), 1, 5)
    attributes = {"start": int(random.integers(-3, 4)), "end": int(random.integers(-3, 6))}
    return Drawn("Shape", [shape], [], attributes if random.random() < 0.7 else {})


def _typed(draw: Draw, dtype: Any) -> Draw:
    """The same over numbers of another type."""

    def drawn(random: np.random.Generator) -> Drawn:
        return replace(draw(random), dtype=dtype)

    return drawn


def _at(opset: int, draw: Draw) -> Draw:
    return lambda random: replace(draw(random), opset=opset)


def _dequantize(random: np.random.Generator) -> Drawn:
    constants: list[Array | None] = [np.array(0.1, FLOAT), np.array(3, np.uint8)]
    return Drawn("DequantizeLinear", [_size(random, 3, 1, 5)], constants, dtype=np.uint8)


def _quantize_by_itself(random: np.random.Generator) -> Drawn:
    return Drawn("DynamicQuantizeLinear", [_size(random, 3, 1, 5)], outputs=3)


def _integers(op: str) -> Draw:
    def draw(random: np.random.Generator) -> Drawn:
        if op == "MatMulInteger":
            found = _matmul(random)
            return replace(found, op=op, dtype=np.uint8)
        found = _conv(random)
        (weight,) = found.constants
        assert weight is not None
        return replace(found, op=op, constants=[weight.astype(np.uint8)], dtype=np.uint8)

    return draw


def _quantized_conv(random: np.random.Generator) -> Drawn:
    found = _conv(random)
    (weight,) = found.constants
    assert weight is not None
    scale, zero = np.array(0.1, FLOAT), np.array(0, np.uint8)
    constants: list[Array | None] = [scale, zero, weight.astype(np.uint8), *[scale, zero] * 2]
    return replace(found, op="QLinearConv", constants=constants, dtype=np.uint8)


def _quantized_matmul(random: np.random.Generator) -> Drawn:
    m, k, n = _size(random, 3, 1, 6)
    scale, zero = np.array(0.1, FLOAT), np.array(0, np.uint8)
    constants: list[Array | None] = [scale, zero, np.ones((k, n), np.uint8), *[scale, zero] * 2]
    shape = (*_size(random, int(random.integers(0, 3)), 1, 4), m, k)
    return Drawn("QLinearMatMul", [shape], constants, dtype=np.uint8)


def _cumulated(random: np.random.Generator) -> Drawn:
    return Drawn("CumSum", [_size(random, 3, 1, 6)], [np.array(1, np.int64)])


def _gather_elements(random: np.random.Generator) -> Drawn:
    shape = _size(random, 2, 2, 6)
    indices = np.zeros((int(random.integers(1, shape[0] + 1)), shape[1]), np.int64)
    return Drawn("GatherElements", [shape], [indices])


def _gather_nd(random: np.random.Generator) -> Drawn:
    shape = _size(random, 3, 2, 6)
    indices = np.zeros((*_size(random, 2, 1, 4), int(random.integers(1, 4))), np.int64)
    return Drawn("GatherND", [shape], [indices])


def _scatter_elements(random: np.random.Generator) -> Drawn:
    shape = _size(random, 2, 2, 6)
    indices = np.zeros((1, shape[1]), np.int64)
    return Drawn("ScatterElements", [shape], [indices, np.ones((1, shape[1]), FLOAT)])


def _scatter_nd(random: np.random.Generator) -> Drawn:
    shape = _size(random, 2, 2, 6)
    constants: list[Array | None] = [np.zeros((1, 1), np.int64), np.ones((1, shape[1]), FLOAT)]
    return Drawn("ScatterND", [shape], constants)


def _one_hot(random: np.random.Generator) -> Drawn:
    depth, values = np.array(int(random.integers(2, 6)), np.int64), np.array([0, 1], FLOAT)
    axis = int(random.integers(-1, 2))
    shape = _size(random, int(random.integers(1, 3)), 1, 5)
    return Drawn("OneHot", [shape], [depth, values], {"axis": axis}, dtype=np.int64)


def _filled(random: np.random.Generator) -> Drawn:
    shape = np.array(_size(random, int(random.integers(1, 4)), 0, 5), np.int64)
    return Drawn("ConstantOfShape", [], [shape])


def _range(random: np.random.Generator) -> Drawn:
    ends = [int(n) for n in random.integers(-9, 9, 2)]
    step = int(random.choice([-3, -1, 1, 2]))
    return Drawn("Range", [], [np.array(n, np.int64) for n in (*ends, step)])


def _einsum(random: np.random.Generator) -> Drawn:
    """Letters of several operands, some of them of extent 1 in one: a run repeats these."""
    extents = dict(zip("abcd", _size(random, 4, 1, 5), strict=True))
    count = int(random.integers(1, 4))
    terms = ["".join(random.permutation([*"abcd"])[: random.integers(1, 4)]) for _ in range(count)]
    lead = _size(random, int(random.integers(3)), 1, 5)
    dots = ["..." if random.random() < 0.3 else "" for _ in terms]
    shapes = [
        (*(lead if dot else ()), *(1 if random.random() < 0.2 else extents[c] for c in term))
        for dot, term in zip(dots, terms, strict=True)
    ]
    letters = sorted(set("".join(terms)))
    kept = "".join(random.permutation(letters)[: random.integers(len(letters) + 1)])
    left = ",".join(dot + term for dot, term in zip(dots, terms, strict=True))
    output = ("..." if any(dots) else "") + kept
    equation = left if random.random() < 0.2 else f"{left}->{output}"
    return Drawn("Einsum", shapes, [], {"equation": equation})


def _root_mean_square(random: np.random.Generator) -> Drawn:
    shape = _size(random, 3, 1, 5)
    return Drawn("RMSNormalization", [shape], [np.ones(shape[-1], FLOAT)], opset=23)


def _of_the_same_type(random: np.random.Generator) -> Drawn:
    return Drawn("CastLike", [_size(random, 3, 0, 5)], [np.ones(2, np.int64)])


def _over_channels(op: str, **attributes: Any) -> Draw:
    return lambda random: Drawn(op, [(2, 4, *_size(random, 2, 1, 5))], [], attributes)


_REDUCTIONS = (
    "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMin ReduceProd".split()
)
_COMPARISONS = "Equal Greater GreaterOrEqual Less LessOrEqual".split()


_UNARY = (
    "Abs Ceil Elu Erf Exp Floor HardSigmoid HardSwish Identity LeakyRelu Log LogSoftmax Mish Neg "
    "Reciprocal Relu Round Selu Sigmoid Sign Sin Softmax Softplus Softsign Sqrt Tanh Clip Dropout "
    "GlobalAveragePool GlobalLpPool GlobalMaxPool Cos Celu Hardmax ThresholdedRelu Trilu Tan IsNaN "
    "IsInf Size LpNormalization"
).split()


def _grid_sample(random: np.random.Generator) -> Drawn:
    rank = int(random.choice([2, 3]))
    batch, channels = _size(random, 2, 1, 4)
    grid = (batch, *_size(random, rank, 1, 6), rank)
    image = (batch, channels, *_size(random, rank, 1, 6))
    modes = {"padding_mode": str(random.choice(["zeros", "border", "reflection"]))}
    return Drawn("GridSample", [image, grid], [], modes, opset=20)


def _compress(random: np.random.Generator) -> Drawn:
    shape = _size(random, int(random.integers(1, 5)), 1, 6)
    axis = int(random.integers(-len(shape), len(shape)))
    condition = random.random(shape[axis]) < 0.5
    return Drawn("Compress", [shape], [condition], {"axis": axis} if random.random() < 0.8 else {})


def _reverse_sequence(random: np.random.Generator) -> Drawn:
    shape = _size(random, int(random.integers(2, 5)), 1, 6)
    time = int(random.choice([0, 1]))
    lengths = random.integers(1, shape[time] + 1, shape[1 - time])
    axes = {"time_axis": time, "batch_axis": 1 - time}
    return Drawn("ReverseSequence", [shape], [lengths.astype(np.int64)], axes)


def _max_unpool(random: np.random.Generator) -> Drawn:
    rank = int(random.choice([1, 2]))
    shape = _size(random, 2 + rank, 1, 5)
    attributes = {"kernel_shape": [2] * rank, "strides": random.integers(1, 4, rank).tolist()}
    return Drawn("MaxUnpool", [shape], [np.zeros(shape, np.int64)], attributes)


DRAWS: Mapping[str, Draw] = {
    "GridSample": _grid_sample,
    "Compress": _compress,
    "ReverseSequence": _reverse_sequence,
    "MaxUnpool": _max_unpool,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    **{op: _pool(op) for op in ("MaxPool", "AveragePool", "LpPool")},
    "Resize": _resize,
    "Upsample": _upsample,
    "Pad": _pad,
    "Slice": _slice,
    "Gather": _gather,
    "Concat": _concat,
    "Split": _split,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "Expand": _expand,
    "Tile": _tile,
    **{op: _unary(op) for op in _UNARY},
    **{op: _binary(op) for op in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean", "Pow")},
    "ReduceSum": _reduce("ReduceSum", axes_are_inputs=True),
    "ReduceMean": _reduce("ReduceMean", axes_are_inputs=True),
    **{op: _reduce(op) for op in (*_REDUCTIONS, "ReduceSumSquare")},
    **{op: _arg(op) for op in ("ArgMax", "ArgMin")},
    "TopK": _top_k,
    **{op: _blocks(op) for op in ("DepthToSpace", "SpaceToDepth")},
    "MatMul": _matmul,
    "Gemm": _gemm,
    "RNN": _recurrent("RNN", 1),
    "GRU": _recurrent("GRU", 3),
    "LSTM": _recurrent("LSTM", 4),
    **{
        op: _norm(op)
        for op in (
            "BatchNormalization",
            "InstanceNormalization",
            "LayerNormalization",
            "GroupNormalization",
        )
    },
    "PRelu": _prelu,
    "Where": _where,
    "QuantizeLinear": _quantize,
    "Cast": _cast,
    "Shape": _shape,
    **{op: _binary(op) for op in _COMPARISONS},
    **{op: _typed(_binary(op), np.bool_) for op in ("And", "Or", "Xor")},
    **{op: _typed(_binary(op), np.int64) for op in ("BitwiseAnd", "BitwiseOr", "Mod")},
    "Not": _typed(_unary("Not"), np.bool_),
    "Gelu": _at(20, _unary("Gelu")),
    "LRN": _over_channels("LRN", size=3),
    "MeanVarianceNormalization": _over_channels("MeanVarianceNormalization"),
    "RMSNormalization": _root_mean_square,
    "DequantizeLinear": _dequantize,
    "DynamicQuantizeLinear": _quantize_by_itself,
    "MatMulInteger": _integers("MatMulInteger"),
    "ConvInteger": _integers("ConvInteger"),
    "QLinearConv": _quantized_conv,
    "QLinearMatMul": _quantized_matmul,
    "CumSum": _cumulated,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "ScatterElements": _scatter_elements,
    "ScatterND": _scatter_nd,
    "OneHot": _one_hot,
    "ConstantOfShape": _filled,
    "Range": _range,
    "Einsum": _einsum,
    "CastLike": _of_the_same_type,
}
