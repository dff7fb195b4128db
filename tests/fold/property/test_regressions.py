"""Every failure that random graphs ever found, as a small named graph."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

import bnfold
from tests.fold.property.oracle import kinds_of
from tests.fold.property.text_models import fold_checked, model, norm, verdicts, weight
from tests.runtime_oracle import in_onnxruntime


def test_output_keeps_its_name_where_a_bias_behind_a_concat_goes_too() -> None:
    """Two affines go, the last one's name stays on the tensor that carries its value."""
    built = model(
        """(float[N, 3] x, float[N, 2] z) => (float[N, 6] y) {
            m = MatMul(x, w)
            a = Add(m, bias)
            g = Gemm(z, w2)
            c = Concat<axis = 1>(a, g)
            y = BN(c, p)
        }""",
        {"w": weight(3, 4), "bias": weight(4), "w2": weight(2, 2), **norm("p", 6)},
    )
    result = fold_checked(built, x=(2, 3), z=(2, 2))
    assert kinds_of(result) == ["Gemm", "Gemm", "Concat"]


def test_folds_into_a_weight_that_is_computed_and_has_no_stated_type() -> None:
    """Exporters leave Transpose(weight) in front of MatMul, without a value_info."""
    built = model(
        """(float[N, 3] x) => (float[N, 4] y) {
            wt = Transpose(w)
            m = MatMul(x, wt)
            y = BN(m, p)
        }""",
        {"w": weight(4, 3), **norm("p", 4)},
    )
    assert kinds_of(fold_checked(built, x=(2, 3))) == ["Gemm"]


def test_addition_of_a_computed_constant_without_a_stated_type_does_not_crash() -> None:
    built = model(
        """(float[N, 3] x) => (float[N, 3] y) {
            r = Sigmoid(x)
            bi = Identity(bias)
            a = Add(r, bi)
            q = BN(a, p)
            y = Sigmoid(q)
        }""",
        {"bias": weight(3), **norm("p", 3)},
    )
    assert kinds_of(fold_checked(built, x=(2, 3))) == ["Sigmoid", "BatchNormalization", "Sigmoid"]


def test_affine_that_amounts_to_nothing_leaves_the_input_its_name() -> None:
    built = model(
        """(float[N, 3] x) => (float[N, 3] y) {
            s = Sub(x, zero)
            y = Sigmoid(s)
        }""",
        {"zero": np.zeros((), np.float32)},
    )
    assert kinds_of(fold_checked(built, x=(2, 3))) == ["Sigmoid"]


def test_affine_that_amounts_to_nothing_stays_between_an_input_and_an_output() -> None:
    """Something must bear the output's name."""
    built = model(
        """(float[N, 3] x) => (float[N, 3] y) {
            y = Sub(x, zero)
        }""",
        {"zero": np.zeros((), np.float32)},
    )
    assert kinds_of(fold_checked(built, x=(2, 3))) == ["Sub"]


def test_output_that_equals_an_inner_tensor_keeps_its_name() -> None:
    built = model(
        """(float[N, 3] x) => (float[N, 3] y, float[N, 3] z) {
            s = Sigmoid(x)
            y = Mul(s, one)
            z = Neg(s)
        }""",
        {"one": np.ones((), np.float32)},
    )
    assert kinds_of(fold_checked(built, x=(2, 3))) == ["Sigmoid", "Neg"]


def test_scale_that_passes_a_batched_product_has_the_rank_of_the_value() -> None:
    built = model(
        """(float[2, 3, 4, 5] x) => (float[P, Q, R] y) {
            r = Sigmoid(x)
            b = BN(r, p)
            c = Mul(b, two)
            m = MatMul(c, w)
            v = Reshape(m, shape)
            y = Relu(v)
        }""",
        {
            "w": weight(5, 2),
            "two": np.array(2, np.float32),
            "shape": np.array([2, 3, 8]),
            **norm("p", 3),
        },
    )
    assert kinds_of(fold_checked(built, x=(2, 3, 4, 5))).count("BatchNormalization") == 1


