"""What a file says of its model at first sight: its graph is read, and none of its weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from bnfold.errors import ModelError
from bnfold.model_io import walk
from bnfold.model_io.files import locations_in
from bnfold.model_io.gate import refuse_what_is_wrong
from bnfold.model_io.loading import read_skeleton
from bnfold.model_io.mapped import Maps
from bnfold.model_io.opening import parts_of
from bnfold.runtime.domains import DEFAULT_DOMAINS
from bnfold.runtime.signature import Dim


@dataclass(frozen=True)
class DeclaredEnd:
    """An input or an output; `dims` is None where not even the rank is declared."""

    name: str
    dims: tuple[Dim, ...] | None


@dataclass(frozen=True)
class Outline:
    """What can be told of a model before anything is asked of it.

    Attributes:
        size_bytes: of the file, and of those beside it that have its weights.
        opset: of the ONNX operators; None where the file does not say.
        operators: how many nodes of which, bodies included, in the order of their first.
        inputs, outputs: of the graph; inputs with a stored default are not among them.
    """

    size_bytes: int
    opset: int | None
    operators: Mapping[str, int]
    inputs: Sequence[DeclaredEnd]
    outputs: Sequence[DeclaredEnd]


def outline_of(path: Path) -> Outline:
    """The outline of the model in a file.

    Raises:
        ModelError: The file is missing, damaged or refused by the gate, or leads out of its folder.
    """
    proto = read_skeleton(path, Maps())
    try:
        refuse_what_is_wrong(proto)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    beside = [path.parent.joinpath(*parts_of(place)) for place in locations_in(proto)]
    stored = {tensor.name for tensor in proto.graph.initializer}
    return Outline(
        size_bytes=sum(file.stat().st_size for file in (path, *beside) if file.exists()),
        opset=next((o.version for o in proto.opset_import if o.domain in DEFAULT_DOMAINS), None),
        operators=Counter(node.op_type for node in _nodes(proto)),
        inputs=[_end(info) for info in proto.graph.input if info.name not in stored],
        outputs=[_end(info) for info in proto.graph.output],
    )


def _nodes(proto: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    for graph in walk.graphs(proto):
        yield from graph.node
    for function in proto.functions:
        yield from function.node


def _end(info: onnx.ValueInfoProto) -> DeclaredEnd:
    kind = info.type.tensor_type
    dims = (d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in kind.shape.dim)
    return DeclaredEnd(info.name, tuple(dims) if kind.HasField("shape") else None)
