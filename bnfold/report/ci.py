"""A verification for machines that show test results: JUnit XML and GitHub's annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from bnfold.report.plain import plain_text
from bnfold.report.shown import shown
from bnfold.report.verification_text import verdict_lines, verification_blocks

if TYPE_CHECKING:
    from bnfold.verify.records import OutputRow, Verification

LEVELS = {"different": "error", "inconclusive": "warning", "equivalent": "notice"}


def junit_xml(found: Verification) -> str:
    """One test case for the verdict, and one for each output at each optimisation level."""
    suite = ET.Element("testsuite", name=_legal(f"bnfold verify {found.original} {found.other}"))
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
    for tag in ("failure", "error"):
        suite.set(f"{tag}s", str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("tests", str(len(suite)))
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


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


def _off(row: OutputRow, factor: float) -> str:
    return row.remark or (
        f"off by {row.error_other:.1e}, {row.ratio:.3g} times the yardstick; allowed: {factor:g}"
    )


def _escaped(text: str) -> str:
    return _legal(text).replace("%", "%25").replace("\n", "%0A")


def _legal(text: str) -> str:
    """XML has no way to write most control characters."""
    return "\n".join(shown(line) for line in text.split("\n"))
