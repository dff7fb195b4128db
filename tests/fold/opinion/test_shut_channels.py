"""What a Relu always shuts in the original rounds in the folded model alone: no bug of bnfold."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import pytest

import bnfold
from bnfold import model_io
from bnfold.errors import InconclusiveError
from bnfold.fold.opinion import second
from bnfold.fold.opinion.answers import answers_of
from bnfold.fold.opinion.original_model import Original


def _model(seed: int) -> onnx.ModelProto:
    """One channel with a variance of 0 and a mean that its Tanh never reaches."""
    random = np.random.default_rng(seed)
    text = """<ir_version: 8, opset_import: ["": 13]> g (double[3, 3] x) => (double[3, 6] y) {
        a = Tanh(x) b = BatchNormalization(a, g, s, m, v) r = Relu(b)
        y = Gemm<transB = 1>(r, w, c) }"""
    constants = {
        "g": random.uniform(0.8, 1.2, 3),
        "s": random.uniform(0.5, 1.5, 3),
        "m": np.full(3, 1.12),
        "v": np.array([1.4, 0.0, 0.9]),
        "w": random.normal(size=(6, 3)),
        "c": random.normal(size=6),
    }
    parsed = onnx.parser.parse_model(text)
    for name, array in constants.items():
        parsed.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    return parsed


def test_its_rounding_is_not_taken_for_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(12):
        opinion = bnfold.fold(_model(seed), allow="rectifier").ledger.opinion
        assert opinion.error <= opinion.explained < 1e-11
    monkeypatch.setattr(second, "_MOST_UNITS", 0)
    monkeypatch.setattr(second, "rounding_of_run", lambda *_: 0.0)
    with pytest.raises(bnfold.BnfoldError, match="bug in bnfold"):
        for seed in range(12):
            bnfold.fold(_model(seed), allow="rectifier")


def _shut_far_away(seed: int, mean: float = 100.0) -> onnx.ModelProto:
    """In float32: what the Relu shuts is -316 means, which the folded Gemm adds and takes away."""
    model = _model(seed)
    for info in (*model.graph.input, *model.graph.output):
        info.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    for tensor in model.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        if tensor.name == "m":
            array = np.where(np.arange(3) == 1, mean, array)
        stored = onnx.numpy_helper.from_array(array.astype(np.float32), tensor.name)
        tensor.CopyFrom(stored)
    return model


def _in_numpy(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    """The folded model in float64, written out: Tanh, Max, Min where there is one, Gemm."""
    known = {t.name: onnx.numpy_helper.to_array(t).astype(float) for t in model.graph.initializer}
    known["x"] = x.astype(float)
    for node in model.graph.node:
        read = [known[name] for name in node.input]
        known[node.output[0]] = {
            "Tanh": np.tanh,
            "Max": np.maximum,
            "Min": np.minimum,
            "Gemm": lambda a, w, c: a @ w.T + c,
        }[node.op_type](*read)
    return known["y"]


def _original_in_numpy(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    known = {t.name: onnx.numpy_helper.to_array(t).astype(float) for t in model.graph.initializer}
    g, s, m, v, w, c = (known[name] for name in "gsmvwc")
    b = (np.tanh(x.astype(float)) - m) / np.sqrt(v + 1e-5) * g + s
    return np.maximum(b, 0) @ w.T + c


def test_what_is_shut_far_away_costs_digits_and_is_no_fault() -> None:
    """By 3e4 * 2^-24 for each rounding: the weights are right, as float64 written out tells."""
    x = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)
    errors = []
    for seed in range(12):
        before = _shut_far_away(seed)
        result = bnfold.fold(before, allow="rectifier")
        assert result.ledger.batch_norms_after == 0
        opinion = result.ledger.opinion
        assert opinion.error <= opinion.explained <= 1 / 32
        errors.append(opinion.error)
        exact = _original_in_numpy(before, x)
        apart = np.abs(_in_numpy(result.to_proto(), x) - exact).max()
        assert apart < 8 * 4e4 * 2.0**-24 * max(1.0, np.abs(exact).max())
    assert max(errors) > 1e-3  # more than any bound in units of the outputs allowed


def test_what_costs_too_many_digits_is_not_handed_out_and_is_no_bug() -> None:
    """By 1.3e6 * 2^-24 for each rounding, of outputs of 2; in float64 the fold is right."""
    x = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)
    refused = 0
    for seed in range(12):
        before = _shut_far_away(seed, mean=4e3)
        folded = bnfold.fold(before, allow="rectifier", check=False).to_proto()
        exact = _original_in_numpy(before, x)
        apart = np.abs(_in_numpy(folded, x) - exact).max()
        assert apart < 8 * 1.6e6 * 2.0**-24 * max(1.0, np.abs(exact).max())
        try:
            assert bnfold.fold(before, allow="rectifier").ledger.opinion.error <= 1 / 32
        except InconclusiveError as error:
            assert "nothing is handed out; allow less" in str(error)
            refused += 1
    assert refused
    assert not bnfold.fold(_shut_far_away(0, mean=4e3)).ledger.opinion


FAULTS = {
    "a bias": lambda name, array: array + 0.2 if array.ndim == 1 and name != "v" else array,
    "a bound": lambda _, array: array * 1.05 if array.shape == (1, 3) else array,
    "an open channel": lambda _, array: array * [[1.05, 1, 1]] if array.shape == (6, 3) else array,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_beside_it_is_seen(fault) -> None:
    before = _shut_far_away(3)
    original = Original.of(before, model_io.load(before))
    answers = answers_of(original)
    folded = bnfold.fold(before, allow="rectifier", check=False).to_proto()
    assert second.second_opinion(original, answers, model_io.load(folded)).agrees
    for tensor in folded.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        changed = np.asarray(fault(tensor.name, array), np.float32)
        tensor.CopyFrom(onnx.numpy_helper.from_array(changed, tensor.name))
    assert not second.second_opinion(original, answers, model_io.load(folded)).agrees
