"""A shift in front of a padded convolution becomes a constant map behind it.

conv(s x' + t, W) + b = conv(x', W') + (conv(plane t, W) + b), the plane padded with zeros as x' is

The map [1, Cout, *out] is a constant where the spatial size is static. The price is one Add.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from bnfold.float64 import run_op
from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, input_of, op_of
from bnfold.fold.numbers.affine import Array
from bnfold.fold.numbers.exact import Exact, of_array
from bnfold.fold.plan import Answer, NewNode, Price, Refusal, Replace

PRICE = "constant-map"
_ROUNDING = 1e-13  # of the largest entry: sums in another order differ so far

_PADDED = Refusal(
    "padded-shift",
    "it pads with zeros, which the shift would not reach: its border would change",
    advice="--allow constant-map adds the shift as a constant map, at the price of one Add",
)
_PADDED_DYNAMIC = Refusal(
    "padded-shift",
    "it pads with zeros, which the shift would not reach, and its input's size is not static",
    advice="export with a static size and --allow constant-map",
)
_UNEVEN = Refusal(
    "uneven-shift",
    "how many taps reach a position differs from one to the next, so a shift is no bias",
    advice="with a static size, --allow constant-map adds it as a map, at the price of one Add",
)


def conv_map(node: ir.Node, weight: Exact, folded: Exact, t: Array, facts: Facts) -> Answer:
    """The step for a padded Conv: W' scales, the map shifts."""
    return _mapped(node, weight, folded, t, _PADDED, _PADDED_DYNAMIC, facts)


def transpose_map(node: ir.Node, weight: Exact, folded: Exact, t: Array, facts: Facts) -> Answer:
    """The step for a ConvTranspose, padded or not."""
    return _mapped(node, weight, folded, t, _UNEVEN, _UNEVEN, facts)


def _mapped(
    node: ir.Node,
    weight: Exact,
    folded: Exact,
    t: Array,
    otherwise: Refusal,
    dynamic: Refusal,
    facts: Facts,
) -> Answer:
    dims = facts.dims(node.inputs[0])
    size = [d for d in (dims or ())[2:] if isinstance(d, int)]
    if dims is None or len(size) != len(dims) - 2 or facts.opset() < 7:
        return dynamic
    stored = input_of(node, 2)
    bias = None if stored is None else facts.exact(stored)
    if stored is not None and bias is None:
        return Refusal("dynamic-bias", "its bias is computed at run time")
    plane = np.broadcast_to(t.reshape(1, -1, *(1 for _ in size)), (1, t.size, *size))
    attributes = {name: attribute_of(node, name, None) for name in node.attributes}
    inputs = [plane, weight.value(), None if bias is None else bias.value()]
    (shift,) = run_op(op_of(node), inputs, attributes, opset=facts.opset())
    first = shift[(slice(None), slice(None), *(slice(0, 1) for _ in size))]
    if np.max(np.abs(shift - first), initial=0) <= _ROUNDING * np.max(np.abs(shift), initial=0):
        # the same at every position, as where there is but one
        moved = of_array(np.array(first.reshape(-1)), weight.dtype)
        return [Replace((NewNode(op_of(node), (node.inputs[0], folded, moved)),))]
    nodes = (
        NewNode(op_of(node), (node.inputs[0], folded), output="unshifted"),
        NewNode("Add", ("unshifted", of_array(shift, weight.dtype)), {}),
    )
    return [Replace(nodes, price=Price(PRICE, otherwise))]
