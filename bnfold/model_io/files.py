"""Which files a model consists of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx

from bnfold.model_io import walk
from bnfold.model_io.loading import IN_THIS_FILE, external_path, read_skeleton
from bnfold.model_io.mapped import Maps


def files_of(path: Path) -> tuple[Path, ...]:
    """The model's own file, then those with its external data, in the order of their paths.

    Raises:
        ModelError: The file is missing or damaged, or points out of its folder.
    """
    proto = read_skeleton(path, Maps())
    locations = sorted(set(_locations(proto)))
    return (path, *(external_path(path, location) for location in locations))


def _locations(proto: onnx.ModelProto) -> Iterator[str]:
    for tensor in walk.tensors(proto):
        for entry in tensor.external_data:
            if entry.key == "location" and entry.value != IN_THIS_FILE:
                yield entry.value
