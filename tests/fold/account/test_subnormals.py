"""Subnormal folded weights are counted, told, and set to 0 where that is asked for."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import bnfold
from bnfold.report.blocks import Line
from bnfold.report.ledger_text import ledger_blocks
from tests.fold.property.text_models import model, norm, weight

TEXT = "(float[N,3,5,5] x) => (float y) { a = Conv(x, w) b = BN(a, n) y = Relu(b) }"
SMALLEST = np.finfo(np.float32).smallest_normal


def tiny(scale: float, entry: float = 1e-31) -> onnx.ModelProto:
    """One channel of four has this scale, and one small weight beside others."""
    values = norm("n", 4)
    values["ng"][1], values["nv"][:] = scale, 1
    w = np.sign(weight(4, 3, 1, 1)) * np.float32(2)
    w[1, 0] = entry
    return model(TEXT, {"w": w, **values})


def subnormals(result: bnfold.fold.FoldResult) -> int:
    arrays = [numpy_helper.to_array(t) for t in result.to_proto().graph.initializer]
    return sum(int(np.sum((np.abs(a) < SMALLEST) & (a != 0))) for a in arrays if a.dtype == "f4")


def said(result: bnfold.fold.FoldResult) -> str:
    return " ".join(b.text for b in ledger_blocks(result.ledger) if isinstance(b, Line))


@pytest.mark.parametrize(("scale", "entry"), [(1.0, 1e-31), (0.0, 1e-31), (1e-8, 1.0)])
def test_nothing_is_said_of_weights_that_are_normal_or_zero(scale: float, entry: float) -> None:
    result = bnfold.fold(tiny(scale, entry))
    assert result.ledger.batch_norms_after == 0
    assert result.ledger.subnormals == subnormals(result) == 0
    assert "1.2e-38" not in said(result)


def test_they_are_counted_as_they_are_saved() -> None:
    result = bnfold.fold(tiny(1e-8))
    assert result.ledger.subnormals == subnormals(result) == 1
    assert "--flush-subnormals" in said(result)


def test_flushed_they_are_zero_and_told() -> None:
    parsed = tiny(1e-8)
    kept, result = bnfold.fold(parsed), bnfold.fold(parsed, flush_subnormals=True)
    assert subnormals(result) == 0
    assert result.ledger.subnormals == kept.ledger.subnormals
    assert result.ledger.flushed
    assert "set to 0" in said(result)
    assert result.to_dict()["subnormals"] == kept.ledger.subnormals
    x = weight(1, 3, 5, 5)
    old, new = (np.asarray(_run(r.to_proto(), x)) for r in (kept, result))
    np.testing.assert_allclose(new, old, rtol=0, atol=1e-30)


def _run(parsed: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    from tests.fold.property.oracle import run_runtime

    found = run_runtime(parsed, {"x": x})
    assert found is not None
    return found[0]
