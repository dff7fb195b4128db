"""What the inputs reach of the original is looked for, and what they do not reach is said."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import bnfold
from tests.verify.graphs import parsed


def weights(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


BRANCHES = """g (float[N,8] x) => (float[N,4] y) {{
    m = {condition}  c = Greater (m, threshold)
    y = If (c) <
        then_branch = t () => (float[N,4] a) {{ a = MatMul (x, u) }},
        else_branch = e () => (float[N,4] b) {{ b = MatMul (x, w) }}
    >
}}"""


def branching(threshold, *, seed=0, condition="ReduceMax <keepdims = 0> (x)"):
    """Another matrix where the largest number is above the threshold; `seed` is of that one."""
    return parsed(
        BRANCHES.format(condition=condition),
        threshold=np.float32(threshold),
        u=weights(seed, 8, 4),
        w=weights(7, 8, 4),
    )


@pytest.mark.parametrize("threshold", [3.0, 100.0, 5000.0])
def test_a_branch_that_takes_larger_numbers_is_reached(threshold):
    assert bnfold.verify(branching(threshold), branching(threshold, seed=1)).verdict == "different"
    found = bnfold.verify(branching(threshold), branching(threshold))
    assert found.is_equivalent
    assert found.coverage.branches == ()


def test_a_branch_that_no_input_reaches_is_named_in_the_verdict():
    found = bnfold.verify(branching(1e30), branching(1e30, seed=1))
    assert found.is_equivalent
    assert found.coverage.branches == ("branch 'then' of If 'y'",)
    assert "branch 'then' of If 'y' was never run" in found.reason
    assert found.to_dict()["coverage"]["branches"] == ["branch 'then' of If 'y'"]


def test_branches_within_a_branch_that_was_not_run_are_not_listed_one_by_one():
    """A Loop within a branch: one sentence is enough."""
    text = """g (float[N,8] x) => (float[N,8] y) {
        m = ReduceMax <keepdims = 0> (x)  c = Greater (m, threshold)
        y = If (c) <
            then_branch = t () => (float[N,8] a) {
                a = Loop (three, yes, x) <body = l (int64 i, bool k, float[N,8] s)
                    => (bool k2, float[N,8] s2) { k2 = Identity (k)  s2 = Add (s, s) }>
            },
            else_branch = e () => (float[N,8] b) { b = Neg (x) }
        >
    }"""
    model = parsed(text, threshold=np.float32(1e30), three=np.int64(3), yes=np.array(True))
    assert bnfold.verify(model, model).coverage.branches == ("branch 'then' of If 'y'",)


def test_a_unit_that_only_pixels_wake_is_seen():
    def model(factor):
        w, b = np.abs(weights(0, 8, 16)), np.zeros(16)
        w[:, 5] *= factor
        b[5] = -200.0
        text = """g (float[N,8] x) => (float[N,4] y) {
            h = Gemm (x, w, b)  r = Relu (h)  y = MatMul (r, v)
        }"""
        return parsed(text, w=w, b=b, v=weights(1, 16, 4))

    assert bnfold.verify(model(1.0), model(2.0)).verdict == "different"
    found = bnfold.verify(model(1.0), model(1.0))
    assert found.is_equivalent
    assert found.coverage.units == ()
    assert len(found.feeds) > 8


def test_units_that_never_wake_are_counted():
    b = np.zeros(16)
    b[[3, 5]] = -1e9
    text = """g (float[N,8] x) => (float[N,4] y) {
        h = Gemm (x, w, b)  r = Relu (h)  y = MatMul (r, v)
    }"""
    model = parsed(text, w=weights(0, 8, 16), b=b, v=weights(1, 16, 4))
    found = bnfold.verify(model, model)
    (share,) = found.coverage.units
    assert (share.name, share.reached, share.of) == ("r", 14, 16)
    assert "2 units of 1 activation were off throughout" in found.reason


@pytest.mark.parametrize(
    "text",
    [
        "y = HardSwish (h)",
        "y = Max (h, zero)",
        "y = Max (zero, h)",
        "y = ThresholdedRelu (h)",
        "y = Elu (h)",
        "s = Sigmoid (h)  y = Mul (h, s)",
        "s = HardSigmoid (h)  y = Mul (s, h)",
        "q = Greater (h, zero)  y = Where (q, h, zero)",
        "q = Less (h, half)  y = Where (q, half, h)",
        "q = Greater (h, zero)  g = Cast <to = 1> (q)  y = Mul (g, h)",
        "s = Sign (h)  t = Add (s, one)  y = Mul (t, h)",
        "s = Erf (h)  t = Add (one, s)  y = Mul (h, t)",
        "y = Max (half, h)",
        "a = Mul (h, tiny)  y = Max (h, a)",
        "m = Min (h, zero)  y = Sub (h, m)",
        "a = Abs (h)  y = Add (h, a)",
        "y = LeakyRelu <alpha = 0.0> (h)",
        "y = Softplus (h)",
        "s = Sigmoid (h)  y = MatMul (s, v)",
    ],
)
def test_a_weight_of_a_unit_that_wakes_rarely_is_seen(text):
    """Behind whatever lets it show in few rows, as behind a Relu."""

    def model(factor):
        w, b = weights(0, 43, 14), weights(1, 14)
        b[1], w[3, 1] = -4 * np.linalg.norm(w[:, 1]), w[3, 1] * factor
        return parsed(
            f"g (float[N,43] x) => (float[N,14] y) {{ h = Gemm (x, w, b) {text} }}",
            w=w,
            b=b,
            v=weights(2, 14, 14),
            zero=np.float32(0),
            half=np.float32(0.5),
            one=np.float32(1),
            tiny=np.float32(1e-3),
        )

    assert bnfold.verify(model(1.0), model(1.01)).verdict == "different"
    found = bnfold.verify(model(1.0), model(1.0))
    assert found.is_equivalent
    assert found.coverage.units == ()


def test_a_unit_of_the_other_model_alone_is_looked_for_too():
    """A choice by a number of the batch is nothing that tells of channels, and a Relu is."""

    def model(text, factor):
        w, b = weights(0, 43, 14), weights(1, 14)
        b[1], w[3, 1] = -4 * np.linalg.norm(w[:, 1]), w[3, 1] * factor
        return parsed(
            f"g (float[N,43] x) => (float[N,14] y) {{ h = Gemm (x, w, b) {text} }}",
            w=w,
            b=b,
            half=np.float32(0.5),
        )

    squared = "p = Mul (h, h)  a = Sqrt (p)  t = Add (h, a)  y = Mul (t, half)"
    assert bnfold.verify(model(squared, 1.0), model("y = Relu (h)", 1.05)).verdict == "different"
    assert bnfold.verify(model(squared, 1.0), model("y = Relu (h)", 1.0)).is_equivalent


@pytest.mark.parametrize("seed", range(10, 14))
def test_a_weight_of_a_unit_that_wakes_in_a_tenth_of_the_rows_is_seen(seed):
    """One or two of the usual rows meet it, and there what the weight multiplies may be 0."""

    def model(factor):
        w, b = weights(seed, 20, 6), np.zeros(6)
        b[1], w[3, 1] = -1.3 * np.linalg.norm(w[:, 1]), w[3, 1] * factor
        text = "g (float[N,20] x) => (float[N,6] y) { h = Gemm (x, w, b)  y = Relu (h) }"
        return parsed(text, w=w, b=b)

    assert bnfold.verify(model(1.0), model(1.003)).verdict == "different"
    assert bnfold.verify(model(1.0), model(1.0)).coverage.units == ()


def _table(shape: str, factor: float = 1.0, rows: int = 5000):
    table = weights(0, rows, 3)
    table[rows // 3] *= factor
    return parsed(
        f"g (int64[{shape}] i) => (float[{shape},3] y) {{ y = Gather (table, i) }}", table=table
    )


def test_ids_that_were_never_drawn_are_counted():
    found = bnfold.verify(_table("2,5"), _table("2,5"))
    (share,) = found.coverage.ids
    assert (share.name, share.of) == ("i", 5000)
    drawn = 10 * len(found.feeds)
    assert 0.9 * drawn <= share.reached <= drawn
    assert f"{share.reached} of the 5000 ids of 'i' were drawn" in found.reason


def test_where_the_batch_is_open_all_rows_of_a_table_are_drawn():
    found = bnfold.verify(_table("N,5"), _table("N,5"))
    (share,) = found.coverage.ids
    assert share.reached == share.of == 5000
    assert "were drawn" not in found.reason
    assert bnfold.verify(_table("N,5"), _table("N,5", 1.001)).verdict == "different"


def test_a_model_of_which_all_is_reached_says_nothing_of_it():
    text = "g (float[N,8] x) => (float[N,16] y) { h = MatMul (x, w)  y = Relu (h) }"
    found = bnfold.verify(parsed(text, w=weights(0, 8, 16)), parsed(text, w=weights(0, 8, 16)))
    assert found.coverage.sentence() == ""
    assert "never" not in found.reason


def test_the_users_data_is_not_added_to(tmp_path):
    rows = weights(0, 4, 8).astype(np.float32)
    found = bnfold.verify(branching(100.0), branching(100.0), data=rows)
    assert len(found.feeds) == 1
    assert found.coverage.branches == ("branch 'then' of If 'y'",)


def test_the_record_of_a_verification_without_a_reference_has_no_coverage():
    model = parsed("g (float[N,8] x) => (float[N,8] y) { y = Relu (x) }")
    model.graph.node[0].CopyFrom(
        onnx.helper.make_node("QuickGelu", ["x"], ["y"], domain="com.microsoft", alpha=0.5)
    )
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    found = bnfold.verify(model, model)
    assert found.is_range
    assert found.coverage is None


SIDES = {
    "a bound": ("y = Clip (c, low, limit)", {"low": np.array(0.0)}),
    "a maximum": ("n = Neg (c)  y = Min (n, limit)", {}),
    "a condition": ("q = Greater (c, limit)  d = Add (c, c)  y = Where (q, d, c)", {}),
    "a bound inside": ("d = Clip (c, , limit)  y = MatMul (d, u)", {"u": weights(5, 16, 4)}),
}


def bounded(text, limit, **more):
    """Something that happens to a product where it comes to a limit that usual numbers do not."""
    text = f"g (float[N,16] x) => (float y) {{ a = MatMul (x, w)  c = Mul (a, tenth)  {text} }}"
    given = {"w": weights(2, 16, 8 if "u)" not in text else 16), "tenth": np.array(0.1)}
    model = parsed(text, limit=np.array(limit), **given, **more)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    return model


@pytest.mark.parametrize("kind", SIDES)
def test_a_limit_that_only_large_numbers_meet_is_looked_for(kind):
    text, more = SIDES[kind]
    found = bnfold.verify(bounded(text, 60.0, **more), bounded(text, 80.0, **more))
    assert found.verdict == "different"
    same = bnfold.verify(bounded(text, 60.0, **more), bounded(text, 60.0, **more))
    assert same.is_equivalent
    assert same.coverage.sides == ()


def test_a_limit_that_no_input_meets_is_named_in_the_verdict():
    text, more = SIDES["a bound"]
    found = bnfold.verify(bounded(text, 1e30, **more), bounded(text, 1e31, **more))
    side = "the upper bound of Clip 'y'"
    assert found.coverage.sides == (side, f"{side} of the other model")
    assert "the upper bound of Clip 'y' was never met" in found.reason


def test_units_that_wake_where_one_channel_is_brighter_than_others_are_met():
    """The mean over a map of any random pixels is that of all its channels, and next to it."""

    def net(factor):
        v = (
            np.where(np.eye(8, 8) > 0, 1.5, -0.5)
            * np.where(np.arange(8) == 3, factor, 1.0)[:, None]
        )
        text = """g (float[1,8,24,24] x) => (float[1,8,1,1] y) {
            t = Tanh (x) m = GlobalAveragePool (t) h = Conv (m, v, b) y = Relu (h) }"""
        return parsed(text, v=v[:, :, None, None], b=np.where(np.arange(8) < 4, -1.0, 0.5))

    found = bnfold.verify(net(1.0), net(1.0))
    assert "offset" in {feed.kind for feed in found.feeds}
    assert found.coverage.units == ()
    assert bnfold.verify(net(1.0), net(1.01)).verdict == "different"