def test_division_by_zero_is_the_network_s_own_and_no_bug_of_ours() -> None:
    """What is infinite before cannot be compared."""
    built = model(
        """(float[N, 3] x) => (float[N, 3] y) {
            s = Sigmoid(x)
            d = Div(s, zero)
            m = Mul(d, two)
            y = Neg(m)
        }""",
        {"zero": np.zeros(1, np.float32), "two": np.array([2], np.float32)},
    )
    assert kinds_of(fold_checked(built, x=(2, 3)))[0] == "Sigmoid"


def test_depth_of_a_matrix_tells_an_unknown_extent() -> None:
    """No rewrite is given up because its proof tried a size that does not fit the weight."""
    built = model(
        """(float[N, 1, H, W] x) => (float[P, Q, R, S] y) {
            m = MatMul(x, w)
            a = Add(bias, m)
            [bn] y = BN(a, p)
        }""",
        {"w": weight(1, 3), "bias": weight(3), **norm("p", 1)},
    )
    assert verdicts(fold_checked(built, x=(2, 1, 3, 1))) == {"bn": "backward"}


def test_batch_norm_that_became_a_bias_reads_the_clone_that_took_its_scale() -> None:
    built = model(
        """(float[2, 1, 3] x) => (float[2, 2, 3] y, float[2, 2, 3] z) {
            m = MatMul(w, x)
            [bn] y = BN(m, p)
            z = Sigmoid(m)
        }""",
        {"w": weight(2, 1), **norm("p", 2)},
    )
    result = fold_checked(built, ("clone",), x=(2, 1, 3))
    assert kinds_of(result) == ["MatMul", "MatMul", "Add", "Sigmoid"]


def test_values_that_a_rewrite_made_have_an_element_type() -> None:
    """Else a rewrite that needs to know it comes only with a second fold."""
    built = model(
        """(float[2, 4, 5] x) => (float[2, 4, 5] y) {
            [bn] b = BN(x, p)
            c = Conv<pads = [1, 1], group = 4>(b, w)
            r = Relu(c)
            [bn2] n = BN(r, q)
            y = Transpose<perm = [0, 1, 2]>(n)
        }""",
        {"w": weight(4, 1, 3), **norm("p", 4), **norm("q", 4, seed=5)},
    )
    result = fold_checked(built, ("all",), x=(2, 4, 5))
    assert "BatchNormalization" not in kinds_of(result)


def test_shift_behind_a_sum_of_a_value_with_itself_is_halved() -> None:
    built = model(
        """(float[2, 3, 4, 4] x) => (float[2, 4, 4, 4] y) {
            a = Conv(x, w) s = Add(a, a) y = BN(s, p) }""",
        {"w": weight(4, 3, 1, 1), **norm("p", 4, signs=True)},
    )
    assert kinds_of(fold_checked(built, x=(2, 3, 4, 4))) == ["Conv", "Add"]


def test_shift_behind_a_sum_over_space_is_divided_by_its_size() -> None:
    built = model(
        """(float[N, 3, 4, 5] x) => (float[N, 4] y) {
            a = Conv(x, w) s = ReduceSum<keepdims = 0>(a, axes) y = BN(s, p) }""",
        {"w": weight(4, 3, 1, 1), "axes": np.array([2, 3]), **norm("p", 4, signs=True)},
    )
    assert kinds_of(fold_checked(built, x=(2, 3, 4, 5))) == ["Conv", "ReduceSum"]


def test_shift_before_a_sum_over_space_is_multiplied_by_its_size() -> None:
    built = model(
        """(float[N, 3, 4, 5] x) => (float[N, 2] y) {
            r = Tanh(x) a = BN(r, p) s = ReduceSum<keepdims = 0>(a, axes) y = Gemm(s, w) }""",
        {"w": weight(3, 2), "axes": np.array([2, 3]), **norm("p", 3, signs=True)},
    )
    assert kinds_of(fold_checked(built, x=(2, 3, 4, 5))) == ["Tanh", "ReduceSum", "Gemm"]


def test_sum_over_an_unknown_space_keeps_the_shift() -> None:
    built = model(
        """(float[N, 3, H, 5] x) => (float[N, 4] y) {
            a = Conv(x, w) s = ReduceSum<keepdims = 0>(a, axes) [bn] y = BN(s, p) }""",
        {"w": weight(4, 3, 1, 1), "axes": np.array([2, 3]), **norm("p", 4)},
    )
    assert "shift-summed" in verdicts(fold_checked(built, x=(2, 3, 4, 5)))["bn"]


