"""Dropout is nothing in inference, and random in training: every version tells it otherwise."""

from __future__ import annotations

import numpy as np
import pytest

import bnfold
from tests.fold.property.text_models import Array, model, norm, verdicts, weight

CONSTANTS: dict[str, Array] = {
    **norm("n", 3),
    "w": weight(3, 3, 1, 1),
    "no": np.array(False),
    "yes": np.array(True),
    "ratio": np.array(0.5, np.float32),
}


@pytest.mark.parametrize("behind", [True, False])
@pytest.mark.parametrize(
    ("opset", "text", "inputs", "outputs", "passes"),
    [
        (6, "m = Dropout<is_test = 1>(a)", "", "", True),
        (6, "m = Dropout<is_test = 0>(a)", "", "", False),
        (6, "m = Dropout(a)", "", "", False),
        (7, "m = Dropout(a)", "", "", True),
        (10, "m, k = Dropout(a)", "", "", True),
        (10, "m, k = Dropout(a)", "", ", bool k", False),
        (10, "m, k = Dropout(a) z = Not(k)", "", ", bool z", False),
        (13, "m = Dropout(a, ratio)", "", "", True),
        (13, "m = Dropout(a, ratio, no)", "", "", True),
        (13, "m = Dropout(a, ratio, yes)", "", "", False),
        (13, "m = Dropout(a, ratio, t)", ", bool t", "", False),
        (13, "m, k = Dropout(a, ratio)", "", ", bool k", False),
    ],
)
def test_it_goes_where_it_is_nothing(
    opset: int, text: str, inputs: str, outputs: str, passes: bool, behind: bool
) -> None:
    body = f"a = Conv(x, w) {text} b = BN(m, n) y = Sigmoid(b)"
    if not behind:
        body = f"q = Tanh(x) a = BN(q, n) {text} y = Conv(m, w)"
    if opset == 6:
        body = body.replace("BN(", "BN<is_test = 1>(")
    built = model(
        f"(float[2, 3, 4, 4] x{inputs}) => (float y{outputs}) {{ {body} }}", CONSTANTS, opset=opset
    )
    result = bnfold.fold(built)
    assert not result.ledger.bugs
    kinds = [node.op_type for node in result.model.graph]
    assert ("Dropout" in kinds) is not passes
    (verdict,) = verdicts(result).values()
    assert ("dropout" in verdict.split()) is not passes


def test_an_identity_goes_at_every_opset() -> None:
    for opset in (6, 13):
        text = "(float[2, 3, 4, 4] x) => (float y) { a = Conv(x, w) m = Identity(a) b = BN(m, n) "
        built = model(
            (text + "y = Sigmoid(b) }").replace("BN(", "BN<is_test = 1>(" if opset < 7 else "BN("),
            CONSTANTS,
            opset=opset,
        )
        assert [node.op_type for node in bnfold.fold(built).model.graph] == ["Conv", "Sigmoid"]
