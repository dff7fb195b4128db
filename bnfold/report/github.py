"""A verification for machines that show test results: JUnit XML and GitHub's annotations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from bnfold.escaping import shown
from bnfold.report.plain import plain_text
from bnfold.report.verification_text import verdict_lines, verification_blocks

if TYPE_CHECKING:
    from bnfold.report.gates import Gate
    from bnfold.verify.records import OutputRow, Verification

LEVELS = {"different": "error", "inconclusive": "warning", "equivalent": "notice"}


def junit_xml(
    found: Verification | None = None, *, gates: Sequence[Gate] = (), title: str | None = None
) -> str:
    """A test case for the verdict, each output at each optimisation level, and each gate."""
    subject = "" if found is None else f"{found.original} {found.other}"
    suite = ET.Element("testsuite", name=_legal(title or f"bnfold verify {subject}"))
    if found is not None:
        _verdict_cases(suite, found)
    for gate in gates:
        name = _legal(f"{gate.name}: {gate.said}")
        case = ET.SubElement(suite, "testcase", classname="bnfold.gates", name=name)
        if not gate.holds:
            tag = "error" if gate.holds is None else "failure"
            ET.SubElement(case, tag, message=_legal(gate.line.text))
    for tag in ("failure", "error"):
        suite.set(f"{tag}s", str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("tests", str(len(suite)))
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _verdict_cases(suite: ET.Element, found: Verification) -> None:
    verdict = ET.SubElement(suite, "testcase", classname="bnfold.verify", name="verdict")
    if found.verdict == "different":
        failure = ET.SubElement(verdict, "failure", message=_legal(found.reason))
        failure.text = _legal(plain_text(verification_blocks(found)))
    if found.verdict == "inconclusive":
        ET.SubElement(verdict, "error", message=_legal(found.reason))
    for row in found.outputs:
        name = _legal(f"{row.name} (optimisations {row.level})")
        case = ET.SubElement(suite, "testcase", classname="bnfold.verify.outputs", name=name)
        if not row.is_within:
            ET.SubElement(case, "failure", message=_legal(_off(row, found.factor)))


def junit_error(sentence: str) -> str:
    """The report of a verification that could not be made."""
    suite = ET.Element("testsuite", name="bnfold verify", tests="1", failures="0", errors="1")
    case = ET.SubElement(suite, "testcase", classname="bnfold.verify", name="verdict")
    ET.SubElement(case, "error", message=_legal(sentence))
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


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


def _off(row: OutputRow, factor: float) -> str:
    return row.remark or (
        f"off by {row.error_other:.1e}, {row.ratio:.3g} times the yardstick; allowed: {factor:g}"
    )


def _escaped(text: str) -> str:
    return _legal(text).replace("%", "%25").replace("\n", "%0A")


def _legal(text: str) -> str:
    """XML has no way to write most control characters."""
    return "\n".join(shown(line) for line in text.split("\n"))
