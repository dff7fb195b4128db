"""Faults among nodes: lost, swapped, or put in between."""

from __future__ import annotations

import onnx

from benchmarks.drawn_pairs.editing import (
    append,
    constants,
    insert_before,
    integers,
    nodes_of,
    picked,
    set_attribute,
)
from benchmarks.drawn_pairs.graphs import Rng

_THROUGH_HALF = "fault_h = Cast <to = 10> ({x})  fault = Cast <to = 1> (fault_h)"


def activation_lost(model: onnx.ModelProto, rng: Rng) -> bool:
    """An activation went."""
    node = picked(nodes_of(model, "Relu", "Elu", "HardSwish", "LeakyRelu", "Softplus"), rng)
    if node is not None:
        node.op_type = "Identity"
        del node.attribute[:]
    return node is not None


def operands_swapped(model: onnx.ModelProto, rng: Rng) -> bool:
    """What the order of operands matters to reads them the other way round."""
    node = picked(nodes_of(model, "Concat", "Div", "Sub", "MatMul"), rng)
    if node is not None:
        node.input[0], node.input[1] = node.input[1], node.input[0]
    return node is not None


def operand_twice(model: onnx.ModelProto, rng: Rng) -> bool:
    """A sum or product of two values has one of them twice."""
    stored = constants(model)
    both = [n for n in nodes_of(model, "Add", "Mul") if not stored.keys() & set(n.input)]
    node = picked(both, rng)
    if node is not None:
        node.input[1] = node.input[0]
    return node is not None


def other_reduction(model: onnx.ModelProto, rng: Rng) -> bool:
    """A largest number in place of a mean, or a pool of the other kind."""
    other = {
        "ReduceMean": "ReduceMax",
        "ReduceMax": "ReduceMean",
        "GlobalAveragePool": "GlobalMaxPool",
    }
    node = picked(nodes_of(model, *other), rng)
    if node is not None:
        node.op_type = other[node.op_type]
    return node is not None


def border(model: onnx.ModelProto, rng: Rng) -> bool:
    """A Conv's border is 0.01 in place of 0."""
    node = picked([n for n in nodes_of(model, "Conv") if any(integers(n, "pads"))], rng)
    if node is None:
        return False
    top, left, bottom, right = integers(node, "pads")
    set_attribute(node, "pads", [0, 0, 0, 0])
    insert_before(
        model,
        node,
        "fault_around = Constant <value = int64[8] "
        f"{{{{0, 0, {top}, {left}, 0, 0, {bottom}, {right}}}}}> ()"
        "  fault_hundredth = Constant <value = float {{0.01}}> ()"
        "  fault = Pad ({x}, fault_around, fault_hundredth)",
    )
    return True


def bound_inside(model: onnx.ModelProto, rng: Rng) -> bool:
    """What an exponential function reads is clipped to 10 or 30."""
    node = picked(nodes_of(model, "Exp", "Sigmoid", "Softmax", "Softplus"), rng)
    if node is None:
        return False
    most = float(rng.choice([10, 30]))
    insert_before(
        model,
        node,
        f"fault_low = Constant <value = float {{{{{-most}}}}}> ()"
        f"  fault_high = Constant <value = float {{{{{most}}}}}> ()"
        "  fault = Clip ({x}, fault_low, fault_high)",
    )
    return True


def half_inside(model: onnx.ModelProto, rng: Rng) -> bool:
    """A value inside goes through float16."""
    node = picked(nodes_of(model, "Relu", "Conv", "MatMul", "Softmax"), rng)
    if node is not None:
        insert_before(model, node, _THROUGH_HALF)
    return node is not None


def half_outside(model: onnx.ModelProto, rng: Rng) -> bool:
    """The output goes through float16."""
    del rng
    if model.graph.output[0].type.tensor_type.elem_type != onnx.TensorProto.FLOAT:
        return False
    append(model, _THROUGH_HALF)
    return True


def mask_as_bool(model: onnx.ModelProto, rng: Rng) -> bool:
    """A mask goes through a boolean: 0 and 1 stay."""
    node = picked([n for n in nodes_of(model, "Cast") if n.input[0] == "mask"], rng)
    if node is not None:
        insert_before(model, node, "fault = Cast <to = 9> ({x})")
    return node is not None


def ids_without_sign(model: onnx.ModelProto, rng: Rng) -> bool:
    """Ids below 0 are other rows."""
    node = picked([n for n in nodes_of(model, "Gather") if n.input[1] == "ids"], rng)
    if node is not None:
        insert_before(model, node, "fault = Abs ({x})", position=1)
    return node is not None
