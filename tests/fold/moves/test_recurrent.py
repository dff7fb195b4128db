"""A batch norm before a recurrent layer goes into its input weights, whatever the batch."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fold.property.oracle import kinds_of
from tests.fold.property.text_models import fold_checked, model, norm, weight

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("batch", ["2", "N"])
def test_states_of_zeros_for_whatever_batch_are_no_obstacle(kind, batch):
    """An exporter makes them of the batch of the input, by ways that shape inference loses."""
    states = "h, h" if kind == "LSTM" else "h"
    text = f"""(float[{batch},6,7] x) => (float[7,1,{batch},5] y) {{
        b = BN(x, n) t = Transpose<perm = [2, 0, 1]>(b)
        s = Shape<start = 0, end = 1>(x) q = Squeeze(s) r = Reshape(q, all)
        z = Concat<axis = 0>(one, r, five) h = Expand(zero, z)
        y, last = {kind}<hidden_size = 5>(t, W, R, B, , {states}) }}"""
    gates = GATES[kind] * 5
    constants = {
        "W": weight(1, gates, 6), "R": weight(1, gates, 5), "B": weight(1, 2 * gates),
        "one": np.array([1]), "five": np.array([5]), "all": np.array([-1]),
        "zero": np.zeros((1, 1, 5), np.float32), **norm("n", 6, signs=True),
    }  # fmt: skip
    folded = fold_checked(model(text, constants), x=(2, 6, 7))
    assert "BatchNormalization" not in kinds_of(folded)
