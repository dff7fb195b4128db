"""Numbers and lists of names as a person would say them."""

from __future__ import annotations

from collections.abc import Iterable


def counted(count: int, noun: str) -> str:
    """`no batch norm`, `1 batch norm`, `3 batch norms`."""
    if count == 0:
        return f"no {noun}"
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def names(all_names: Iterable[str], *, most: int = 3) -> str:
    """Up to `most` names, and how many more there are."""
    listed = list(all_names)
    text = ", ".join(listed[:most])
    more = len(listed) - most
    return f"{text} and {more} more" if more > 0 else text


def byte_size(size_bytes: int) -> str:
    """`512 B`, `1.5 KB`, `97.8 MB`: thousands, as files are sold."""
    size = float(size_bytes)
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"
