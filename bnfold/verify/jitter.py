"""A graph whose activations are moved by a rounding, where its own runs are the only yardstick.

Without a float64 reference the other model is compared with the range that the original covers.
Weights that are rounded once more cover the rounding of weights, and of nothing else: a sum in
another order, or x / s for x * (1 / s), rounds activations otherwise. So in a jittered graph every
operator that rounds gets

    x * (1 + r * a * ulp)      r uniform in (-1, 1), drawn for each element in each run

in place of a float x; infinities stay, as those of a mask, where x + x * r would be NaN. a is 1,
and sqrt(n) / 3 before a sum of n terms that a runtime adds one by one in the same precision: each
of the n partial sums is rounded, the k-th is about sqrt(k) terms large, which makes n / sqrt(6)
roundings of a term, and 2 * a * sqrt(n) of them is what is drawn.

A Cast to a type with fewer digits rounds to those: what it reads is moved by an ulp of that type.

Float16 is left alone: a runtime on a CPU adds in float32, and weights that are rounded to float16
once more move a result further than all of that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import ml_dtypes
import numpy as np
import onnx_ir as ir

from bnfold.fold.opinion.original_model import UNITS
from bnfold.verify.drawn import Draws
from bnfold.verify.grids import is_kept, on_grid
from bnfold.verify.half import ulp_of_half
from bnfold.verify.inference import Inferred, inferred_of

_ULP: Mapping[ir.DataType, float] = {
    ir.DataType.FLOAT: 2.0**-23,
    ir.DataType.DOUBLE: 2.0**-52,
}

_EXACT = frozenset(
    {"Abs", "ArgMax", "ArgMin", "Cast", "Ceil", "Clip", "Compress", "Concat", "ConstantOfShape"}
    | {"DepthToSpace", "Dropout", "Equal", "Expand", "EyeLike", "Flatten", "Floor", "Gather"}
    | {"GatherElements", "GatherND", "GlobalMaxPool", "Greater", "GreaterOrEqual", "Identity"}
    | {"If", "IsInf", "IsNaN", "Less", "LessOrEqual", "Loop", "Max", "MaxPool", "Min", "Neg"}
    | {"NonMaxSuppression", "NonZero", "OneHot", "Pad", "Range", "ReduceMax", "ReduceMin", "Relu"}
    | {"Reshape", "ReverseSequence", "Round", "Scan", "ScatterElements", "ScatterND", "Shape"}
    | {"Sign"}
    | {"Size", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "TopK", "Transpose"}
    | {"Hardmax", "Trilu", "Unique", "Unsqueeze", "Where", "Resize", "Upsample"}
)
"""Operators that hand numbers on, or choose between them, and do not round."""

_WHOLE = frozenset({"Ceil", "Floor", "Round", "Sign"})
_HANDING_ON = frozenset(
    {"Cast", "Flatten", "Identity", "Relu", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}
)

_MAGNIFYING = frozenset({"Cos", "Cosh", "Exp", "Mod", "Sin", "Sinh", "Tan"})
"""Where a number is large, a rounding of it is a larger one of what they make of it."""

_SUMS = (
    *("Attention", "Conv", "ConvTranspose", "CumSum", "DFT", "Einsum", "GRU", "Gemm", "LSTM"),
    *("LogSoftmax", "MatMul", "Mean", "Normalization", "Pool", "RNN", "Softmax", "Sum"),
    "SumSquare",
)
"""How the names of operators that add up end."""

SOME_TERMS = 64
"""Of a sum of which a graph does not tell."""

Known = Mapping[str, Inferred]
_NOTHING = Inferred(None, ())


def jitter(model: ir.Model, seed: int, strength: int = 1, half: ir.DataType | None = None) -> None:
    """Every float that an operator of the main graph rounds with is moved, see above.

    `strength` is a factor for all of it. In half precision a is 1: sums are in float32.
    """
    inferred = inferred_of(model)
    graph, draws = model.graph, Draws(model, seed)
    grid = on_grid(model, {name: each.dtype for name, each in inferred.items() if each.dtype})
    count = 0
    for node in list(graph):
        if is_kept(node) and not grid.isdisjoint(node.outputs):
            continue
        narrow = None if half is not None else _narrowed(node, inferred)
        if node.op_type in _EXACT and narrow is None:
            continue
        spread = strength * _spread(node, inferred)
        for index, value in enumerate(node.inputs):
            if value is None or value.const_value is not None or value.is_initializer():
                continue
            if narrow is not None and index > 0:
                continue  # what a CastLike takes the type of
            if node.op_type in _MAGNIFYING and value.is_graph_input():
                continue  # what is fed is exact
            if _is_whole(value, inferred):
                continue  # nothing was rounded
            dtype = inferred.get(value.name or "", _NOTHING).dtype
            if dtype is None or dtype not in _ULP:
                continue
            count += 1
            rounding = _ULP[dtype] * spread if half is None else strength * ulp_of_half(half)
            if narrow is not None:
                rounding = strength * UNITS[narrow]
            moved = _moved(value, dtype, rounding, draws.like(value, dtype, count), count)
            if narrow is not None:
                moved += _held(value, moved[-1].outputs[0], dtype, narrow, f"jitter {count}")
            graph.insert_before(node, moved)
            node.replace_input_with(index, moved[-1].outputs[0])


def _narrowed(node: ir.Node, inferred: Known) -> ir.DataType | None:
    """The type to which a Cast rounds; None for what is no such Cast."""
    if node.op_type not in ("Cast", "CastLike") or node.inputs[0] is None:
        return None
    dtypes = [inferred.get(v.name or "", _NOTHING).dtype for v in (node.inputs[0], node.outputs[0])]
    wide, narrow = (None if dtype is None else UNITS.get(dtype) for dtype in dtypes)
    return dtypes[1] if wide is not None and narrow is not None and narrow > wide else None


def _held(
    value: ir.Value, moved: ir.Value, dtype: ir.DataType, narrow: ir.DataType, name: str
) -> list[ir.Node]:
    """Nodes for what was moved, within the range of the narrow type where the value is.

    The least number of float16, as a mask has it, would become an infinity.
    """
    most = float(ml_dtypes.finfo(narrow.numpy()).max)  # type: ignore[no-untyped-call]
    ends = [ir.node("Constant", [], {"value": _scalar(sign * most, dtype)}) for sign in (1, -1)]
    top = ir.node("Max", [value, ends[0].outputs[0]])
    bottom = ir.node("Min", [value, ends[1].outputs[0]])
    below = ir.node("Min", [moved, top.outputs[0]])
    nodes = [*ends, top, bottom, below, ir.node("Max", [below.outputs[0], bottom.outputs[0]])]
    for i, node in enumerate(nodes):
        node.outputs[0].name = f"{name} held {i}"
    return nodes


def _scalar(number: float, dtype: ir.DataType) -> ir.TensorProtocol:
    return ir.tensor(np.asarray(number, dtype.numpy()))


def _is_whole(value: ir.Value, inferred: Known) -> bool:
    """Whether it holds whole numbers, which Round and the like make, or a Cast of integers."""
    node = value.producer()
    while node is not None and node.op_type not in _WHOLE:
        source = node.inputs[0] if node.inputs else None
        if source is None or node.op_type not in _HANDING_ON:
            return False
        dtype = inferred.get(source.name or "", _NOTHING).dtype
        if dtype is not None and not dtype.is_floating_point():
            return True
        node = source.producer()
    return node is not None


def _moved(
    value: ir.Value, dtype: ir.DataType, size: float, drawn: Sequence[ir.Node], place: int
) -> list[ir.Node]:
    """Nodes for value * (1 + r * size), where `drawn` makes r; `place` tells their names apart."""
    constant, one = (
        ir.node("Constant", [], {"value": _scalar(number, dtype)}) for number in (size, 1.0)
    )
    part = ir.node("Mul", [drawn[-1].outputs[0], constant.outputs[0]])
    factor = ir.node("Add", [one.outputs[0], part.outputs[0]])
    moved = ir.node("Mul", [value, factor.outputs[0]])
    nodes = [constant, one, *drawn, part, factor, moved]
    for i, node in enumerate(nodes):
        node.outputs[0].name = f"jitter {place} {i}"
    return nodes


def _spread(node: ir.Node, inferred: Known) -> float:
    shapes = [inferred.get(v.name or "", _NOTHING).extents for v in node.inputs if v is not None]
    return spread_of(_terms(node.op_type, shapes, node.domain))


def spread_of(terms: int) -> float:
    """By how many ulp each of so many terms of a sum is moved, see above; by 1 where none are."""
    return max(1.0, math.sqrt(terms) / 3.0)


def _terms(op_type: str, shapes: Sequence[Sequence[int]], domain: str) -> int:
    """How many numbers are added up for one of the results, about; 1 for no sum.

    `shapes` are those of the operands, empty where unknown; an open extent counts as 1.
    """
    first, second = (*shapes, (), ())[:2]
    if op_type in ("Conv", "ConvTranspose") and second:
        return math.prod(second[1:])
    if op_type in ("MatMul", "Gemm") and first:
        return first[-1]
    if (op_type.startswith("Reduce") or op_type in ("Einsum", "CumSum")) and first:
        return math.prod(first[1:])
    is_sum = domain or op_type.endswith(_SUMS)
    return SOME_TERMS if is_sum else 1
