"""A table of positions is read as far as a sequence is long, in whatever way that is written."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import bnfold
from tests.verify.graphs import parsed

ROWS, FAR = 1500, 1400
SIZE = "s = Shape(x) n = Gather<axis = 0>(s, one)"
READ = {
    "a Slice without axes": f"{SIZE} p = Slice(t, zero, n) y = Add(x, p)",
    "a Slice of two axes": f"""{SIZE} e = Concat<axis = 0>(n, four) p = Slice(t, zeros, e, both)
        y = Add(x, p)""",
    "of a table that is scaled": f"""q = ReduceMax<keepdims = 0>(x) u = Mul(t, q) {SIZE}
        p = Slice(u, zero, n, zero) y = Add(x, p)""",
    "a Split": f"""{SIZE} m = Sub(all, n) e = Concat<axis = 0>(n, m)
        p, q = Split<axis = 0>(t, e) y = Add(x, p)""",
    "a Pad of a negative size": f"""{SIZE} m = Sub(n, all) e = Concat<axis = 0>(zeros, m, zero)
        p = Pad(t, e) y = Add(x, p)""",
    "a Compress": f"""{SIZE} c = Less(places, n) p = Compress<axis = 0>(t, c) y = Add(x, p)""",
    "a Loop that counts": f"""{SIZE} k = Squeeze(n) p = Loop(k, yes) <body = b (int64 i, bool c)
        => (bool d, float[4] o) {{ d = Identity(c) o = Gather(t, i) }}> y = Add(x, p)""",
}


def _model(body: str, table: np.ndarray) -> onnx.ModelProto:
    return parsed(
        f"g (float[B,N,4] x) => (float[B,N,4] y) {{ {body} }}",
        t=table,
        one=np.array([1]),
        four=np.array([4]),
        zero=np.array([0]),
        zeros=np.array([0, 0]),
        both=np.array([0, 1]),
        all=np.array([ROWS]),
        places=np.arange(ROWS),
        yes=np.array(True),
    )


@pytest.mark.parametrize("body", READ.values(), ids=READ)
def test_rows_that_long_inputs_alone_read_are_compared(body: str) -> None:
    table = np.random.default_rng(0).normal(size=(ROWS, 4))
    other = table.copy()
    other[FAR:] *= 2
    assert bnfold.verify(_model(body, table), _model(body, other)).verdict == "different"
    assert bnfold.verify(_model(body, table), _model(body, table)).verdict == "equivalent"


def test_a_length_at_which_a_model_computes_too_much_is_not_fed_and_the_rows_are_named() -> None:
    """Attention grows with the square: 64 heads of 2,000 positions are 256 million scores."""
    body = f"""{SIZE} p = Slice(t, zero, n, zero) q = Add(x, p) r = Transpose<perm = [0, 2, 1]>(q)
        u = MatMul(q, r) v = Unsqueeze(u, one) w = Mul(v, heads) z = Softmax(w)
        m = ReduceMean<axes = [1], keepdims = 0>(z) y = MatMul(m, q)"""
    text = f"g (float[B,N,4] x) => (float[B,N,4] y) {{ {body} }}"
    table = np.random.default_rng(0).normal(size=(2000, 4))
    heads = np.linspace(0.5, 1.5, 64).reshape(1, 64, 1, 1)
    model = parsed(text, t=table, heads=heads, one=np.array([1]), zero=np.array([0]))
    found = bnfold.verify(model, model)
    assert found.is_equivalent
    assert max(feed.shapes["x"][1] for feed in found.feeds) < 2000
    assert "of the 2000 rows of 't'" in found.evidence
