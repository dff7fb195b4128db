"""What a model's bytes are, in one number."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import onnx

from bnfold.errors import ModelError
from bnfold.model_io import walk
from bnfold.model_io.loading import IN_THIS_FILE, external_path, read_skeleton
from bnfold.model_io.mapped import Maps


def sha256(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a model, in hex.

    Of a model in one file it is the file's own, what `sha256sum` prints. External data files count
    too: their bytes follow those of the model, in the order of their paths.

    Raises:
        ModelError: The file, or one with its external data, is missing or damaged.
    """
    model = Path(path)
    proto = read_skeleton(model, Maps())
    locations = sorted(set(_locations(proto)))
    digest = hashlib.sha256()
    for file in (model, *(external_path(model, location) for location in locations)):
        try:
            with file.open("rb") as opened:
                while block := opened.read(1 << 20):
                    digest.update(block)
        except OSError as error:
            raise ModelError(f"{model}: {file} cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def _locations(proto: onnx.ModelProto) -> Iterator[str]:
    for tensor in walk.tensors(proto):
        for entry in tensor.external_data:
            if entry.key == "location" and entry.value != IN_THIS_FILE:
                yield entry.value
