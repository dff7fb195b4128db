"""The plugin that is installed with the package, as a user's test suite meets it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bnfold.pytest_plugin import assert_equivalent, assert_folds, assert_not_slower
from tests.verify.graphs import parsed, two_convs

UNFOLDABLE = "g (float[N,4] x) => (float[N,4] y) { y = BatchNormalization (x, s, t, m, v) }"
NORM = {"s": [1.0, 2, 3, 4], "t": [1.0] * 4, "m": [0.0] * 4, "v": [1.0] * 4}


def test_returns_the_evidence_where_the_models_are_equivalent():
    assert assert_equivalent(two_convs(), two_convs(), samples=2).worst_ratio < 2


def test_a_failing_assertion_prints_the_table():
    with pytest.raises(AssertionError) as failure:
        assert_equivalent(two_convs(), two_convs(factor=1.01))
    text = str(failure.value)
    assert "different" in text
    assert "the first tensor that is off is 'y', made by BatchNormalization 'bn2'" in text
    titles = next(line for line in text.splitlines() if line.startswith("output  "))
    rows = [line for line in text.splitlines() if line.startswith("y ")]
    assert "ratio" in titles
    assert len(rows) == 2
    assert all("OFF" in row for row in rows)


def test_outputs_that_cannot_be_compared_are_named():
    one = parsed("g (float[N,4] x) => (float[N,4] y) { y = Relu (x) }")
    two = parsed("g (float[N,4] x) => (float[N,4] z) { z = Relu (x) }")
    with pytest.raises(AssertionError, match=r"output names +y +z +differs"):
        assert_equivalent(one, two)


def test_counts_the_batch_norms_that_are_left():
    assert assert_folds(two_convs()).batch_norms_before == 2
    model = parsed(UNFOLDABLE, **NORM)
    assert_folds(model, leaves=1)
    with pytest.raises(AssertionError, match="1 batch norm left, 0 may be"):
        assert_folds(model)
    with pytest.raises(AssertionError, match=r"stopped by .*\[graph-input\]|\[graph-input\]"):
        assert_folds(model)


def test_pytest_knows_the_plugin_and_starts_without_what_is_heavy():
    code = (
        "import sys, bnfold.pytest_plugin\n"
        "heavy = {'numpy', 'onnx', 'onnx_ir', 'onnxruntime', 'torch'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "from importlib.metadata import entry_points\n"
        "assert 'bnfold' in entry_points(group='pytest11').names\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_a_slower_model_is_a_failure_with_the_table():
    """Forty times the work, which a busy machine cannot hide."""
    fast, slow = (
        parsed(f"g (float[N,4096] t0) => (float[N,4096] t{n}) {{ {steps} }}")
        for n in (1, 40)
        for steps in ["".join(f"t{i + 1} = Sin(t{i}) " for i in range(n))]
    )
    assert assert_not_slower(slow, fast, pairs=5, level="none").comparisons
    with pytest.raises(AssertionError, match="does not hold") as failure:
        assert_not_slower(fast, slow, pairs=5, level="none")
    assert "median ms" in str(failure.value)
    with pytest.raises(ValueError, match="a factor from 1 on, not 0"):
        assert_not_slower(fast, slow, limit=0.5)
