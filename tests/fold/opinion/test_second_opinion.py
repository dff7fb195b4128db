"""A fold is compared with the original, whole, in onnxruntime before it is handed out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import helper, numpy_helper

import bnfold
from benchmarks.motifs import Motif, Norm
from bnfold import model_io
from bnfold.errors import InternalError
from bnfold.fold.account.told_opinion import Opinion
from bnfold.fold.numbers import exact as exacts
from bnfold.fold.opinion import answers as answers_module
from bnfold.fold.opinion import second
from bnfold.fold.opinion.original_model import Original
from bnfold.fold.proof.certificate import Certificate


def _conv(size: str = "H", output: str = "y = BN(a, n)") -> onnx.ModelProto:
    text = f"(float[N,3,{size},{size}] x) => (float[M,4,P,Q] y) {{ a = Conv(x, w) {output} }}"
    return Motif("conv", text, {"w": (4, 3, 3, 3), "n": Norm(4)}, "").model()


def _opinion(model: onnx.ModelProto) -> Opinion:
    opinion = bnfold.fold(model).ledger.opinion
    assert opinion is not None
    return opinion


@pytest.mark.parametrize("size", ["H", "20"])
def test_the_ledger_says_what_was_compared_and_how_far_apart_it_was(size: str) -> None:
    opinion = _opinion(_conv(size))
    assert opinion.runtime.startswith("onnxruntime 1.")
    assert opinion.sizes == 2
    assert 0 < opinion.error < 1e-5
    assert str(opinion).startswith(f"checked in {opinion.runtime} at 2 sizes: ")


def test_nothing_is_compared_where_it_is_not_wanted() -> None:
    assert bnfold.fold(_conv(), check=False).ledger.opinion is None


def test_nothing_is_compared_where_nothing_was_folded() -> None:
    model = _conv(output="b = Sigmoid(a) y = BN(b, n)")
    assert bnfold.fold(model).ledger.opinion is None


@pytest.mark.parametrize(
    ("factor", "said"),
    [
        (1.001, "differs from the original in onnxruntime"),
        (1e38, "by inf of the largest value"),  # it overflows where the original does not
    ],
)
def test_a_fold_that_computes_something_else_is_not_handed_out(
    factor: float, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the proof of each rewrite believes: here it is told to believe everything."""
    monkeypatch.setattr(Certificate, "compared", lambda *_args: 0.0)
    original = exacts.rounded_to
    monkeypatch.setattr(exacts, "rounded_to", lambda v, d: original(np.asarray(v) * factor, d))
    with pytest.raises(InternalError, match=said):
        bnfold.fold(_conv())
    assert bnfold.fold(_conv(), check=False).ledger.batch_norms_after == 0


_POOL = "MaxPool<kernel_shape = [2, 2]>"


