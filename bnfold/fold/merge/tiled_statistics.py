"""A batch norm of instances, with statistics that are repeated for each, is one by channel.

    x [N, C, *space] -> Reshape [1, N C, *space] -> BatchNormalization -> Reshape [N, C, *space]

Each parameter is Tile(p, N) with p of [C]: number i of N C is p[i mod C], and channel i of the
value in between is channel i mod C of x. So it is the batch norm of x with the parameters p, to the
bit, and all else goes. An InstanceNorm that keeps statistics is exported so.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, describe, graphs_of, input_of, is_op
from bnfold.fold.merge.merge import Merge
from bnfold.fold.numbers.affine import Dims
from bnfold.fold.plan import NewNode, PassBy, Plan, Remove, Replace, Step
from bnfold.fold.sources.skipped import Skipped
from bnfold.fold.sources.source import not_inference

RULE = "layout"  # whoever skips it keeps every Reshape
_PARAMETERS = range(1, 5)
_OPSET = 9  # since which each number is of one channel


def by_channel(node: ir.Node, facts: Facts, skipped: Skipped) -> Merge | None:
    """The batch norm of what was reshaped for it, with the parameters as they were not tiled."""
    if facts.opset() < _OPSET or not _is_tiled(node) or not_inference(node, facts) is not None:
        return None
    x, behind = _merged(node, facts), _readers(node)
    if x is None or any(skipped.has_node(one) for one in _group(node, behind)):
        return None
    if not all(_splits_as(one, x, node, facts) for one in behind) or not _is_between(node, behind):
        return None
    tiled = [tile.inputs[0] for tile in _makers(node, _PARAMETERS)]
    new = NewNode("BatchNormalization", (x, *tiled), reshapes=True)
    steps: dict[ir.Node, Step] = {
        node: Replace((new,)),
        **{reader: PassBy(0) for reader in behind},
        **{gone: Remove() for gone in _left_unread(node, new, facts, skipped)},
    }
    plan = Plan(steps, {}, frozenset({node.outputs[0]}), direction="merge", rules=(RULE,))
    told = f"{describe(node)} has the same statistics for each instance: by channel"
    return Merge(plan, node, (node,), told)


def _is_tiled(node: ir.Node) -> bool:
    tiles = _makers(node, _PARAMETERS)
    return len(tiles) == len(_PARAMETERS) and all(is_op(tile, "Tile") for tile in tiles)


def _group(node: ir.Node, behind: Sequence[ir.Node]) -> list[ir.Node]:
    """The batch norm and what would go with it."""
    return [node, *behind, *_makers(node, (0, *_PARAMETERS))]


def _makers(node: ir.Node, indices: Sequence[int]) -> list[ir.Node]:
    """What makes these inputs, as far as a node does."""
    values = (input_of(node, index) for index in indices)
    makers = (None if value is None else value.producer() for value in values)
    return [maker for maker in makers if maker is not None]


def _merged(node: ir.Node, facts: Facts) -> ir.Value | None:
    """The value whose batch and channels were made one axis for it; None where that is not sure."""
    for merge in _makers(node, (0,)):
        if not is_op(merge, "Reshape") or merge.graph is not node.graph:
            return None
        x, shape = input_of(merge, 0), facts.constant(input_of(merge, 1))
        dims = facts.dims(x)
        if x is None or shape is None or dims is None or len(dims) < 3 or not dims[1]:
            return None
        if shape.ndim != 1 or len(shape) != len(dims) or list(shape[:2]) != [1, -1]:
            return None
        is_merged = _are(shape[2:].tolist(), merge, dims[2:])
        return x if is_merged and _are_by_channel(node, dims, facts) else None
    return None


def _are(extents: Sequence[int], reshape: ir.Node, dims: Dims) -> bool:
    """Whether the last extents that it asks for are these, or are left as they are."""
    kept = () if attribute_of(reshape, "allowzero", 0) else (0,)
    return all(
        extent in kept or (isinstance(dim, int) and 0 < dim == extent)
        for extent, dim in zip(extents, dims, strict=True)
    )


def _are_by_channel(node: ir.Node, dims: Dims, facts: Facts) -> bool:
    """Whether each parameter repeats one number for each channel."""
    repeated = [facts.constant(input_of(tile, 0)) for tile in _makers(node, _PARAMETERS)]
    return all(numbers is not None and numbers.shape == (dims[1],) for numbers in repeated)


def _readers(node: ir.Node) -> list[ir.Node]:
    return list(dict.fromkeys(use.node for use in node.outputs[0].uses()))


def _is_between(node: ir.Node, behind: Sequence[ir.Node]) -> bool:
    """Whether nobody but these asks for what it makes, and one name is enough for it."""
    named = [reader for reader in behind if reader.outputs[0].is_graph_output()]
    is_asked_for = node.outputs[0].is_graph_output() or not behind
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


def _left_unread(node: ir.Node, new: NewNode, facts: Facts, skipped: Skipped) -> list[ir.Node]:
    """What nobody reads any more: the Reshape, the Tiles, and what counts the instances.

    Constants are left to the engine, which looks for them wherever it lets go of anything.
    """
    gone: dict[ir.Node, None] = {}
    pending = _makers(node, range(len(node.inputs)))
    while pending:
        maker = pending.pop()
        if maker in gone or any(value in new.inputs for value in maker.outputs):
            continue  # it is read directly from now on
        uses = [use.node for value in maker.outputs for use in value.uses()]
        is_read = any(reader is not node and reader not in gone for reader in uses)
        stays = any(value.is_graph_output() for value in maker.outputs) or graphs_of(maker)
        if is_read or stays or skipped.has_node(maker) or facts.is_constant(maker.outputs[0]):
            continue
        gone[maker] = None
        pending += _makers(maker, range(len(maker.inputs)))
    return list(gone)
