"""Graphs that take or give bfloat16, which onnxruntime does not pass to and from NumPy.

Their ends are float32 instead (those of a float16 copy too, where it is judged as one), with a Cast
behind each input and before each output: every bfloat16 is a float32, and what a Cast narrows here
was a bfloat16 before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from bnfold.runtime.sessions import Session
from bnfold.runtime.signature import Array

_NARROW = ir.DataType.BFLOAT16


class NarrowEnds:
    """A session on a graph with wide ends, that takes and gives what the graph did."""

    def __init__(self, session: Session, outputs: Mapping[str, bool]) -> None:
        """`outputs` has each output, in order, and whether it is a bfloat16."""
        self._session, self._outputs = session, outputs

    @property
    def tensors(self) -> frozenset[str]:
        """The outputs that are tensors, and no sequence, map or optional value."""
        return self._session.tensors

    def run(self, feeds: Mapping[str, Array], names: Sequence[str] | None = None) -> list[Array]:
        """The outputs, or those named, in order; raises what a session does."""
        fed = {
            name: array.astype(np.float32) if array.dtype == _NARROW.numpy() else array
            for name, array in feeds.items()
        }
        asked = list(names or self._outputs)
        runs = zip(asked, self._session.run(fed, asked), strict=True)
        return [
            array.astype(_NARROW.numpy()) if self._outputs.get(name) else array
            for name, array in runs
        ]


def narrow_outputs(model: ir.Model) -> dict[str, bool]:
    """Each output, in order, and whether it is a bfloat16; nothing where no end is one."""
    graph = model.graph
    if not any(value.dtype == _NARROW for value in (*graph.inputs, *graph.outputs)):
        return {}
    return {value.name or "": value.dtype == _NARROW for value in graph.outputs}


def widen_ends(model: ir.Model, narrow: ir.DataType) -> None:
    """The graph, changed: inputs and outputs of this type are float32."""
    graph = model.graph
    fed: dict[ir.Value, ir.Value] = {}
    for index, value in enumerate(list(graph.inputs)):
        if value.dtype == narrow and not value.is_initializer():
            fed[value] = wide = _float(value.name or "", value)
            inner = ir.Value(name=f"narrow input {index}", type=ir.TensorType(narrow))
            cast = ir.node("Cast", [wide], {"to": narrow}, outputs=[inner])
            for node, operand in list(value.uses()):
                node.replace_input_with(operand, inner)
            graph.inputs[index] = wide
            graph.insert_before(graph[0], cast)
    for index, value in enumerate(list(graph.outputs)):
        if value in fed:
            graph.outputs[index] = fed[value]
        elif value.dtype == narrow:
            wide = _float(value.name or "", value)
            value.name = f"narrow {value.name}"
            graph.append(ir.node("Cast", [value], {"to": ir.DataType.FLOAT}, outputs=[wide]))
            graph.outputs[index] = wide


def _float(name: str, like: ir.Value) -> ir.Value:
    return ir.Value(name=name, type=ir.TensorType(ir.DataType.FLOAT), shape=like.shape)
