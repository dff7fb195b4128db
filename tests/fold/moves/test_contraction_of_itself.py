"""Products of run-time values that an affine reaches on both sides, or whose sizes are open."""

from __future__ import annotations

import numpy as np
import pytest

import bnfold
from tests.fold.merge.merging import Array, merged, model, weight
from tests.fold.property.oracle import kinds_of

C: dict[str, Array] = {
    "m": weight(4, 4),
    "c": weight(4),
    "rows": np.abs(weight(4, 1)) + np.float32(0.5),
    "columns": np.abs(weight(4)) + np.float32(0.5),
}
SELF = {
    "along-what-is-summed": ("Mul(f, columns)", "Relu Mul Transpose MatMul MatMul"),
    "along-what-is-kept": ("Mul(f, rows)", "Relu Mul Transpose MatMul MatMul"),
    "a-shift": ("Add(f, c)", "Relu Add Transpose MatMul MatMul"),
}


@pytest.mark.parametrize("name", SELF)
def test_a_product_of_a_value_with_itself(name: str) -> None:
    made, kept = SELF[name]
    text = f"""(float[4, 4] x) => (float[4, 4] y) {{
        f = Relu(x) a = {made} t = Transpose(a) s = MatMul(a, t) y = MatMul(s, m) }}"""
    folded = merged(text, C, x=(4, 4))
    assert folded.operators == kept.split()
    assert folded.result.ledger.bugs == ()


@pytest.mark.parametrize(
    ("extents", "goes"),
    [(("5", "5"), True), (("J", "J"), True), (("J", "L"), False), (("1", "5"), False)],
)
def test_a_shift_behind_a_softmax_of_which_sizes_are_open(
    extents: tuple[str, str], goes: bool
) -> None:
    """Einsum repeats an extent of 1: the shift would be added up as often."""
    there, here = extents
    text = f"""(float[2, 3, {there}] z, float[2, {here}, 4] x) => (float[2, 3, 4] y) {{
        p = Softmax<axis = 2>(z) f = Relu(x) a = Add(f, c)
        s = Einsum<equation = "bij,bjk->bik">(p, a) g = MatMul(s, m) y = Add(g, c) }}"""
    result = bnfold.fold(model(text, C))
    assert (kinds_of(result).count("Add") == 1) is goes
    assert result.ledger.bugs == ()
