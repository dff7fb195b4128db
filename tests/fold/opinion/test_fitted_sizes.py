"""Where constants fix what the inputs leave open, sizes are found at which both models are run."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

import bnfold
from bnfold.errors import InternalError
from bnfold.fold.numbers import exact as exacts
from bnfold.fold.proof.certificate import Certificate
from tests.fold.property.text_models import Array, model, norm, weight

# (inputs, nodes, constants beside w and the norm, entries of the norm)
Fitted = tuple[str, str, dict[str, Array], int]
FITTED: dict[str, Fitted] = {
    "channels of a kernel": ("float[n,c,h,k] x", "a = Conv(x, w) y = BN(a, n)", {}, 4),
    "rows of a matrix": ("float[n,m] x", "r = Relu(x) b = BN(r, n) y = MatMul(b, v)", {}, 5),
    "a map flattened": (
        "float[n,3,h,k] x",
        "a = Conv(x, w) b = BN(a, n) f = Flatten(b) y = Gemm(f, g)",
        {"g": weight(4 * 5 * 11, 3)},
        4,
    ),
    "a square map flattened": (
        "float[n,3,h,k] x",
        "a = Conv<strides = [2, 2]>(x, w) b = BN(a, n) f = Flatten(b) y = Gemm(f, g)",
        {"g": weight(4 * 23 * 23, 3)},
        4,
    ),
    "three extents at once": (
        "float[c,h,k] x",
        "z = Add(x, g) a = Unsqueeze(z, zero) d = Conv(a, w) y = BN(d, n)",
        {"g": weight(3, 9, 6), "zero": np.array([0])},
        4,
    ),
    "a batch in a Reshape": (
        "float[n,3,h,k] x",
        "a = Conv(x, w) b = BN(a, n) r = Reshape(b, s) y = Add(r, g)",
        {"s": np.array([5, 4, -1]), "g": weight(5, 1, 1)},
        4,
    ),
    "two inputs joined": (
        "float[n,3,h,k] x, float[n,4,i,j] z",
        "a = Conv(x, w) b = BN(a, n) y = Concat<axis = 1>(b, z)",
        {},
        4,
    ),
    "parts of a length": (
        "float[n,3,l,k] x",
        "a = Conv(x, w) b = BN(a, n) p, q = Split<axis = 2>(b, s) m = ReduceMax(p) y = Add(q, m)",
        {"s": np.array([6, 13])},
        4,
    ),
}


def _built(case: Fitted) -> onnx.ModelProto:
    inputs, nodes, more, channels = case
    constants = {"w": weight(4, 3, 3, 3), "v": weight(5, 2), **more, **norm("n", channels)}
    return model(f"({inputs}) => (float y) {{ {nodes} }}", constants)


@pytest.mark.parametrize("stored", ["initializers", "nodes"])
@pytest.mark.parametrize("case", FITTED.values(), ids=FITTED.keys())
def test_a_fold_is_compared_at_sizes_that_the_model_takes(case: Fitted, stored: str) -> None:
    built = _built(case)
    if stored == "nodes":
        tensors, nodes = list(built.graph.initializer), list(built.graph.node)
        del built.graph.node[:], built.graph.initializer[:]
        built.graph.node.extend(
            helper.make_node("Constant", [], [t.name], value=t) for t in tensors
        )
        built.graph.node.extend(nodes)
    opinion = bnfold.fold(built).ledger.opinion
    assert opinion is not None
    assert opinion.left_out == ""
    assert opinion.agrees


@pytest.mark.parametrize("case", FITTED.values(), ids=FITTED.keys())
def test_a_fault_at_such_sizes_is_seen(case: Fitted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Certificate, "compared", lambda *_args: 0.0)
    original = exacts.rounded_to
    monkeypatch.setattr(exacts, "rounded_to", lambda v, d: original(np.asarray(v) * 1.001, d))
    with pytest.raises(InternalError, match="differs from the original"):
        bnfold.fold(_built(case))


def test_what_runs_at_no_size_is_told_in_the_words_of_the_runtime() -> None:
    """Two matrices that cannot both be multiplied by the same rows."""
    case = (
        "float[n,m] x, float[n,3,h,k] p",
        "a = Conv(p, w) b = BN(a, n) c = MatMul(x, v) d = MatMul(x, u) e = Add(c, d) "
        "f = ReduceMax(e) y = Add(b, f)",
        {"u": weight(6, 2)},
        4,
    )
    opinion = bnfold.fold(_built(case)).ledger.opinion
    assert opinion is not None
    assert "does not run there" in opinion.left_out
