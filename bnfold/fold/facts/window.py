"""Whether a convolution or pool sees padding, from its attributes and shapes."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of


@dataclass(frozen=True)
class Window:
    """The sliding window of a Conv or a pool, one entry for each spatial axis.

    Attributes:
        kernel, strides, dilations: as in the attributes, defaults filled in.
        begins, ends: pads before and after; None where they follow from a shape that is unknown.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    begins: tuple[int, ...] | None
    ends: tuple[int, ...] | None

    @property
    def is_padded(self) -> bool:
        """Whether padding may be seen; unsure means yes."""
        if self.begins is None or self.ends is None:
            return True
        return any(self.begins) or any(self.ends)


def window_of(node: ir.Node, kernel: tuple[int, ...], facts: Facts) -> Window:
    """The window of a Conv or pool over `node.inputs[0]`."""
    rank = len(kernel)
    strides = tuple(attribute_of(node, "strides", None) or (1,) * rank)
    dilations = tuple(attribute_of(node, "dilations", None) or (1,) * rank)
    auto_pad = attribute_of(node, "auto_pad", "NOTSET")
    if auto_pad == "VALID":
        begins: tuple[int, ...] | None = (0,) * rank
        ends: tuple[int, ...] | None = (0,) * rank
    elif auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        begins, ends = _same_pads(node, kernel, strides, dilations, facts)
    else:
        pads = tuple(attribute_of(node, "pads", None) or (0,) * (2 * rank))
        begins, ends = pads[:rank], pads[rank:]
    return Window(kernel, strides, dilations, begins, ends)


def sees_padding(node: ir.Node, kernel: tuple[int, ...], facts: Facts) -> bool:
    """Whether a Conv's window ever covers padding; unsure means yes.

    Padding behind the end is out of reach where the last stride stops before it.
    """
    window = window_of(node, kernel, facts)
    if not window.is_padded:
        return False
    if window.begins is None or window.ends is None or any(window.begins):
        return True
    axes = zip(kernel, window.strides, window.dilations, window.ends, strict=True)
    for i, (k, stride, dilation, end) in enumerate(axes):
        size = facts.dim(node.inputs[0], i + 2)
        reach = (k - 1) * dilation + 1
        if end and (size is None or (size + end - reach) // stride * stride + reach > size):
            return True
    return False


def _same_pads(
    node: ir.Node,
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    dilations: tuple[int, ...],
    facts: Facts,
) -> tuple[tuple[int, ...], tuple[int, ...]] | tuple[None, None]:
    """`auto_pad = SAME_*`: the output has ceil(size / stride) positions.

    Source: ONNX operators, Conv: total = (out - 1) * stride + (kernel - 1) * dilation + 1 - size.
    """
    begins, ends = [], []
    lower = attribute_of(node, "auto_pad", "NOTSET") == "SAME_LOWER"
    for i, (k, stride, dilation) in enumerate(zip(kernel, strides, dilations, strict=True)):
        reach = (k - 1) * dilation + 1
        size = facts.dim(node.inputs[0], i + 2)
        if reach == 1:
            total = 0  # a 1-wide window that strides never leaves the input
        elif size is not None:
            total = max(0, (-(-size // stride) - 1) * stride + reach - size)
        elif stride == 1:
            total = reach - 1
        else:
            return None, None
        half, rest = total // 2, total - total // 2
        begins.append(rest if lower else half)
        ends.append(half if lower else rest)
    return tuple(begins), tuple(ends)
