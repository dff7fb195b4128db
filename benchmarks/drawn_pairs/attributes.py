"""Faults in attributes of nodes."""

from __future__ import annotations

import onnx

from benchmarks.drawn_pairs.editing import attribute, integers, nodes_of, picked, set_attribute
from benchmarks.drawn_pairs.graphs import Rng

_MODES = {
    "coordinate_transformation_mode": ("half_pixel", "asymmetric", "align_corners"),
    "nearest_mode": ("ceil", "round_prefer_floor", "round_prefer_ceil"),
    "mode": ("nearest", "linear"),
}


def epsilon(model: onnx.ModelProto, rng: Rng) -> bool:
    """A norm's epsilon is 1e-4 in place of 1e-5."""
    norms = ("BatchNormalization", "LayerNormalization", "InstanceNormalization")
    node = picked(nodes_of(model, *norms), rng)
    if node is not None:
        set_attribute(node, "epsilon", 1e-4)
    return node is not None


def pads(model: onnx.ModelProto, rng: Rng) -> bool:
    """A window lies one place further up, or to the left."""
    among = nodes_of(model, "Conv", "MaxPool", "AveragePool")
    node = picked([n for n in among if all(integers(n, "pads")) and integers(n, "pads")], rng)
    if node is None:
        return False
    top, left, bottom, right = integers(node, "pads")
    moved = rng.random() < 0.5
    up, aside = [top + 1, left, bottom - 1, right], [top, left - 1, bottom, right + 1]
    set_attribute(node, "pads", up if moved else aside)
    return True


def ceil_mode(model: onnx.ModelProto, rng: Rng) -> bool:
    """A pool rounds its extents the other way."""
    return _turned(model, rng, "ceil_mode", "MaxPool", "AveragePool")


def count_include_pad(model: onnx.ModelProto, rng: Rng) -> bool:
    """A pool counts what is padded, or does no longer."""
    return _turned(model, rng, "count_include_pad", "AveragePool")


def _turned(model: onnx.ModelProto, rng: Rng, name: str, *operators: str) -> bool:
    node = picked(nodes_of(model, *operators), rng)
    if node is not None:
        set_attribute(node, name, 0 if attribute(node, name, 0) else 1)
    return node is not None


def alpha(model: onnx.ModelProto, rng: Rng) -> bool:
    """The slope of an activation is off by 1 %."""
    among = nodes_of(model, "LeakyRelu", "Elu")
    node = picked(among, rng)
    if node is not None:
        own = next(each.f for each in node.attribute if each.name == "alpha")
        set_attribute(node, "alpha", own * 1.01)
    return node is not None


def dilations(model: onnx.ModelProto, rng: Rng) -> bool:
    """A dilated window is not any more."""
    node = picked(
        [n for n in nodes_of(model, "Conv") if max(integers(n, "dilations"), default=1) > 1], rng
    )
    if node is not None:
        set_attribute(node, "dilations", [1, 1])
        set_attribute(node, "pads", [1, 1, 1, 1])
    return node is not None


def axis(model: onnx.ModelProto, rng: Rng) -> bool:
    """A Softmax or ArgMax goes along the batch."""
    node = picked(nodes_of(model, "Softmax", "LogSoftmax", "ArgMax"), rng)
    if node is not None:
        set_attribute(node, "axis", 0)
    return node is not None


def resize_mode(model: onnx.ModelProto, rng: Rng) -> bool:
    """A Resize or Pad has another mode."""
    node = picked(nodes_of(model, "Resize", "Pad"), rng)
    if node is None:
        return False
    name = str(rng.choice(list(_MODES))) if node.op_type == "Resize" else "mode"
    modes = _MODES[name] if node.op_type == "Resize" else ("constant", "edge", "reflect")
    set_attribute(node, name, str(rng.choice(modes)))
    return True
