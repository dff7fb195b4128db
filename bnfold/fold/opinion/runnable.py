"""A model as the runtime opens it: from a file where it is large, and only then.

Bytes that are handed over are held twice while a session is made of them, beside the model that
they were made from; of a file it reads what it needs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx_ir as ir

from bnfold import model_io
from bnfold.errors import InconclusiveError, ModelError

_LEAST_BYTES = 16 << 20  # less is not worth a file


@contextmanager
def runnable(model: ir.Model) -> Iterator[str | bytes]:
    """The model's bytes; of a large one a path, which leads nowhere afterwards.

    Raises:
        InconclusiveError: there is no room for the file.
    """
    size = sum(t.nbytes for v in _stored(model) if (t := v.const_value) is not None)
    if size < _LEAST_BYTES:
        yield bytes(model_io.to_proto(model).SerializeToString())
        return
    try:
        folder = tempfile.TemporaryDirectory(prefix="bnfold-")
    except OSError as error:
        raise InconclusiveError(f"a copy of it cannot be written: {error.strerror}") from error
    with folder as name:
        path = Path(name, "model.onnx")
        try:
            model_io.save(model, path, external_data=False)
        except ModelError as error:
            raise InconclusiveError(f"a copy of it cannot be written: {error}") from error
        yield str(path)


def _stored(model: ir.Model) -> Iterator[ir.Value]:
    for graph in model.graphs():
        yield from graph.initializers.values()
