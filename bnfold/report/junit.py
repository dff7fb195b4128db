"""What a command found, as the JUnit XML that CI systems show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from bnfold.escaping import shown_lines
from bnfold.report.bench_text import setting
from bnfold.report.ledger_words import coded_reason, subject
from bnfold.report.plain import plain_text
from bnfold.report.verification_text import verification_blocks
from bnfold.report.words import counted

if TYPE_CHECKING:
    from bnfold.bench.records import BenchResult
    from bnfold.fold.account.ledger import Decision, Ledger
    from bnfold.report.gates import Gate
    from bnfold.report.sections import Findings
    from bnfold.verify.records import OutputRow, Verification


@dataclass(frozen=True)
class Case:
    """One test case: its name stays the same from run to run, what was found is its message.

    `kind` is what JUnit calls a case that did not pass: "failure", "error" (it cannot be said) or
    "skipped"; empty for one that passed. `details` is for people, below the message.
    """

    group: str
    name: str
    message: str = ""
    kind: str = ""
    details: str = ""


def junit_xml(found: Findings) -> str:
    """A test case for each thing that was found, and for each gate.

    They are the fold and each of its batch norms (one that stays is skipped, with what stopped it),
    the verdict and each output at each optimisation level, each timing, and each gate.
    """
    return _suite(found.title.replace(":", "", 1), list(_cases(found)))


def has_cases(found: Findings) -> bool:
    """Whether there is anything to make a test case of."""
    return next(_cases(found), None) is not None


def junit_error(sentence: str) -> str:
    """The report of a verification that could not be made."""
    return _suite("bnfold verify", [Case("verify", "verdict", sentence, "error")])


def _suite(title: str, cases: Sequence[Case]) -> str:
    suite = ET.Element("testsuite", name=shown_lines(title))
    for tag, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(tag, str(sum(case.kind == kind for case in cases)))
    suite.set("tests", str(len(cases)))
    for case in cases:
        group = f"bnfold.{case.group}"
        told = ET.SubElement(suite, "testcase", classname=group, name=shown_lines(case.name))
        if case.kind:
            why = ET.SubElement(told, case.kind, message=shown_lines(case.message))
            why.text = shown_lines(case.details)
        elif case.message:
            ET.SubElement(told, "system-out").text = shown_lines(case.message)
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _cases(found: Findings) -> Iterator[Case]:
    for model, ledger in (found.ledgers or {}).items():
        yield from _fold_cases(f"fold.{model}" if model else "fold", ledger)
    for unread in found.failed:
        yield Case("fold", unread.path, unread.reason, "error")
    if found.verification is not None:
        yield from _verdict_cases(found.verification)
    for bench in (found.bench, found.int8):
        if bench is not None:
            yield from _timing_cases(bench)
    yield from map(_gate_case, found.gates)


def _fold_cases(group: str, ledger: Ledger) -> Iterator[Case]:
    before, after = ledger.batch_norms_before, ledger.batch_norms_after
    if ledger.bugs:
        yield Case(group, "fold", "; ".join(ledger.bugs), "failure")
    else:
        yield Case(group, "fold", f"{counted(before, 'batch norm')} before, {after} after")
    for decision in ledger.batch_norms:
        yield _batch_norm_case(group, decision)


def _batch_norm_case(group: str, decision: Decision) -> Case:
    name = subject(decision)
    if decision.is_folded:
        into = ", ".join(decision.into)
        said = f"{decision.direction}: {', '.join(decision.rules)}{f' into {into}' if into else ''}"
        return Case(group, name, said)
    reasons = "; ".join(coded_reason(refusal.at, refusal) for refusal in decision.refusals)
    return Case(group, name, reasons, "skipped")


def _verdict_cases(found: Verification) -> Iterator[Case]:
    kind = {"different": "failure", "inconclusive": "error"}.get(found.verdict, "")
    told = plain_text(verification_blocks(found)) if kind == "failure" else ""
    yield Case("verify", "verdict", found.reason, kind, told)
    for row in found.outputs:
        name = f"{row.name} (optimisations {row.level})"
        if row.is_within:
            yield Case("verify.outputs", name)
        else:
            yield Case("verify.outputs", name, _off(row, found.factor), "failure")


def _off(row: OutputRow, factor: float) -> str:
    return row.remark or (
        f"off by {row.error_other:.1e}, {row.ratio:.3g} times the yardstick; allowed: {factor:g}"
    )


def _timing_cases(found: BenchResult) -> Iterator[Case]:
    for row in found.comparisons:
        kind = "skipped" if row.verdict == "inconclusive" else ""
        yield Case("bench", f"{row.candidate} on {setting(found, row)}", row.sentence, kind)
    for failed in found.failed:
        yield Case("bench", f"{failed.model} on {setting(found, failed)}", failed.sentence, "error")


def _gate_case(gate: Gate) -> Case:
    kind = {True: "", False: "failure", None: "error"}[gate.holds]
    name = f"{gate.name} ({gate.subject})" if gate.subject else gate.name
    return Case("gates", name, gate.line.text if kind else gate.said, kind)
