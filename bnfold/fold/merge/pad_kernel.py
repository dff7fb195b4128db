"""A Pad with zeros, which frameworks put in front of a Conv, as a convolution of one tap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, input_of
from bnfold.fold.merge.kernel import Axis, Kernel, diagonal
from bnfold.fold.numbers.affine import identity


def pad_kernel(node: ir.Node, like: Kernel, facts: Facts) -> Kernel | None:
    """What the Pad is before a convolution; None unless it adds zeros in space.

    Args:
        node: the Pad.
        like: the convolution that reads it.
        facts: of the model.
    """
    rank = len(like.axes) + 2
    widths = _widths(node, rank, facts)
    if not like.axes or widths is None or not _adds_zeros(node, facts):
        return None
    if np.any(widths < 0) or np.any(widths[:, :2]):
        return None
    plain = diagonal(identity(rank), like.channels_in, like)
    axes = tuple(Axis(begin=int(b), end=int(e)) for b, e in widths.T[2:])
    return None if plain is None else replace(plain, axes=axes)


def _widths(node: ir.Node, rank: int, facts: Facts) -> npt.NDArray[np.int64] | None:
    """Pads `[2, rank]`, begins and ends; None where they are computed at run time."""
    pads = attribute_of(node, "pads", None)
    pads = facts.constant(input_of(node, 1)) if pads is None else pads
    given = input_of(node, 3)
    axes = np.arange(rank) if given is None else facts.constant(given)
    if pads is None or axes is None or np.size(pads) != 2 * np.size(axes):
        return None
    widths = np.zeros((2, rank), dtype=np.int64)
    widths[:, np.asarray(axes, dtype=np.int64).reshape(-1)] = np.reshape(pads, (2, -1))
    return widths


def _adds_zeros(node: ir.Node, facts: Facts) -> bool:
    if attribute_of(node, "mode", "constant") != "constant" or attribute_of(node, "value", 0.0):
        return False
    value = input_of(node, 2)
    constant = np.zeros(1) if value is None else facts.constant(value)
    return constant is not None and not np.any(constant)
