"""A linear layer between two Reshapes is a Gemm of rows."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from bnfold.export.sizes import add_sizes


@dataclass(frozen=True)
class _Layer:
    """`product` and `add` with `weight [K, N]` and `bias [N]`, whose result is only reshaped."""

    product: ir.Node
    add: ir.Node
    weight: ir.Value
    bias: ir.Value


def use_rows(model: ir.Model) -> None:
    """No MatMul with an Add stands between Reshapes that could as well give and take rows.

        Reshape(Reshape(x, [.., K]) @ W + b, [..])    W: [K, N]; b: [N]
          = Reshape(Gemm(Reshape(x, [-1, K]), W, b), [..])

    All leading axes are rows of one product, in the order in which they lie in memory, before and
    after; the last Reshape says every size itself, and copies none from what it reads.
    """
    for node in list(model.graph.all_nodes()):
        if node.op_type != "Reshape" or node.domain or node.outputs[0].is_graph_output():
            continue
        layers = [_layer(use.node) for use in node.outputs[0].uses()]
        found = [layer for layer in layers if layer is not None]
        widths = {_size(layer.weight, 0) for layer in found}
        if not found or len(found) < len(layers) or len(widths) != 1 or 0 in widths:
            continue
        (width,) = widths
        name = f"{node.outputs[0].name}_rows"
        node.replace_input_with(1, add_sizes(node, name, [-1, width]))
        node.attributes.pop("allowzero", None)
        node.outputs[0].shape = ir.Shape([None, width])
        for layer in found:
            _as_gemm(layer)


def _layer(product: ir.Node) -> _Layer | None:
    """The layer that begins with this node."""
    if product.op_type != "MatMul" or product.domain:
        return None
    weight = product.inputs[1]
    add = _only_reader(product.outputs[0])
    if not _is_stored(weight, rank=2) or add is None or add.op_type != "Add" or add.domain:
        return None
    biases = [value for value in add.inputs if value is not product.outputs[0]]
    if len(biases) != 1 or not _is_stored(biases[0], rank=1):
        return None
    weight, bias = product.inputs[1], biases[0]
    assert weight is not None, "it is stored"
    assert bias is not None, "it is stored"
    readers = [(use.node, use.idx) for use in add.outputs[0].uses()]
    is_fit = _size(bias, 0) == _size(weight, 1) and bool(readers)
    if not is_fit or add.outputs[0].is_graph_output():
        return None
    if not all(idx == 0 and _says_every_size(node) for node, idx in readers):
        return None
    return _Layer(product, add, weight, bias)


def _as_gemm(layer: _Layer) -> None:
    old = layer.add
    operands = [layer.product.inputs[0], layer.weight, layer.bias]
    gemm = ir.node("Gemm", operands, metadata_props=dict(old.metadata_props))
    made, before = gemm.outputs[0], old.outputs[0]
    made.name, made.type = before.name, before.type
    made.shape = ir.Shape([None, _size(layer.weight, 1)])
    assert old.graph is not None, "it is in a graph"
    ir.convenience.replace_nodes_and_values(
        old.graph, old, [layer.product, old], [gemm], [before], [made]
    )


def _only_reader(value: ir.Value) -> ir.Node | None:
    uses = list(value.uses())
    return uses[0].node if len(uses) == 1 and not value.is_graph_output() else None


def _is_stored(value: ir.Value | None, *, rank: int) -> bool:
    stored = None if value is None else value.const_value
    return stored is not None and stored.shape.rank() == rank


def _size(value: ir.Value, axis: int) -> int:
    assert value.const_value is not None, "it is stored"
    return int(value.const_value.shape.numpy()[axis])


def _says_every_size(node: ir.Node) -> bool:
    """Whether it is a Reshape to sizes of its own: a 0 may copy one of what it reads."""
    if node.op_type != "Reshape" or node.domain:
        return False
    zero = node.attributes.get("allowzero")
    if zero is not None and zero.as_int() == 1:
        return True
    sizes = node.inputs[1]
    return (
        sizes is not None and sizes.const_value is not None and 0 not in sizes.const_value.numpy()
    )
