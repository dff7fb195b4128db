"""Integers, booleans and steps: what rounding can turn may differ, and nothing else."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from bnfold.fold.api import fold
from bnfold.verify import verify
from tests.verify.graphs import parsed


def _table(**changes: int):
    table = np.random.default_rng(0).integers(0, 1000, 2000)
    for place, offset in changes.items():
        table[int(place[1:])] += offset
    text = "g (int64[N,1024] x) => (int64[N,1024] y) { y = Gather (t, x) }"
    return parsed(text, t=table.astype(np.int64))


@pytest.mark.parametrize("offset", [1, -(10**9)])
def test_one_entry_of_a_table_may_not_differ(offset):
    found = verify(_table(), _table(_17=offset))
    assert found.verdict == "different"
    assert 0 < found.outputs[0].mismatches < 1e-3 * found.outputs[0].elements


def test_a_mask_may_not_differ_far_from_its_threshold():
    keep = np.ones((1, 1, 32, 32), bool)
    keep[0, 0, 0, 0] = False
    masks = (
        "s = Conv <pads = [1,1,1,1]> (x, w)  m = Greater (s, z)  y = And (m, keep)"
        for _ in range(2)
    )
    weights = {"w": np.random.default_rng(0).normal(size=(1, 3, 3, 3)), "z": 0.0}
    a, b = (
        parsed(f"g (float[N,3,32,32] x) => (bool[N,1,32,32] y) {{ {mask} }}", **weights, keep=kept)
        for mask, kept in zip(masks, (np.ones_like(keep), keep), strict=True)
    )
    assert verify(a, b).verdict == "different"


def _segmenter(seed: int) -> onnx.ModelProto:
    """Half precision: some of its decisions turn when the batch norm is folded."""
    rng = np.random.default_rng(seed)
    norm = {k: rng.uniform(0.5, 1.5, 6).astype(np.float16) for k in "stmv"}
    return parsed(
        """g (float16[N,3,32,32] x) => (int64[N,1,32,32] y) {
            c = Conv <pads = [1,1,1,1]> (x, w)
            b = BatchNormalization (c, s, t, m, v)
            y = ArgMax <axis = 1> (b)
        }""",
        w=(0.3 * rng.normal(size=(6, 3, 3, 3))).astype(np.float16),
        **norm,
    )


@pytest.mark.parametrize("seed", range(3))
def test_decisions_that_a_correct_fold_turns_are_open(seed):
    model = _segmenter(seed)
    found = verify(model, fold(model).to_proto())
    assert found.is_equivalent, found.reason
    assert any(row.mismatches for row in found.outputs)


def _with_a_round(tail: str):
    text = f"""g (float[N,8] x) => (float[N,6] y, float z) {{
        h = MatMul (x, w)
        m = ReduceMean <keepdims = 0> (x)
        z = Round (m)
        {tail}
    }}"""
    rng = np.random.default_rng(0)
    return parsed(text, w=rng.normal(size=(8, 6)), lo=-8.0, hi=8.0, zero=[0], one=[1])


@pytest.mark.parametrize(
    "tail",
    [
        "y = Clip (h, lo, hi)",
        "first = Slice (h, zero, one, zero)  n = Shape (h)  y = Expand (first, n)",
    ],
    ids=["clipped", "row 0 for every row"],
)
def test_a_round_elsewhere_hides_no_fault(tail):
    plain = _with_a_round("y = Identity (h)")
    assert verify(plain, plain).is_equivalent
    assert verify(plain, _with_a_round(tail)).verdict == "different"