def test_maximum_with_a_constant_gets_a_bound_per_channel() -> None:
    """Some exporters write a Relu as Max(x, 0)."""
    built = model(
        """(float[N, 3, 4, 5] x) => (float[N, 2, 4, 5] y) {
            r = Tanh(x) a = BN(r, p) s = Max(zero, a) c = Conv(s, w) y = Tanh(c) }""",
        {"w": weight(2, 3, 1, 1), "zero": np.zeros((), np.float32), **norm("p", 3)},
    )
    assert kinds_of(fold_checked(built, x=(2, 3, 4, 5))) == ["Tanh", "Max", "Conv", "Tanh"]


def test_maximum_with_a_constant_lets_no_negative_scale_pass() -> None:
    built = model(
        """(float[N, 3, 4, 5] x) => (float[N, 2, 4, 5] y) {
            r = Tanh(x) [bn] a = BN(r, p) s = Max(zero, a) c = Conv(s, w) y = Tanh(c) }""",
        {"w": weight(2, 3, 1, 1), "zero": np.zeros((), np.float32), **norm("p", 3, signs=True)},
    )
    assert "negative-scale" in verdicts(fold_checked(built, x=(2, 3, 4, 5)))["bn"]


def test_rank_that_a_conv_tells_reaches_every_value() -> None:
    """Past an Add and a Resize too, where the input declares no shape at all."""
    built = model(
        """(float x) => (float y) {
            a = Conv(x, w)
            r = Relu(a)
            c = Conv<pads = [1, 1, 1, 1]>(r, w2)
            s = Add(c, x)
            d = Resize<mode = "nearest">(s, , scales)
            [bn] y = BN(d, p)
        }""",
        {
            "w": weight(4, 4, 1, 1),
            "w2": weight(4, 4, 3, 3),
            "scales": np.array([1, 1, 2, 2], np.float32),
            **norm("p", 4),
        },
    )
    built.graph.input[0].type.tensor_type.ClearField("shape")
    built.graph.output[0].type.tensor_type.ClearField("shape")
    assert "rank-unknown" not in verdicts(fold_checked(built, x=(2, 4, 3, 3)))["bn"]


def test_batch_norm_of_a_constant_becomes_the_constant() -> None:
    built = model(
        "(float[2, 4, 3, 3] x) => (float[2, 4, 3, 3] y) { b = BN(k, p) y = Add(x, b) }",
        {"k": weight(2, 4, 3, 3), **norm("p", 4, signs=True)},
    )
    assert kinds_of(fold_checked(built, x=(2, 4, 3, 3))) == ["Add"]


def test_long_chain_of_elementwise_operators_does_not_exhaust_the_stack() -> None:
    built = model(
        "(float[2, 4] x) => (float[2, 4] y) { m = Mul(x, k) y = Tanh(m) }", {"k": weight(4)}
    )
    last = built.graph.node[1]
    for i in range(1500):
        built.graph.node.append(onnx.helper.make_node("Tanh", [last.output[0]], [f"t{i}"]))
        last = built.graph.node[-1]
    built.graph.node.append(onnx.helper.make_node("Mul", [last.output[0], "k"], ["scaled"]))
    built.graph.output[0].name = "scaled"
    assert kinds_of(bnfold.fold(built)).count("Tanh") == 1501


def test_quantised_weight_takes_one_batch_norm_after_another() -> None:
    built = model(
        """(float[N, 3] x) => (float[N, 5] y) {
            d = DequantizeLinear<axis = 0>(integers, step)
            g = Gemm<transB = 1>(x, d, b)
            e = BN(g, p)
            y = BN(e, q)
        }""",
        {
            "integers": np.arange(-7, 8, dtype=np.int8).reshape(5, 3),
            "step": np.linspace(0.02, 0.1, 5, dtype=np.float32),
            "b": weight(5),
            **norm("p", 5, signs=True),
            **norm("q", 5, signs=True, seed=4),
        },
    )
    assert kinds_of(fold_checked(built, x=(2, 3))) == ["DequantizeLinear", "Gemm"]


