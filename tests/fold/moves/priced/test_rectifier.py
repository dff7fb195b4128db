"""A Relu beside a batch norm with bounds per channel, from the opset on in which Max broadcasts."""

from __future__ import annotations

import numpy as np
import pytest

import bnfold
from tests.fold.property.text_models import model, norm, weight
from tests.runtime_oracle import in_onnxruntime

SIDES = {
    "behind": "a = Conv(x, w) r = Relu(a) y = BN(r, n)",
    "before": "t = Tanh(x) b = BN(t, n) r = Relu(b) y = Conv(r, w)",
}


@pytest.mark.parametrize(("opset", "left"), [(7, 1), (8, 0)])
@pytest.mark.parametrize("side", SIDES)
def test_a_max_takes_bounds_per_channel_since_opset_8(side: str, opset: int, left: int) -> None:
    text = f"(float[2,4,3,3] x) => (float[2,4,3,3] y) {{ {SIDES[side]} }}"
    constants = {"w": weight(4, 4, 1, 1), **norm("n", 4, signs=True)}
    built = model(text, constants, opset=opset, ir_version=4)
    result = bnfold.fold(built, allow="rectifier")
    assert result.ledger.batch_norms_after == left
    feeds = {"x": weight(2, 4, 3, 3, seed=5)}
    (old,), (new,) = (in_onnxruntime(one, feeds) for one in (built, result.to_proto()))
    np.testing.assert_allclose(new, old, rtol=0, atol=1e-5 * float(np.abs(old).max()))


LEFT = {
    "bounds the wrong way round": "t = Tanh(x) b = BN(t, n) r = Clip(b, three, one) y = Conv(r, w)",
    "a shift before slopes": "t = Tanh(x) b = BN(t, n) r = PRelu(b, slopes) y = Conv(r, w)",
    "a shift before one slope": "t = Tanh(x) b = BN(t, n) "
    "r = LeakyRelu<alpha = 0.5>(b) y = Conv(r, w)",
}


@pytest.mark.parametrize("nodes", LEFT.values(), ids=LEFT.keys())
def test_what_no_bounds_can_express_is_refused_before_it_is_tried(nodes: str) -> None:
    parameters = norm("n", 4)
    constants = {
        "w": weight(4, 4, 1, 1),
        "three": np.float32(3),
        "one": np.float32(1),
        "slopes": np.full((4, 1, 1), 0.25, np.float32),
        **parameters,
        "ng": -parameters["ng"],
    }
    text = f"(float[2,4,3,3] x) => (float[2,4,3,3] y) {{ {nodes} }}"
    ledger = bnfold.fold(model(text, constants, opset=13), allow="rectifier").ledger
    assert ledger.batch_norms_after == 1
    assert ledger.bugs == ()
