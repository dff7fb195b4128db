"""Resize, Upsample and Pad: what they put between or around the numbers decides."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, input_of
from bnfold.fold.numbers.affine import Affine, Array
from bnfold.fold.numbers.exact import of_array
from bnfold.fold.plan import Answer, Leave, NewNode, Refusal, Replace, Rule

Widths = npt.NDArray[np.int64]

_POLICY, _STRETCH = "keep_aspect_ratio_policy", "stretch"

_AXIS = Refusal("not-per-channel", "it works along an axis along which the affine varies")
_RESIZED = Refusal(
    "not-per-channel", "it resizes an axis along which the affine varies, or may do so"
)
_DYNAMIC = Refusal("dynamic-pads", "how much it pads is known only at run time")
_ATTRIBUTE = Refusal(
    "padding-value",
    "its padding is an attribute of 32 bits, which cannot hold what the scale and shift make of it",
    advice="convert the model to opset 11 or newer: the padding is an input there",
)
_VALUE = Refusal(
    "padding-value", "its padding is a constant that the scale and shift would change unequally"
)


def resize_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """Interpolation weights sum to 1, so it commutes with s x + t along the axes that it leaves.

    `tf_crop_and_resize` fills with a constant, and is refused.
    """
    return _resize(node, demands, facts)


def resize_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """The mirror of `resize_after`."""
    return _resize(node, affines, facts)


def _resize(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    if set(affines) != {0}:
        return Refusal("dynamic-operand", "the affine arrives at its sizes")
    if attribute_of(node, "coordinate_transformation_mode", "") == "tf_crop_and_resize":
        return Refusal("extrapolates", "tf_crop_and_resize fills the border with a constant")
    affine = affines[0]
    for axis in range(affine.rank):
        if affine.varies_along(axis) and not _leaves(node, axis, affine.rank, facts):
            return _RESIZED
    return [Leave({0: affine})]


def _leaves(node: ir.Node, axis: int, rank: int, facts: Facts) -> bool:
    """Whether each entry along the axis keeps its own place.

    That it keeps its extent does not tell so by itself: 3 * 1.1 is rounded to 3 too, and entries
    are repeated and left out. A scale of 1 does, and so does a size that is what it was before.
    """
    if "axes" in node.attributes:
        return axis not in [a % rank for a in attribute_of(node, "axes", ())]
    scales = attribute_of(node, "scales", None)
    if scales is None:
        # the second input of an Upsample and of a Resize at opset 10, which have no third
        scales = facts.constant(input_of(node, 1 if len(node.inputs) <= 2 else 2))
    if scales is not None and len(scales) == rank:
        return bool(scales[axis] == 1)
    # with the aspect kept, one scale is made of all the sizes, and this axis gets it too
    if input_of(node, 3) is None or attribute_of(node, _POLICY, _STRETCH) != _STRETCH:
        return False
    before, after = facts.dim(node.inputs[0], axis), facts.dim(node.outputs[0], axis)
    return before is not None and before == after


def pad_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """s pad(x) + t = pad(s x + t) where padding copies x; a constant v must become s v + t.

    Along an axis where the affine varies, only a constant pad works, and on the padded part A
    must keep v.
    """
    found = _pads(node, demands[0], facts)
    if isinstance(found, Refusal):
        return found
    if not np.any(found):
        return [Leave({0: demands[0]})]
    begins, ends = found
    demand = demands[0]
    mode = attribute_of(node, "mode", "constant")
    inner, outer = _inside(demand, begins, ends)
    if inner is None:
        return _AXIS
    if mode != "constant":
        copied = not any((b or e) and demand.varies_along(i) for i, (b, e) in enumerate(found.T))
        return [Leave({0: demand})] if copied else _AXIS
    v = _value(node, facts)
    if v is None:
        return _DYNAMIC
    border = [demand.scale * v + demand.shift] if outer is None else [a * v + t for a, t in outer]
    return _constant_pad(node, inner, border, v, facts)


def pad_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """pad(s x' + t) = s pad'(x') + t where padding copies x, or pads with v' = (v - t) / s."""
    if set(affines) != {0}:
        return _DYNAMIC
    affine = affines[0]
    found = _pads(node, affine, facts)
    if isinstance(found, Refusal):
        return found
    if not np.any(found):
        return [Leave({0: affine})]
    varied = any((b or e) and affine.varies_along(i) for i, (b, e) in enumerate(found.T))
    mode = attribute_of(node, "mode", "constant")
    if mode != "constant":
        return _AXIS if varied else [Leave({0: affine})]
    v = _value(node, facts)
    if v is None:
        return _DYNAMIC
    if varied:
        return _padded_channels(node, affine, found, v)
    if v == 0 and not affine.has_shift:
        return [Leave({0: affine})]
    if np.any(affine.scale == 0):
        return _VALUE
    return _constant_pad(node, affine, [(v - affine.shift) / affine.scale], v, facts)


def _padded_channels(node: ir.Node, affine: Affine, pads: Widths, v: float) -> Answer:
    """Constant entries appear along the affine's own axis: there v stays v, the identity."""
    widths = [(int(b), int(e)) for b, e in pads.T]
    grown = [i for i, (b, e) in enumerate(widths) if (b or e)]
    if any(not affine.varies_along(i) for i in grown):
        return _AXIS
    full = affine.extents
    scale, shift = (np.broadcast_to(a, full) for a in (affine.scale, affine.shift))
    passed = Affine(
        np.pad(scale, widths, constant_values=1.0), np.pad(shift, widths, constant_values=0.0)
    )
    return [Leave({0: passed})]


def _inside(
    demand: Affine, begins: Widths, ends: Widths
) -> tuple[Affine | None, list[tuple[Array, Array]] | None]:
    """The demand on what is not padding; and that on padding which has channels of its own."""
    padded = [i for i in range(demand.rank) if begins[i] or ends[i]]
    if not any(demand.varies_along(i) for i in padded):
        return demand, None
    if len(padded) > 1:
        return None, None
    axis = padded[0]
    scale, shift = np.broadcast_arrays(demand.scale, demand.shift)
    edges = [int(begins[axis]), scale.shape[axis] - int(ends[axis])]
    parts = [np.split(a, edges, axis=axis) for a in (scale, shift)]
    outer = [(parts[0][i], parts[1][i]) for i in (0, 2)]
    return Affine(parts[0][1], parts[1][1]), outer


def _constant_pad(
    node: ir.Node, passed: Affine, border: list[Array], v: float, facts: Facts
) -> Answer:
    """The step in which the padding becomes one number, if it does."""
    wanted = np.concatenate([b.reshape(-1) for b in border])
    if np.all(wanted == v):
        return [Leave({0: passed})]
    if np.any(wanted != wanted[0]) or not np.isfinite(wanted[0]):
        return _VALUE
    x = node.inputs[0]
    dtype = None if x is None else facts.dtype(x)
    pads = input_of(node, 1)
    if dtype is None:
        return _VALUE
    if pads is None:  # opset < 11 keeps the value in an attribute
        attributes = {name: attribute_of(node, name, None) for name in node.attributes}
        attributes["value"] = float(wanted[0])
        if np.float32(wanted[0]) != wanted[0]:
            return _ATTRIBUTE
        return [Replace((NewNode("Pad", (x,), attributes),), {0: passed})]
    value = of_array(np.array(wanted[0]), dtype)
    rest = tuple(node.inputs[3:])
    return [Replace((NewNode("Pad", (x, pads, value, *rest)),), {0: passed})]


def _pads(node: ir.Node, affine: Affine, facts: Facts) -> Widths | Refusal:
    """`[2, rank]`: elements added before and after each axis; 0 where a negative pad crops.

    What is cropped does not matter where the affine is constant along the axis.
    """
    rank = affine.rank
    pads = attribute_of(node, "pads", None) or attribute_of(node, "paddings", None)
    if pads is None:
        pads = facts.constant(input_of(node, 1))
    if pads is None:
        return _DYNAMIC
    widths = np.zeros((2, rank), dtype=np.int64)
    axes_value = input_of(node, 3)
    axes = facts.constant(axes_value) if axes_value is not None else np.arange(rank)
    if axes is None:
        return _DYNAMIC
    for i, axis in enumerate(axes):
        widths[:, int(axis)] = (pads[i], pads[i + len(axes)])
    if any(affine.varies_along(axis) for axis in range(rank) if np.any(widths[:, axis] < 0)):
        return Refusal("negative-pads", "it crops along the axis along which the affine varies")
    widths = np.maximum(widths, 0)
    return widths


def _value(node: ir.Node, facts: Facts) -> float | None:
    if input_of(node, 1) is None:
        return float(attribute_of(node, "value", 0.0))
    value = input_of(node, 2)
    if value is None:
        return 0.0
    constant = facts.constant(value)
    return None if constant is None else float(constant.reshape(-1)[0])


RULES = (
    Rule("resize", ("Resize", "Upsample"), backward=resize_after, forward=resize_before),
    Rule("pad", ("Pad",), backward=pad_after, forward=pad_before),
)
