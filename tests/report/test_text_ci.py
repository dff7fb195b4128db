"""What CI systems show of a verification."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

from bnfold.report.github import github_annotation
from bnfold.report.junit import junit_xml
from bnfold.report.sections import Findings
from bnfold.verify.records import Location
from tests.report.test_text_verification import FOUND, ROW

BAD_ROW = replace(ROW, name="mask\x00", is_within=False, ratio=120.0)
DIFFERENT = replace(
    FOUND,
    verdict="different",
    reason="output 'mask' is off: 100%",
    outputs=(ROW, BAD_ROW),
    location=Location("t", "Conv 'c'", 120.0, ("bn3",), "first off at 't'"),
)


def test_an_equivalent_model_is_a_suite_without_failures():
    suite = ET.fromstring(junit_xml(Findings(verification=FOUND)))
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "0", "0")


def test_each_bad_output_is_a_failure_and_so_is_the_verdict():
    suite = ET.fromstring(junit_xml(Findings(verification=DIFFERENT)))
    assert (suite.get("tests"), suite.get("failures")) == ("3", "2")
    messages = [failure.get("message") for failure in suite.iter("failure")]
    assert messages[0] == "output 'mask' is off: 100%"
    assert "120 times" in messages[1]
    (details,) = (failure.text for failure in suite.iter("failure") if failure.text)
    assert "first off at 't'" in details
    assert "leave it unfolded with --skip 'bn3'" in details
    assert any(line.startswith(r"mask\x00  ") for line in details.splitlines())


def test_an_inconclusive_verdict_is_an_error_not_a_failure():
    suite = ET.fromstring(junit_xml(Findings(verification=replace(FOUND, verdict="inconclusive"))))
    assert (suite.get("failures"), suite.get("errors")) == ("0", "1")


def test_github_gets_one_escaped_line():
    line = github_annotation(DIFFERENT)
    assert line.startswith("::error title=bnfold%3A b.onnx is different::")
    assert "100%25" in line
    assert "%0Afirst off at 't'%0Aleave it unfolded with --skip 'bn3'" in line
    assert "\n" not in line


def test_github_gets_nothing_when_all_is_well():
    assert github_annotation(FOUND) == ""
