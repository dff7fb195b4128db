"""An affine leaves a node by any of its ends: other readers and other inputs take the inverse."""

from __future__ import annotations

import numpy as np
import pytest

import bnfold
from tests.fold.property.oracle import check_fold, kinds_of
from tests.fold.property.text_models import fold_checked, model, norm, verdicts, weight

X = (2, 4, 6, 6)
VALUES = "float[N, 4, 6, 6]"


def _of(text: str, outputs: str = f"{VALUES} y") -> str:
    return f"({VALUES} x) => ({outputs}) {{ {text} }}"


def _convs(*names: str, size: int = 1) -> dict[str, np.ndarray]:
    return {name: weight(4, 4, size, size, seed=i) for i, name in enumerate(names)}


IDEALS = {
    "another-conv-takes-the-inverse": (
        "a = Conv(x, w) b = BN(a, p) c = Sigmoid(b) d = Conv(a, u) e = Tanh(d) y = Add(c, e)",
        "Conv Sigmoid Conv Tanh Add",
        True,
    ),
    "three-other-convs-take-the-inverse": (
        """a = Conv(x, w) b = BN(a, p) c = Sigmoid(b) d = Conv(a, u) e = Conv(a, v)
           f = Conv(a, w) g = Mul(d, e) h = Mul(g, f) y = Add(c, h)""",
        "Conv Sigmoid Conv Conv Conv Mul Mul Add",
        True,
    ),
    "another-batch-norm-takes-the-inverse": (
        "a = Conv(x, w) b = BN(a, p) c = Sigmoid(b) d = BN(a, q) e = Tanh(d) y = Add(c, e)",
        "Conv Sigmoid BatchNormalization Tanh Add",
        True,
    ),
    "equal-batch-norms-both-go": (
        "a = Conv(x, w) b = BN(a, p) c = Sigmoid(b) d = BN(a, p) e = Tanh(d) y = Add(c, e)",
        "Conv Sigmoid Tanh Add",
        True,
    ),
    "the-other-branch-takes-what-the-scale-is-not": (
        """r = Sigmoid(x) b = BN(r, p) t = Tanh(x) c = Conv(t, w) s = Add(b, c)
           d = Conv(s, u) y = Tanh(d)""",
        "Sigmoid Tanh Conv Add Conv Tanh",
        True,
    ),
    "a-batch-norm-takes-what-the-scale-is-not": (
        """r = Sigmoid(x) b = BN(r, p) t = Tanh(x) c = BN(t, q) s = Add(b, c)
           d = Conv(s, u) y = Tanh(d)""",
        "Sigmoid Tanh BatchNormalization Add Conv Tanh",
        True,
    ),
    "a-stream-that-linear-layers-read": (
        """r = Sigmoid(x) b = BN(r, p) c = Conv(b, w) d = Tanh(c) e = Conv(d, u) s = Add(b, e)
           f = Conv(s, v) y = Tanh(f)""",
        "Sigmoid Conv Tanh Conv Add Conv Tanh",
        True,
    ),
    "a-shift-turns-round-at-a-sum": (
        "r = Sigmoid(x) a = Add(r, k) c = Conv(x, w) s = Add(a, c) y = Tanh(s)",
        "Sigmoid Conv Add Tanh",
        False,
    ),
    "a-shift-turns-round-at-a-difference": (
        "r = Sigmoid(x) a = Add(r, k) c = Conv(x, w) s = Sub(a, c) y = Tanh(s)",
        "Sigmoid Conv Sub Tanh",
        False,
    ),
    "a-shift-turns-round-at-a-mean": (
        "r = Sigmoid(x) a = Add(r, k) t = Tanh(x) c = Conv(x, w) s = Mean(t, a, c) y = Tanh(s)",
        "Sigmoid Tanh Conv Mean Tanh",
        False,
    ),
    "a-scale-turns-round-at-a-product": (
        "r = Sigmoid(x) a = Mul(r, k) c = Conv(x, w) s = Mul(a, c) y = Tanh(s)",
        "Sigmoid Conv Mul Tanh",
        False,
    ),
    "a-scale-turns-round-at-a-quotient": (
        "c = Conv(x, w) e = Exp(x) f = Abs(k) a = Mul(e, f) s = Div(c, a) y = Tanh(s)",
        "Conv Exp Div Tanh",
        False,
    ),
    "behind-a-pool-that-counts-its-padding": (
        """a = Conv(x, w)
           m = AveragePool<kernel_shape = [3, 3], pads = [1, 1, 1, 1], count_include_pad = 1>(a)
           b = BN(m, p) c = Conv(x, u) s = Add(b, c) y = Relu(s)""",
        "Conv AveragePool Conv Add Relu",
        True,
    ),
    "behind-a-rectifier-beside-a-conv": (
        "a = Conv(x, w) r = Relu(a) b = BN(r, p) c = Conv(x, u) s = Add(b, c) y = Tanh(s)",
        "Conv Relu Conv Add Tanh",
        False,
    ),
    "one-convolution-in-a-block": (
        "a = Conv(x, w) b = BN(a, p) r = Relu(b) c = Conv(r, u) s = Add(a, c) d = BN(s, q) "
        "y = Relu(d)",
        "Conv Relu Conv Add Relu",
        False,
    ),
}


