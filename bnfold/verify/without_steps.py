"""Two quantised models without the steps of their activations: faults that flips would cover.

A rounding flips a step somewhere, and such a flip moves an output further than a wrong epsilon
does. Where both models have the same steps, and as many stored integers (a bias that one of them
has rounded is another function), they are the same only if they are without the steps too:

    DequantizeLinear(QuantizeLinear(x, s, z), s, z)   ->   Min(Max(x, s (low - z)), s (high - z))

with low and high the least and largest integer of the type. What is left is a float network.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.operator_facts import QUANTISES
from bnfold.runtime.signature import Array
from bnfold.verify.scores import constant_of
from bnfold.verify.subject import OnnxSubject


@dataclass(frozen=True)
class _Step:
    """A QuantizeLinear, what reads it, and between which numbers it leaves x."""

    node: ir.Node
    readers: tuple[ir.Node, ...]
    low: Array
    high: Array

    @property
    def kind(self) -> tuple[bytes, bytes]:
        """The same for steps that are alike; the scale is in it, as low and high are far apart."""
        return self.low.tobytes(), self.high.tobytes()


def without_steps(a: OnnxSubject, b: OnnxSubject) -> tuple[OnnxSubject, OnnxSubject] | None:
    """Both models on graphs of their own without steps; None where they have not the same ones."""
    steps = _steps(a.model), _steps(b.model)
    if not steps[0] or not steps[1]:
        return None
    if Counter(s.kind for s in steps[0]) != Counter(s.kind for s in steps[1]):
        return None
    if _stored(a.model) != _stored(b.model):
        return None
    return a.rewritten(_take_out), b.rewritten(_take_out)


def has_steps_in_order(a: ir.Model, b: ir.Model) -> bool:
    """Whether both have the same steps, one after the other."""
    steps = _steps(a), _steps(b)
    return [s.kind for s in steps[0] or ()] == [s.kind for s in steps[1] or ()]


def _steps(model: ir.Model) -> list[_Step] | None:
    """The steps of the model; None where it has others than those between two float tensors."""
    if any(n.op_type in QUANTISES for f in model.functions.values() for n in f.all_nodes()):
        return None
    stepped = [node for node in model.graph.all_nodes() if node.op_type in QUANTISES]
    found = [_step(node) for node in stepped if node.graph is model.graph]
    known = [step for step in found if step is not None]
    return known if len(known) == len(stepped) else None


def _step(node: ir.Node) -> _Step | None:
    if node.op_type != "QuantizeLinear" or node.outputs[0].is_graph_output():
        return None
    scale, zero = _parameters(node)
    if scale is None or scale.size != 1 or scale.dtype != np.float32 or zero is None:
        return None
    readers = tuple(reader for reader, _ in node.outputs[0].uses())
    if not all(r.op_type == "DequantizeLinear" and _is_inverse(r, scale, zero) for r in readers):
        return None
    info = np.iinfo(zero.dtype)
    ends = (int(end) - int(zero.reshape(())) for end in (info.min, info.max))
    low, high = (end * scale.reshape(()) for end in ends)
    return _Step(node, readers, low, high)


def _parameters(node: ir.Node) -> tuple[Array | None, Array | None]:
    """The constant scale and zero point; None for what is computed, or no integer."""
    given = [None if value is None else constant_of(value) for value in node.inputs[1:]]
    scale = given[0]
    zero = given[1] if len(given) > 1 else None
    if len(node.inputs) < 3 or node.inputs[2] is None:
        zero = np.zeros((), np.uint8)
    is_known = zero is not None and zero.size == 1 and zero.dtype.kind in "iu"
    return scale, zero if is_known else None


def _is_inverse(node: ir.Node, scale: Array, zero: Array) -> bool:
    """Whether the DequantizeLinear gives back what the integers stand for."""
    s, z = _parameters(node)
    if s is None or z is None or s.size != 1 or s.dtype != scale.dtype:
        return False
    return bool(s.reshape(()) == scale.reshape(()) and z.reshape(()) == zero.reshape(()))


def _stored(model: ir.Model) -> Counter[tuple[str, int]]:
    """Types and sizes of the stored integers that DequantizeLinear reads."""
    readers = (node for node in model.graph if node.op_type == "DequantizeLinear")
    read = (node.inputs[0] for node in readers)
    levels = (None if value is None else constant_of(value) for value in read)
    return Counter((str(array.dtype), array.size) for array in levels if array is not None)


def _take_out(model: ir.Model) -> None:
    for index, step in enumerate(_steps(model) or ()):
        _replace(model.graph, step, index)


def _replace(graph: ir.Graph, step: _Step, index: int) -> None:
    x = step.node.inputs[0]
    ends = [ir.node("Constant", [], {"value": ir.tensor(end)}) for end in (step.low, step.high)]
    above = ir.node("Max", [x, ends[0].outputs[0]])
    within = ir.node("Min", [above.outputs[0], ends[1].outputs[0]])
    for count, node in enumerate((*ends, above)):
        node.outputs[0].name = f"without step {index} {count}"
    within.outputs[0].name = f"without step {index}"
    graph.insert_before(step.node, (*ends, above, within))
    for reader in step.readers:
        old = reader.outputs[0]
        new = ir.Value(name=old.name, type=ir.TensorType(ir.DataType.FLOAT), shape=old.shape)
        graph.insert_before(reader, ir.node("Identity", [within.outputs[0]], outputs=[new]))
        ir.convenience.replace_all_uses_with(old, new, replace_graph_outputs=True)
        graph.remove(reader, safe=True)
    graph.remove(step.node, safe=True)
