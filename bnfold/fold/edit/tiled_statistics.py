"""A batch norm of instances, with statistics that are repeated for each, is one by channel.

    x [N, C, *space] -> Reshape [1, N C, *space] -> BatchNormalization -> Reshape [N, C, *space]

Each parameter is Tile(p, N) with p of [C]: number i of N C is p[i mod C], and channel i of the
value in between is channel i mod C of x. So it is the batch norm of x with the parameters p, to the
bit, and all else goes. An InstanceNorm that keeps statistics is exported so.

It has no log and no proof of its own: it comes before the questions and computes no number. What
checks it is the second opinion, on the whole model.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import onnx_ir as ir

from bnfold.fold.edit.discarding import discard, is_named
from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, describe, input_of, is_op
from bnfold.fold.numbers.affine import Dims

_RULE = "layout"  # whoever skips it keeps every Reshape
_PARAMETERS = range(1, 5)
_OPSET = 9  # since which each number is of one channel
_ROUNDS = 8  # one after another: what is known of the second changes with the first


def take_statistics_by_channel(model: ir.Model, skip: Collection[str]) -> list[str]:
    """Batch norms whose statistics are tiled normalise by channel: which, in words.

    Args:
        model: what is edited; functions stay as they are.
        skip: names of nodes, of tensors that they make, and of rules, that are left alone.
    """
    told: list[str] = []
    if _RULE in skip:
        return told
    for _ in range(_ROUNDS):
        tiled = [node for node in model.graph.all_nodes() if _is_tiled(node)]
        found = _taken(tiled, Facts(model), skip) if tiled else []
        told += found
        if not found:
            break
    return told


def _taken(tiled: Sequence[ir.Node], facts: Facts, skip: Collection[str]) -> list[str]:
    """Those that are by channel now, by what is known of the model as it is."""
    told: list[str] = []
    changed: set[ir.Value] = set()
    if facts.opset() < _OPSET:
        return told
    for node in tiled:
        x, behind = _merged(node, facts), _readers(node)
        if x is None or x in changed or any(is_named(one, skip) for one in _group(node, behind)):
            continue
        if all(_splits_as(one, x, node, facts) for one in behind) and _is_between(node, behind):
            told.append(f"{describe(node)} has the same statistics for each instance: by channel")
            _take(node, x, behind, skip)
            changed.add(node.outputs[0])
    return told


def _group(node: ir.Node, behind: Sequence[ir.Node]) -> list[ir.Node]:
    """The batch norm and what would go with it."""
    before = [_maker(node, index) for index in (0, *_PARAMETERS)]
    return [node, *behind, *(maker for maker in before if maker is not None)]


def _is_tiled(node: ir.Node) -> bool:
    if not is_op(node, "BatchNormalization") or attribute_of(node, "training_mode", 0):
        return False
    makers = [_maker(node, index) for index in _PARAMETERS]
    return all(maker is not None and is_op(maker, "Tile") for maker in makers)


def _maker(node: ir.Node, index: int) -> ir.Node | None:
    value = input_of(node, index)
    return None if value is None else value.producer()


def _merged(node: ir.Node, facts: Facts) -> ir.Value | None:
    """The value whose batch and channels were made one axis for it; None where that is not sure."""
    merge = _maker(node, 0)
    if merge is None or not is_op(merge, "Reshape") or merge.graph is not node.graph:
        return None
    x, shape = input_of(merge, 0), facts.constant(input_of(merge, 1))
    dims = facts.dims(x)
    if x is None or shape is None or dims is None or len(dims) < 3 or not dims[1]:
        return None
    if shape.ndim != 1 or len(shape) != len(dims) or list(shape[:2]) != [1, -1]:
        return None
    is_merged = _are(shape[2:].tolist(), merge, dims[2:])
    return x if is_merged and _are_by_channel(node, dims, facts) else None


def _are(extents: Sequence[int], reshape: ir.Node, dims: Dims) -> bool:
    """Whether the last extents that it asks for are these, or are left as they are."""
    kept = () if attribute_of(reshape, "allowzero", 0) else (0,)
    return all(
        extent in kept or (isinstance(dim, int) and 0 < dim == extent)
        for extent, dim in zip(extents, dims, strict=True)
    )


def _are_by_channel(node: ir.Node, dims: Dims, facts: Facts) -> bool:
    """Whether each parameter repeats one number for each channel."""
    for index in _PARAMETERS:
        tile = _maker(node, index)
        constant = None if tile is None else facts.constant(input_of(tile, 0))
        if constant is None or constant.shape != (dims[1],):
            return False
    return True


def _readers(node: ir.Node) -> list[ir.Node]:
    return [use.node for use in node.outputs[0].uses()]


def _is_between(node: ir.Node, behind: Sequence[ir.Node]) -> bool:
    """Whether nobody but these asks for anything that it makes, and one name is enough for it."""
    named = [reader for reader in behind if reader.outputs[0].is_graph_output()]
    extra = [value for value in node.outputs[1:] if value.uses() or value.is_graph_output()]
    is_asked_for = node.outputs[0].is_graph_output() or extra or not behind
    return not is_asked_for and (not named or len(behind) == 1)


def _splits_as(reader: ir.Node, x: ir.Value, node: ir.Node, facts: Facts) -> bool:
    """Whether the reader gives what the node makes the shape of `x`."""
    if not is_op(reader, "Reshape") or reader.graph is not node.graph:
        return False
    shape = input_of(reader, 1)
    maker = None if shape is None else shape.producer()
    if maker is not None and is_op(maker, "Shape") and input_of(maker, 0) is x:
        return not attribute_of(maker, "start", 0) and "end" not in maker.attributes
    extents, dims = facts.constant(shape), facts.dims(x)
    if extents is None or dims is None or extents.shape != (len(dims),):
        return False
    is_batch = int(extents[0]) == -1 and int(extents[1]) == dims[1]
    return is_batch and _are(extents[2:].tolist(), reader, dims[2:])


def _take(node: ir.Node, x: ir.Value, behind: Sequence[ir.Node], skip: Collection[str]) -> None:
    """The batch norm is one of `x`, with the parameters as they were before they were tiled."""
    old, made = list(node.inputs), node.outputs[0]
    node.replace_input_with(0, x)
    for index in _PARAMETERS:
        tile = _maker(node, index)
        assert tile is not None, "it was looked at before"
        node.replace_input_with(index, tile.inputs[0])
    last = behind[0].outputs[0]
    made.shape, made.type = last.shape, last.type or made.type
    if last.is_graph_output():
        made.name, made.doc_string = last.name, last.doc_string
        made.metadata_props.update(last.metadata_props)
    for reader in behind:
        sizes = reader.inputs[1]
        reader.outputs[0].replace_all_uses_with(made, replace_graph_outputs=True)
        assert reader.graph is not None, "it stands in a graph"
        reader.graph.remove(reader, safe=True)
        old.append(sizes)
    discard(old, skip)
