"""Questions about one node: which operator it is, its attributes, what it is called in messages.

An operator is its domain, name and version: a local function may be called Relu. So nobody else
reads a node's `op_type`.
"""

from __future__ import annotations

from typing import Any

import onnx_ir as ir

DEFAULT_DOMAINS = frozenset(("", "ai.onnx"))
SHAPE_ONLY = ("Shape", "Size")
FUSED_CONV = "com.microsoft.FusedConv"
CONTRIBUTED = frozenset((FUSED_CONV,))


def op_of(node: ir.Node | None) -> str:
    """The standard operator that the node is; empty for one of another domain."""
    return node.op_type if node is not None and node.domain in DEFAULT_DOMAINS else ""


def contributed_op(node: ir.Node) -> str:
    """The operator of onnxruntime's own that we know, with its domain; empty for any other.

    Whoever asks has to see to it that the model has no function of that name.
    """
    name = f"{node.domain}.{node.op_type}"
    return name if name in CONTRIBUTED else ""


def is_op(node: ir.Node | None, *op_types: str) -> bool:
    """Whether the node is one of these standard operators."""
    return op_of(node) in op_types


def attribute_of(node: ir.Node, name: str, default: Any) -> Any:
    """The attribute's value, text decoded; the default where it is not there."""
    attribute = node.attributes.get(name)
    if attribute is None:
        return default
    value = attribute.value
    return value.decode() if isinstance(value, bytes) else value


def input_of(node: ir.Node, index: int) -> ir.Value | None:
    """The input, or None where it is left out, by an empty name or by a short list."""
    return node.inputs[index] if index < len(node.inputs) else None


def describe(node: ir.Node) -> str:
    """The node as messages name it: by its name, or else by the tensor that it makes."""
    name = node.name
    if name:
        return f"{node.op_type} '{name}'"
    outputs = [value.name for value in node.outputs if value.name]
    return f"{node.op_type} -> '{outputs[0]}'" if outputs else node.op_type


def reads_no_number(node: ir.Node, index: int) -> bool:
    """Whether the node looks at nothing of its input but the shape, or the element type."""
    return is_op(node, *SHAPE_ONLY) or (index == 1 and is_op(node, "CastLike"))
