"""Which files a model consists of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx

from bnfold.model_io import walk
from bnfold.model_io.loading import IN_THIS_FILE, read_skeleton
from bnfold.model_io.mapped import Maps
from bnfold.model_io.opening import parts_of


def files_of(path: Path) -> tuple[Path, ...]:
    """The model's own file, then those with its external data, in the order of their paths.

    Raises:
        ModelError: The file is missing or damaged, or points out of its folder.
    """
    return (path, *(path.parent.joinpath(*parts_of(place)) for place in locations_of(path)))


def locations_of(path: Path) -> list[str]:
    """Where a model says that its external data lies, in order; raises as `files_of` does."""
    return locations_in(read_skeleton(path, Maps()))


def locations_in(skeleton: onnx.ModelProto) -> list[str]:
    """The same of a model that is read already."""
    return sorted(set(_locations(skeleton)))


def _locations(proto: onnx.ModelProto) -> Iterator[str]:
    for tensor in walk.tensors(proto):
        for entry in tensor.external_data:
            if entry.key == "location" and entry.value != IN_THIS_FILE:
                yield entry.value
