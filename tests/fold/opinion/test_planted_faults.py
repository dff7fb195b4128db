"""A fault in a weight does not hide in the digits that large values lose when they cancel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import bnfold
from bnfold import model_io
from bnfold.fold.opinion.answers import Answers, answers_of
from bnfold.fold.opinion.original_model import Original
from bnfold.fold.opinion.second import second_opinion
from tests.fold.property.text_models import Array, model, norm

CANCELS = "c = Add(b, big) d = Relu(c) e = Sub(d, big)"


def _network(big: float, between: str = CANCELS, mean: float = 0.0) -> onnx.ModelProto:
    """A batch norm whose values are carried at the size of `big`, or are made at that of `mean`."""
    random = np.random.default_rng(0)
    text = f"a = Conv(x, w, k) b = BN(a, n) {between} y = Conv(e, v)"
    constants: dict[str, Array] = {
        "w": random.normal(size=(8, 4, 3, 3)).astype(np.float32) / 6,
        "k": (mean * random.uniform(0.5, 1.5, 8)).astype(np.float32),
        "v": random.normal(size=(5, 8, 3, 3)).astype(np.float32) / 8,
        "big": np.float32(big),
        **norm("n", 8),
    }
    constants["nm"] = constants["nm"] + constants["k"]
    return model(f"(float[2,4,9,9] x) => (float y) {{ {text} }}", constants)


NETWORKS = {
    "1e3 + b - 1e3": _network(1e3),
    "a mean of 1e4": _network(0.0, "e = Relu(b)", mean=1e4),
}
FAULTS: dict[str, tuple[str, Callable[[Array], Array]]] = {
    "a weight x 1.001": ("w", lambda w: w * np.float32(1.001)),
    "a channel x 1.01": ("w", lambda w: np.concatenate([w[:1] * np.float32(1.01), w[1:]])),
    "an entry x 1.1": ("v", lambda w: np.where(w == np.max(w), w * np.float32(1.1), w)),
    "a lost channel": ("w", lambda w: np.concatenate([w[:1] * 0, w[1:]])),
    "a bias off": ("k", lambda k: k + np.float32(0.02) * np.eye(1, k.size, dtype=k.dtype)[0]),
}


def _answers(original: Original) -> Answers:
    answers = answers_of(original)
    assert isinstance(answers, Answers)
    return answers


@pytest.mark.parametrize("network", NETWORKS)
def test_a_planted_fault_is_seen_and_the_fold_is_not_accused(network: str) -> None:
    before = NETWORKS[network]
    original, result = Original.of(before, model_io.load(before)), bnfold.fold(before, check=False)
    answers, folded = _answers(original), result.to_proto()
    assert result.ledger.batch_norms_after == 0
    assert second_opinion(original, answers, model_io.load(folded)).agrees
    for fault, (name, change) in FAULTS.items():
        wrong = onnx.ModelProto()
        wrong.CopyFrom(folded)
        (tensor,) = (t for t in wrong.graph.initializer if t.name.removesuffix("_folded") == name)
        changed = change(numpy_helper.to_array(tensor))
        tensor.CopyFrom(numpy_helper.from_array(changed, tensor.name))
        assert not second_opinion(original, answers, model_io.load(wrong)).agrees, fault


def test_where_the_original_itself_loses_its_digits_the_fold_is_not_accused() -> None:
    """At 3e6 a unit in the last place is a quarter; in float64, a fault that is larger is seen."""
    before = _network(3e6)
    original, folded = Original.of(before, model_io.load(before)), bnfold.fold(before)
    assert "rounding may move the original's outputs" in folded.ledger.opinion.left_out
    wrong = folded.to_proto()
    (tensor,) = (t for t in wrong.graph.initializer if t.name == "v")
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(4), "v"))
    assert not second_opinion(original, _answers(original), model_io.load(wrong)).agrees