def test_shift_before_a_padded_conv_of_one_position_is_a_bias() -> None:
    """Behind a global pool every position sees the same padding: there is but one."""
    built = model(
        """(float[N, 3, 4, 5] x) => (float[N, 2, 1, 1] y) {
            g = GlobalMaxPool(x) a = BN(g, p) c = Conv<pads = [1, 1, 1, 1]>(a, w) y = Tanh(c) }""",
        {"w": weight(2, 3, 3, 3), **norm("p", 3, signs=True)},
    )
    assert kinds_of(fold_checked(built, x=(2, 3, 4, 5))) == ["GlobalMaxPool", "Conv", "Tanh"]


def test_bias_that_a_batch_norm_became_moves_on_where_that_is_allowed() -> None:
    built = model(
        """(double[1, 1, 5, N] x) => (double[P, Q, R, S] y, double[T, U, V, W] z) {
            m = MatMul(x, w)
            l = LeakyRelu(m)
            b = BN(l, p)
            c = Clip<min = 0.0, max = 6.0>(b)
            y = BN(c, q)
            d = BN(b, r)
            z = GlobalMaxPool(d)
        }""",
        {
            name: value.astype(np.float64)
            for name, value in {
                "w": weight(4, 3),
                **norm("p", 1),
                **norm("q", 1, seed=5),
                **norm("r", 1, seed=6),
            }.items()
        },
        opset=8,
    )
    fold_checked(built, ("all",), x=(1, 1, 5, 4))


def test_branches_that_cancel_leave_rounding_and_no_bug() -> None:
    built = model(
        """(float[N, 3, 4, 4] x) => (float[N, 2, 4, 4] y) {
            a = Conv(x, w) b = BN(a, p) c = Sub(b, b) r = Relu(c) d = Conv(r, v) y = BN(d, q) }""",
        {
            "w": weight(3, 3, 1, 1),
            "v": weight(2, 3, 1, 1),
            **norm("p", 3),
            **norm("q", 2, seed=5),
        },
    )
    fold_checked(built, x=(2, 3, 4, 4))


def test_operators_that_two_rewrites_made_at_one_place_stay_in_order() -> None:
    """Two shifts in a row become two maps behind one Conv; then one map."""
    built = model(
        """(float[N, 2, 5, 1] x) => (float[N, 1, 3, 1] y) {
            a = BN(x, p)
            b = Mul(a, k)
            s = Add(b, k)
            c = Conv<auto_pad = "SAME_LOWER", strides = [2, 1]>(s, w)
            d = Conv<pads = [1, 1, 1, 1], strides = [2, 1]>(a, v)
            e = Sigmoid(d)
            y = Add(c, e)
        }""",
        {
            "k": weight(2, 1, 1),
            "w": weight(1, 2, 2, 2),
            "v": weight(1, 2, 3, 3),
            **norm("p", 2),
        },
    )
    fold_checked(built, ("all",), x=(2, 2, 5, 1))


def test_affine_is_tiled_with_the_channels_on_the_way_to_a_conv() -> None:
    built = model(
        """(float[2, 3, 4, 4] x) => (float[2, 2, 4, 4] y) {
            r = Tanh(x) a = BN(r, p) t = Tile(a, repeats) c = Conv(t, w) y = Tanh(c) }""",
        {
            "w": weight(2, 6, 1, 1),
            "repeats": np.array([1, 2, 1, 1]),
            **norm("p", 3, signs=True),
        },
    )
    assert kinds_of(fold_checked(built, x=(2, 3, 4, 4))) == ["Tanh", "Tile", "Conv", "Tanh"]


def test_affine_behind_tiled_channels_goes_back_where_its_halves_are_alike() -> None:
    text = """(float[2, 3, 4, 4] x) => (float[2, 6, 4, 4] y) {
        a = Conv(x, w) t = Tile(a, repeats) y = BN(t, p) }"""
    given = {"w": weight(3, 3, 1, 1), "repeats": np.array([1, 2, 1, 1])}
    halves = {name: np.tile(value, 2) for name, value in norm("p", 3).items()}
    alike = fold_checked(model(text, {**given, **halves}), x=(2, 3, 4, 4))
    assert kinds_of(alike) == ["Conv", "Tile"]
    other = fold_checked(model(text, {**given, **norm("p", 6)}), x=(2, 3, 4, 4))
    assert kinds_of(other) == ["Conv", "Tile", "BatchNormalization"]


