"""How small the values may be that go through a weight, and still meet all of it.

A large weight is read by few vectors, at as few places as there are: at one border, within, and at
the other border. What they see of a fault is said in `readings`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, is_op

_LARGE = 1 << 19  # entries of a weight: below that, what the trial costs follows the nodes
_LEAST = 3  # positions along an axis: one border, what is within, the other border


def lean_extent(nodes: Iterable[ir.Node], facts: Facts) -> int | None:
    """An extent at which every kernel has a place within; None where no weight is large."""
    every = tuple(nodes)
    heavy = any(_entries(value, facts) > _LARGE for node in every for value in node.inputs)
    return max(_LEAST, reach_of(every)) if heavy else None


def reach_of(nodes: Iterable[ir.Node]) -> int:
    """How far apart the ends of the largest window are: below that, taps see but padding."""
    return max((_reach(node) for node in nodes), default=1)


def _entries(value: ir.Value | None, facts: Facts) -> int:
    """Those of what is stored, or was made to be; 0 for what is computed."""
    if value is None or value.producer() is not None or not value.is_initializer():
        return 0
    return math.prod(d for d in facts.dims(value) or () if isinstance(d, int))


def _reach(node: ir.Node) -> int:
    """How far apart the ends of the node's window are."""
    kernel = list(attribute_of(node, "kernel_shape", ()))
    weight = node.inputs[1] if len(node.inputs) > 1 else None
    if not kernel and is_op(node, "Conv", "ConvTranspose") and weight and weight.shape:
        kernel = [size for size in weight.shape[2:] if isinstance(size, int)]
    dilations = attribute_of(node, "dilations", ()) or [1] * len(kernel)
    strides = attribute_of(node, "strides", ()) or [1]
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=False)]
    return int(max(reach, default=1) + max(strides) - 1)