@pytest.mark.parametrize("signs", [False, True])
@pytest.mark.parametrize("name", IDEALS)
def test_affine_leaves_by_another_end(name: str, signs: bool) -> None:
    text, wanted, any_sign = IDEALS[name]
    if signs and not any_sign:
        pytest.skip("a rectifier or a lone shift: the signs are not the point")
    constants = {
        "k": np.array([0.5, -1.5, 2, 0.25], np.float32).reshape(4, 1, 1),
        **_convs("w", "u", "v"),
        **norm("p", 4, signs=signs),
        **norm("q", 4, signs=signs, seed=5),
    }
    result = fold_checked(model(_of(text), constants), x=X)
    assert kinds_of(result) == wanted.split()


_PADDED = "Conv<pads = [1, 1, 1, 1]>"


def _trunk(blocks: int, *, convs: int = 2) -> str:
    text = f"v0 = {_PADDED}(x, w)"
    for k in range(blocks):
        text += f" b{k} = BN(v{k}, p{k}) r{k} = Relu(b{k}) c{k} = {_PADDED}(r{k}, w)"
        end = f"c{k}"
        if convs == 2:
            text += f" d{k} = BN(c{k}, q) t{k} = Relu(d{k}) e{k} = {_PADDED}(t{k}, w)"
            end = f"e{k}"
        text += f" v{k + 1} = Add(v{k}, {end})"
    return _of(f"{text} z = BN(v{blocks}, p{blocks}) y = Relu(z)")


def _trunk_norms(blocks: int) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {**_convs("w", size=3), **norm("q", 4, seed=9)}
    for k in range(blocks + 1):
        found |= norm(f"p{k}", 4, seed=20 + k)
    return found


@pytest.mark.parametrize("convs", [1, 2])
@pytest.mark.parametrize("blocks", [1, 3])
def test_residual_trunk_has_no_batch_norm_left(blocks: int, convs: int) -> None:
    """The trunk carries the shift of each block, whose last bias makes up for it."""
    result = fold_checked(model(_trunk(blocks, convs=convs), _trunk_norms(blocks)), x=X)
    assert "BatchNormalization" not in kinds_of(result)
    assert result.ledger.batch_norms_after == 0


def test_residual_trunk_carries_a_sign_that_all_agree_on() -> None:
    constants = _trunk_norms(3)
    for k in range(4):
        constants[f"p{k}g"] = constants[f"p{k}g"] * np.array([1, -1, 1, -1], np.float32)
    result = fold_checked(model(_trunk(3), constants), x=X)
    assert result.ledger.batch_norms_after == 0