def test_cast_to_the_type_that_it_is_lets_everything_pass() -> None:
    built = model(
        """(float[2, 3, 4, 4] x) => (float[2, 3, 4, 4] y) {
            a = Conv(x, w) c = Cast<to = 1>(a) y = BN(c, p) }""",
        {"w": weight(3, 3, 1, 1), **norm("p", 3, signs=True)},
    )
    assert kinds_of(fold_checked(built, x=(2, 3, 4, 4))) == ["Conv", "Cast"]


def test_merged_matrices_have_a_bias_where_the_opset_asks_for_one() -> None:
    """Gemm must have its C before opset 11, zero or not."""
    built = model(
        """(double[2, 3] x) => (double[2, 2] y) {
            a = MatMul(x, u) b = MatMul(a, v) y = Gemm(b, w, zero) }""",
        {
            "u": weight(3, 3).astype(np.float64),
            "v": weight(3, 3).astype(np.float64),
            "w": weight(3, 2).astype(np.float64),
            "zero": np.zeros(2),
        },
        opset=9,
    )
    assert kinds_of(fold_checked(built, x=(2, 3))) == ["Gemm"]


def test_arithmetic_that_cancels_but_for_rounding_goes() -> None:
    """x / c * c is x, and needs no operator, though 1 / c * c is not always 1."""
    built = model(
        """(float[N, 3, 2, 2] x) => (float[N, 3, 2, 2] y) {
            r = Sigmoid(x) a = Div(r, c) b = Mul(a, c) d = Sub(b, c) e = Add(d, c) y = Relu(e) }""",
        {"c": np.array([49, 0.1, 0.3], np.float32).reshape(3, 1, 1)},
    )
    assert kinds_of(fold_checked(built, x=(2, 3, 2, 2))) == ["Sigmoid", "Relu"]


def test_shift_before_a_conv_whose_windows_are_all_padded_alike_is_a_bias() -> None:
    """One row, padded above and below: each position sees the same taps."""
    built = model(
        """(float[N, 6, 1, 6] x) => (float[N, 2, 1, 6] y) {
            r = Sigmoid(x) a = BN(r, p) c = Conv<pads = [1, 0, 1, 0]>(a, w) y = Tanh(c) }""",
        {"w": weight(2, 6, 3, 1), **norm("p", 6, signs=True)},
    )
    assert kinds_of(fold_checked(built, x=(2, 6, 1, 6))) == ["Sigmoid", "Conv", "Tanh"]


def test_extent_that_a_later_operator_tells_outlives_what_it_was_told_of() -> None:
    """The sum's last axis has 2 entries, as the matrix says; so has the merged Conv's."""
    built = model(
        """(double[N, 3, H, W] x) => (double[P, Q, R, S] y) {
            c = Conv<pads = [1, 1, 1, 1], group = 3>(x, v)
            d = Conv<group = 3>(x, u)
            s = Add(c, d)
            m = MatMul(s, k)
            a = Add(m, b)
            y = MatMul(a, l)
        }""",
        {
            name: value.astype(np.float64)
            for name, value in {
                "v": weight(3, 1, 3, 3),
                "u": weight(3, 1, 1, 1),
                "k": weight(2, 6),
                "b": weight(6),
                "l": weight(6, 2),
            }.items()
        },
    )
    assert kinds_of(fold_checked(built, x=(2, 3, 4, 2))) == ["Conv", "MatMul", "Add"]


def test_convolutions_of_no_channels_merge() -> None:
    """A value of extent 0: nothing is computed, and nothing is divided by how much that is."""
    built = model(
        """(float[N, 0, 4, 4] x) => (float[N, 0, 4, 4] y) {
            a = Conv(x, v)
            b = Conv(a, w)
            y = Relu(b)
        }""",
        {"v": weight(0, 0, 1, 1), "w": weight(0, 0, 1, 1)},
    )
    result = bnfold.fold(built)
    assert result.ledger.bugs == ()
    assert len(result.ledger.merges) == 1


