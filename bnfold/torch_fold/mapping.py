"""Which part of a module each changed node of a folded graph belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.operator_facts import LINEAR
from bnfold.torch_fold.modules import Parts, linear_kinds

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass
class NewTensors:
    """New tensors by the names of a module's state dict, and nodes that belong to no part of it.

    Attributes:
        tensors: in the shapes that torch has them in.
        strangers: by the name of the node, why its change cannot be told to the module.
    """

    tensors: dict[str, Array] = field(default_factory=dict)
    strangers: dict[str, str] = field(default_factory=dict)


def changes_between(before: ir.Model, after: ir.Model, parts: Parts) -> NewTensors:
    """What a fold has changed, in terms of the module that `before` was exported from."""
    old = {node.name: node for node in before.graph}
    changes = NewTensors()
    for node in after.graph:
        name = node.name or ""
        if name not in old:
            changes.strangers[name] = "it is no node of the module's graph"
            continue
        changed = _changed_inputs(old[name], node)
        if node.op_type != old[name].op_type:
            changes.strangers[name] = f"it would become {node.op_type}, which is no part's own"
        elif changed is None or _attributes(old[name]) != _attributes(node):
            changes.strangers[name] = "it would read or do something else"
        elif changed:
            reason = _told(old[name], changed, parts, changes)
            if reason is not None:
                changes.strangers[name] = reason
    return changes


def _changed_inputs(old: ir.Node, new: ir.Node) -> dict[int, Array] | None:
    """The constants that are new, by input; None where more than constants has changed."""
    if old.op_type != new.op_type or old.domain != new.domain:
        return None
    if len(new.inputs) < len(old.inputs):
        return None
    changed: dict[int, Array] = {}
    for index, value in enumerate(new.inputs):
        was = old.inputs[index] if index < len(old.inputs) else None
        if value is None or value.const_value is None:
            if (value is None) != (was is None) or (was is not None and was.const_value):
                return None
        elif was is not None and was.const_value is None:
            return None
        elif was is None or was.name != value.name:
            array = value.const_value.numpy()
            is_turned = index == 1 and _is_turned(old) != _is_turned(new)
            changed[index] = array.T if is_turned else array
    return changed


def _is_turned(node: ir.Node) -> bool:
    turned = node.attributes.get("transB") if node.op_type == "Gemm" else None
    return turned is not None and bool(turned.value)


def _attributes(node: ir.Node) -> Mapping[str, Any]:
    """With those that are left out, and without how a Gemm's weight lies, which `_weight` sees."""
    given = {name: attribute.value for name, attribute in node.attributes.items()}
    if node.op_type != "Gemm":
        return given
    whole = {"alpha": 1.0, "beta": 1.0, "transA": 0, **given}
    whole.pop("transB", None)
    return whole


def _told(
    node: ir.Node, changed: Mapping[int, Array], parts: Parts, changes: NewTensors
) -> str | None:
    """The module's tensors are those of the node; or why they cannot be."""
    owner = owner_of(node)
    if owner not in parts.modules:
        return "it is no Linear or Conv module's own"
    reason = parts.why_not(owner, linear_kinds())
    if reason is not None:
        return reason
    for index, array in changed.items():
        old = node.inputs[index] if index < len(node.inputs) else None
        was = None if old is None or old.const_value is None else old.const_value.numpy()
        part: Any = parts.modules[owner]
        is_weight = node.op_type in LINEAR and index == 1
        found = _weight(part, array, was) if is_weight else _bias(part, node, index, array, was)
        if found is None:
            return f"its input {index} is not the weight or the bias of {owner}"
        changes.tensors[f"{owner}.{'weight' if is_weight else 'bias'}"] = found
    return None


def _weight(part: Any, array: Array, was: Array | None) -> Array | None:
    """The new weight as the module has it; None where the old one is not the module's."""
    mine = part.weight.detach().cpu().numpy()
    if was is None or array.shape != was.shape:
        return None
    if was.shape == mine.shape and np.array_equal(was, mine):
        return array
    if was.T.shape == mine.shape and np.array_equal(was.T, mine):
        return np.ascontiguousarray(array.T)
    return None


def _bias(part: Any, node: ir.Node, index: int, array: Array, was: Array | None) -> Array | None:
    """The same for a bias, which may be new."""
    is_bias = index == 2 if node.op_type in LINEAR else node.op_type == "Add"
    length = part.out_features if hasattr(part, "out_features") else part.out_channels
    if not is_bias or array.size != length:
        return None
    if was is None or part.bias is None:
        return array.reshape(length) if was is None and part.bias is None else None
    mine = part.bias.detach().cpu().numpy()
    return array.reshape(length) if np.array_equal(was.reshape(-1), mine) else None


def owner_of(node: ir.Node) -> str:
    """The part of the module that the node is named for: `fc` of `fc`, or of `fc/MatMul`."""
    return (node.name or "").partition("/")[0]


def norms_of(model: ir.Model) -> Iterator[tuple[str, str]]:
    """Each batch norm's node with the module whose statistics it reads; empty where none is."""
    for node in model.graph.all_nodes():
        if node.op_type == "BatchNormalization":
            mean = node.inputs[3]
            owner, _, last = ((mean.name if mean is not None else None) or "").rpartition(".")
            yield node.name or node.outputs[0].name or "", owner if last == "running_mean" else ""


def nodes_named(into: Sequence[str]) -> set[str]:
    """The names in what a ledger says of operators: `Conv 'stem.0'`."""
    return {text.partition("'")[2].rstrip("'") for text in into}
