"""Every rule of the table, proven for all numbers: the rule's own code is run on symbols."""

from __future__ import annotations

import pytest

from tests.fold.proofs import absorbing, carrying, joining
from tests.fold.proofs.case import Case

CASES: tuple[Case, ...] = (*absorbing.CASES, *carrying.CASES, *joining.CASES)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_rule_keeps_what_the_graph_computes(case: Case) -> None:
    assert case.prove() >= 1
