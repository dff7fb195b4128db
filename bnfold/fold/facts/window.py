"""Whether a convolution or pool sees padding, from its attributes and shapes."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of


@dataclass(frozen=True)
class DeclaredWindow:
    """The sliding window of a Conv or a pool, one entry for each spatial axis.

    Attributes:
        kernel, strides, dilations: as in the attributes, defaults filled in.
        begins, ends: pads before and after; None where they follow from a shape that is unknown.
            Below 0 where it crops: where a crop begins, runtimes do not agree.
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
        return any(pad > 0 for pad in (*self.begins, *self.ends))


def window_of(node: ir.Node, kernel: tuple[int, ...], facts: Facts) -> DeclaredWindow:
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
    return DeclaredWindow(kernel, strides, dilations, begins, ends)


def sees_padding(node: ir.Node, kernel: tuple[int, ...], facts: Facts) -> bool:
    """Whether a Conv's window ever covers padding; unsure means yes.

    Padding behind the end is out of reach where the last stride stops before it.
    """
    window = window_of(node, kernel, facts)
    if not window.is_padded:
        return False
    if window.begins is None or window.ends is None or any(pad > 0 for pad in window.begins):
        return True
    axes = zip(kernel, window.strides, window.dilations, window.ends, strict=True)
    for i, (k, stride, dilation, end) in enumerate(axes):
        size = facts.dim(node.inputs[0], i + 2)
        reach = (k - 1) * dilation + 1
        if end > 0 and (size is None or (size + end - reach) // stride * stride + reach > size):
            return True
    return False


def is_larger_than_input(node: ir.Node, window: DeclaredWindow, facts: Facts) -> bool:
    """Whether the window is known not to fit: runtimes let it stand over the end all the same."""
    for i, k in enumerate(window.kernel):
        size = facts.dim(node.inputs[0], i + 2)
        pads = 0
        if window.begins is not None and window.ends is not None:
            pads = max(0, window.begins[i]) + max(0, window.ends[i])
        if size is not None and size + pads < (k - 1) * window.dilations[i] + 1:
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

    Where the kernel is smaller than the stride the total may be negative. onnxruntime then crops,
    the reference does not: the ends tell that something is cropped, and no more.

    Source: ONNX operators, Conv: total = (out - 1) * stride + (kernel - 1) * dilation + 1 - size.
    """
    begins, ends = [], []
    lower = attribute_of(node, "auto_pad", "NOTSET") == "SAME_LOWER"
    for i, (k, stride, dilation) in enumerate(zip(kernel, strides, dilations, strict=True)):
        reach = (k - 1) * dilation + 1
        size = facts.dim(node.inputs[0], i + 2)
        if size is not None:
            total = (-(-size // stride) - 1) * stride + reach - size
        elif stride == 1:
            total = reach - 1
        elif reach == 1:
            total = 0 if stride <= 2 else 1 - stride  # never leaves the input, and may crop it
        else:
            return None, None
        if total == -1:
            total = 0  # the last entry is not read, with or without a crop
        half, rest = (total // 2, total - total // 2) if total >= 0 else (total, total)
        begins.append(rest if lower else half)
        ends.append(half if lower else rest)
    return tuple(begins), tuple(ends)
