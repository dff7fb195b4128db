"""Operators that only move numbers about, or take some of them."""

from __future__ import annotations

import math

import numpy as np

from tests.fold.property.builder import Builder, NotApplicableError
from tests.fold.property.constants import integers

_MOST_INT = 2**63 - 1


def flatten(b: Builder, x: str) -> str:
    if len(b.shape(x)) == 2:
        raise NotApplicableError("flat already")
    return b.node("Flatten", [x], {"axis": 1} if b.choices.chance(30) else {})


def reshape(b: Builder, x: str) -> str:
    """Merge, split, or both; written with 0 and -1 as exporters do."""
    shape = list(b.shape(x))
    form = b.choices.of(["merge-space", "merge-lead", "split-channels", "flat", "anything"])
    target: list[int]
    if form == "merge-space" and len(shape) > 3:
        target = [0, 0, -1]
    elif form == "merge-lead" and len(shape) == 3:
        target = [-1, shape[2]]
    elif form == "split-channels" and shape[1] % 2 == 0:
        target = [shape[0], 2, shape[1] // 2, *shape[2:]]
    elif form == "flat":
        target = [shape[0], -1]
    else:
        size = math.prod(shape)
        first = b.choices.of([d for d in range(1, size + 1) if size % d == 0])
        target = [first, size // first]
    if len(target) < 2 or target == shape:
        raise NotApplicableError("nothing to reshape")
    return b.node("Reshape", [x, integers(b, target, "shape")])


def shuffle(b: Builder, x: str) -> str:
    """Channel shuffle: Reshape, Transpose, Reshape."""
    shape = list(b.shape(x))
    if shape[1] % 2 or len(shape) < 3:
        raise NotApplicableError("an odd number of channels")
    wide = [0, 2, shape[1] // 2, *shape[2:]]
    x = b.node("Reshape", [x, integers(b, wide, "shape")])
    perm = [0, 2, 1, *range(3, len(wide))]
    x = b.node("Transpose", [x], {"perm": perm})
    return b.node("Reshape", [x, integers(b, [0, -1, *shape[2:]], "shape")])


def transpose(b: Builder, x: str) -> str:
    rank = len(b.shape(x))
    if b.choices.chance(40):  # the channels last, or first again
        perm = (
            [0, *range(2, rank), 1] if b.choices.chance(50) else [0, rank - 1, *range(1, rank - 1)]
        )
        return b.node("Transpose", [x], {"perm": perm})
    perm = list(range(rank))
    for _ in range(2):
        i, j = b.choices.between(0, rank - 1), b.choices.between(0, rank - 1)
        perm[i], perm[j] = perm[j], perm[i]
    return b.node("Transpose", [x], {"perm": perm} if b.choices.chance(90) else {})


def squeeze(b: Builder, x: str) -> str:
    axes = [i for i, d in enumerate(b.shape(x)) if d == 1 and i > 1]
    if not axes:
        raise NotApplicableError("nothing to squeeze")
    if b.opset >= 13:
        return b.node("Squeeze", [x, integers(b, axes, "axes")])
    return b.node("Squeeze", [x], {"axes": axes})


def unsqueeze(b: Builder, x: str) -> str:
    if len(b.shape(x)) > 4:
        raise NotApplicableError("deep enough")
    axis = b.choices.of([len(b.shape(x)), 2, -1])
    if axis < 0 and b.opset < 11:
        raise NotApplicableError("negative axes are newer")
    if b.opset >= 13:
        return b.node("Unsqueeze", [x, integers(b, [axis], "axes")])
    return b.node("Unsqueeze", [x], {"axes": [axis]})


def blocks(b: Builder, x: str) -> str:
    shape = b.shape(x)
    if len(shape) != 4:
        raise NotApplicableError("not an image")
    if shape[1] % 4 == 0 and b.choices.chance(60):
        given: dict[str, object] = {"blocksize": 2}
        if b.opset >= 11 and b.choices.chance(50):
            given["mode"] = b.choices.of(["DCR", "CRD"])
        return b.node("DepthToSpace", [x], given)
    if shape[2] % 2 or shape[3] % 2:
        raise NotApplicableError("odd size")
    return b.node("SpaceToDepth", [x], {"blocksize": 2})


def slicing(b: Builder, x: str) -> str:
    shape = b.shape(x)
    axis = b.choices.of([1, len(shape) - 1])
    size = shape[axis]
    form = b.choices.of(["head", "tail", "backwards", "stride"])
    bounds = {
        "head": (0, max(1, size - 1), 1),
        "tail": (-max(1, size // 2), _MOST_INT, 1),
        "backwards": (-1, -_MOST_INT, -1),
        "stride": (0, size, 2),
    }[form]
    if b.opset < 10:
        if bounds[2] != 1:
            raise NotApplicableError("steps are newer")
        given = {"starts": [bounds[0]], "ends": [bounds[1]], "axes": [axis]}
        return b.node("Slice", [x], given)
    start, end, step = (
        integers(b, [v], name) for v, name in zip(bounds, ("st", "en", "sp"), strict=True)
    )
    axis = axis - len(shape) if b.choices.chance(20) else axis
    return b.node("Slice", [x, start, end, integers(b, [axis], "axes"), step])


def gather(b: Builder, x: str) -> str:
    shape = b.shape(x)
    axis = b.choices.of([1, len(shape) - 1])
    size = shape[axis]
    form = b.choices.of(["permutation", "some", "one", "table"])
    if form == "permutation":
        indices = b.numbers.permutation(size)
    elif form == "some":
        low = -size if b.opset >= 11 else 0
        indices = b.numbers.integers(low, size, b.choices.between(1, 4))
    elif form == "one":
        if len(shape) < 3:
            raise NotApplicableError("would leave a vector")
        indices = np.array(b.numbers.integers(size))
    else:
        indices = b.numbers.integers(0, size, (2, 2))
    given = {"axis": axis - len(shape) if b.opset >= 11 and b.choices.chance(20) else axis}
    return b.node("Gather", [x, b.store(indices.astype(np.int64), "indices")], given)


MOTIFS = [
    (5, flatten),
    (5, reshape),
    (3, shuffle),
    (5, transpose),
    (4, squeeze),
    (3, unsqueeze),
    (3, blocks),
    (5, slicing),
    (5, gather),
]
