"""Constants that the graph computes through a step: one rounding more, and they are another number.

What a weight lies on is drawn near the edges of the steps (0.35 in steps of 0.1), where float32 and
float64 go different ways.
"""

from __future__ import annotations

import numpy as np
import onnx

from tests.fold.property.builder import Array, Builder


def stepped(b: Builder, array: Array, hint: str, dtype: int | None = None) -> str:
    """About the array, by a step that this opset has."""
    kind = dtype or b.dtype
    wide = array.astype(np.float64)
    edges = np.where(wide == 0, 0.0, np.round(wide, 1) + b.choices.of([0.05, 0.0, 0.1]))
    start = _fixed(b, edges, hint, kind)
    ways = ["Floor", "Ceil", "Cast"]
    ways += ["Where", "Sign"] if b.opset >= 9 else []
    ways += ["Mod"] if b.opset >= 10 and kind != onnx.TensorProto.BFLOAT16 else []
    ways += ["Round"] if b.opset >= 11 else []
    way = b.choices.of(ways)
    if way in ("Floor", "Ceil", "Round"):
        step = _fixed(b, np.array(0.1), "step", kind)
        return b.node("Mul", [b.node(way, [b.node("Div", [start, step])]), step])
    if way == "Cast":
        hundred = _fixed(b, np.array(100.0), "hundred", kind)
        whole = b.node("Cast", [b.node("Mul", [start, hundred])], {"to": onnx.TensorProto.INT32})
        return b.node("Div", [b.node("Cast", [whole], {"to": kind}), hundred])
    if way == "Where":
        edge = _fixed(b, np.array(0.35), "edge", kind)
        sum_ = b.node("Add", [start, _fixed(b, np.array(0.1), "step", kind)])
        return b.node("Where", [b.node("Greater", [sum_, edge]), start, sum_])
    if way == "Sign":
        moved = b.node("Sub", [start, _fixed(b, np.array(0.3), "step", kind)])
        return b.node("Mul", [b.node("Sign", [moved]), start])
    step = _fixed(b, np.array(0.1), "step", kind)
    return b.node("Sub", [start, b.node("Mod", [start, step], {"fmod": 1})])


def _fixed(b: Builder, array: Array, hint: str, kind: int) -> str:
    name = b.store(array, hint, kind)
    b.fixed.add(name)
    return name
