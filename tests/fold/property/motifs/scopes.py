"""Bodies of control flow: If with branches that keep the shape, reading values around them."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from tests.fold.property.builder import Builder, NotApplicableError
from tests.fold.property.motifs.affine import batch_norm, decomposed
from tests.fold.property.motifs.linear import depthwise, pointwise
from tests.fold.property.motifs.pointwise import relu, same

CONDITION = "condition"


def conditional(b: Builder, x: str) -> str:
    """An If on an input of the graph; each branch works on x."""
    if b.parent is not None or len(b.shape(x)) not in (3, 4, 5):
        raise NotApplicableError("only in the main graph")
    b.samples.pop("the then branch", None)
    bodies = {name: _body(b, x) for name in ("then_branch", "else_branch")}
    output = b.name("if")
    b.nodes.append(helper.make_node("If", [CONDITION], [output], name=b.name("n_if"), **bodies))
    b.samples[CONDITION] = np.array(True)
    b.samples[output] = b.samples.pop("the then branch")
    return output


def loop(b: Builder, x: str) -> str:
    """A Loop that works on x a few times over; its body reads constants around it."""
    if b.parent is not None or len(b.shape(x)) not in (3, 4, 5):
        raise NotApplicableError("only in the main graph")
    trips = b.store(np.array(b.choices.between(1, 2)), "trips")
    inner = b.inner()
    carried, step, going = b.name("carried"), b.name("step"), b.name("going")
    inner.samples[carried] = b.sample(x)
    y = _steps(inner, carried)
    last = inner.sample(y)
    for _ in range(int(b.sample(trips)) - 1):
        last = np.full_like(last, np.nan)  # only its shape is known from here on
    kept = inner.name("kept")
    inner.nodes.append(helper.make_node("Identity", [going], [kept]))
    inputs = [
        helper.make_tensor_value_info(step, onnx.TensorProto.INT64, []),
        helper.make_tensor_value_info(going, onnx.TensorProto.BOOL, []),
        helper.make_tensor_value_info(carried, b.dtype, None),
    ]
    outputs = [
        helper.make_tensor_value_info(kept, onnx.TensorProto.BOOL, []),
        helper.make_tensor_value_info(y, b.dtype, None),
    ]
    body = helper.make_graph(inner.nodes, b.name("body"), inputs, outputs, inner.initializers)
    output = b.name("loop")
    b.nodes.append(
        helper.make_node("Loop", [trips, "", x], [output], name=b.name("n_loop"), body=body)
    )
    b.samples[output] = last
    return output


def _steps(inner: Builder, x: str) -> str:
    y = x
    for _ in range(inner.choices.between(1, 3)):
        y = inner.choices.of([batch_norm, pointwise, relu, depthwise, decomposed, same])(inner, y)
    if inner.shape(y) != inner.shape(x) or inner.overridable:
        raise NotApplicableError("the shape changed, or a constant can be overridden")
    return y


def _body(b: Builder, x: str) -> onnx.GraphProto:
    inner = b.inner()
    y = _steps(inner, x)
    b.samples.setdefault("the then branch", inner.sample(y))
    output = helper.make_tensor_value_info(y, b.dtype, None)
    return helper.make_graph(inner.nodes, b.name("body"), [], [output], inner.initializers)


MOTIFS = [(4, conditional), (2, loop)]
