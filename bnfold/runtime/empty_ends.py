"""Lists of inputs and outputs that end in empty names, on which onnxruntime ends the process.

An empty name says that something optional is not given, as a shorter list does. Seen in 1.32, each
in a process of its own, at every operator of ONNX that takes or gives something optional, with
others before and behind it:

    LayerNormalization (x, scale, "")                SIGSEGV at opening, from level "extended" on
    y, "", "", "", "" = BatchNormalization (...)     SIGSEGV in a run at any level, before opset 14

What is handed to onnxruntime has the shorter lists. A file that is written keeps its own: that is
how its author says the same, and a fold changes nothing but what it folds.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, MutableSequence

import onnx
from google.protobuf.message import DecodeError, EncodeError

from bnfold import wire
from bnfold.runtime.domains import DEFAULT_DOMAINS
from bnfold.runtime.file_search import as_written, holds

_SUSPECT = {
    "LayerNormalization": b"\x0a\x00\x12",  # an empty input, and an output behind it
    "BatchNormalization": b"\x12\x00" * 4,  # four empty outputs
}
"""By operator, what the fields of such a node have in the order in which protobuf writes them."""

_UNREADABLE = (OSError, ValueError, DecodeError, EncodeError, wire.MalformedError)


def without_empty_ends(source: str | bytes) -> str | bytes:
    """The model, a path or its bytes, with shorter lists where onnxruntime would end the process.

    What cannot be read, or is too large to be bytes, is as it was.
    """
    try:
        if not any(_may_have(source, op) for op in _SUSPECT):
            return source
        model = _loaded(source)
        return bytes(model.SerializeToString()) if _shorten(model) else source
    except _UNREADABLE:
        return source


def _may_have(source: str | bytes, op: str) -> bool:
    return holds(source, [as_written(op)]) and holds(source, [_SUSPECT[op]])


def _loaded(source: str | bytes) -> onnx.ModelProto:
    """With what lies in other files, which bytes could not find, where it is a path."""
    if isinstance(source, bytes):
        return onnx.load(io.BytesIO(source), load_external_data=False)
    return onnx.load(source)


def _shorten(model: onnx.ModelProto) -> bool:
    """Whether a list was cut off."""
    nodes = [*_nodes(model.graph.node)]
    for function in model.functions:
        nodes += _nodes(function.node)
    cut = [
        _cut(names) for node in nodes if _is_suspect(node) for names in (node.input, node.output)
    ]
    return any(cut)


def _is_suspect(node: onnx.NodeProto) -> bool:
    return node.op_type in _SUSPECT and node.domain in DEFAULT_DOMAINS


def _cut(names: MutableSequence[str]) -> bool:
    length = len(names)
    while names and not names[-1]:
        del names[-1]
    return len(names) < length


def _nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """The nodes, and those of their bodies."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                yield from _nodes(body.node)
