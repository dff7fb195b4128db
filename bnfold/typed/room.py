"""Room for what a model computes: asked for before a runtime begins."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import onnx
import onnx_ir as ir
import psutil

from bnfold.errors import ModelError
from bnfold.model_io.skeleton import take_out
from bnfold.runtime.inference import NotInferredError, infer_shapes
from bnfold.runtime.large import told_size


def require_room(model: ir.Model, name: str) -> None:
    """Returns where none of its tensors is sure to take more memory than there is.

    What only a run tells is not counted: an extent that is open is one, and of all tensors of the
    main graph the largest is looked at.

    Args:
        model: is only read.
        name: what to call it in a sentence.

    Raises:
        ModelError: One is.
    """
    require_room_for(take_out(model).proto, name)


def require_room_for(proto: onnx.ModelProto, name: str) -> None:
    """The same for a model whose large tensors were taken out; what it declares inside is removed.

    Raises:
        ModelError: One is.
    """
    del proto.graph.value_info[:]  # a file may say anything there
    try:
        graph = infer_shapes(proto).graph
    except NotInferredError:
        return  # nothing is known beforehand
    largest = max((*graph.value_info, *graph.output), key=_size_bytes, default=None)
    if largest is not None:
        require_memory(_size_bytes(largest), f"{name}: its tensor {largest.name!r}")


def require_room_to_open(sizes_bytes: Sequence[int], levels: Collection[str], name: str) -> None:
    """Returns where onnxruntime has room for models with so many bytes of weights, open at once.

    Without optimisations it maps weights from their files. With them it fuses weights and lays
    them out anew: each session holds its own, and one that is being opened twice as much, which is
    what tests/hostile/large.py measures.

    Raises:
        ModelError: it has not; nothing was opened.
    """
    if set(levels) - {"none"}:
        needed = sum(sizes_bytes) + max(sizes_bytes)
        require_memory(needed, f"{name}: onnxruntime, which makes weights anew to optimise,")


def _size_bytes(info: onnx.ValueInfoProto) -> int:
    kind = info.type.tensor_type
    if not kind.elem_type or kind.elem_type == ir.DataType.STRING:
        return 0
    extents = (dim.dim_value if dim.HasField("dim_value") else 1 for dim in kind.shape.dim)
    return math.prod(extents) * ir.DataType(kind.elem_type).bitwidth // 8


def require_memory(needed: int, what: str) -> None:
    """Returns where so many bytes are free.

    Raises:
        ModelError: They are not; the sentence begins with `what` needs them.
    """
    there = psutil.virtual_memory().available
    if needed > there:
        raise ModelError(
            f"{what} needs {told_size(needed)} of memory, and {told_size(there)} are free; "
            "run this where there is more"
        )
