"""A Conv over all of space, Flatten and Gemm become Flatten and one Gemm.

Letters: x [N, C, *size]; W1 [M, C, *size], b1 [M]; W2 [O, M], b2 [O]. The Conv has one position, so

    W2 flat(conv(x, W1, b1)) + b2 = (W2 W1) flat(x) + (W2 b1 + b2)

with W1 as [M, C * prod(size)], in the order in which Flatten lays x. A Reshape or Squeeze in its
place does the same: the Conv makes N * M numbers, and the Gemm reads rows of M.
"""

from __future__ import annotations

import math

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, is_op
from bnfold.fold.merge.dense import dense_of
from bnfold.fold.merge.kernel import Kernel
from bnfold.fold.merge.window_kernel import kernel_of
from bnfold.fold.moves.operands import broadcasting
from bnfold.fold.numbers.exact import mapped, of_array
from bnfold.fold.plan import NewNode, Operand

_FLAT = "flat"  # a temporary's name
LAYS_FLAT = ("Flatten", "Reshape", "Squeeze")
"""What may stand between: it keeps numbers in their order."""


def behind_flatten(conv: ir.Node, node: ir.Node, facts: Facts) -> tuple[NewNode, ...] | None:
    """What takes the place of the Gemm behind the Conv and its Flatten; None where it is more."""
    before = kernel_of(conv, facts) if is_op(conv, "Conv") else None
    after = dense_of(node, facts) if is_op(node, "Gemm") else None
    if before is None or after is None or attribute_of(node, "transA", 0):
        return None
    if not _is_whole(before, conv, facts) or before.group != 1:
        return None
    if after.channels_in != before.channels_out:
        return None
    rows, columns = after.channels_out, math.prod(before.weight.shape[1:])
    if rows * columns > before.macs + after.macs:
        return None
    second = after.weight.value()
    weight = mapped(
        before.weight,
        (rows, columns),
        lambda whole: second @ whole.reshape(-1, columns),
        before.weight.dtype,
    )
    bias = of_array(second @ before.bias + after.bias, weight.dtype)
    inputs: tuple[Operand, ...] = (_FLAT, weight, bias)
    flatten = NewNode("Flatten", (conv.inputs[0],), {"axis": 1}, _FLAT, reshapes=True)
    return flatten, NewNode("Gemm", inputs, {"transB": 1, **broadcasting(facts)})


def _is_whole(kernel: Kernel, conv: ir.Node, facts: Facts) -> bool:
    """Whether the taps are the whole of x, so that they fit it once."""
    sizes = [facts.dim(conv.inputs[0], axis + 2) for axis in range(len(kernel.axes))]
    return not kernel.is_padded and sizes == [axis.taps for axis in kernel.axes]
