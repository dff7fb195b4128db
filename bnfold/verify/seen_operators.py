"""What a graph holds that changes how it can be verified."""

from __future__ import annotations

from collections.abc import Iterator

import ml_dtypes
import onnx_ir as ir

from bnfold.float64.control import values_read
from bnfold.float64.fallback import RANDOM
from bnfold.runtime.domains import BLOCKED_DOMAIN

STEPPED = frozenset(
    {
        "ConvInteger",
        "DynamicQuantizeLinear",
        "MatMulInteger",
        "QLinearConv",
        "QLinearMatMul",
        "QuantizeLinear",
        "Round",
    }
)
"""Operators with steps: one rounding error before them can move their output by a whole step."""


def random_node(model: ir.Model) -> str | None:
    """The first node whose result is drawn anew in every run, as `Op 'name'`; None if none is."""
    for node in _nodes(model):
        if _is_standard(node) and (node.op_type in RANDOM or _is_training_dropout(node)):
            return f"{node.op_type} {node.name!r}"
    return None


def has_steps(model: ir.Model) -> bool:
    """Whether activations are quantised or rounded on the way."""
    return any(node.op_type in STEPPED for node in _nodes(model))


def stepped_outputs(model: ir.Model) -> frozenset[str]:
    """The outputs that depend on an operator with steps; all of them where a function has one."""
    outputs = [value for value in model.graph.outputs if value.name]
    if any(node.op_type in STEPPED for f in model.functions.values() for node in f.all_nodes()):
        return frozenset(value.name or "" for value in outputs)
    reached: set[ir.Value] = set()
    for node in model.graph:
        inner = (part for part in (*node.attributes.values(),) if _holds_steps(part))
        is_step = node.op_type in STEPPED or next(inner, None) is not None
        if is_step or not reached.isdisjoint(values_read(node)):
            reached.update(node.outputs)
    return frozenset(value.name or "" for value in outputs if value in reached)


def _holds_steps(attribute: ir.Attr) -> bool:
    if attribute.type == ir.AttributeType.GRAPH:
        return any(node.op_type in STEPPED for node in attribute.as_graph().all_nodes())
    return False


def is_narrow(model: ir.Model) -> bool:
    """Whether a weight or an input is in half precision."""
    values = (*model.graph.inputs, *model.graph.initializers.values())
    dtypes = {value.dtype for value in values}
    return any(d is not None and d.is_floating_point() and d.bitwidth <= 16 for d in dtypes)


def coarsest_ulp(model: ir.Model) -> float:
    """The largest gap behind 1 of the float types of inputs, weights and Casts; 0 without any."""
    values = (*model.graph.inputs, *model.graph.initializers.values())
    dtypes = {value.dtype for value in values if value.dtype is not None}
    for node in _nodes(model):
        if node.op_type == "Cast" and "to" in node.attributes:
            dtypes.add(ir.DataType(node.attributes["to"].as_int()))
    floats = [dtype.numpy() for dtype in dtypes if dtype.is_floating_point()]
    gaps = [float(ml_dtypes.finfo(each).eps) for each in floats]  # type: ignore[no-untyped-call]
    return max(gaps, default=0.0)


def is_for_one_cpu(model: ir.Model) -> bool:
    """Whether onnxruntime saved it for the registers of the CPU that it ran on."""
    return any(node.domain == BLOCKED_DOMAIN for node in _nodes(model))


def _nodes(model: ir.Model) -> Iterator[ir.Node]:
    yield from model.graph.all_nodes()
    for function in model.functions.values():
        yield from function.all_nodes()


def _is_standard(node: ir.Node) -> bool:
    return node.domain in ("", "ai.onnx")


def _is_training_dropout(node: ir.Node) -> bool:
    """Dropout-12: drops only where its third input says so, and its ratio is not zero."""
    if node.op_type != "Dropout" or len(node.inputs) < 3 or node.inputs[2] is None:
        return False
    mode, ratio = node.inputs[2].const_value, node.inputs[1]
    if mode is None:
        return not node.inputs[2].is_initializer()  # decided at run time: it may drop
    if ratio is not None and ratio.const_value is not None and not ratio.const_value.numpy().any():
        return False
    return bool(mode.numpy().any())
