"""Operators between a batch norm and what could take it: which let what through."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fold.property.oracle import kinds_of
from tests.fold.property.text_models import Array, fold_checked, model, norm, verdicts, weight

NUMBERS = {
    "axes23": np.array([2, 3]),
    "one": np.array([1]),
    "two": np.array([2]),
    "zero": np.array([0]),
    "four": np.array([4]),
    "minus1": np.array([-1]),
    "lowest": np.array([-(2**62)]),
    "f0": np.array(0, np.float32),
    "f6": np.array(6, np.float32),
    "f2": np.array(2, np.float32),
    "minus2": np.array(-2, np.float32),
    "inf": np.array(np.inf, np.float32),
    "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
    "crop": np.array([0, 0, -1, 0, 0, 0, 0, -1]),
    "channelpads": np.array([0, 1, 0, 0, 0, 1, 0, 0]),
    "uneven": np.array([1, 3]),
    "even": np.array([2, 2]),
    "order": np.array([2, 0, 3, 1]),
    "twice": np.array([0, 1, 1, 3]),
    "flat": np.array([0, -1]),
    "shuffle": np.array([0, 2, 2, 5, 5]),
    "back": np.array([0, 4, 5, 5]),
    "mixed": np.array([0, 5, 4, 5]),
    "double": np.array([1, 1, 2, 2], np.float32),
    "roi": np.array([0, 0, 0, 0, 1, 1, 2, 2], np.float32),
    "deep": np.array([1, 2, 1, 1], np.float32),
    "mask": (weight(1, 1, 5, 5, seed=8) > 0).astype(np.float32),
    "map": weight(1, 4, 5, 5, seed=9),
    "slope": weight(4, 1, 1, seed=10),
}
CROP = (
    'm = Resize<mode = "linear", coordinate_transformation_mode = "tf_crop_and_resize", '
    "extrapolation_value = 3.0>(a, roi, double)"
)
# between Conv and BatchNormalization: (operators from a to m, signs of gamma, verdict)
BEHIND = {
    "identity": ("m = Identity(a)", True, "backward"),
    "dropout": ("m = Dropout(a)", True, "backward"),
    "dropout-with-its-mask-unread": ("m, k = Dropout(a)", True, "backward"),
    "dropout-in-training": ("m = Dropout(a, , yes)", True, "dropout"),
    "relu": ("m = Relu(a)", False, "shift-before-rectifier"),
    "negation": ("m = Neg(a)", True, "backward"),
    "double-negation": ("n = Neg(a) m = Neg(n)", True, "backward"),
    "sigmoid": ("m = Sigmoid(a)", False, "not-linear"),
    "softmax": ("m = Softmax<axis = 1>(a)", False, "not-linear"),
    "transpose-of-space": ("m = Transpose<perm = [0, 1, 3, 2]>(a)", True, "backward"),
    "shuffle": (
        "s = Reshape(a, shuffle) t = Transpose<perm = [0, 2, 1, 3, 4]>(s) m = Reshape(t, back)",
        True,
        "backward",
    ),
    "flip": ("m = Slice(a, minus1, lowest, one, minus1)", True, "backward"),
    "gather": ("m = Gather<axis = 1>(a, order)", True, "backward"),
    "gather-twice-the-same": ("m = Gather<axis = 1>(a, twice)", True, "read-twice"),
    "gather-at-run-time": (
        "i = ArgMax<axis = 1, keepdims = 0>(x) j = ReduceMax<keepdims = 0>(i) k = "
        "Unsqueeze(j, zero) l = Concat<axis = 0>(k, k, k, k) m = Gather<axis = 1>(a, l)",
        True,
        "",
    ),
    "resize": ('m = Resize<mode = "linear">(a, , double)', True, "backward"),
    "resize-crop": (
        CROP,
        True,
        "extrapolates",
    ),
    "pad-reflect": ('m = Pad<mode = "reflect">(a, pads)', True, "backward"),
    "pad-edge": ('m = Pad<mode = "edge">(a, pads)', True, "backward"),
    "pad-constant": ("m = Pad(a, pads)", True, "padding-value"),
    "pad-two": ("m = Pad(a, pads, f2)", True, "padding-value"),
    "crop-by-negative-pads": ("m = Pad(a, crop)", True, ""),
    "clip-to-six": ("m = Clip(a, f0, f6)", False, "bounded"),
    "add-of-two-convs": ("c = Conv(x, w2) m = Add(a, c)", True, "backward"),
    "difference-of-two-convs": ("c = Conv(x, w2) m = Sub(c, a)", True, "backward"),
    "mean-of-two-convs": ("c = Conv(x, w2) m = Mean(a, c)", True, "backward"),
    "sum-of-three": ("c = Conv(x, w2) m = Sum(a, c, a)", True, ""),
    "add-of-the-input": ("m = Add(a, x)", True, "backward"),
    "add-over-the-channels": (
        "c = ReduceMean<keepdims = 1>(x, one) m = Add(a, c)",
        True,
        "broadcast-branch",
    ),
    "add-of-a-map": ("m = Add(a, map)", True, "backward"),
    "add-of-a-mask": ("m = Add(a, mask)", True, "backward"),
    "product-with-a-gate": (
        "g = GlobalAveragePool(x) h = Sigmoid(g) m = Mul(a, h)",
        True,
        "shift-in-product",
    ),
    "product-with-a-map": ("m = Mul(a, map)", True, "shift-in-product"),
    "quotient": ("e = Exp(x) m = Div(a, e)", True, "shift-in-product"),
    "square": ("m = Mul(a, a)", True, "shift-in-product"),
    "power": ("m = Pow(a, f2)", False, "shift-before-power"),
    "concat": (
        "c = Conv(x, w2) s = Slice(a, zero, two, one) m2 = Slice(c, "
        "two, four, one) m = Concat<axis = 1>(s, m2)",
        True,
        "backward",
    ),
    "concat-with-the-input": (
        "s = Slice(x, zero, two, one) c = Slice(a, two, four, one) m = Concat<axis = 1>(s, c)",
        True,
        "graph-input",
    ),
    "cast-and-back": ("d = Cast<to = 11>(a) m = Cast<to = 1>(d)", True, ""),
    "cast-to-integers": ("d = Cast<to = 7>(a) m = Cast<to = 1>(d)", True, "cast"),
    "floor": ("m = Floor(a)", False, "not-linear"),
    "prelu": ("m = PRelu(a, slope)", False, "shift-before-rectifier"),
    "maximum-of-two": ("c = Conv(x, w2) m = Max(a, c)", False, "backward"),
    "where": ("c = Conv(x, w2) k = Greater(x, f0) m = Where(k, a, c)", True, "backward"),
    "expand": ("g = GlobalAveragePool(a) m = Expand(g, back4)", True, "backward"),
}


def _parameters(channels: int = 4, *, signs: bool) -> dict[str, Array]:
    return {
        "w": weight(4, 4, 1, 1),
        "w2": weight(4, 4, 1, 1, seed=3),
        "yes": np.array(True),
        "back4": np.array([1, 4, 5, 5]),
        **NUMBERS,
        **norm("p", channels, signs=signs),
    }


@pytest.mark.parametrize("name", BEHIND)
def test_batch_norm_behind(name: str) -> None:
    text, signs, verdict = BEHIND[name]
    built = model(
        f"(float[2, 4, 5, 5] x) => (float[2, 4, P, Q] y) {{ a = "
        f"Conv(x, w) {text} [bn] y = BN(m, p) }}",
        _parameters(signs=signs),
    )
    if "Dropout(a, ," in text:
        return  # random: nothing to compare; the ledger is asked below
    found = verdicts(fold_checked(built, x=(2, 4, 5, 5)))
    assert not verdict or verdict in found["bn"].split(), found


# between BatchNormalization and Conv
AHEAD = {
    "identity": ("m = Identity(b)", True, "forward"),
    "relu": ("m = Relu(b)", False, "shift-before-rectifier"),
    "negation": ("m = Neg(b)", True, "forward"),
    "transpose-of-space": ("m = Transpose<perm = [0, 1, 3, 2]>(b)", True, "forward"),
    "shuffle": (
        "s = Reshape(b, shuffle) t = Transpose<perm = [0, 2, 1, 3, 4]>(s) m = Reshape(t, back)",
        True,
        "forward",
    ),
    "mixing-reshape": (
        "m4 = Reshape(b, mixed) m = Transpose<perm = [0, 2, 1, 3]>(m4)",
        True,
        "not-per-channel",
    ),
    "gather": ("m = Gather<axis = 1>(b, order)", True, "forward"),
    "gather-twice-the-same": ("m = Gather<axis = 1>(b, twice)", True, "forward"),
    "resize": ('m = Resize<mode = "cubic">(b, , double)', True, "forward"),
    "resize-crop": (
        CROP.replace("(a,", "(b,"),
        True,
        "extrapolates",
    ),
    "pad-reflect": ('m = Pad<mode = "reflect">(b, pads)', True, "forward"),
    "pad-constant": ("m = Pad(b, pads)", True, "padding-value"),
    "add-of-the-input": ("m = Add(b, x)", True, "graph-input"),
    "add-of-its-twin": ("[bn2] c = BN(r2, p) m = Add(b, c)", True, "forward"),
    "add-of-another-batch-norm": ("[bn2] c = BN(r2, q) m = Add(b, c)", True, "forward"),
    "product-with-a-gate": (
        "g = GlobalAveragePool(x) h = Sigmoid(g) m = Mul(b, h)",
        True,
        "shift-in-product",
    ),
    "square": ("m = Mul(b, b)", True, "shift-in-product"),
    "concat-with-the-input": (
        "c = Concat<axis = 1>(b, x) m = Slice(c, two, six, one)",
        True,
        "forward",
    ),
    "split": ("s, t = Split<axis = 1>(b, uneven) m = Concat<axis = 1>(t, s)", True, "forward"),
    "split-with-a-sigmoid": (
        "s, t = Split<axis = 1>(b, uneven) u = Sigmoid(s) m = Concat<axis = 1>(t, u)",
        True,
        "not-linear",
    ),
    "depth-to-space": (
        "d = DepthToSpace<blocksize = 2>(b) m = SpaceToDepth<blocksize = 2>(d)",
        True,
        "",
    ),
    "where": ("k = Greater(x, f0) m = Where(k, b, b)", True, "forward"),
    "softmax": ("m = Softmax<axis = 1>(b)", True, "not-linear"),
}


@pytest.mark.parametrize("name", AHEAD)
def test_batch_norm_ahead(name: str) -> None:
    text, signs, verdict = AHEAD[name]
    size = 4 if "DepthToSpace" in text else 5
    built = model(
        f"""(float[2, 4, {size}, {size}] x) => (float[2, 4, P, Q] y) {{
            r = Sigmoid(x) r2 = Tanh(x) [bn] b = BN(r, p) {text} a = Conv(m, w) y = Tanh(a)
        }}""",
        {**_parameters(signs=signs), "six": np.array([6]), **norm("q", 4, seed=5)},
    )
    found = verdicts(fold_checked(built, x=(2, 4, size, size)))
    assert not verdict or verdict in found["bn"].split(), found


def test_dropout_in_training_lets_nothing_pass() -> None:
    import bnfold

    built = model(
        """(float[2, 4, 5, 5] x) => (float[2, 4, 5, 5] y) {
            a = Conv(x, w) m = Dropout(a, , yes) [bn] y = BN(m, p) }""",
        _parameters(signs=False),
    )
    assert "dropout" in verdicts(bnfold.fold(built))["bn"]


def test_custom_operator_lets_nothing_pass() -> None:
    import bnfold

    built = model(
        """(float[2, 4, 5, 5] x) => (float[2, 4, 5, 5] y) {
            a = Conv(x, w) m = custom.Relu(a) [bn] y = BN(m, p) }""",
        _parameters(signs=False),
    )
    built.opset_import.append(__import__("onnx").helper.make_opsetid("custom", 1))
    assert "custom-operator" in verdicts(bnfold.fold(built))["bn"]


@pytest.mark.parametrize("signs", [False, True])
def test_rectifier_lets_a_positive_scale_pass_and_no_negative_one(signs: bool) -> None:
    parameters = _parameters(signs=signs)
    parameters["pb"] = parameters["pm"] = np.zeros(4, np.float32)
    built = model(
        "(float[2, 4, 5, 5] x) => (float[2, 4, 5, 5] y) { a = "
        "Conv(x, w) m = Relu(a) [bn] y = BN(m, p) }",
        parameters,
    )
    found = verdicts(fold_checked(built, x=(2, 4, 5, 5)))["bn"]
    assert "negative-scale" in found if signs else found == "backward"


def test_two_negative_scales_make_a_positive_one() -> None:
    parameters = {**_parameters(signs=False), "minus2": np.array(-2, np.float32)}
    parameters["pg"] *= -1
    built = model(
        """(float[2, 4, 5, 5] x) => (float[2, 4, 3, 3] y) {
            a = Conv(x, w)
            m = MaxPool<kernel_shape = [3, 3]>(a)
            n = Mul(m, minus2)
            [bn] y = BN(n, p)
        }""",
        parameters,
    )
    assert kinds_of(fold_checked(built, x=(2, 4, 5, 5))) == ["Conv", "MaxPool"]


def test_shared_batch_norm_behind_a_concat_reaches_every_branch() -> None:
    built = model(
        """(float[2, 4, 5, 5] x) => (float[2, 10, 5, 5] y) {
            a = Conv(x, w) r = Relu(x) b = Conv(r, w3) c = Concat<axis = 1>(a, b)
            [bn] y = BN(c, p) }""",
        {**_parameters(10, signs=True), "w3": weight(6, 4, 1, 1)},
    )
    assert kinds_of(fold_checked(built, x=(2, 4, 5, 5))) == ["Conv", "Relu", "Conv", "Concat"]


def test_concat_of_one_value_twice_needs_equal_halves() -> None:
    built = model(
        """(float[2, 4, 5, 5] x) => (float[2, 8, 5, 5] y) {
            a = Conv(x, w) c = Concat<axis = 1>(a, a) [bn] y = BN(c, p) }""",
        _parameters(8, signs=True),
    )
    assert "other-reader" in verdicts(fold_checked(built, x=(2, 4, 5, 5)))["bn"]


def test_concat_of_one_value_twice_with_equal_halves_folds() -> None:
    half = norm("p", 4)
    built = model(
        """(float[2, 4, 5, 5] x) => (float[2, 8, 5, 5] y) {
            a = Conv(x, w) c = Concat<axis = 1>(a, a) [bn] y = BN(c, p) }""",
        {**_parameters(4, signs=True), **{k: np.tile(v, 2) for k, v in half.items()}},
    )
    assert kinds_of(fold_checked(built, x=(2, 4, 5, 5))) == ["Conv", "Concat"]


@pytest.mark.parametrize("addend", ["fed", "stored"])
@pytest.mark.parametrize("behind", [True, False])
def test_an_addend_that_beta_leaves_out_is_not_read(addend: str, behind: bool) -> None:
    """With beta = 0 it may be anything: infinite, or computed at run time."""
    body = "a = Gemm<beta = 0.0>(x, w, c) y = BN(a, p)"
    if not behind:
        body = "a = BN(x, p) y = Gemm<beta = 0.0>(a, w, c)"
    constants = {"w": weight(4, 6), **norm("p", 6 if behind else 4)}
    feeds = {"x": (3, 4)}
    if addend == "fed":
        feeds["c"] = (3, 6)
        text = f"(float[N, 4] x, float[N, 6] c) => (float[] y) {{ {body} }}"
    else:
        constants["c"] = np.full(6, np.inf, np.float32)
        text = f"(float[N, 4] x) => (float[] y) {{ {body} }}"
    result = fold_checked(model(text, constants), **feeds)
    assert result.ledger.batch_norms_after == 0
    assert [node.op_type for node in result.to_proto().graph.node] == ["Gemm"]