def test_a_shift_moves_into_a_transposed_convolution_of_no_channels() -> None:
    built = model(
        """(float[N, 3, 4, 4] x) => (float[N, 0, 4, 4] y) {
            a = Sigmoid(x)
            b = BN(a, p)
            c = ConvTranspose(b, w)
            y = Relu(c)
        }""",
        {"w": weight(3, 0, 1, 1), **norm("p", 3)},
    )
    assert bnfold.fold(built).ledger.bugs == ()


def test_a_shift_moves_into_a_matrix_of_no_rows() -> None:
    """What is added up over nothing is 0, and not an error."""
    built = model(
        """(float[N, 0] x) => (float[N, 3] y) {
            a = Sigmoid(x)
            b = Add(a, k)
            m = Mul(b, k)
            g = Gemm(m, w, c)
            y = Relu(g)
        }""",
        {"w": weight(0, 3), "c": weight(3), "k": np.array(2, np.float32)},
    )
    assert bnfold.fold(built).ledger.bugs == ()


def test_a_product_by_a_constant_node_is_no_merge() -> None:
    """What stands in front of it reads nothing: a node without inputs."""
    built = model(
        """(float[3, 2] x) => (float[2, 2] y) {
            w = Constant<value = float[2, 3] {1.0, 2.0, 3.0, 4.0, 5.0, 6.0}>()
            m = MatMul(w, x)
            y = Relu(m)
        }""",
        {},
    )
    assert bnfold.fold(built).ledger.bugs == ()


def test_a_shift_before_a_padded_conv_over_no_position_has_nowhere_to_go() -> None:
    built = model(
        """(float[N, 3, 8, 0] x) => (float[N, 4, P, Q] y) {
            b = BN(x, p)
            y = Conv<auto_pad = "SAME_LOWER", strides = [4, 4]>(b, w, c)
        }""",
        {"w": weight(4, 3, 4, 2), "c": weight(4), **norm("p", 3)},
    )
    result = bnfold.fold(built)
    assert not result.ledger.bugs
    assert kinds_of(result) == ["Conv"]
    feeds = {"x": np.zeros((2, 3, 8, 0), np.float32)}
    for stage in (built, result.to_proto()):
        (y,) = ReferenceEvaluator(stage).run(None, feeds)
        assert y.shape == (2, 4, 2, 0)


def test_padding_in_an_attribute_of_32_bits_is_not_rounded() -> None:
    """As an input it is a number like any other, rounded as it is written."""
    body = """(float[N, 1, 8, 8] x) => (float[N, 1, P, Q] y) {
        c = ConvTranspose(x, w)
        d = PAD
        y = BN(d, p)
    }"""
    widths = [0, 0, 1, 1, 0, 0, 1, 1]
    constants = {"w": weight(1, 1, 3, 3), **norm("p", 1)}
    old = model(body.replace("PAD", f"Pad<pads = {widths}, value = 1.5>(c)"), constants, opset=8)
    assert verdicts(fold_checked(old, x=(2, 1, 8, 8))) == {"y": "padding-value graph-output"}
    constants |= {"widths": np.array(widths), "value": np.array(1.5, np.float32)}
    new = model(body.replace("PAD", "Pad(c, widths, value)"), constants)
    assert kinds_of(fold_checked(new, x=(2, 1, 8, 8))) == ["ConvTranspose", "Pad"]


@pytest.mark.parametrize("lies", ["c", "n", "r"])
def test_a_false_size_inside_is_not_told_any_more(lies: str) -> None:
    """A runtime may believe it; in the original it met no constant that has the true one."""
    built = model(
        """(float[N, 3, 8, 8] x) => (float[N, 4, P, Q] y) {
            c = Conv(x, v)
            n = BN(c, p)
            r = Sigmoid(n)
            b = BN(r, q)
            d = Conv<pads = [1, 1, 1, 1]>(b, w)
            y = Sigmoid(d)
        }""",
        {"v": weight(3, 3, 3, 3), "w": weight(4, 3, 3, 3), **norm("p", 3), **norm("q", 3)},
    )
    built.graph.value_info.append(helper.make_tensor_value_info(lies, 1, ["N", 3, 7, 7]))
    result = fold_checked(built, ("constant-map",), x=(2, 3, 8, 8))
    assert kinds_of(result) == ["Conv", "Sigmoid", "Conv", "Add", "Sigmoid"]
    told = [info.type.tensor_type.shape.dim for info in result.to_proto().graph.value_info]
    assert all(dim.dim_value != 7 for dims in told for dim in dims)


