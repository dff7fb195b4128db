"""What is edited before the questions has no proof of its own: the second opinion sees it wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

import bnfold
from bnfold.errors import InternalError
from bnfold.fold.edit import taken_branch, tiled_statistics
from tests.fold.property.text_models import model, norm, weight

IF = """(float[2, 4, 3, 3] x) => (float y) {
    a = Conv(x, w)
    i = If(yes) <then_branch = th () => (float[2, 4, 3, 3] t) { t = Relu(a) },
        else_branch = el () => (float[2, 4, 3, 3] e) { e = Sigmoid(a) }>
    b = Conv(i, w)
    y = BN(b, n) }"""
TILED = """(float[N, 4, 6, 5] x) => (float y) {
    c = Conv(x, w)
    merged = Constant<value = int64[4] {1, -1, 6, 5}>()
    n = Shape<start = 0, end = 1>(c)
    t0 = Tile(ng, n) t1 = Tile(nb, n) t2 = Tile(nm, n) t3 = Tile(nv, n)
    m = Reshape(c, merged)
    b = BatchNormalization(m, t0, t1, t2, t3)
    whole = Shape(c)
    r = Reshape(b, whole)
    y = Relu(r) }"""
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


def test_statistics_of_the_wrong_parameter(monkeypatch: pytest.MonkeyPatch) -> None:
    built, take = model(TILED, CONSTANTS), tiled_statistics._take
    assert any("by channel" in told for told in bnfold.fold(built).ledger.merges)

    def exchanged(node: ir.Node, *args: Any) -> None:
        take(node, *args)
        scale, bias = node.inputs[1:3]
        node.replace_input_with(1, bias)
        node.replace_input_with(2, scale)

    monkeypatch.setattr(tiled_statistics, "_take", exchanged)
    with pytest.raises(InternalError, match="the folded model differs from the original"):
        bnfold.fold(built)
