"""What a graph holds that changes how it can be verified."""

from __future__ import annotations

from collections.abc import Iterator

import ml_dtypes
import onnx_ir as ir

from bnfold.float64.control import values_read
from bnfold.float64.fallback import RANDOM
from bnfold.fold.facts.operator_facts import COMPARES, QUANTISES, ROUNDS
from bnfold.runtime.domains import BLOCKED_DOMAIN, DEFAULT_DOMAINS

_OF_SHAPES = frozenset({"Shape", "Size"})
"""What is computed of these is exact, however it is rounded: the size that a Resize makes."""


_OF_INTEGERS = (
    COMPARES | QUANTISES - {"Round"} | {"And", "ArgMax", "ArgMin", "NonZero", "Not", "Or"}
)
"""What makes integers or booleans of any numbers."""


def random_node(model: ir.Model) -> str | None:
    """The first node whose result is drawn anew in every run, as `Op 'name'`; None if none is."""
    for node in _nodes(model):
        if _is_standard(node) and (node.op_type in RANDOM or _is_training_dropout(node)):
            return f"{node.op_type} {node.name!r}"
    return None


def stepped_outputs(model: ir.Model) -> frozenset[str]:
    """The outputs that depend on an operator with steps; all of them where a function has one."""
    outputs = [value for value in model.graph.outputs if value.name]
    if any(map(_is_step, (node for f in model.functions.values() for node in f.all_nodes()))):
        return frozenset(value.name or "" for value in outputs)
    numbers: set[ir.Value] = {v for v in model.graph.inputs if not v.is_initializer()}
    reached: set[ir.Value] = set()
    for node in model.graph:
        reads = values_read(node)
        if node.op_type not in _OF_SHAPES and not numbers.isdisjoint(reads):
            numbers.update(node.outputs)
        is_step = node.op_type in QUANTISES or any(map(_holds_steps, node.attributes.values()))
        is_step = is_step or (node.outputs[0] in numbers and _is_step(node))
        if is_step or not reached.isdisjoint(reads):
            reached.update(node.outputs)
    return frozenset(value.name or "" for value in outputs if value in reached)


def _is_step(node: ir.Node) -> bool:
    """Whether it rounds numbers, or cuts them off, as a Cast to integers does."""
    if node.op_type != "Cast" or "to" not in node.attributes:
        return node.op_type in ROUNDS
    return ir.DataType(node.attributes["to"].as_int()).is_integer() and _is_real(node.inputs[0])


def _is_real(value: ir.Value | None) -> bool:
    """Whether it is of a float type, as far as the nodes before it tell; unsure means yes."""
    while value is not None and value.dtype is None:
        node = value.producer()
        if node is None or node.op_type in _OF_INTEGERS:
            return node is None
        if node.op_type == "Cast":
            return ir.DataType(node.attributes["to"].as_int()).is_floating_point()
        value = next((v for v in node.inputs[node.op_type == "Where" :] if v is not None), None)
    return value is None or value.dtype is None or value.dtype.is_floating_point()


def _holds_steps(attribute: ir.Attr) -> bool:
    if attribute.type == ir.AttributeType.GRAPH:
        return any(map(_is_step, attribute.as_graph().all_nodes()))
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
    return node.domain in DEFAULT_DOMAINS


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
