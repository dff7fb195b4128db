"""Text that is text: what a model holds as a string has to be UTF-8."""

from __future__ import annotations

from collections.abc import Iterable

import onnx

from bnfold.errors import ModelError

_LONGEST = 80  # characters of a name in a sentence


def quoted(name: str | bytes) -> str:
    """The name as a sentence has it: in quotes, escaped, and cut where it is long."""
    return repr(name if len(name) <= _LONGEST else name[:_LONGEST]) + (
        f"... ({len(name):,} characters)" if len(name) > _LONGEST else ""
    )


def require_text(where: str, what: str, *texts: str | bytes) -> None:
    """Returns where each text is UTF-8; protobuf hands out the bytes of those that are not.

    Raises:
        ModelError: One is not.
    """
    for text in texts:
        if isinstance(text, bytes):
            raise ModelError(f"{where}: {what} {quoted(text)} is not UTF-8 text")


def require_metadata(where: str, entries: Iterable[onnx.StringStringEntryProto]) -> None:
    """Returns where keys and values are text; raises as `require_text` does."""
    for entry in entries:
        require_text(where, "the metadata", entry.key, entry.value)