@pytest.mark.parametrize(
    ("output", "factor", "accuses"),
    [
        ("b = BN(a, n) y = Round(b)", 1.001, False),
        ("b = BN(a, n) q = Cast<to = 6>(b) y = Cast<to = 1>(q)", 1.001, False),
        ("b = BN(a, n) y = Hardmax<axis = 1>(b)", -1.0, False),
        ("b = BN(a, n) y = ThresholdedRelu<alpha = 0.1>(b)", 1.001, False),
        (f"b = BN(a, n) m, i = {_POOL}(b) c = Cast<to = 1>(i) y = Add(m, c)", 1.1, False),
        (f"b = BN(a, n) y, i = {_POOL}(b)", 1.001, True),  # nobody reads where the largest is
        ("b = BN(a, n) r = Round(k) y = Mul(b, r)", 1.001, True),  # the step is of a constant
        ("b = BN(a, n) y = Round(b)", 1e38, True),  # no step is as large as that
    ],
)
def test_a_step_that_rounding_may_turn_is_left_to_verify(
    output: str, factor: float, accuses: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number next to a step of a quantised network goes up before the fold and down after it."""
    monkeypatch.setattr(Certificate, "compared", lambda *_args: 0.0)
    original = exacts.rounded_to
    monkeypatch.setattr(exacts, "rounded_to", lambda v, d: original(np.asarray(v) * factor, d))
    text = f"(float[N,3,H,H] x) => (float[M,4,P,Q] y) {{ a = Conv(x, w) {output} }}"
    weights = {"w": (4, 3, 3, 3), "k": (4, 1, 1), "n": Norm(4)}
    model = Motif("steps", text, weights, "").model()
    if accuses:
        with pytest.raises(InternalError, match="differs from the original"):
            bnfold.fold(model)
    else:
        assert "decisions (" in _opinion(model).left_out


def test_where_the_original_computes_with_infinity_nothing_is_promised() -> None:
    """-inf + inf of two branches is NaN; of the one that they become it is -inf."""
    text = """(float[N,3] x) => (float[N,4] y) {
        r = Relu(x) l = Log(r) a = MatMul(l, v) b = MatMul(l, w) c = BN(b, n) y = Add(a, c)
    }"""
    model = Motif("logs", text, {"v": (3, 4), "w": (3, 4), "n": Norm(4)}, "").model()
    result = bnfold.fold(model)
    assert result.ledger.batch_norms_after == 0
    assert not result.ledger.bugs


def test_a_folded_model_that_does_not_load_is_not_handed_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Certificate, "compared", lambda *_args: 0.0)
    monkeypatch.setattr(exacts._FoldedTensor, "dtype", property(lambda _self: ir.DataType.DOUBLE))
    with pytest.raises(InternalError):
        bnfold.fold(_conv())


def test_a_model_that_does_not_run_there_is_folded_and_told_so() -> None:
    model = _conv(output="b = BN(a, n) y = custom.Thing(b)")
    model.opset_import.append(onnx.helper.make_opsetid("custom", 1))
    opinion = _opinion(model)
    assert "does not run there: onnxruntime refuses it" in opinion.left_out
    assert str(opinion).startswith("not checked in onnxruntime: ")


def test_a_large_model_is_folded_and_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers_module, "MOST_BYTES", 16)
    assert "weights" in _opinion(_conv()).left_out


def test_a_model_of_many_nodes_is_folded_and_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers_module, "MOST_NODES", 1)
    assert "nodes are more than 1" in _opinion(_conv()).left_out


@pytest.mark.parametrize("is_file", [True, False])
def test_the_original_is_not_loaded_a_second_time(
    is_file: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runtime reads what was given."""
    model = _conv()
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    loads: list[object] = []
    original = model_io.load
    monkeypatch.setattr(model_io, "load", lambda source: loads.append(source) or original(source))
    opinion = bnfold.fold(path if is_file else model).ledger.opinion
    assert opinion is not None
    assert opinion.sizes == 2
    assert len(loads) == 1


def test_an_original_with_external_data_is_compared_too(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(_conv(), path, save_as_external_data=True, size_threshold=0, location="w.data")
    opinion = bnfold.fold(path).ledger.opinion
    assert opinion is not None
    assert opinion.sizes == 2


def test_a_model_that_draws_random_numbers_accuses_nobody() -> None:
    opinion = _opinion(_conv(output="b = BN(a, n) r = RandomNormalLike(b) y = Add(b, r)"))
    assert "does not give the same twice" in opinion.left_out


@pytest.mark.parametrize("is_stored_in_nodes", [False, True])
def test_rounding_that_a_deep_network_blows_up_is_no_bug(is_stored_in_nodes: bool) -> None:
    """Each layer adds its own rounding; neighbours of the original tell how much that is.

    Some exporters store weights in Constant nodes, which have neighbours too.
    """
    layers = " ".join(
        f"c{i} = Conv<pads = [1, 1, 1, 1]>({'x' if i == 0 else f'r{i - 1}'}, w{i}) "
        f"b{i} = BN(c{i}, n{i}) r{i} = Softsign(b{i})"
        for i in range(60)
    )
    text = f"(float[N,4,H,W] x) => (float[N,4,H,W] y) {{ {layers} y = Identity(r59) }}"
    constants: dict[str, object] = {}
    for i in range(60):
        constants |= {f"w{i}": (4, 4, 3, 3), f"n{i}": Norm(4)}
    model = Motif("deep", text, constants, "").model()  # type: ignore[arg-type]
    for tensor in model.graph.initializer:
        if tensor.name.startswith("w"):
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * 5, tensor.name))
    if is_stored_in_nodes:
        nodes = list(model.graph.node)
        stored = [
            helper.make_node("Constant", [], [t.name], value=t) for t in model.graph.initializer
        ]
        del model.graph.node[:], model.graph.initializer[:]
        model.graph.node.extend([*stored, *nodes])
    assert "rounding may move the original's outputs" in _opinion(model).left_out


