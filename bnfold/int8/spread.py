"""How unequal the channels of a tensor are: int8 has one scale for all of them.

The channel with the widest range sets the scale of an activation; the others are left with the
steps that it needs. A fold that scales channels apart widens this spread, and costs accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from bnfold import model_io
from bnfold.errors import ModelError
from bnfold.runtime.engine import Setting
from bnfold.runtime.sessions import Session

Array = np.ndarray[Any, np.dtype[Any]]

WIDER = 2.0
"""By this factor the widest spread has to grow to be told: it costs one of eight bits."""


def spreads(model: Path, feed: Mapping[str, Array], *, name: str) -> dict[str, float]:
    """For each activation with channels, its widest channel's reach over the median channel's.

    Axis 1 has the channels. Empty where the runtime does not take the model with all its values as
    outputs.
    """
    loaded = model_io.load(model)
    known = set(loaded.graph.outputs)
    for node in loaded.graph:
        for value in node.outputs:
            is_real = value.dtype in (ir.DataType.FLOAT, None)
            if value not in known and value.name and is_real:
                value.shape = None
                value.type = ir.TensorType(ir.DataType.FLOAT)
                loaded.graph.outputs.append(value)
    proto: onnx.ModelProto = model_io.to_proto(loaded)
    try:
        session = Session(proto.SerializeToString(), Setting(level="none"), name=name)
        arrays = session.run(feed)
    except (ModelError, ValueError):
        return {}  # a value of another type, or a model beyond 2 GB: then nothing is named
    found = {}
    for output, array in zip(session.outputs, arrays, strict=True):
        if array.dtype.kind == "f" and array.ndim >= 2 and array.shape[1] > 1:
            reach = np.max(np.abs(array), axis=tuple(i for i in range(array.ndim) if i != 1))
            middle = float(np.median(reach))
            if middle > 0:
                found[output] = float(np.max(reach)) / middle
    return found


def widened(before: Mapping[str, float], after: Mapping[str, float]) -> str | None:
    """The tensor whose channels are furthest apart after, where none was so much before.

    Tensors of one name hold the same before and after a fold: what is wider is a tensor in between.
    """
    new = {name: spread for name, spread in after.items() if name not in before}
    worst = max(new, key=lambda name: new[name], default=None)
    if worst is None or new[worst] <= WIDER * max(before.values(), default=1.0):
        return None
    return worst
