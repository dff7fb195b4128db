"""Where the usual sizes do not fit a region: sizes that do are found, or the reason is told."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import bnfold
from bnfold.errors import InconclusiveError
from bnfold.fold.account.ledger import Decision
from bnfold.fold.moves.absorb import matmul
from tests.fold.property.text_models import Array, fold_checked, model, norm, verdicts, weight
from tests.runtime_oracle import in_onnxruntime

# (inputs, nodes, constants beside w and the norm, entries of the norm, a shape that runs)
Fitted = tuple[str, str, dict[str, Array], int, dict[str, tuple[int, ...]]]
FITTED: list[Fitted] = [
    (
        "float[n,4] x",
        "a = Add(x, c) b = BN(a, n) y = MatMul(b, w)",
        {"c": weight(3, 4)},
        4,
        {"x": (3, 4)},
    ),
    (
        "float[n,m] x",
        "a = Div(x, c) b = BN(a, n) y = MatMul(b, w)",
        {"c": weight(1, 6)},
        6,
        {"x": (5, 6)},
    ),
    (
        "float[n,4] x",
        "a = MatMul(c, x) b = BN(a, n) y = MatMul(b, w)",
        {"c": weight(5, 11)},
        4,
        {"x": (11, 4)},
    ),
    (
        "float[n,4,p,q] x",
        "r = Relu(x) b = BN(r, n) a = Squeeze(b, at) y = Conv(a, k)",
        {"at": np.array([3]), "k": weight(4, 4, 1)},
        4,
        {"x": (2, 4, 5, 1)},
    ),
    (
        "float[n,4] x",
        "r = Relu(x) b = BN(r, n) a = Reshape(b, at) y = MatMul(a, v)",
        {"at": np.array([-1, 12]), "v": weight(12, 2)},
        4,
        {"x": (6, 4)},
    ),
    (
        "float[n,4,h,k] x",
        "r = Relu(x) b = BN(r, n) a = Flatten(b) y = Gemm(a, v)",
        {"v": weight(140, 2)},
        4,
        {"x": (2, 4, 5, 7)},
    ),
    (
        "float[n,4,h,k] x, float[n,4,i,j] z",
        "r = Relu(x) s = Concat<axis = 3>(r, z) b = BN(s, n) a = Slice(b, at, to, on) "
        "t = Add(a, c) f = Flatten(t) y = Gemm(f, v)",
        {
            "at": np.array([1]),
            "to": np.array([4]),
            "on": np.array([2]),
            "c": weight(1, 4, 3, 6),
            "v": weight(72, 2),
        },
        4,
        {"x": (2, 4, 5, 4), "z": (2, 4, 5, 2)},
    ),
    (
        "float[n,4,l] x",
        "c = ConvTranspose(x, k) r = Tanh(c) b = BN(r, n) t = Transpose<perm = [0, 2, 1]>(b) "
        "a = Reshape(t, at) y = Gemm(a, w)",
        {"at": np.array([12, 4]), "k": weight(4, 4, 2)},
        4,
        {"x": (1, 4, 11)},
    ),
]


@pytest.mark.parametrize("case", FITTED, ids=lambda case: case[1][:24])
def test_sizes_that_a_constant_asks_for_are_found(
    case: Fitted,
) -> None:
    inputs, nodes, more, channels, shapes = case
    constants = {**more, "w": weight(channels, 3), **norm("n", channels)}
    result = fold_checked(model(f"({inputs}) => (float y) {{ {nodes} }}", constants), **shapes)
    assert result.ledger.batch_norms_after == 0, verdicts(result)
    assert result.ledger.unproven == ()


def test_a_fault_at_sizes_that_were_looked_for_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shift that gets lost on its way through a product, where 3 rows are all that runs."""
    text = (
        "(float[n,4] x) => (float y) { a = MatMul(c, x) r = Relu(a) b = BN(r, n) y = MatMul(b, w) }"
    )
    built = model(text, {"c": weight(5, 3), "w": weight(4, 2), **norm("n", 4)})
    right = matmul._product
    monkeypatch.setattr(matmul, "_product", lambda *args: 0.0 * np.asarray(right(*args)))
    ledger = bnfold.fold(built).ledger
    assert any("is off by" in bug for bug in ledger.bugs)
    assert ledger.batch_norms_after == 1


def _kept(built: onnx.ModelProto) -> Decision:
    (kept,) = bnfold.fold(built, check=False).ledger.kept
    return kept


def test_an_input_without_a_rank_is_told_by_name() -> None:
    text = "(float[] x) => (float b, float y) { d = Div(x, c) b = BN(d, n) y = Conv(b, w) }"
    constants = {"c": weight(2, 1, 1), "w": weight(4, 6, 3), **norm("n", 6)}
    no_shift = dict.fromkeys(("nb", "nm"), np.zeros(6, np.float32))
    built = model(text, {**constants, **no_shift})
    reasons = _kept(built).refusals
    assert [(r.code, r.sentence) for r in reasons if r.code == "rank-unknown"] == [
        ("rank-unknown", "the rank of 'x' is not known")
    ]