def test_batch_norm_that_disagrees_on_a_sign_stays_and_the_others_fold() -> None:
    constants = _trunk_norms(3)
    constants["p1g"] = constants["p1g"] * np.array([1, -1, 1, 1], np.float32)
    result = fold_checked(model(_trunk(3), constants), x=X)
    assert [d.name for d in result.ledger.kept] == ["b1"]
    assert "other-reader" in verdicts(result)["b1"]


@pytest.mark.parametrize("axis", [0, 2])
def test_equal_batch_norms_on_all_parts_of_a_split_go(axis: int) -> None:
    built = model(
        f"""(float[6, 4, 6, 6] x) => (float[6, 4, 6, 6] y) {{
            a = Conv(x, w) l, m, r = Split<axis = {axis}>(a, sizes) b = BN(l, p) c = BN(m, p)
            d = BN(r, p) e = Concat<axis = {axis}>(b, c, d) y = Relu(e) }}""",
        {**_convs("w"), **norm("p", 4, signs=True), "sizes": np.array([2, 2, 2])},
    )
    assert kinds_of(fold_checked(built, x=(6, 4, 6, 6))) == ["Conv", "Split", "Concat", "Relu"]


def test_head_that_nobody_reads_keeps_nothing() -> None:
    built = model(
        _of("a = Conv(x, w) b = BN(a, p) y = Relu(b) h = Sigmoid(a) i = Conv(h, u)"),
        {**_convs("w", "u"), **norm("p", 4, signs=True)},
    )
    assert kinds_of(fold_checked(built, x=X)) == ["Conv", "Relu"]


FORKED = "a = Conv(x, w) b = BN(a, p) c = Sigmoid(b) d = Conv(a, u) e = Tanh(d) y = Add(c, e)"


def _forked(**changes: float) -> bnfold.fold.FoldResult:
    """The other reader is a Conv; the first channel's gamma or beta is as told."""
    parameters = norm("p", 4)
    for name, number in changes.items():
        parameters[f"p{name}"][0] = number
    built = model(_of(FORKED), {**_convs("w", "u"), **parameters})
    return fold_checked(built, x=X)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"g": 0.0}, "other-reader"),
        ({"g": 1e-30, "b": 0.0, "m": 0.0}, "ill-conditioned"),
        ({"g": 1e-3, "b": 5.0}, "ill-conditioned"),
    ],
    ids=["zero", "next to zero", "a shift far larger than the values"],
)
def test_inverse_is_not_asked_for_where_rounding_would_tell(
    changes: dict[str, float], code: str
) -> None:
    result = _forked(**changes)
    assert result.ledger.batch_norms_after == 1
    assert code in verdicts(result)["b"]


def test_tiny_scale_without_a_shift_is_undone() -> None:
    assert _forked(g=2.0**-20, b=0.0, m=0.0).ledger.batch_norms_after == 0


def test_float16_asks_nobody_for_an_inverse() -> None:
    half = {k: v.astype(np.float16) for k, v in {**_convs("w", "u"), **norm("p", 4)}.items()}
    text = _of(FORKED).replace("float[", "float16[")
    result = fold_checked(model(text, half), x=X)
    assert result.ledger.batch_norms_after == 1


def test_output_of_the_graph_among_the_readers_stays() -> None:
    built = model(
        _of("a = Conv(x, w) b = BN(a, p) y = Sigmoid(b) d = Conv(a, u)", f"{VALUES} y, {VALUES} a"),
        {**_convs("w", "u"), **norm("p", 4)},
    )
    assert "graph-output" in verdicts(check_fold(built, _samples()))["b"]


