"""Units: channels behind an activation that lets next to nothing of what is below 0 through.

What feeds a unit shows where it is above 0, and only there. So each is to be met, and of rows,
which have one number of it each, some are to meet it: one may have a 0 where a weight is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import onnx_ir as ir

from bnfold.runtime.signature import Array
from bnfold.verify.scores import constant_of

_OF_THE_SIGN = frozenset(
    "BiasGelu Celu Elu FastGelu Gelu HardSwish Mish QuickGelu Relu Selu Swish "
    "ThresholdedRelu".split()
)
"""Above 0 where their operand is, or where it is far enough above; next to nothing elsewhere."""

_GATES = frozenset({"HardSigmoid", "Sigmoid"})

_FUSED = frozenset({"FusedConv", "FusedGemm"})

_ROWS = 8
"""Rows that are to meet a unit: with one in ten, twenty usual rows meet it twice."""


def rectified(nodes: Iterable[ir.Node]) -> Iterator[str]:
    """The tensors with units."""
    return (node.outputs[0].name or "" for node in nodes if _rectifies(node))


def _rectifies(node: ir.Node) -> bool:
    if node.op_type == "Max" and len(node.inputs) == 2:
        constants = [None if x is None else constant_of(x) for x in node.inputs]
        return any(array is not None and not np.any(array) for array in constants)
    if node.op_type == "Mul" and len(node.inputs) == 2:
        x, gate = node.inputs
        return _is_gate(gate, x) or _is_gate(x, gate)
    if node.op_type in _FUSED:
        return node.attributes.get_string("activation", "") == "Relu"
    return node.op_type in _OF_THE_SIGN


def _is_gate(gate: ir.Value | None, x: ir.Value | None) -> bool:
    """Whether x times this is a Swish of x."""
    node = None if gate is None else gate.producer()
    return x is not None and node is not None and node.op_type in _GATES and node.inputs[0] is x


class Units:
    """Of one tensor, how often each unit was met, up to as often as is enough."""

    def __init__(self) -> None:
        self._met: Array | None = None
        self._enough = 1

    def observe(self, array: Array, channels: int) -> None:
        """The tensor has been computed; `channels` is the axis of its units."""
        others = tuple(i for i in range(array.ndim) if i != channels)
        self._enough = _ROWS if array.ndim == 2 else 1
        met = (array > 0).sum(axis=others)
        if self._met is None or self._met.shape == met.shape:
            before = 0 if self._met is None else self._met
            self._met = np.minimum(before + met, self._enough)

    @property
    def count(self) -> int:
        """Of meetings, as far as they matter."""
        return 0 if self._met is None else int(self._met.sum())

    @property
    def is_complete(self) -> bool:
        """Whether each unit was met as often as is enough."""
        return self._met is None or bool((self._met >= self._enough).all())

    @property
    def awake(self) -> tuple[int, int]:
        """How many units were met, of how many."""
        return (0, 0) if self._met is None else (int((self._met > 0).sum()), self._met.size)
