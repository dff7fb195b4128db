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


def _body(b: Builder, x: str) -> onnx.GraphProto:
    inner = b.inner()
    y = x
    for _ in range(b.choices.between(1, 3)):
        y = b.choices.of([batch_norm, pointwise, relu, depthwise, decomposed, same])(inner, y)
    if inner.shape(y) != b.shape(x):
        raise NotApplicableError("the shape changed")
    b.samples.setdefault("the then branch", inner.sample(y))
    output = helper.make_tensor_value_info(y, b.dtype, None)
    if inner.overridable:
        raise NotApplicableError("bodies have no overridable constants")
    return helper.make_graph(inner.nodes, b.name("body"), [], [output], inner.initializers)


MOTIFS = [(4, conditional)]
