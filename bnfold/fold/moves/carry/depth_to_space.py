"""DepthToSpace and SpaceToDepth move channels into space and back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, is_op
from bnfold.fold.moves.carry.along import UNKNOWN_SHAPE
from bnfold.fold.numbers.affine import Affine, Array
from bnfold.fold.plan import Answer, Leave, Refusal, Rule

_UNFIT = Refusal(
    "malformed",
    "its input is no image, or has no whole blocks of channels, so that it runs nowhere",
    advice="export the model again",
)


def block_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """DepthToSpace, SpaceToDepth: a spatial block and a group of channels change places.

    y = depth_to_space(x) takes each channel of y from `blocksize**2` channels of x; y =
    space_to_depth(x) spreads each channel of x over as many of y. DCR: those of one channel are
    count / blocksize**2 apart; CRD (of SpaceToDepth since opset 28): they stand side by side.
    """
    return _exchanged(node, demands[0], facts, backward=True)


def block_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """The mirror of `block_after`."""
    return _exchanged(node, affines[0], facts, backward=False)


def _exchanged(node: ir.Node, affine: Affine, facts: Facts, *, backward: bool) -> Answer:
    """The affine of the outputs at the input, or of the input at the outputs."""
    if affine.rank != 4:
        return _UNFIT
    if any(affine.varies_along(axis) for axis in (0, 2, 3)):
        return Refusal("not-per-channel", "the affine varies in space")
    count = facts.dim(node.outputs[0] if backward else node.inputs[0], 1)
    channels = None if count is None else affine.channels(1, count)
    if channels is None:
        return UNKNOWN_SHAPE
    blocks = attribute_of(node, "blocksize", 1) ** 2
    column_first = attribute_of(node, "mode", "DCR") == "CRD"
    grows = is_op(node, "DepthToSpace") if backward else is_op(node, "SpaceToDepth")
    if blocks == 0 or (not grows and channels[0].size % blocks):
        return _UNFIT
    vectors = []
    for v in channels:
        if grows:
            vectors.append(np.repeat(v, blocks) if column_first else np.tile(v, blocks))
            continue
        by_block = v.reshape(-1, blocks).T if column_first else v.reshape(blocks, -1)
        if np.any(by_block != by_block[0]):
            what = "positions" if backward else "channels"
            return Refusal("blocks-differ", f"the affine differs within a block of {what}")
        vectors.append(by_block[0])
    return [Leave({0: _channel_affine(vectors)})]


def _channel_affine(vectors: list[Array]) -> Affine:
    scale, shift = (v.reshape(1, -1, 1, 1) for v in vectors)
    return Affine(scale, shift)


RULES = (
    Rule("layout", ("DepthToSpace", "SpaceToDepth"), backward=block_after, forward=block_before),
)
