"""Operands and nodes that do nothing: states of zeros, padding by nothing, the shape that is."""

from __future__ import annotations

import onnx_ir as ir

from bnfold.export.symbolic_sizes import sizes_of

STATES = {"RNN": (5,), "GRU": (5,), "LSTM": (5, 6)}
"""The operands that are zeros where nothing is said."""

_KEEP_ZEROS = frozenset(
    ("Expand", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze")
)


def drop_idle(model: ir.Model) -> None:
    """No recurrent layer is told to begin with zeros, as it does by itself; no Pad adds nothing.

    No Reshape leaves the shape as it is.
    """
    for node in model.graph.all_nodes():
        if node.domain:
            continue
        for place in STATES.get(node.op_type, ()):
            if place < len(node.inputs) and _is_zero(node.inputs[place]):
                node.replace_input_with(place, None)
        is_idle = _IDLE.get(node.op_type)
        if is_idle is not None and is_idle(node) and not node.outputs[0].is_graph_output():
            data = node.inputs[0]
            assert data is not None, "a Pad or Reshape has data"
            ir.convenience.replace_all_uses_with(node.outputs[0], data)


def _is_zero(value: ir.Value | None) -> bool:
    if value is None:
        return False
    if value.const_value is not None:
        return not value.const_value.numpy().any()
    node = value.producer()
    if node is None or node.domain:
        return False
    if node.op_type == "ConstantOfShape":
        filled = node.attributes.get("value")
        return filled is None or not filled.as_tensor().numpy().any()
    return node.op_type in _KEEP_ZEROS and _is_zero(node.inputs[0])


def _pads_nothing(node: ir.Node) -> bool:
    pads = sizes_of(node.inputs[1])
    return pads is not None and set(pads) <= {0}


def _keeps_the_shape(node: ir.Node) -> bool:
    """All sizes but one are those that the data have, so that the last one is, too."""
    data, wanted = node.inputs[0], sizes_of(node.inputs[1])
    if data is None or data.shape is None or wanted is None or len(wanted) != len(data.shape):
        return False
    if 0 in wanted or 0 in data.shape:
        return False
    known = [a == b for a, b in zip(wanted, data.shape, strict=True) if isinstance(a, int)]
    return len(known) == len(wanted) and known.count(False) == wanted.count(-1) <= 1


_IDLE = {"Pad": _pads_nothing, "Reshape": _keeps_the_shape}
