"""Questions about one node: which operator it is, its attributes, what it is called in messages.

An operator is its domain, name and version: a local function may be called Relu. So nobody else
asks a node for its `op_type`, but for the edit, which writes it, and the proof's calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import onnx
import onnx_ir as ir

from bnfold.runtime.domains import DEFAULT_DOMAINS

SHAPE_ONLY = ("Shape", "Size")
_MAY_READ_NONE = frozenset((*SHAPE_ONLY, "CastLike"))
FUSED_CONV = "com.microsoft.FusedConv"
FUSED_GEMM = "com.microsoft.FusedGemm"
FUSED_MATMUL = "com.microsoft.FusedMatMul"
_HAVE_BODIES = frozenset(("If", "Loop", "Scan"))
CONTRIBUTED = frozenset((FUSED_CONV, FUSED_GEMM, FUSED_MATMUL))


def op_of(node: ir.Node | onnx.NodeProto | None) -> str:
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
    # two properties and no call: this is asked a hundred times about each node of a fold
    return node is not None and node.op_type in op_types and node.domain in DEFAULT_DOMAINS


def is_product(node: ir.Node | None) -> bool:
    """Whether it is a product of matrices that has no bias of its own, so that an Add is it."""
    fused = node is not None and contributed_op(node) == FUSED_MATMUL
    return fused or is_op(node, "MatMul", "Einsum")


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


def branches_of(node: ir.Node) -> tuple[ir.Graph, ...]:
    """The bodies of an If, whose outputs it makes its own; of no other node."""
    if node.op_type != "If" or node.domain not in DEFAULT_DOMAINS:
        return ()
    return tuple(node.attributes[name].as_graph() for name in ("then_branch", "else_branch"))


@dataclass(frozen=True)
class Body:
    """A body of which a node makes outputs its own: an If's, a Scan's, a Loop's.

    Attributes:
        graph: the body.
        first: the first output of the body that is; what stands before it is carried on.
        made: the first output of the node that it becomes.
    """

    graph: ir.Graph
    first: int = 0
    made: int = 0


def returning(node: ir.Node) -> tuple[Body, ...]:
    """The bodies whose outputs the node makes its own; of the Scan of opset 8 none."""
    if node.op_type not in _HAVE_BODIES or node.domain not in DEFAULT_DOMAINS:
        return ()
    if node.op_type == "If":
        return tuple(Body(body) for body in branches_of(node))
    body = node.attributes["body"].as_graph()
    if node.op_type == "Loop":
        states = max(len(node.inputs) - 2, 0)
        return (Body(body, states + 1, states),)
    states = len(body.inputs) - int(attribute_of(node, "num_scan_inputs", 0))
    return (Body(body, states, states),) if len(node.inputs) == len(body.inputs) else ()


def returned(node: ir.Node) -> Iterator[tuple[ir.Value, tuple[ir.Value, ...]]]:
    """What the node makes of what its bodies return: each output, with that of each body."""
    bodies = returning(node)
    if bodies:
        columns = (body.graph.outputs[body.first :] for body in bodies)
        values = zip(*columns, strict=True)
        yield from zip(node.outputs[bodies[0].made :], values, strict=False)


def stacked_along(node: ir.Node, k: int) -> int:
    """The axis of the k-th output of a Scan or Loop, of those it stacks, along which it does."""
    axes = attribute_of(node, "scan_output_axes", ()) if is_op(node, "Scan") else ()
    return int(axes[k]) if k < len(axes) else 0


def graphs_of(node: ir.Node) -> list[ir.Graph]:
    """The graphs among the attributes of any node: of an If, a Loop, a Scan, a call."""
    graphs: list[ir.Graph] = []
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            graphs.append(attribute.as_graph())
        elif attribute.type == ir.AttributeType.GRAPHS:
            graphs.extend(attribute.as_graphs())
    return graphs


def reads_of(node: ir.Node) -> Sequence[ir.Value | None]:
    """What the node reads: its inputs, and behind them what each body returns that it makes."""
    if node.op_type not in _HAVE_BODIES:  # for nearly all nodes this is all that it costs
        return node.inputs
    found = (value for body in returning(node) for value in body.graph.outputs[body.first :])
    return (*node.inputs, *found)


def scope_of(node: ir.Node, index: int) -> ir.Graph | ir.Function | None:
    """Where that of `reads_of` is read: the node's graph, or a body of it."""
    behind = index - len(node.inputs)
    if behind < 0:
        return node.graph
    bodies = returning(node)
    return bodies[behind // (len(bodies[0].graph.outputs) - bodies[0].first)].graph


def describe(node: ir.Node) -> str:
    """The node as messages name it: by its name, or else by the tensor that it makes."""
    name = node.name
    if name:
        return f"{node.op_type} '{name}'"
    outputs = [value.name for value in node.outputs if value.name]
    return f"{node.op_type} -> '{outputs[0]}'" if outputs else node.op_type


def inner_first(graph: ir.Graph) -> Iterator[ir.Node]:
    """All nodes in topological order, those of a node's bodies before it."""
    for node in graph:
        for body in graphs_of(node):
            yield from inner_first(body)
        yield node


def is_read(value: ir.Value) -> bool:
    """Whether a node reads the value, or whoever gets what its graph returns."""
    return bool(value.uses()) or value.is_graph_output()


def reads_no_number(node: ir.Node, index: int) -> bool:
    """Whether the node looks at nothing of its input but the shape, or the element type."""
    return is_op(node, *SHAPE_ONLY) or (index == 1 and is_op(node, "CastLike"))


def number_reads(uses: Iterable[tuple[ir.Node, int]]) -> list[tuple[ir.Node, int]]:
    """Those of the places at which a value is read where more is looked at than its shape."""
    return [
        use
        for use in uses
        if use[0].op_type not in _MAY_READ_NONE  # nearly all: of thousands, nobody is asked more
        or not reads_no_number(*use)
    ]
