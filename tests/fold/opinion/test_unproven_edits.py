"""What is edited before the questions has no proof of its own: the second opinion sees it wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bnfold
from bnfold.errors import InternalError
from bnfold.fold.edit import taken_branch
from tests.fold.property.text_models import model, norm, weight

IF = """(float[2, 4, 3, 3] x) => (float y) {
    a = Conv(x, w)
    i = If(yes) <then_branch = th () => (float[2, 4, 3, 3] t) { t = Relu(a) },
        else_branch = el () => (float[2, 4, 3, 3] e) { e = Sigmoid(a) }>
    b = Conv(i, w)
    y = BN(b, n) }"""
CONSTANTS = {"w": weight(4, 4, 1, 1), "yes": np.array(True), **norm("n", 4, signs=True)}


def test_the_body_that_no_run_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    built, decided = model(IF, CONSTANTS), taken_branch._taken
    assert bnfold.fold(built).ledger.merges

    def turned(*args: Any) -> int | None:
        place = decided(*args)
        return None if place is None else 1 - place

    monkeypatch.setattr(taken_branch, "_taken", turned)
    with pytest.raises(InternalError, match="the folded model differs from the original"):
        bnfold.fold(built)
