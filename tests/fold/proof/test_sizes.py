"""The sizes at which a rewrite is proven: those that decide are the graph's."""

from __future__ import annotations

import numpy as np
import pytest

import bnfold
from benchmarks.motifs import Motif, Norm
from bnfold.fold.moves.absorb import conv
from tests.runtime_oracle import in_onnxruntime


def _repvgg(size: int) -> Motif:
    """Branches of a stride of 2 that pad as SAME says: the size decides on which side."""
    same = 'auto_pad = "SAME_UPPER", strides = [2, 2]'
    return Motif(
        "repvgg",
        f"(float[1,3,{size},{size}] x) => (float[1,4,P,Q] y) {{ "
        f"a = Conv<{same}>(x, w) b = BN(a, n) c = Conv<{same}>(x, v) d = BN(c, m) y = Add(b, d) }}",
        {"w": (4, 3, 3, 3), "n": Norm(4), "v": (4, 3, 1, 1), "m": Norm(4)},
        "",
    )


@pytest.mark.parametrize("size", [15, 16, 33, 223, 224])
def test_branches_that_pad_by_their_size_merge_at_every_size(size: int) -> None:
    model = _repvgg(size).model()
    result = bnfold.fold(model, strict=True)
    folded = result.to_proto()
    assert result.ledger.batch_norms_after == 0
    x = {"x": np.random.default_rng(0).standard_normal((1, 3, size, size)).astype(np.float32)}
    (old,), (new,) = (in_onnxruntime(m, x) for m in (model, folded))
    np.testing.assert_allclose(new, old, rtol=0, atol=1e-5 * float(np.abs(old).max()))


def test_what_is_right_at_one_size_only_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """An open extent of 7 is not the only one that the model will see."""
    motif = Motif(
        "open",
        "(float[N,3,H,W] x) => (float[N,4,P,Q] y) { s = Sigmoid(x) b = BN(s, n) "
        "y = Conv<pads = [0, 0, 3, 3], strides = [10, 10]>(b, w) }",
        {"n": Norm(3), "w": (4, 3, 3, 3)},
        "",
    )
    assert not bnfold.fold(motif.model()).ledger.bugs
    monkeypatch.setattr(conv, "sees_padding", lambda *_args: False)
    (bug,) = bnfold.fold(motif.model()).ledger.bugs
    assert "is off by" in bug