@pytest.mark.parametrize(
    ("text", "channels"),
    [
        ("float y) { a = Gemm(x, w) y = BN(a, n)", 5),
        ("float y) { t = Transpose<perm = [1, 0]>(x) a = Relu(t) b = BN(a, n) y = MatMul(b, w)", 4),
    ],
)
def test_who_reads_an_input_tells_its_rank(text: str, channels: int) -> None:
    built = model(f"(float[] x) => ({text} }}", {"w": weight(4, 5), **norm("n", channels)})
    shape = (3, 4) if "Gemm" in text else (4, 3)
    assert fold_checked(built, x=shape).ledger.batch_norms_after == 0


IMPOSSIBLE = {
    "a row that is not there": (
        "float[2,4] x",
        "r = Relu(x) b = BN(r, n) a = Gather(b, at) y = MatMul(a, w)",
        "do not run at the sizes",
    ),
    "no size for what is open": (
        "float[p,4] x",
        "r = Relu(x) b = BN(r, n) s = Add(b, c) a = Gather(s, at) y = MatMul(a, w)",
        "at none of the",
    ),
}


@pytest.mark.parametrize("case", IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_what_runs_at_no_size_is_told_in_our_words(case: tuple[str, str, str]) -> None:
    inputs, nodes, told = case
    constants = {"c": weight(3, 4), "at": np.array([5]), "w": weight(4, 2)}
    built = model(f"({inputs}) => (float y) {{ {nodes} }}", {**constants, **norm("n", 4)})
    (reason,) = (r for r in _kept(built).refusals if r.code == "not-certified")
    assert told in reason.sentence
    assert "operands" not in reason.sentence
    with pytest.raises(InconclusiveError, match="could not be proven"):
        bnfold.fold(built, strict=True)


# (inputs, nodes, constants beside w and the norm, what is fed)
NOTHING: dict[str, tuple[str, str, dict[str, Array], dict[str, Array]]] = {
    "no rows": (
        "float[n,0,4] x",
        "a = MatMul(x, w) c = Add(a, k) t = Transpose<perm = [0, 2, 1]>(c) b = BN(t, n) "
        "y = Relu(b)",
        {"k": weight(4)},
        {"x": np.zeros((3, 0, 4), np.float32)},
    ),
    "an Expand to nothing": (
        "float[1,4,1] x",
        "r = Relu(x) b = BN(r, n) e = Expand(b, s) t = Transpose<perm = [0, 2, 1]>(e) "
        "a = MatMul(t, w) y = Add(a, k)",
        {"k": weight(4), "s": np.array([0, 4, 5])},
        {"x": weight(1, 4, 1)},
    ),
    "as many rows as is told at run time": (
        "float[n,4] x, int64[1] e",
        "r = Relu(x) b = BN(r, n) s = Slice(b, zero, e, zero) y = Gemm(s, w)",
        {"zero": np.array([0])},
        {"x": weight(5, 4), "e": np.array([3])},
    ),
}


@pytest.mark.parametrize("case", NOTHING.values(), ids=NOTHING.keys())
def test_a_weight_that_no_number_meets_is_no_reason_to_keep_a_batch_norm(
    case: tuple[str, str, dict[str, Array], dict[str, Array]],
) -> None:
    inputs, nodes, more, feeds = case
    constants = {"w": weight(4, 4), **more, **norm("n", 4)}
    built = model(f"({inputs}) => (float y) {{ {nodes} }}", constants)
    result = bnfold.fold(built, strict=True)
    assert result.ledger.batch_norms_after == 0, verdicts(result)
    (old,), (new,) = (in_onnxruntime(one, feeds) for one in (built, result.to_proto()))
    assert new.shape == old.shape
    np.testing.assert_allclose(new, old, rtol=0, atol=1e-5)


TOGETHER = {
    "H x W of a matrix": (
        "float[n,4,h,k] x",
        "r = Relu(x) b = BN(r, n) t = Transpose<perm = [0, 2, 3, 1]>(b) f = Flatten(t) "
        "y = Gemm(f, w)",
        {"w": weight(4 * 11 * 23, 3)},
        {"x": (2, 4, 11, 23)},
    ),
    "a constant of three axes": (
        "float[n,4,d,h,k] x",
        "a = Add(x, c) b = BN(a, n) y = Conv(b, w)",
        {"c": weight(1, 1, 5, 11, 13), "w": weight(3, 4, 1, 1, 1)},
        {"x": (2, 4, 5, 11, 13)},
    ),
    "two inputs, one matrix": (
        "float[n,4,h,k] x, float[n,4,i,j] z",
        "s = Concat<axis = 2>(x, z) r = Relu(s) b = BN(r, n) f = Flatten(b) y = Gemm(f, w)",
        {"w": weight(4 * 19 * 11, 3)},
        {"x": (2, 4, 9, 11), "z": (2, 4, 10, 11)},
    ),
}


@pytest.mark.parametrize("case", TOGETHER.values(), ids=TOGETHER.keys())
def test_extents_that_only_fit_together_are_found(
    case: tuple[str, str, dict[str, Array], dict[str, tuple[int, ...]]],
) -> None:
    inputs, nodes, constants, shapes = case
    built = model(f"({inputs}) => (float y) {{ {nodes} }}", {**constants, **norm("n", 4)})
    result = bnfold.fold(built, strict=True, check=False)
    assert result.ledger.batch_norms_after == 0, verdicts(result)
    feeds = {name: weight(*shape, seed=3) for name, shape in shapes.items()}
    (old,), (new,) = (in_onnxruntime(one, feeds) for one in (built, result.to_proto()))
    np.testing.assert_allclose(new, old, rtol=0, atol=1e-5 * float(np.abs(old).max()))
