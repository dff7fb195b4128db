"""HTML and SVG, in which every text and every attribute is escaped: names come out of models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

from bnfold.escaping import escaped

_VOID = frozenset(("meta",))

Content = str | Iterable[str]
Attributes = Mapping[str, str | float | None]


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, attributes: Attributes, *content: Content) -> Markup:
    """An element; a content that is no Markup is text, an attribute that is None is left out."""
    shown = "".join(
        f' {key}="{escape(escaped(str(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{shown}>")
    return Markup(f"<{name}{shown}>{''.join(map(markup, content))}</{name}>")


def markup(content: Content) -> Markup:
    """The content as HTML: escaped, where it is no Markup; what cannot be seen is written out."""
    if isinstance(content, Markup):
        return content
    if isinstance(content, str):
        return Markup(escape(escaped(content, keep="\n\t")))
    return Markup("".join(map(markup, content)))
