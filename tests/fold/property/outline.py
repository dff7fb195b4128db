"""A run of nodes becomes a local function, as exporters make them of modules."""

from __future__ import annotations

import onnx
from onnx import helper

from tests.fold.property.choices import Choices

DOMAIN = "local"


def outlined(model: onnx.ModelProto, choices: Choices) -> onnx.ModelProto:
    """The same network with some nodes in a function; itself where that does not work out."""
    nodes = list(model.graph.node)
    start = choices.between(0, len(nodes) - 1)
    stop = choices.between(start + 1, len(nodes))
    inside = nodes[start:stop]
    if any(a.type == onnx.AttributeProto.GRAPH for node in inside for a in node.attribute):
        return model
    made = {name for node in inside for name in node.output if name}
    read = dict.fromkeys(n for node in inside for n in node.input if n and n not in made)
    after = _read_after(model, nodes[stop:])
    outputs = [name for node in inside for name in node.output if name in after]
    if not outputs or model.ir_version < 8:
        return model
    opsets = [helper.make_opsetid("", model.opset_import[0].version)]
    function = helper.make_function(DOMAIN, "Block", list(read), outputs, inside, opsets)
    call = helper.make_node("Block", list(read), outputs, name="the_call", domain=DOMAIN)
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    del changed.graph.node[:], changed.graph.value_info[:]
    changed.graph.node.extend([*nodes[:start], call, *nodes[stop:]])
    changed.functions.append(function)
    changed.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    return changed


def _read_after(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> set[str]:
    found = {output.name for output in model.graph.output}
    for node in nodes:
        found |= set(node.input)
        for attribute in node.attribute:
            found |= {name for inner in attribute.g.node for name in inner.input}
    return found
