"""Text of a model as it may go to a terminal or a page: nothing hidden in it, and not endless.

A name in a model is whatever its author wrote. Escape sequences would steer a terminal, and marks
of direction would let a line read as something else.
"""

from __future__ import annotations

import re

_LONGEST_WORD = 300  # characters without a space, which no path and no name needs
_LONGEST = 4000
_WORD = re.compile(rf"\S{{{_LONGEST_WORD + 1},}}")


def escaped(text: str, *, keep: str = "") -> str:
    r"""The text, with what cannot be seen written as an escape: `\x1b`, `\u202e`.

    Control characters are, marks of direction, characters without a width and halves of pairs;
    those to `keep` stay.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else ascii(c)[1:-1] for c in text)


def shown(text: str) -> str:
    """The text on one line, escaped, with words and the whole cut to what anybody reads."""
    if len(text) > _LONGEST_WORD:
        text = _WORD.sub(lambda word: _cut(word[0], _LONGEST_WORD), text)
        text = _cut(text, _LONGEST)
    return escaped(text)


def shown_lines(text: str) -> str:
    """The same for a text of several lines, which stay several."""
    return "\n".join(map(shown, text.split("\n")))


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    beginning, end = longest * 3 // 4, longest // 8
    return f"{text[:beginning]}...({len(text):,} characters)...{text[-end:]}"
