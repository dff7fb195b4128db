"""How large a model is: what a fold changes of it, in numbers that others give too."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, is_op, op_of
from bnfold.fold.facts.operator_facts import LINEAR
from bnfold.record import Row

_ONE_EACH = ("BatchNormalization", "Mul", "Div")


@dataclass(frozen=True)
class Size(Row):
    """The size of a model, its bodies included.

    Attributes:
        nodes: how many there are; functions are counted as if they were inlined.
        operators: how many of each, by name, with the domain where it is not ONNX's own.
        parameters: entries of all initializers.
        parameter_bytes: what they take.
        multiplications: of one run with a batch of 1 where it is open: those of convolutions and
            matrix products, and one for each entry that is scaled; None where shapes are not known.
    """

    nodes: int
    operators: Mapping[str, int]
    parameters: int
    parameter_bytes: int
    multiplications: int | None


def size_of(facts: Facts) -> Size:
    """The size of the model as it is now."""
    model = facts.model
    graphs = list(model.graphs())
    nodes = [node for graph in graphs for node in graph]
    values = (value for graph in graphs for value in graph.initializers.values())
    tensors = [value.const_value for value in values if value.const_value is not None]
    each = [_multiplications(node, facts) for node in nodes]
    known = [count for count in each if count is not None]
    return Size(
        nodes=len(nodes),
        operators=dict(sorted(Counter(map(_name, nodes)).items())),
        parameters=sum(math.prod(tensor.shape.numpy()) for tensor in tensors),
        parameter_bytes=sum(tensor.nbytes for tensor in tensors),
        multiplications=sum(known) if len(known) == len(each) else None,
    )


def _name(node: ir.Node) -> str:
    domain, name, _ = node.op_identifier()
    return op_of(node) or f"{domain}.{name}"


def _multiplications(node: ir.Node, facts: Facts) -> int | None:
    """Those of one node: 0 where it has none that count, None where that is not known."""
    if not is_op(node, *_ONE_EACH, *LINEAR):
        return 0
    out = _entries(facts.dims(node.outputs[0]))
    if is_op(node, *_ONE_EACH) or out is None:
        return out
    if is_op(node, "ConvTranspose"):
        out = _entries(facts.dims(node.inputs[0]))
    dims = facts.dims(node.inputs[1])
    if dims is None or not all(isinstance(dim, int) for dim in dims) or out is None:
        return None
    weight = [dim for dim in dims if isinstance(dim, int)]
    if len(weight) < (2 if is_op(node, "Gemm") else 1):
        return None  # no runtime takes it
    if is_op(node, "Conv", "ConvTranspose"):
        return out * math.prod(weight[1:])
    if is_op(node, "Gemm"):
        return out * weight[1 if attribute_of(node, "transB", 0) else 0]
    return out * (weight[-2] if len(weight) > 1 else weight[0])


def _entries(dims: tuple[int | str | None, ...] | None) -> int | None:
    """How many there are; an open first dimension counts as 1."""
    if dims is None:
        return None
    sizes = [
        1 if place == 0 and not isinstance(dim, int) else dim for place, dim in enumerate(dims)
    ]
    known = [size for size in sizes if isinstance(size, int)]
    return math.prod(known) if len(known) == len(sizes) else None
