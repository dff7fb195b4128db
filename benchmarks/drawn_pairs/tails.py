"""Faults behind the output: of some rows, from an extent on, beyond a bound, or everywhere."""

from __future__ import annotations

import onnx

from benchmarks.drawn_pairs.editing import append
from benchmarks.drawn_pairs.graphs import Rng


def _is_float(model: onnx.ModelProto) -> bool:
    return bool(model.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT)


def _integer(name: str, value: int) -> str:
    return f"fault_{name} = Constant <value = int64[1] {{{{{value}}}}}> ()  "


def _number(name: str, value: float) -> str:
    return f"fault_{name} = Constant <value = float {{{{{value}}}}}> ()  "


def _split(cut: int) -> str:
    """The rows up to the cut, and those behind it."""
    return (
        _integer("first", 0)
        + _integer("end", 1 << 40)
        + _integer("cut", cut)
        + "fault_p = Slice ({x}, fault_first, fault_cut, fault_first)"
        "  fault_q = Slice ({x}, fault_cut, fault_end, fault_first)  "
    )


def rows_repeated(model: onnx.ModelProto, rng: Rng) -> bool:
    """From the third, fourth or fifth on, the rows of a batch are the first one."""
    cut = int(rng.integers(2, 5))
    append(
        model,
        _split(cut)
        + _integer("one", 1)
        + "fault_s = Shape (fault_q)  fault_r = Slice ({x}, fault_first, fault_one, fault_first)"
        "  fault_e = Expand (fault_r, fault_s)  fault = Concat <axis = 0> (fault_p, fault_e)",
    )
    return True


def last_row_off(model: onnx.ModelProto, rng: Rng) -> bool:
    """The last row of a batch is off by 1e-3."""
    del rng
    if not _is_float(model):
        return False
    append(
        model,
        _split(-1)
        + _number("k", 1.001)
        + "fault_r = Mul (fault_q, fault_k)  fault = Concat <axis = 0> (fault_p, fault_r)",
    )
    return True


def off_from_an_extent_on(model: onnx.ModelProto, rng: Rng) -> bool:
    """All is 1 % larger where an axis is longer than 2, 5, 8 or 20."""
    if not _is_float(model):
        return False
    axis, most = int(rng.choice([0, 0, 1])), int(rng.choice([2, 5, 8, 20]))
    append(
        model,
        _integer("most", most)
        + _number("k", 0.01)
        + _number("one", 1.0)
        + f"fault_s = Shape <start = {axis}, end = {axis + 1}> ({{x}})"
        "  fault_q = Greater (fault_s, fault_most)  fault_c = Cast <to = 1> (fault_q)"
        "  fault_m = Mul (fault_c, fault_k)  fault_n = Add (fault_m, fault_one)"
        "  fault = Mul ({x}, fault_n)",
    )
    return True


def bound(model: onnx.ModelProto, rng: Rng) -> bool:
    """Nothing is larger than 3, 30 or 3000."""
    if not _is_float(model):
        return False
    most = float(rng.choice([3, 30, 3000]))
    append(model, _number("most", most) + "fault = Min ({x}, fault_most)")
    return True


def all_off(model: onnx.ModelProto, rng: Rng) -> bool:
    """All is off by 1e-4."""
    del rng
    if not _is_float(model):
        return False
    append(model, _number("k", 1.0001) + "fault = Mul ({x}, fault_k)")
    return True
