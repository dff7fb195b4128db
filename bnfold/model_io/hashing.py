"""What a model's bytes are, in one number."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from bnfold.errors import ModelError
from bnfold.model_io.files import locations_of
from bnfold.model_io.opening import open_data, open_model


def sha256(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a model, in hex.

    Of a model in one file it is the file's own, what `sha256sum` prints. External data files count
    too: their bytes follow those of the model, in the order of their paths.

    Raises:
        ModelError: The file, or one with its external data, is missing or damaged.
    """
    model = Path(path)
    digest = hashlib.sha256()
    _add(digest, open_model(model))
    for location in locations_of(model):
        try:
            _add(digest, open_data(model.parent, location))
        except (ModelError, OSError) as error:
            why = getattr(error, "strerror", None) or error
            raise ModelError(f"{model}: the data {location!r} cannot be read: {why}") from error
    return digest.hexdigest()


def _add(digest: hashlib._Hash, handle: int) -> None:
    with os.fdopen(handle, "rb") as opened:
        while block := opened.read(1 << 20):
            digest.update(block)
