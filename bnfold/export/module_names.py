"""Names that a reader of the network's code knows: nodes and tensors are called by their module."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Sequence

import onnx
import onnx_ir as ir

from bnfold.fresh_names import FreshNames

SCOPES = "pkg.torch.onnx.name_scopes"
LAYERS = ("Conv", "ConvTranspose", "BatchNormalization")
LAYER_WORDS = {
    **{"W": "weight", "scale": "weight", "B": "bias"},
    **{"input_mean": "running_mean", "input_var": "running_var"},
}
NO_SCOPE = "_empty_nn_module_stack"  # what torch writes where it knows no module


def name_nodes(model: ir.Model) -> None:
    """Each node has the path of the module it comes from: `features.0.1`.

    Where a module gave several nodes, or has modules of its own, the operator is added:
    `layer1.0/Add`.
    """
    nodes = list(model.graph.all_nodes())
    paths = [_module_path(node) for node in nodes]
    count = Counter(paths)
    containers = {parent for path in paths for parent in _parents(path)}
    fresh = FreshNames()
    for node, path in zip(nodes, paths, strict=True):
        alone = count[path] == 1 and path and path not in containers
        node.name = fresh(path if alone else f"{path}/{node.op_type}".lstrip("/"))


def _module_path(node: ir.Node) -> str:
    scopes = ast.literal_eval(node.metadata_props.get(SCOPES, "[]"))
    path = str(scopes[-2]) if len(scopes) > 1 else ""  # the last one is the operator itself
    return "" if path.startswith(NO_SCOPE) else path


def _parents(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]


def name_values(
    model: ir.Model, outputs: Sequence[str], parameters: Iterable[str], version: int
) -> None:
    """A tensor is called as the node that makes it, a computed constant as the input it feeds.

    Args:
        model: changed in place.
        outputs: the names for the graph's outputs.
        parameters: names of initializers to leave: those of the module's state dict.
        version: of the ONNX operators, for the names of their inputs.
    """
    keep = set(parameters)
    fresh = FreshNames(str(value.name) for value in model.graph.inputs)
    for name in model.graph.initializers:
        if name in keep:
            fresh(name)
    for value, name in zip(model.graph.outputs, outputs, strict=True):
        if not value.is_graph_input() and not value.is_initializer():
            _rename(value, fresh(name))
    for node in model.graph.all_nodes():
        for read in node.inputs:
            if read is not None and read.is_initializer() and read.name not in keep:
                keep.add(_rename(read, fresh(f"{node.name}.{_formal(node, read, version)}")))
        for place, made in enumerate(node.outputs):
            if made.name and not made.is_graph_output():
                alone = len(node.outputs) == 1
                _rename(made, fresh(str(node.name) if alone else f"{node.name}:{place}"))


def _rename(value: ir.Value, name: str) -> str:
    value.name = name
    if value.const_value is not None:
        value.const_value.name = name
    return name


def _formal(node: ir.Node, value: ir.Value, version: int) -> str:
    """What a layer or else the operator calls this input: `weight`, `shape`, `B`."""
    place = list(node.inputs).index(value)
    if node.domain or not onnx.defs.has(node.op_type):
        return f"input{place}"
    formal = onnx.defs.get_schema(node.op_type, version).inputs
    name = str(formal[min(place, len(formal) - 1)].name)
    return LAYER_WORDS.get(name, name) if node.op_type in LAYERS else name
