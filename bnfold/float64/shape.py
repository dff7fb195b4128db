"""Operators that rearrange, join, cut and repeat."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from bnfold.float64.call import Array, Call, Operator


def reshape(call: Call) -> Array:
    """Reshape: 0 copies the extent (unless `allowzero`), -1 is inferred."""
    x = call[0]
    target = call.integers("shape") if call.opset < 5 else call[1].tolist()
    copies = not call.integer("allowzero", 0)
    return x.reshape([x.shape[i] if n == 0 and copies else n for i, n in enumerate(target or [])])


def flatten(call: Call) -> Array:
    """Flatten to a matrix."""
    x, axis = call[0], call.integer("axis", 1)
    rows = math.prod(x.shape[: axis + x.ndim if axis < 0 else axis])
    return x.reshape(rows, x.size // rows if rows else math.prod(x.shape[axis:]))


def transpose(call: Call) -> Array:
    """Transpose: axis i of the output is axis perm[i] of the input; reversed without `perm`.

    Source: ONNX operators, Transpose-13.
    """
    return call[0].transpose(call.integers("perm"))


def squeeze(call: Call) -> Array:
    """Squeeze: without the given axes of extent 1, or without all of them.

    Source: ONNX operators, Squeeze-13.
    """
    axes = call.axes()
    return call[0].squeeze(None if axes is None else tuple(axes))


def unsqueeze(call: Call) -> Array:
    """Unsqueeze: with axes of extent 1 at the given places of the output.

    Source: ONNX operators, Unsqueeze-13.
    """
    return np.expand_dims(call[0], tuple(call.axes() or ()))


def concat(call: Call) -> Array:
    """Concat; the axis is 1 where opset 1 leaves it out."""
    return np.concatenate([call[i] for i in range(len(call))], axis=call.integer("axis", 1))


def split(call: Call) -> Sequence[Array]:
    """Split by the sizes given, or evenly with a shorter last part.

    Raises:
        ValueError: `num_outputs` is not the number of outputs.
    """
    x, axis, given = call[0], call.integer("axis", 0), call.optional(1)
    sizes = call.integers("split") if given is None else [int(n) for n in given]
    if sizes is None:
        parts = call.n_outputs
        if call.integer("num_outputs", parts) != parts:
            raise ValueError(f"num_outputs is not the number of outputs, {parts}")
        step = -(-x.shape[axis] // parts)
        sizes = [step] * (parts - 1) + [x.shape[axis] - step * (parts - 1)]
    return np.split(x, np.cumsum(sizes)[:-1].tolist(), axis=axis)


def expand(call: Call) -> Array:
    """Expand; both sides broadcast."""
    return np.broadcast_to(call[0], np.broadcast_shapes(call[0].shape, tuple(call[1].tolist())))


def tile(call: Call) -> Array:
    """Tile: axis i of extent n repeated r[i] times -> n r[i].

    Source: ONNX operators, Tile-13.
    """
    return np.tile(call[0], call[1].tolist())


def shape(call: Call) -> Array:
    """Shape: the extents as int64 [rank], or those from `start` to `end`.

    Source: ONNX operators, Shape-15.
    """
    dims = call[0].shape
    return np.asarray(dims[call.integer("start", 0) : call.integer("end", len(dims))], np.int64)


def size(call: Call) -> Array:
    """Size: how many elements there are, an int64 scalar.

    Source: ONNX operators, Size-13.
    """
    return np.asarray(call[0].size, np.int64)


def depth_to_space(call: Call) -> Array:
    """DepthToSpace: channels are block, block, C (DCR) or C, block, block (CRD)."""
    x, b = call[0], call.integer("blocksize", 1)
    N, C, H, W = x.shape
    if call.text("mode", "DCR") == "DCR":
        y = x.reshape(N, b, b, C // (b * b), H, W).transpose(0, 3, 4, 1, 5, 2)
    else:
        y = x.reshape(N, C // (b * b), b, b, H, W).transpose(0, 1, 4, 2, 5, 3)
    return y.reshape(N, C // (b * b), H * b, W * b)


def space_to_depth(call: Call) -> Array:
    """SpaceToDepth: channels become block, block, C (DCR) or C, block, block (CRD)."""
    x, b = call[0], call.integer("blocksize", 1)
    N, C, H, W = x.shape
    order = (0, 3, 5, 1, 2, 4) if call.text("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    y = x.reshape(N, C, H // b, b, W // b, b).transpose(order)
    return y.reshape(N, C * b * b, H // b, W // b)


OPERATORS: Mapping[str, Operator] = {
    "Concat": concat,
    "DepthToSpace": depth_to_space,
    "Expand": expand,
    "Flatten": flatten,
    "Reshape": reshape,
    "Shape": shape,
    "Size": size,
    "SpaceToDepth": space_to_depth,
    "Split": split,
    "Squeeze": squeeze,
    "Tile": tile,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
}
