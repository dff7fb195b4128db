"""Random networks of what is rare: any rank, extents 0 and 1, odd sizes, steps, lies, integers.

A seed gives one network. Whether it is valid at all the runtimes say: they are its judges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from bnfold.float64 import EvaluationError, UnsupportedOperatorError
from tests.fold.property.builder import Array, Builder, NotApplicableError
from tests.fold.property.choices import Choices, Seeded
from tests.fold.property.generator import MOTIFS as KNOWN
from tests.fold.property.motifs import affine, layout, linear, scopes
from tests.fold.property.outline import outlined
from tests.fold.property.wider import lies, motifs, quantised

_MOTIFS = [*((w, m) for w, m in KNOWN if m is not scopes.loop)]
_WIDER = [*motifs.MOTIFS, *quantised.MOTIFS]
_OPSETS = (*range(7, 29),)
Motifs = Sequence[tuple[int, Callable[[Builder, str], str]]]
_ODD = (9, 10, 11, 13, 15, 16, 17, 19, 23, 27, 31, 33, 37, 45, 53, 64)
_PRICES = ((), (), ("all",), ("clone",), ("constant-map",), ("rectifier",))


@dataclass(frozen=True)
class Network:
    """A model, how it is folded, and what it is fed.

    Attributes:
        shapes: of the inputs: those that it was made with first, others where the model allows.
        ranges: a factor for the inputs' channels, by name.
        fixed: constants that lead to a step.
        allow: prices for the fold.
    """

    model: onnx.ModelProto
    shapes: tuple[Mapping[str, tuple[int, ...]], ...]
    ranges: Mapping[str, Array]
    fixed: frozenset[str]
    allow: tuple[str, ...]

    def feeds(self, which: int, seed: int) -> dict[str, Array]:
        """Numbers for every input at one of the sizes."""
        random = np.random.default_rng([seed, which])
        kinds = {i.name: i.type.tensor_type.elem_type for i in self.model.graph.input}
        given: dict[str, Array] = {}
        for name, shape in self.shapes[which].items():
            values = np.asarray(random.normal(size=shape)) * self.ranges.get(name, 1.0)
            given[name] = np.asarray(values, helper.tensor_dtype_to_np_dtype(kinds[name]))
        if scopes.CONDITION in kinds:
            given[scopes.CONDITION] = np.array(bool(seed % 2))
        return given


def random_network(seed: int, most: int = 7, further: Motifs = ()) -> Network:
    """The network of this number; half of it of further motifs, where there are some."""
    choices = Choices(Seeded(seed))
    numbers = np.random.default_rng(seed)
    dtype = choices.weighted(
        [
            (70, TensorProto.FLOAT),
            (17, TensorProto.FLOAT16),
            (10, TensorProto.DOUBLE),
            (3, TensorProto.BFLOAT16),
        ]
    )
    opset = choices.of(_OPSETS)
    if dtype == TensorProto.BFLOAT16:
        opset = max(opset, 22)
    b = Builder(choices, numbers, opset, dtype, most=1 << 15)
    b.steps = choices.chance(30)
    if choices.chance(4):
        b.least = 0
    inputs = [_input(b) for _ in range(choices.weighted([(80, 1), (20, 2)]))]
    ranges = {name: _ranges(b, name) for name in inputs} if choices.chance(20) else {}
    for _ in range(choices.between(2, most)):
        _grow(b, further)
    if not b.nodes:
        b.values.append(b.node("Neg", inputs[:1]))
    model, shapes = _model(b, inputs)
    if choices.chance(8):
        model = outlined(model, choices)
    if choices.chance(25):
        model = lies.told(model, choices)
    return Network(model, shapes, ranges, frozenset(b.fixed), choices.of(_PRICES))


def _input(b: Builder) -> str:
    rank = b.choices.weighted([(50, 4), (15, 3), (16, 2), (5, 5), (9, 1), (5, 0)])
    odd = rank in (3, 4) and b.choices.chance(45)
    space = [
        b.choices.of(_ODD) if odd else b.choices.between(1, 6 if rank < 5 else 3)
        for _ in range(rank - 2)
    ]
    lead = [b.choices.between(1, 2 if odd else 3), b.choices.of([4, 2, 3, 1, 6])]
    shape = [*lead[2 - min(rank, 2) :], *space]
    if b.least == 0 and shape:
        shape[b.choices.between(0, rank - 1)] = 0
    name = b.name("x")
    b.samples[name] = b.numbers.normal(size=shape)
    b.values.append(name)
    return name


def _ranges(b: Builder, name: str) -> Array:
    """1e-4 to 1e4, one for each channel or one for all."""
    shape = b.shape(name)
    count = shape[1] if len(shape) > 1 and b.choices.chance(70) else 1
    laid: tuple[int, ...] = (-1, *[1] * (len(shape) - 2)) if count > 1 else ()
    return (10.0 ** b.numbers.uniform(-4, 4, max(1, count))).reshape(laid)


def _grow(b: Builder, further: Motifs) -> None:
    for _ in range(5):
        mark = b.mark()
        x = b.values[-1] if b.choices.chance(70) else b.choices.of(b.values)
        first = not b.nodes and b.choices.chance(50)
        if first:
            pool = linear.MOTIFS
        else:
            pool = b.choices.weighted([(45, _MOTIFS), (30, _WIDER), (25, affine.MOTIFS)])
            pool = further if further and b.choices.chance(50) else pool
        motif = b.choices.weighted(pool)
        if b.least == 0 and motif is layout.slicing:
            continue  # backwards over nothing: onnx's shape inference ends the process
        if len(b.shape(x)) < 2 and motif not in motifs.ANY_RANK:
            motif = b.choices.weighted(motifs.MOTIFS[:3])
        try:
            b.values.append(motif(b, x))
            return
        except (NotApplicableError, IndexError, ValueError, ZeroDivisionError):
            b.rewind(mark)  # motifs expect an extent here, an axis there
        except (UnsupportedOperatorError, EvaluationError):
            b.rewind(mark)


def _model(
    b: Builder, inputs: list[str]
) -> tuple[onnx.ModelProto, tuple[dict[str, tuple[int, ...]], ...]]:
    read = {n for node in b.nodes for n in node.input}
    read |= {
        n for node in b.nodes for a in node.attribute for inner in a.g.node for n in inner.input
    }
    outputs = [v for v in b.values if v not in read and v not in inputs]
    inner = [v for v in b.values if v in read and v not in inputs]
    if inner and b.choices.chance(25):
        outputs.append(b.choices.of(inner))
    outputs = list(dict.fromkeys(outputs or b.values[-1:]))
    if b.choices.chance(3):
        outputs.append(inputs[0])
    style = b.choices.weighted([(40, "static"), (25, "batch"), (20, "symbols"), (15, "unknown")])
    declared = {name: _dims(b, name, style) for name in inputs}
    infos = [helper.make_tensor_value_info(n, b.dtype, dims) for n, dims in declared.items()]
    if any(node.op_type == "If" for node in b.nodes):
        infos.append(helper.make_tensor_value_info(scopes.CONDITION, TensorProto.BOOL, []))
    overridable = set(b.overridable)
    ir_version = 3 if b.opset < 21 and b.choices.chance(6) else 10 if b.opset < 24 else 11
    if ir_version == 3:
        overridable = {t.name for t in b.initializers}
    infos += [
        helper.make_tensor_value_info(t.name, t.data_type, list(t.dims))
        for t in b.initializers
        if t.name in overridable
    ]
    results = [
        helper.make_tensor_value_info(
            n, b.dtype, list(b.shape(n)) if style == "static" else [None] * len(b.shape(n))
        )
        for n in outputs
    ]
    graph = helper.make_graph(b.nodes, "random", infos, results, b.initializers)
    opsets = [helper.make_opsetid("", b.opset)]
    model = helper.make_model(graph, ir_version=ir_version, opset_imports=opsets)
    first = {name: b.shape(name) for name in inputs}
    return model, (first, *_other_sizes(b, first, declared))


def _dims(b: Builder, name: str, style: str) -> list[int | str | None]:
    shape = b.shape(name)
    if style == "batch":
        return ["N" if i == 0 else d for i, d in enumerate(shape)]
    if style == "symbols":
        return [f"{name}_{i}" if i != 1 else d for i, d in enumerate(shape)]
    if style == "unknown":
        return [None if b.choices.chance(60) and i != 1 else d for i, d in enumerate(shape)]
    return list(shape)


def _other_sizes(
    b: Builder,
    first: Mapping[str, tuple[int, ...]],
    declared: Mapping[str, list[int | str | None]],
) -> list[dict[str, tuple[int, ...]]]:
    more = b.choices.between(1, 5)
    other = {
        name: tuple(
            d if isinstance(told, int) else max(1, d + more)
            for d, told in zip(shape, declared[name], strict=True)
        )
        for name, shape in first.items()
    }
    return [] if other == first else [other]