def test_a_mean_over_padding_alone_knows_of_no_shift() -> None:
    """onnxruntime's SAME pads as if nothing were dilated: of a row of one, a window holds none."""
    built = model(
        """(float[N, 3, H, W] x) => (float[N, 4, P, Q] y) {
            c = Conv(x, w)
            a = AveragePool<auto_pad = "SAME_UPPER", kernel_shape = [2, 3], dilations = [1, 2],
                            strides = [2, 3]>(c)
            y = BN(a, p)
        }""",
        {"w": weight(4, 3, 1, 1), **norm("p", 4)},
        opset=19,
    )
    result = bnfold.fold(built)
    assert "empty-window" in verdicts(result)["y"]
    feed = {"x": np.ones((1, 3, 6, 1), np.float32)}
    old, new = (in_onnxruntime(one, feed) for one in (built, result.to_proto()))
    np.testing.assert_array_equal(old, new)


def test_a_false_size_does_not_go_on_under_another_name() -> None:
    """Said of what a product made, and not true; what an addition behind it makes says nothing."""
    built = model(
        """(float[N, 3, H, W] x) => (float[N, 4, P, Q] y) {
            c = Conv(x, w)
            m = Mul(c, two)
            a = Add(m, one)
            d = Div(a, width)
            y = Sigmoid(d)
        }""",
        {
            "w": weight(4, 3, 1, 1),
            "two": np.full((1, 4, 1, 1), 2, np.float32),
            "one": np.ones((1, 4, 1, 1), np.float32),
            "width": np.arange(1, 6, dtype=np.float32),
        },
    )
    built.graph.value_info.append(helper.make_tensor_value_info("c", 1, ["N", 4, "H", 1]))
    built.graph.value_info.append(helper.make_tensor_value_info("m", 1, ["N", 4, "H", 8]))
    folded = bnfold.fold(built).to_proto()
    assert [node.op_type for node in folded.graph.node] == ["Conv", "Div", "Sigmoid"]
    feed = {"x": np.ones((1, 3, 2, 5), np.float32)}
    old, new = (in_onnxruntime(one, feed) for one in (built, folded))
    np.testing.assert_allclose(new, old, rtol=1e-6)


def test_an_older_gemm_keeps_the_addend_that_it_must_have() -> None:
    """Below opset 11 C is no option, whether or not beta lets it be read."""
    built = model(
        "(float[N, 3] x) => (float[N, 4] y) { g = Gemm<beta = 0.0>(x, w, c) y = Mul(g, s) }",
        {"w": weight(3, 4), "c": weight(4), "s": np.array([1, 2, 3, 0], np.float32)},
        opset=10,
    )
    assert kinds_of(fold_checked(built, x=(2, 3))) == ["Gemm"]


@pytest.mark.parametrize("shape", [(5, 0, 1, 1), (0, 3, 1, 1)])
def test_a_quantised_weight_without_entries_is_no_fault(shape: tuple[int, ...]) -> None:
    built = model(
        f"""(float[N, {shape[1]}, 4, 4] x) => (float[N, {shape[0]}, 4, 4] y) {{
            s = Sigmoid(x)
            b = Mul(s, k)
            w = DequantizeLinear(q, qs, qz)
            c = Conv(b, w)
            y = Mul(c, l)
        }}""",
        {
            "q": np.zeros(shape, np.uint8),
            "qs": np.array(0.5, np.float32),
            "qz": np.array(3, np.uint8),
            "k": np.ones((1, shape[1], 1, 1), np.float32) * 2,
            "l": np.ones((1, shape[0], 1, 1), np.float32) * 2,
        },
    )
    assert not bnfold.fold(built).ledger.bugs
