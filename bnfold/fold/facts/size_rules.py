"""Sizes of a run where shape inference is not sure to find them.

onnx's inference and onnxruntime differ, and versions of onnxruntime among themselves, in:

- pools with ceil_mode: whether a last window that begins behind x counts;
- SAME padding with dilations, or of a ConvTranspose with output_padding; output_shape;
- Resize and Upsample by a scale: extent * scale in float32 or in float64;
- Slice of opset 10: of an open extent inference says that it stays, whatever is cut off;
- Einsum where operands differ in an axis of one letter: a run repeats an extent of 1;
- Slice backwards to the largest integer: inference says that nothing is left, and a run goes on to
  the front.

Here an extent is a number only where all of them come to the same; it is None otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from bnfold.float64.indexing import cut
from bnfold.fold.facts.einsum_terms import einsum_terms
from bnfold.fold.facts.node import (
    FUSED_CONV,
    FUSED_GEMM,
    FUSED_MATMUL,
    attribute_of,
    contributed_op,
    input_of,
    op_of,
)
from bnfold.fold.facts.operator_facts import INFERRED
from bnfold.fold.numbers.affine import Dims

Extent = int | str | None
Constants = Callable[[ir.Value | None], npt.NDArray[Any] | None]

_POOLS = ("AveragePool", "LpPool", "MaxPool")
_CONVOLUTIONS = ("Conv", "ConvInteger", "QLinearConv")
_SLICE_10 = 10
_LEAST_AXES = {
    **dict.fromkeys((*_POOLS, "Conv", "ConvTranspose", "MaxUnpool", "DeformConv"), 3),
    "GridSample": 3,
    **dict.fromkeys(("Compress", "Resize", "Upsample", "Slice"), 1),
}
_BEYOND = 1 << 63  # no run has such a size, though numbers in a file may come to one


def is_inferred(node: ir.Node, opset: int, constant: Constants) -> bool:
    """Whether what onnx's inference says of the node's outputs is what a run makes."""
    if op_of(node) == "Slice" and (opset == _SLICE_10 or _goes_back(node, constant)):
        return False
    return op_of(node) in INFERRED and not _differs(node)


def _goes_back(node: ir.Node, constant: Constants) -> bool:
    """Whether a Slice has, or may have, steps below 0."""
    stored = input_of(node, 4)
    steps = constant(stored)
    return stored is not None and (steps is None or bool(np.any(steps < 0)))


def _differs(node: ir.Node) -> bool:
    """Whether inference may be wrong, for these attributes; those of a function are not known."""
    op = op_of(node)
    if op not in (*_POOLS, *_CONVOLUTIONS, "ConvTranspose", "Resize", "Upsample"):
        return False
    if any(attribute.is_ref() for attribute in node.attributes.values()):
        return True
    same = attribute_of(node, "auto_pad", "NOTSET") in ("SAME_UPPER", "SAME_LOWER")
    dilated = any(d != 1 for d in attribute_of(node, "dilations", ()))
    if op in _POOLS:
        return attribute_of(node, "ceil_mode", 0) == 1 or (same and dilated)
    if op in _CONVOLUTIONS:
        return same and dilated
    if op == "ConvTranspose":
        padded = any(attribute_of(node, "output_padding", ()))
        return "output_shape" in node.attributes or (same and (padded or dilated))
    return op in ("Resize", "Upsample")


def run_dims(
    node: ir.Node, dims: Mapping[ir.Value, Dims], constant: Constants, opset: int
) -> Dims | None:
    """The dimensions of the first output of such a node; None for an unknown rank."""
    here = dims_of(input_of(node, 0), dims)
    if here is None:
        return None
    found = _run_dims(node, here, dims, constant, opset)
    if found is None:
        return None
    return tuple(None if isinstance(d, int) and not 0 <= d < _BEYOND else d for d in found)


def _run_dims(
    node: ir.Node, here: Dims, dims: Mapping[ir.Value, Dims], constant: Constants, opset: int
) -> Dims | None:
    op = "Conv" if contributed_op(node) == FUSED_CONV else op_of(node)
    if len(here) < _LEAST_AXES.get(op, 0):
        return None  # a run ends here
    if op == "Einsum":
        return _contracted(node, [dims_of(value, dims) for value in node.inputs])
    if op in ("Resize", "Upsample"):
        return _resized(node, here, constant, opset)
    if op == "Slice":
        return _sliced(node, here, constant)
    if contributed_op(node) in (FUSED_GEMM, FUSED_MATMUL):
        return _product(node, here, dims_of(input_of(node, 1), dims))
    if op == "Compress":
        axis = attribute_of(node, "axis", None)
        return (None,) if axis is None else _without(here, axis % len(here))
    if op == "MaxUnpool":
        return (*here[:2], *(None for _ in here[2:]))
    if op == "DeformConv":
        weight, offset = (dims_of(input_of(node, i), dims) for i in (1, 2))
        return None if not weight or offset is None else (here[0], weight[0], *offset[2:])
    if op == "GridSample":
        grid = dims_of(input_of(node, 1), dims)
        return None if grid is None else (*here[:2], *grid[1:-1])
    if op not in (*_POOLS, "Conv", "ConvTranspose"):
        return None
    if op in _POOLS:
        return (*here[:2], *_pooled(node, here[2:]))
    weight = dims_of(input_of(node, 1), dims)
    if weight is None or len(weight) < 2:
        return None
    channels: Extent = weight[0]
    if op == "ConvTranspose":
        group = attribute_of(node, "group", 1)
        channels = weight[1] * group if isinstance(weight[1], int) else None
    return (here[0], channels, *(None for _ in here[2:]))


def dims_of(value: ir.Value | None, dims: Mapping[ir.Value, Dims]) -> Dims | None:
    """Of what is computed, or stored and not to be overridden."""
    if value is None or value in dims:
        return None if value is None else dims[value]
    tensor = None if value.is_graph_input() else value.const_value
    return None if tensor is None else tuple(int(n) for n in tensor.shape.numpy())


def _without(here: Dims, axis: int) -> Dims:
    """What is left known where it is not told how many entries of one axis remain."""
    return (*here[:axis], None, *here[axis + 1 :])


def _product(node: ir.Node, here: Dims, there: Dims | None) -> Dims | None:
    """Of matrices; the axes before them only where one operand has them."""
    batched = attribute_of(node, "transBatchA", 0) or attribute_of(node, "transBatchB", 0)
    if there is None or batched or min(len(here), len(there)) < 2:
        return None
    rows = here[-1 if attribute_of(node, "transA", 0) else -2]
    columns = there[-2 if attribute_of(node, "transB", 0) else -1]
    lead = max(here[:-2], there[:-2], key=len)
    is_one = min(len(here), len(there)) == 2
    return (*(lead if is_one else [None] * len(lead)), rows, columns)


def _contracted(node: ir.Node, operands: Sequence[Dims | None]) -> Dims | None:
    """Of an Einsum: of each letter the one extent that its operands have beside 1."""
    shapes = [shape for shape in operands if shape is not None]
    found = einsum_terms(node, [len(shape) for shape in shapes])
    if found is None or len(shapes) < len(operands):
        return None
    extents: dict[str, set[Extent]] = {letter: set() for letter in found[1]}
    for term, shape in zip(found[0], shapes, strict=True):
        for letter, extent in zip(term, shape, strict=True):
            extents.setdefault(letter, set()).add(extent)
    return tuple(_repeated(extents[letter]) for letter in found[1])


def _repeated(extents: Set[Extent]) -> Extent:
    """Of operands along one axis, of which a run repeats those of extent 1."""
    rest = extents - {1}
    numbers = {extent for extent in rest if isinstance(extent, int) and extent > 0}
    if len(numbers) == 1:
        return next(iter(numbers))  # whatever is open has this extent, or 1
    if not rest:
        return 1 if extents else None
    return next(iter(rest)) if len(rest) == 1 else None


def _pooled(node: ir.Node, size: Dims) -> Sequence[Extent]:
    rank = len(size)
    kernel = attribute_of(node, "kernel_shape", None) or []
    strides = attribute_of(node, "strides", None) or [1] * rank
    dilations = attribute_of(node, "dilations", None) or [1] * rank
    auto_pad = attribute_of(node, "auto_pad", "NOTSET")
    pads = attribute_of(node, "pads", None) if auto_pad == "NOTSET" else None
    pads = pads or [0] * (2 * rank)
    lists = (kernel, strides, dilations)
    if any(len(one) != rank or min(one) < 1 for one in lists) or len(pads) != 2 * rank:
        return [None] * rank  # a run ends here
    extents: list[Extent] = []
    for i, (extent, k, stride, dilation) in enumerate(
        zip(size, kernel, strides, dilations, strict=True)
    ):
        if not isinstance(extent, int):
            extents.append(None)
        elif auto_pad in ("SAME_UPPER", "SAME_LOWER"):
            extents.append(-(-extent // stride) if dilation == 1 else None)
        else:
            reach = (k - 1) * dilation + 1
            extents.append(_windows(extent, reach, stride, pads[i], pads[i + rank]))
    return extents


def _windows(extent: int, reach: int, stride: int, begin: int, end: int) -> int | None:
    """How many windows a pool with ceil_mode has; None where a last one may or may not count."""
    room = extent + begin + end - reach
    count = -(-room // stride) + 1
    begins_behind = (count - 1) * stride >= extent + begin
    return None if begins_behind or room < 0 else count


def _sliced(node: ir.Node, here: Dims, constant: Constants) -> Dims:
    """What is left of each axis, where bounds and steps are known and so is the extent."""
    starts, ends, *rest = (constant(input_of(node, i)) for i in range(1, 5))
    is_told = all(
        found is not None or input_of(node, i) is None for i, found in enumerate(rest, start=3)
    )
    if starts is None or ends is None or not is_told:
        return (None,) * len(here)
    axes = np.arange(starts.size) if rest[0] is None else rest[0]
    steps = np.ones_like(starts) if rest[1] is None else rest[1]
    if len({starts.size, ends.size, axes.size, steps.size}) > 1:
        return (None,) * len(here)  # a run ends here
    found = list(here)
    for axis, *bounds in zip(axes.flat, starts.flat, ends.flat, steps.flat, strict=True):
        found[axis] = _left(found[axis], *map(int, bounds))
    return tuple(found)


def _left(extent: Extent, start: int, end: int, step: int) -> int | None:
    """How many entries a Slice takes."""
    if not isinstance(extent, int) or step == 0:
        return None
    return len(range(extent)[cut(extent, start, end, step)])


def _resized(node: ir.Node, here: Dims, constant: Constants, opset: int) -> Dims:
    rank = len(here)
    axes = [a % rank for a in attribute_of(node, "axes", range(rank))]
    unknown: list[Extent] = [None] * rank
    for axis in set(range(rank)) - set(axes):
        unknown[axis] = here[axis]
    if attribute_of(node, "coordinate_transformation_mode", "") == "tf_crop_and_resize":
        return tuple(unknown)
    if op_of(node) == "Resize" and input_of(node, 3) is not None:
        stretches = attribute_of(node, "keep_aspect_ratio_policy", "stretch") == "stretch"
        sizes = constant(input_of(node, 3)) if stretches else None
        if sizes is not None and sizes.size == len(axes):
            for axis, extent in zip(axes, sizes.reshape(-1), strict=True):
                unknown[axis] = int(extent)
        return tuple(unknown)
    scales = _scales(node, constant, opset)
    if scales is not None and scales.size == len(axes):
        for axis, scale in zip(axes, scales.reshape(-1), strict=True):
            unknown[axis] = _scaled(here[axis], float(scale))
    return tuple(unknown)


def _scales(node: ir.Node, constant: Constants, opset: int) -> npt.NDArray[Any] | None:
    stored = attribute_of(node, "scales", None)
    if stored is not None:
        return np.asarray(stored)
    at = 2 if op_of(node) == "Resize" and opset >= 11 else 1
    return constant(input_of(node, at))


def _scaled(extent: Extent, scale: float) -> Extent:
    """`floor(extent * scale)`, where float32 and float64 agree."""
    if scale == 1:
        return extent
    if not isinstance(extent, int):
        return None
    single = int(np.floor(np.float32(extent) * np.float32(scale)))
    return single if single == int(np.floor(extent * scale)) else None
