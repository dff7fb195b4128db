"""What is wrong, as GitHub's annotations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bnfold.escaping import shown_lines
from bnfold.report.verification_text import verdict_lines

if TYPE_CHECKING:
    from bnfold.report.gates import Gate
    from bnfold.verify.records import Verification

LEVELS = {"different": "error", "inconclusive": "warning", "equivalent": "notice"}


def github_annotation(found: Verification) -> str:
    """The line that GitHub Actions turns into an annotation; empty where all is well.

    Source: GitHub's documentation, Workflow commands, Setting an error message.
    """
    if found.verdict == "equivalent":
        return ""
    title = _escaped(f"bnfold: {found.other} is {found.verdict}").replace(":", "%3A")
    message = "\n".join(line.text for line in verdict_lines(found))
    return f"::{LEVELS[found.verdict]} title={title.replace(',', '%2C')}::{_escaped(message)}"


def github_annotations(found: Verification | None, gates: Sequence[Gate]) -> list[str]:
    """A line for each thing that is wrong or cannot be said."""
    lines = [] if found is None else [github_annotation(found)]
    for gate in gates:
        if not gate.holds:
            level = "warning" if gate.holds is None else "error"
            title = _escaped(f"bnfold {gate.name}").replace(":", "%3A").replace(",", "%2C")
            lines.append(f"::{level} title={title}::{_escaped(gate.said)}")
    return [line for line in lines if line]


def _escaped(text: str) -> str:
    return shown_lines(text).replace("%", "%25").replace("\n", "%0A")
