"""Sizes that a file declares and that are not those of the run."""

from __future__ import annotations

import onnx
from onnx import helper

from tests.fold.property.choices import Choices


def told(model: onnx.ModelProto, choices: Choices) -> onnx.ModelProto:
    """The same network; some inner values or outputs declare other extents than they have."""
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    known = {info.name: info for info in inferred.graph.value_info}
    for _ in range(choices.between(0, 2)):
        if not known:
            break
        info = known.pop(choices.of(sorted(known)))
        changed.graph.value_info.append(_lying(info, choices))
    if choices.chance(50):
        place = choices.between(0, len(changed.graph.output) - 1)
        output = changed.graph.output[place]
        if output.name not in {info.name for info in model.graph.input}:
            output.CopyFrom(_lying(output, choices))
    return changed


def _lying(info: onnx.ValueInfoProto, choices: Choices) -> onnx.ValueInfoProto:
    kind = info.type.tensor_type
    dims: list[int | str | None] = [
        d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim
    ]
    if len(dims) > 2:
        place = choices.between(2, len(dims) - 1)
        size = dims[place]
        dims[place] = choices.of([8, 1, 3]) if size is None else int(size) + choices.of([1, -1])
    return helper.make_tensor_value_info(info.name, kind.elem_type, dims)
