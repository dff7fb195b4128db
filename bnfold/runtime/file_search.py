"""Whether a model has a node of some operator, told by its bytes without reading it."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator
from pathlib import Path

from bnfold import wire

SMALL_BYTES = 32 << 20
"""All of a file up to it is searched."""

_LARGE = 1 << 16  # bytes of an initializer that is not searched


def holds(
    source: str | bytes, sought: Iterable[bytes], sought_in_small: Iterable[bytes] = ()
) -> bool:
    """Whether a model, a path or its bytes, has one of the byte strings outside of large weights.

    Args:
        source: what is searched.
        sought: the byte strings.
        sought_in_small: further ones, that are no reason to look into a large file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is empty.
        MalformedError: it is large, and no message.
    """
    if isinstance(source, bytes):
        return _holds(source, sought, sought_in_small)
    with (
        Path(source).open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held,
    ):
        return _holds(held, sought, sought_in_small)


def as_written(op: str) -> bytes:
    """The field `op_type` of a node as protobuf writes it."""
    return bytes([0x22, len(op)]) + op.encode()


def _holds(model: wire.Buffer, sought: Iterable[bytes], sought_in_small: Iterable[bytes]) -> bool:
    is_small = len(model) <= SMALL_BYTES
    runs = [(0, len(model))] if is_small else list(_between_weights(model))
    wanted = (*sought, *(sought_in_small if is_small else ()))
    return any(model.find(field, *run) >= 0 for run in runs for field in wanted)


def _between_weights(model: wire.Buffer) -> Iterator[tuple[int, int]]:
    """Where a large file has something else than large initializers, whose pages stay unread."""
    begin = 0
    for part in wire.fields(model, 0, len(model)):
        if part.number == wire.GRAPH:
            for field in wire.fields(model, part.content, part.end):
                if field.number == wire.INITIALIZER and field.end - field.begin >= _LARGE:
                    yield begin, field.begin
                    begin = field.end
    yield begin, len(model)
