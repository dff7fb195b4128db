"""Splits that torch writes by way of a sequence, written as what they are."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from bnfold.export.sizes import add_sizes


def use_split(model: ir.Model) -> None:
    """SplitToSequence whose parts are picked by constant numbers is a Split.

    sequence = SplitToSequence(x, sizes); a = SequenceAt(sequence, 0); b = SequenceAt(sequence, 1)
        becomes  a, b = Split(x, sizes)

    A fold can look through a Split, and runtimes do not copy a Split's input first.
    """
    for node in list(model.graph.all_nodes()):
        if node.op_type == "SplitToSequence" and not node.domain:
            _rewrite(node)


def _rewrite(node: ir.Node) -> None:
    axis = node.attributes["axis"].as_int() if "axis" in node.attributes else 0
    sizes = _sizes(node, axis)
    keeps = node.attributes["keepdims"].as_int() if "keepdims" in node.attributes else 1
    readers = [usage.node for usage in node.outputs[0].uses()]
    places = [_constant(reader.inputs[1]) for reader in readers if _picks(reader)]
    if not sizes or not keeps or len(places) < len(readers) or node.outputs[0].is_graph_output():
        return
    assert node.graph is not None
    name = f"{node.outputs[0].name}_sizes"
    constant = add_sizes(node, name, sizes)
    split = ir.node("Split", [node.inputs[0], constant], {"axis": axis}, num_outputs=len(sizes))
    split.metadata_props.update(node.metadata_props)
    for place, part in enumerate(split.outputs):
        part.name = f"{name}_{place}"
    node.graph.insert_before(node, split)
    for reader, place_of in zip(readers, places, strict=True):
        assert place_of is not None
        part, picked = split.outputs[int(place_of)], reader.outputs[0]
        part.shape, part.type = picked.shape, picked.type
        ir.convenience.replace_all_uses_with(picked, part, replace_graph_outputs=True)
        assert reader.graph is not None
        reader.graph.remove(reader, safe=True)
    node.graph.remove(node, safe=True)


def _sizes(node: ir.Node, axis: int) -> list[int]:
    """The sizes of all parts, or nothing where they are not fixed."""
    split = _constant(node.inputs[1]) if len(node.inputs) > 1 else None
    if split is None:
        return []
    if split.ndim == 1:
        return [int(size) for size in split]
    data, step = node.inputs[0], int(split)
    whole = None if data is None or data.shape is None else data.shape[axis]
    if not isinstance(whole, int) or step < 1:
        return []
    return [min(step, whole - start) for start in range(0, whole, step)]


def _picks(reader: ir.Node) -> bool:
    return reader.op_type == "SequenceAt" and _constant(reader.inputs[1]) is not None


def _constant(value: ir.Value | None) -> NDArray[np.int64] | None:
    if value is None or not value.is_initializer() or value.const_value is None:
        return None
    return value.const_value.numpy()
