"""Random networks out of all motifs, valid by construction, with inputs that they run on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import hypothesis
import hypothesis.strategies as st
import numpy as np
import onnx
from onnx import TensorProto, helper

from bnfold.errors import ModelError
from tests.fold.property.builder import Array, Builder, NotApplicableError
from tests.fold.property.choices import Choices, Drawn, Seeded
from tests.fold.property.motifs import (
    affine,
    compound,
    join,
    layout,
    linear,
    pointwise,
    pooling,
    sandwich,
    scopes,
)
from tests.fold.property.oracle import run_float64
from tests.fold.property.outline import outlined

Motif = Callable[[Builder, str], str]
MOTIFS: list[tuple[int, Motif]] = [
    *linear.MOTIFS,
    *affine.MOTIFS,
    *pointwise.MOTIFS,
    *pooling.MOTIFS,
    *layout.MOTIFS,
    *join.MOTIFS,
    *scopes.MOTIFS,
    *compound.MOTIFS,
    *sandwich.MOTIFS,
]
_ANY_RANK = {motif for _, motif in pointwise.MOTIFS if motif is not pointwise.prelu}
_OPSETS = [18, 13, 11, 21, 9, 7, 15, 17, 10, 12, 14, 19, 20, 22, 8]


@dataclass(frozen=True)
class Case:
    """A model, and inputs by name that it runs on.

    Attributes:
        samples: the first has the sizes that the model was made with, others may differ.
    """

    model: onnx.ModelProto
    samples: tuple[dict[str, Array], ...]


class InvalidModelError(Exception):
    """The checker does not take what came out, mostly for its dtype: no test of a fold."""


def seeded_case(seed: int, **limits: int) -> Case:
    """The random network of this number."""
    return random_case(Choices(Seeded(seed)), **limits)


@st.composite
def cases(draw: st.DrawFn, most: int = 8) -> Case:
    """Random networks that shrink to small ones."""
    try:
        return random_case(Choices(Drawn(draw)), most=most)
    except InvalidModelError:
        hypothesis.reject()


def random_case(choices: Choices, *, most: int = 9) -> Case:
    """A network of up to `most` motifs.

    Raises:
        InvalidModelError: the checker refuses it.
    """
    numbers = np.random.default_rng(choices.between(0, 2**16))
    dtype = choices.weighted(
        [
            (40, TensorProto.FLOAT),
            (40, TensorProto.DOUBLE),
            (12, TensorProto.FLOAT16),
            (8, TensorProto.BFLOAT16),
        ]
    )
    opset = 22 if dtype == TensorProto.BFLOAT16 else choices.of(_OPSETS)
    b = Builder(choices, numbers, opset, dtype)
    inputs = [_input(b) for _ in range(choices.weighted([(75, 1), (25, 2)]))]
    for _ in range(choices.between(2, most)):
        _grow(b)
    model = _model(b, inputs)
    if choices.chance(8):
        model = outlined(model, choices)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        if "Field 'shape' of 'type' is required" not in str(error):
            raise InvalidModelError(str(error)) from error  # runtimes take inputs of any rank
    return Case(model, tuple(_samples(b, model, inputs)))


def _input(b: Builder) -> str:
    rank = b.choices.weighted([(55, 4), (15, 3), (20, 2), (10, 5)])
    space = [b.choices.between(1, 6 if rank < 5 else 3) for _ in range(rank - 2)]
    shape = (b.choices.between(1, 3), b.choices.of([4, 2, 3, 1, 6]), *space)
    name = b.name("x")
    b.samples[name] = b.numbers.normal(size=shape)
    b.values.append(name)
    return name


def _grow(b: Builder) -> None:
    """One motif more, on the newest value or an older one; nothing where none of a few fits."""
    for _ in range(4):
        mark = b.mark()
        first = not b.nodes and b.choices.chance(60)  # a convolution or a product comes first
        x = b.values[-1] if b.choices.chance(75) else b.choices.of(b.values)
        motif = b.choices.weighted(linear.MOTIFS if first else MOTIFS)
        if len(b.shape(x)) < 2 and motif not in _ANY_RANK:
            continue
        try:
            b.values.append(motif(b, x))
            return
        except NotApplicableError:
            b.rewind(mark)


def _model(b: Builder, inputs: list[str]) -> onnx.ModelProto:
    read = {name for node in b.nodes for name in node.input}
    read |= {n for node in b.nodes for a in node.attribute for n in _read_inside(a.g)}
    outputs = [v for v in b.values if v not in read and v not in inputs]
    inner = [v for v in b.values if v in read and v not in inputs]
    if inner and b.choices.chance(15):
        outputs.append(b.choices.of(inner))
    outputs = outputs or b.values[-1:]
    if outputs[0] in inputs:
        raise InvalidModelError("nothing was made of the input")
    style = b.choices.weighted(
        [(40, "static"), (20, "batch"), (15, "symbols"), (10, "unknown"), (5, "no shape")]
    )
    infos = [_declared(b, name, style) for name in inputs]
    if any(node.op_type == "If" for node in b.nodes):
        infos.append(helper.make_tensor_value_info("condition", TensorProto.BOOL, []))
    ir_version = 10 if b.opset >= 21 else 8
    overridable = set(b.overridable)
    if b.choices.chance(7) and b.opset < 21:
        ir_version, overridable = 3, {t.name for t in b.initializers}
    infos += [
        helper.make_tensor_value_info(t.name, t.data_type, list(t.dims))
        for t in b.initializers
        if t.name in overridable
    ]
    results = [_result(b, name, style) for name in dict.fromkeys(outputs)]
    graph = helper.make_graph(b.nodes, "random", infos, results, b.initializers)
    opsets = [helper.make_opsetid("", b.opset)]
    model = helper.make_model(graph, ir_version=ir_version, opset_imports=opsets)
    if b.choices.chance(35):
        model = onnx.shape_inference.infer_shapes(model)
    return model


def _read_inside(graph: onnx.GraphProto) -> set[str]:
    return {name for node in graph.node for name in node.input}


def _declared(b: Builder, name: str, style: str) -> onnx.ValueInfoProto:
    shape: list[int | str | None] = list(b.shape(name))
    if style == "batch":
        shape[0] = "N"
    elif style == "symbols":
        shape = [f"{name}_{i}" if i != 1 else d for i, d in enumerate(shape)]
    elif style == "unknown":
        shape = [None if b.choices.chance(60) else d for d in shape]
    return helper.make_tensor_value_info(name, b.dtype, None if style == "no shape" else shape)


def _result(b: Builder, name: str, style: str) -> onnx.ValueInfoProto:
    shape: list[int | None] | None = list(b.shape(name))
    if style != "static":
        shape = None if style == "no shape" else [None] * len(b.shape(name))
    return helper.make_tensor_value_info(name, b.dtype, shape)


def _samples(b: Builder, model: onnx.ModelProto, inputs: list[str]) -> list[dict[str, Array]]:
    """The made-for sizes twice, and other sizes where the model allows and takes them."""
    found = [
        _feeds(b, model, {name: b.shape(name) for name in inputs}, condition=condition)
        for condition in (True, False)
    ]
    if "condition" not in {info.name for info in model.graph.input}:
        found = found[:1]
    other = {}
    for info in model.graph.input:
        if info.name in inputs:
            dims = info.type.tensor_type.shape.dim
            shape = b.shape(info.name)
            other[info.name] = tuple(
                size if (i < len(dims) and dims[i].HasField("dim_value")) or i == 1 else size + 1
                for i, size in enumerate(shape)
            )
    feeds = _feeds(b, model, other, condition=True)
    try:
        run_float64(model, feeds)
    except ModelError:
        return found  # a Reshape to fixed sizes, most often
    return [*found, feeds]


def _feeds(
    b: Builder, model: onnx.ModelProto, shapes: dict[str, tuple[int, ...]], *, condition: bool
) -> dict[str, Array]:
    feeds: dict[str, Array] = {}
    for info in model.graph.input:
        if info.name == "condition":
            feeds[info.name] = np.array(condition)
        elif info.name in shapes:
            feeds[info.name] = b.numbers.normal(size=shapes[info.name]).astype(np.float16)
    return feeds
