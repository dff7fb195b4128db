"""Repairs by name: what an exporter wrote and did not mean. They change what the model computes.

Nobody gets one without asking for it, and each is told; a fold starts from the repaired model.

    spatial     opset < 9, spatial = 0 asks for one number for each position; with one for each
                channel the model is invalid, and spatial = 1 is what runtimes are sent in its place
    inference   a batch norm in training mode normalises with the batch's own statistics, and gives
                new running ones; in inference mode it uses those that are stored

Source: ONNX operators, BatchNormalization-1 to BatchNormalization-15.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

import onnx_ir as ir

from bnfold.errors import UsageError, did_you_mean
from bnfold.fold.facts.node import attribute_of, describe, is_op, is_read
from bnfold.runtime.domains import standard_opset

_SPATIAL_UNTIL = 9  # the opset without the attribute
_NO_IS_TEST = 7
_BY_ATTRIBUTE = 14  # training_mode tells; before, the number of outputs


def repair(model: ir.Model, kinds: Collection[str]) -> tuple[str, ...]:
    """The batch norms of the model are repaired in place.

    Args:
        model: what is edited, its functions too.
        kinds: which repairs; see `REPAIRS`.

    Returns:
        What was changed, in words.

    Raises:
        UsageError: a kind is unknown.
    """
    unknown = sorted(set(kinds) - set(REPAIRS))
    if unknown:
        near = did_you_mean(unknown[0], list(REPAIRS))
        raise UsageError(f"repair: unknown {unknown[0]}; choose from {', '.join(REPAIRS)}{near}")
    done = []
    for node, opset in _batch_norms(model):
        for kind in REPAIRS:
            sentence = REPAIRS[kind](node, opset) if kind in kinds else None
            if sentence is not None:
                done.append(f"{describe(node)}: {sentence}")
    return tuple(done)


def _is_without_positions(node: ir.Node) -> bool:
    """Whether spatial = 0 has one number for each channel, which is no valid model."""
    return all(value is not None and _rank_of(value) == 1 for value in node.inputs[1:5])


def _rank_of(value: ir.Value) -> int | None:
    """How many axes a parameter has that is stored, by the file or by a Constant node."""
    node = value.producer()
    while node is not None and is_op(node, "Identity") and node.inputs[0] is not None:
        value, node = node.inputs[0], node.inputs[0].producer()
    if node is not None and is_op(node, "Constant") and "value" in node.attributes:
        return len(node.attributes["value"].as_tensor().shape)
    return None if value.shape is None else len(value.shape)


def _batch_norms(model: ir.Model) -> Iterator[tuple[ir.Node, int]]:
    """Every batch norm with the version of its operator."""
    own = standard_opset(model.opset_imports)
    places = [(graph, own) for graph in model.graphs()]
    places += [(f.graph, f.opset_imports.get("", own)) for f in model.functions.values()]
    for graph, opset in places:
        for node in tuple(graph):
            if is_op(node, "BatchNormalization"):
                yield node, node.version or opset


def _spatial(node: ir.Node, opset: int) -> str | None:
    if opset >= _SPATIAL_UNTIL or attribute_of(node, "spatial", 1) != 0:
        return None
    rank = None if node.inputs[0] is None or node.inputs[0].shape is None else node.inputs[0].shape
    if (rank is not None and len(rank) == 2) or not _is_without_positions(node):
        return None  # with two axes it says what it means
    node.attributes.pop("spatial")
    return "spatial = 0 with one number for each channel became spatial = 1"


def _inference(node: ir.Node, opset: int) -> str | None:
    extra = node.outputs[1:]
    if any(map(is_read, extra)):
        return None  # somebody reads the new statistics: there are none in inference
    if opset >= _BY_ATTRIBUTE:
        training = attribute_of(node, "training_mode", 0) == 1
        node.attributes.pop("training_mode", None)
    elif opset < _NO_IS_TEST:
        training = attribute_of(node, "is_test", 0) == 0
        node.attributes["is_test"] = ir.AttrInt64("is_test", 1)
    else:
        training = any(value.name for value in extra)
    if not training:
        return None
    node.resize_outputs(1)
    return "training mode became inference with the stored statistics"


REPAIRS: Mapping[str, Callable[[ir.Node, int], str | None]] = {
    "spatial": _spatial,
    "inference": _inference,
}
"""By the name that a user gives it."""
