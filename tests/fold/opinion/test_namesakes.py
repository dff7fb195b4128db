"""onnxruntime takes its own kernel where a local function is called as one: no bug of the fold."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import onnx.reference
import pytest

import bnfold
from bnfold.errors import ModelError
from tests.fold.property.text_models import model, norm, weight
from tests.runtime_oracle import opened

CALL = "(float[2,3,8,8] x) => (float[2,4,p,q] y) { a = CALLED(x, w, k) y = BN(a, n) }"
NEGATED = "z = Conv(X, W, B) Y = Neg(z)"


def _calls(domain: str, name: str, body: str) -> onnx.ModelProto:
    """A batch norm behind a local function."""
    constants = {"w": weight(4, 3, 3, 3), "k": weight(4), **norm("n", 4)}
    built = model(CALL.replace("CALLED", "Conv"), constants)
    return _with_function(built, 0, domain, f"{name} (X, W, B) => (Y) {{ {body} }}")


def _with_function(built: onnx.ModelProto, at: int, domain: str, text: str) -> onnx.ModelProto:
    function = onnx.parser.parse_function(f'<domain: "{domain}", opset_import: ["": 18]> {text}')
    built.functions.append(function)
    built.opset_import.append(onnx.helper.make_opsetid(domain, 1))
    built.graph.node[at].domain, built.graph.node[at].op_type = domain, function.name
    return built


def test_the_fold_is_refused_where_the_operator_and_the_body_differ() -> None:
    stray = _calls("com.microsoft", "FusedConv", NEGATED)
    x = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
    (by_kernel,) = opened(stray).run(None, {"x": x})
    (by_body,) = onnx.reference.ReferenceEvaluator(stray).run(None, {"x": x})
    assert np.abs(by_kernel - by_body).max() > 1
    with pytest.raises(ModelError, match=r"'com.microsoft.FusedConv': onnxruntime has an operator"):
        bnfold.fold(stray)
    folded = bnfold.fold(stray, check=False)
    assert folded.ledger.batch_norms_after == 0
    (now,) = opened(folded.to_proto()).run(None, {"x": x})
    assert np.allclose(now, by_body, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("domain", "body"), [("com.microsoft", "Y = Conv(X, W, B)"), ("mine", NEGATED)]
)
def test_it_is_folded_where_they_agree_or_only_the_body_is_there(domain: str, body: str) -> None:
    ledger = bnfold.fold(_calls(domain, "FusedConv", body)).ledger
    assert ledger.batch_norms_after == 0
    assert ledger.opinion.agrees
    assert not ledger.opinion.left_out


def test_one_that_stays_as_it_is_may_be_called_so() -> None:
    """Beside it, what cancels differs by more than a few units, so that onnxruntime is asked."""
    text = """(float[2,3,8,8] x) => (float[2,4,p,q] y) {
        a = Conv(x, w) b = BN(a, n) c = Add(b, big) d = Sub(c, big) y = Sigmoid(d) }"""
    constants = {"w": weight(4, 3, 3, 3), "big": np.float32(1e4), **norm("n", 4)}
    built = _with_function(
        model(text, constants), 4, "com.microsoft", "Gelu (X) => (Y) { Y = Neg(X) }"
    )
    ledger = bnfold.fold(built).ledger
    assert ledger.batch_norms_after == 0
    assert ledger.opinion.agrees
    assert 1e-5 < ledger.opinion.error < 1e-2
