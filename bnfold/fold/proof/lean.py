"""How small the values may be that go through a large weight, and still meet all of it.

A linear operator is tried as Freivalds tries a product: by random vectors through the whole weight.
Letters: D is the difference of two weights, x a vector of independent normal numbers, so that D x
is normal with the standard deviation |D|, and is below e |D| with a probability below e. A fault of
a thousandth of the output's scale passes a tolerance of 1e-10 of it at one place with a probability
below 1e-7. An output has 9 places or more and is tried at two sizes; the places at the borders see
windows that have no entry of x in common with those at the other border, so that it is missed by
both with a probability below 1e-14.
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
    heavy, extent = False, _LEAST
    for node in nodes:
        heavy = heavy or any(_entries(value, facts) > _LARGE for value in node.inputs)
        extent = max(extent, _reach(node))
    return extent if heavy else None


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
