"""What a model's bytes are, in one number."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from bnfold.errors import ModelError
from bnfold.model_io.files import files_of


def sha256(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a model, in hex.

    Of a model in one file it is the file's own, what `sha256sum` prints. External data files count
    too: their bytes follow those of the model, in the order of their paths.

    Raises:
        ModelError: The file, or one with its external data, is missing or damaged.
    """
    model = Path(path)
    digest = hashlib.sha256()
    for file in files_of(model):
        try:
            with file.open("rb") as opened:
                while block := opened.read(1 << 20):
                    digest.update(block)
        except OSError as error:
            raise ModelError(f"{model}: {file} cannot be read: {error.strerror}") from error
    return digest.hexdigest()