def test_reader_in_a_body_stays() -> None:
    built = model(
        f"""(bool c, {VALUES} x) => ({VALUES} y, {VALUES} z) {{
            a = Conv(x, w) b = BN(a, p) y = Sigmoid(b)
            z = If(c) <then_branch = then_g () => ({VALUES} t) {{ t = Conv(a, u) }},
                       else_branch = else_g () => ({VALUES} e) {{ e = Tanh(a) }}> }}""",
        {**_convs("w", "u"), **norm("p", 4)},
    )
    samples = [{"c": np.array(True), **_samples()[0]}]
    assert "other-reader" in verdicts(check_fold(built, samples))["b"]


def test_gelu_that_reads_beside_a_batch_norm_stays_as_it_is() -> None:
    """Runtimes know a Gelu by its constants: none of them takes an inverse."""
    built = model(
        _of(
            "a = Conv(x, w) n = BN(a, p) s = Sigmoid(n) h = Mul(a, half) d = Div(a, root) "
            "e = Erf(d) g = Mul(h, e) y = Add(g, s)"
        ),
        {
            **_convs("w"),
            **norm("p", 4),
            "half": np.array(0.5, np.float32),
            "root": np.array(2**0.5, np.float32),
        },
    )
    result = fold_checked(built, x=X)
    assert "other-reader" in verdicts(result)["n"]
    assert [n.op_type for n in result.model.graph if n.op_type == "Div"] == ["Div"]


JOINED = {
    "concat": ("j = Concat<axis = 1>(b, a)", 8),
    "concat of a concat": ("i = Concat<axis = 1>(a, b) j = Concat<axis = 1>(i, c)", 12),
    "concat of a transpose": (
        "t = Transpose<perm = [0, 1, 3, 2]>(a) j = Concat<axis = 1>(t, b)",
        8,
    ),
    "split": ("i, k = Split<axis = 1>(a, sizes) j = Concat<axis = 1>(k, b, i)", 8),
}
"""How what a batch norm reads, and of how many channels it is, is made of what others read too."""


def _joined(name: str, beta: float) -> bnfold.fold.FoldResult:
    """A Conv that a Conv reads, and behind a join of it a batch norm and a Relu."""
    join, channels = JOINED[name]
    text = f"""a = Conv(x, w) b = Conv(x, v) c = Conv(x, o) {join} n = BN(j, p) z = Relu(n)
        d = Conv(a, u) y = Tanh(d)"""
    parameters = norm("p", channels)
    parameters["pb"] = np.full_like(parameters["pb"], beta)
    constants = {**_convs("w", "u", "v", "o"), **parameters, "sizes": np.array([2, 2])}
    outputs = f"float[N, {channels}, 6, 6] z, {VALUES} y"
    return fold_checked(model(_of(text, outputs), constants), x=X)


@pytest.mark.parametrize("name", JOINED)
def test_batch_norm_behind_a_join_tells_how_large_the_values_are(name: str) -> None:
    """The Conv carries the shift, and the other Conv undoes it."""
    assert _joined(name, 0.5).ledger.batch_norms_after == 0


@pytest.mark.parametrize("name", JOINED)
def test_batch_norm_behind_a_join_tells_that_a_shift_is_too_large(name: str) -> None:
    result = _joined(name, 1000.0)
    assert result.ledger.batch_norms_after == 1
    assert "ill-conditioned" in verdicts(result)["n"]


def _samples() -> list[dict[str, np.ndarray]]:
    return [{"x": np.random.default_rng(7).normal(size=X).astype(np.float16)}]


def test_a_size_is_told_from_behind_a_gather_by_several_indices() -> None:
    """It makes an axis more: what the batch norm behind it knows is not laid along the input's."""
    text = "a = Conv(x, w) g = Gather<axis = 3>(a, at) b = BN(g, p) y = Sigmoid(b) z = Conv(a, u)"
    constants = {**_convs("w", "u"), **norm("p", 4), "at": np.array([[1, 1], [2, 0]])}
    result = fold_checked(model(_of(text, "float y, float z"), constants), x=X)
    assert not result.ledger.bugs
