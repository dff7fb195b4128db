"""MaxUnpool: a scale by channel passes where every value comes back to the channel it is from."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.known_shapes import is_made_up
from bnfold.fold.facts.node import attribute_of, input_of, is_op
from bnfold.fold.moves.carry.along import alike, in_space
from bnfold.fold.moves.carry.pool import windows_are_full
from bnfold.fold.numbers.affine import Affine, Dims
from bnfold.fold.plan import Answer, Refusal, Rule

_ZEROS = Refusal("fills-with-zeros", "it fills with zeros, which a shift would not reach")
_FLAT = Refusal(
    "flat-indices",
    "its indices count through all channels, and nothing tells that each stays in its own",
)


def unpooled(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """y.flat[i] = x, and zeros elsewhere; s y = unpool(s x) for an s that is one number.

    i counts through the whole output [N, C, *S], so an s by channel passes only where those of
    x[n, c] lie from (n C + c) |S| on, and are below (n C + c + 1) |S|. Those of a MaxPool do, in
    its own input: here too, if the output has the size of that for certain.
    """
    found = alike(affines, in_space(affines), shift=_ZEROS)
    if isinstance(found, Refusal) or _is_one_number(affines[0]) or _stay(node, facts):
        return found
    return _FLAT


def _is_one_number(affine: Affine) -> bool:
    return affine.scale.size == 1 or bool(np.all(affine.scale == affine.scale.reshape(-1)[0]))


def _stay(node: ir.Node, facts: Facts) -> bool:
    """Whether every index lies in the channel of what it is for."""
    indices = node.inputs[1]
    constant = facts.constant(indices)
    if constant is not None:
        return _lie_in_channels(np.asarray(constant), _made(node, facts))
    pool = None if indices is None else indices.producer()
    return (
        pool is not None
        and is_op(pool, "MaxPool")
        and indices is pool.outputs[1]
        and attribute_of(pool, "storage_order", 0) == 0
        and windows_are_full(pool, facts)  # the position of a maximum of nothing is anywhere
        and _is_as_large(node, pool, facts)
    )


def _lie_in_channels(indices: np.ndarray, made: Dims | None) -> bool:
    """Of constant indices, as many as x has numbers; `made` is what the output's sizes are."""
    if made is None or indices.ndim != len(made) or made[1] != indices.shape[1]:
        return False
    size = [extent for extent in made[2:] if isinstance(extent, int)]
    if len(size) < len(made) - 2 or not all(size):
        return False
    channels = np.arange(math.prod(indices.shape[:2])).reshape(*indices.shape[:2], 1)
    return bool(np.all(indices.reshape(*indices.shape[:2], -1) // math.prod(size) == channels))


def _is_as_large(node: ir.Node, pool: ir.Node, facts: Facts) -> bool:
    """Whether each sample of the output has the sizes of one of the pool's input in every run."""
    sizes = input_of(node, 2)
    if sizes is not None and _is_shape_of(sizes) is pool.inputs[0]:
        return True
    pooled, made = facts.dims(pool.inputs[0]), _made(node, facts, pool)
    if pooled is None or made is None or len(pooled) != len(made):
        return False
    return all(map(_is_known, pooled[1:])) and pooled[1:] == made[1:]


def _is_known(extent: int | str | None) -> bool:
    """Not a symbol that inference makes up: another pass gives it to another extent."""
    return extent is not None and not is_made_up(extent)


def _is_shape_of(sizes: ir.Value) -> ir.Value | None:
    """Of what the sizes are those, all of them."""
    node = sizes.producer()
    if node is None or not is_op(node, "Shape") or node.attributes:
        return None
    return node.inputs[0]


def _made(node: ir.Node, facts: Facts, pool: ir.Node | None = None) -> Dims | None:
    """The sizes of the output. x and the indices, which the pool makes, have one shape."""
    sizes = input_of(node, 2)
    if sizes is not None:
        constant = facts.constant(sizes)
        if constant is not None:
            return tuple(int(n) for n in constant.reshape(-1))
        return facts.dims(_is_shape_of(sizes))
    alike_in_size = (*node.inputs[:2], *(() if pool is None else pool.outputs[:1]))
    known = [dims for dims in map(facts.dims, alike_in_size) if dims is not None]
    return _least(node, known[0] if len(known) == 1 else _joined(known)) if known else None


def _joined(known: list[Dims]) -> Dims:
    """What any of these says of each extent."""
    return tuple(
        next((extent for extent in extents if isinstance(extent, int)), extents[0])
        for extents in zip(*known, strict=False)
    )


def _least(node: ir.Node, x: Dims) -> Dims | None:
    """The sizes where none are given: those of the windows, next to each other."""
    kernel = attribute_of(node, "kernel_shape", ())
    rank = len(kernel)
    strides = attribute_of(node, "strides", None) or [1] * rank
    pads = attribute_of(node, "pads", None) or [0] * 2 * rank
    if len(x) != rank + 2 or len(strides) != rank or len(pads) != 2 * rank:
        return None  # a run ends here
    padded = (begin + end for begin, end in zip(pads[:rank], pads[rank:], strict=True))
    windows = zip(x[2:], kernel, strides, padded, strict=True)
    return (
        *x[:2],
        *((n - 1) * s + k - p if isinstance(n, int) else None for n, k, s, p in windows),
    )


RULES = (Rule("sample", ("MaxUnpool",), backward=unpooled, forward=unpooled),)