def _cancelling(big: float) -> onnx.ModelProto:
    return Motif(
        "cancelling",
        "(float[N,3,H,H] x) => (float[M,P,Q,R] y) "
        "{ a = Conv(x, w) b = BN(a, n) c = Add(b, big) r = Relu(c) y = Sub(r, big) }",
        {"w": (4, 3, 3, 3), "n": Norm(4), "big": np.array(big, np.float32)},
        "",
    ).model()


@pytest.mark.parametrize("big", [1e5, 3e5])
def test_digits_that_cancel_are_no_bug(big: float) -> None:
    """1e5 + x - 1e5 loses five digits of x, before a fold and after it, and other ones."""
    opinion = _opinion(_cancelling(big))
    assert opinion.agrees
    assert 1e-3 < opinion.error < 1e-2


def test_a_large_value_that_costs_no_digits_excuses_nothing() -> None:
    """A mask of -1e9 is large, and the rounding of what it masks is as small as ever."""
    model = Motif(
        "masked",
        "(float[N,3,H,H] x) => (float[M,P,Q,R] y) "
        "{ m = Add(x, mask) e = Exp(m) a = Conv(x, w) b = BN(a, n) s = ReduceMax(e) "
        "y = Add(b, s) }",
        {"w": (4, 3, 3, 3), "n": Norm(4), "mask": np.array(-1e9, np.float32)},
        "",
    ).model()
    original = Original.of(model, model_io.load(model))
    answers = answers_module.answers_of(original)
    assert isinstance(answers, answers_module.Answers)
    folded = model_io.to_proto(bnfold.fold(model).model)
    assert second.second_opinion(original, answers, model_io.load(folded)).agrees
    for tensor in folded.graph.initializer:
        if tensor.dims == [4, 3, 3, 3]:
            wrong = numpy_helper.to_array(tensor) * np.float32(1.01)
            tensor.CopyFrom(numpy_helper.from_array(wrong, tensor.name))
    assert not second.second_opinion(original, answers, model_io.load(folded)).agrees


@pytest.mark.parametrize("size", [131, 400])
def test_what_a_long_sum_loses_is_no_bug(size: int) -> None:
    """A mean over 17,000 numbers that are alike, added one after the other: each loses the same.

    Neighbours lose what the original loses; what it is off by itself explains the difference.
    """
    model = Motif(
        "mean",
        f"(float[1,3,{size},{size}] x) => (float[1,4,1,1] y) {{ c = Clip(x, one, one) "
        "a = Conv(c, w, b) g = GlobalAveragePool(a) y = BN(g, n) }",
        {"w": (4, 3, 1, 1), "b": (4,), "n": Norm(4), "one": np.array(0.1, np.float32)},
        "",
        opset=13,
    ).model()
    ledger = bnfold.fold(model).ledger
    assert ledger.batch_norms_after == 0
    assert ledger.opinion is not None
    assert 8e-6 < ledger.opinion.error < 1e-3


def test_nothing_is_said_to_be_checked_where_the_original_gives_only_nan() -> None:
    """A root of what is below 0: two of them agree in nothing."""
    model = _conv(output="b = BN(a, n) c = Abs(b) d = Neg(c) y = Sqrt(d)")
    opinion = _opinion(model)
    assert opinion.sizes == 0
    assert "only NaN" in str(opinion)
