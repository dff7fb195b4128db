"""A row of the table of rules is proven, or says why it is not."""

from __future__ import annotations

import pytest

from bnfold.fold.moves.table import RULES
from bnfold.fold.plan import Rule
from tests.fold.proofs.test_rules import CASES
from tests.fold.test_table import README


def _said_of(rule: Rule) -> str:
    start = f"| {rule.name} | {', '.join(rule.ops)} | "
    (row,) = [line for line in README.splitlines() if line.startswith(start)]
    return row.rstrip(" |").rpartition(" | ")[2]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.name}: {', '.join(rule.ops)}")
def test_a_rule_is_proven_for_each_operator_and_direction_or_says_why_not(rule: Rule) -> None:
    proven = {(case.op, case.backward) for case in CASES if case.rule == rule.name}
    ways = [backward for backward in (True, False) if (rule.backward, rule.forward)[not backward]]
    wanted = {(op, backward) for op in rule.ops for backward in ways}
    said = _said_of(rule)
    if said == "yes":
        assert wanted <= proven, wanted - proven
    else:
        assert len(said.split()) > 2
        assert not wanted & proven
