"""Reading and changing nodes and constants of a graph in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import onnx
import onnx.parser
from onnx import helper, numpy_helper

from benchmarks.drawn_pairs.graphs import Array, Rng

Item = TypeVar("Item")
Fault = Callable[[onnx.ModelProto, Rng], bool]
"""Plants a fault in the graph; False where the graph has no place for it."""


def nodes_of(model: onnx.ModelProto, *operators: str) -> list[onnx.NodeProto]:
    """All nodes of these operators."""
    return [node for node in model.graph.node if node.op_type in operators]


def picked(among: Sequence[Item], rng: Rng) -> Item | None:
    """One of them; None where there is none."""
    return among[int(rng.integers(len(among)))] if among else None


def attribute(node: onnx.NodeProto, name: str, default: object = None) -> object:
    """An attribute's value, or the default."""
    found = next((each for each in node.attribute if each.name == name), None)
    return default if found is None else helper.get_attribute_value(found)


def integers(node: onnx.NodeProto, name: str) -> list[int]:
    """An attribute that is a list of integers; empty where it is not there."""
    return [each for own in node.attribute if own.name == name for each in own.ints]


def set_attribute(node: onnx.NodeProto, name: str, value: object) -> None:
    """The node has this attribute, whatever it was before."""
    kept = [each for each in node.attribute if each.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])


def constants(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    """Initializers of floats by name."""
    floats = (t for t in model.graph.initializer if t.data_type == onnx.TensorProto.FLOAT)
    return {tensor.name: tensor for tensor in floats}


def change(tensor: onnx.TensorProto, changed: Callable[[Array], Array]) -> None:
    """The constant holds what the function makes of a copy of it."""
    array = np.asarray(changed(numpy_helper.to_array(tensor).copy()), np.float32)
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def insert_before(
    model: onnx.ModelProto, node: onnx.NodeProto, text: str, *, position: int = 0
) -> None:
    """The node reads `fault`, which the text makes of {x}, in place of its input {x}."""
    index = list(model.graph.node).index(node)
    put_in = parsed_nodes(text.format(x=node.input[position]))
    node.input[position] = "fault"
    every = [*model.graph.node[:index], *put_in, *model.graph.node[index:]]
    copies = onnx.GraphProto(node=every).node
    del model.graph.node[:]
    model.graph.node.extend(copies)


def append(model: onnx.ModelProto, text: str) -> None:
    """The output is called `fault` now, and the text makes it of {x}, which it was."""
    output = model.graph.output[0]
    model.graph.node.extend(parsed_nodes(text.format(x=output.name)))
    output.name = "fault"


def parsed_nodes(text: str) -> list[onnx.NodeProto]:
    """The nodes of ONNX text."""
    return list(onnx.parser.parse_graph(f"g () => () {{ {text} }}").node)
