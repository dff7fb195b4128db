"""Two models without what they round to half precision in between: faults that it would cover.

    Cast_float32(Cast_half(x))   ->   x

In mixed precision the original's own error is that of half precision, which a weight that is off by
a thousandth does not exceed. Where that is all the half precision there is, and what they store is
in float32, two models are the same only if they are without those Casts too. Where the Casts stand
is no matter: a fold that was allowed to moves a batch norm past them.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

from bnfold.verify.half import HALVES
from bnfold.verify.inference import dtypes_of
from bnfold.verify.seen_operators import is_narrow
from bnfold.verify.subject import OnnxSubject


def without_casts(a: OnnxSubject, b: OnnxSubject) -> tuple[OnnxSubject, OnnxSubject] | None:
    """Both models on graphs of their own without these Casts; None where they have others."""
    if is_narrow(a.model) or is_narrow(b.model) or not _casts(a.model):
        return None
    if not all(len(_casts(s.model)) == len(list(_pairs(s.model))) for s in (a, b)):
        return None
    return a.rewritten(_take_out), b.rewritten(_take_out)


def _casts(model: ir.Model) -> list[ir.Node]:
    """The Casts to half precision, wherever they stand."""
    nodes = [n for f in model.functions.values() for n in f.all_nodes()]
    return [n for n in (*nodes, *model.graph.all_nodes()) if _target(n) in HALVES.values()]


def _pairs(model: ir.Model) -> Iterator[ir.Node]:
    """The Casts from float32 that only Casts back to it read, all of the main graph."""
    known = dtypes_of(model)
    for node in model.graph:
        x, narrow = node.inputs[0] if node.inputs else None, node.outputs[0]
        if _target(node) not in HALVES.values() or x is None or narrow.is_graph_output():
            continue
        readers = [reader for reader, _ in narrow.uses()]
        is_back = all(
            _target(reader) == ir.DataType.FLOAT and reader.graph is model.graph
            for reader in readers
        )
        if known.get(x.name or "") == ir.DataType.FLOAT and is_back:
            yield node


def _target(node: ir.Node) -> int:
    """The type to which a Cast goes; 0 for another node."""
    return node.attributes["to"].as_int() if node.op_type == "Cast" else 0


def _take_out(model: ir.Model) -> None:
    for node in list(_pairs(model)):
        for reader, _ in list(node.outputs[0].uses()):
            old = reader.outputs[0]
            new = ir.Value(name=old.name, type=old.type, shape=old.shape)
            model.graph.insert_before(node, ir.node("Identity", [node.inputs[0]], outputs=[new]))
            ir.convenience.replace_all_uses_with(old, new, replace_graph_outputs=True)
            model.graph.remove(reader, safe=True)
        model.graph.remove(node, safe=True)
