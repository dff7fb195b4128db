"""Bodies of control flow and functions: what is read across a border, and what is folded inside."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import helper, numpy_helper

from tests.fold.property.oracle import check_fold, count_nodes
from tests.fold.property.text_models import fold_checked, model, norm, verdicts, weight

W = {"w": weight(4, 4, 1, 1), **norm("p", 4), **norm("q", 4, seed=5)}
X = (2, 4, 3, 3)


def _if(
    then: str, otherwise: str, before: str = "", after: str = "y = Identity(i)"
) -> onnx.ModelProto:
    return model(
        f"""(float[2, 4, 3, 3] x, bool c) => (float[2, 4, 3, 3] y) {{
            {before}
            i = If(c) <
                then_branch = t () => (float[2, 4, 3, 3] to) {{ {then} }},
                else_branch = e () => (float[2, 4, 3, 3] eo) {{ {otherwise} }}
            >
            {after}
        }}""",
        W,
    )


SAMPLES = [{"x": weight(*X), "c": np.array(flag)} for flag in (True, False)]


def test_batch_norm_in_both_branches_folds_inside_with_weights_from_outside() -> None:
    built = _if("a = Conv(x, w) [bn] to = BN(a, p)", "b = Conv(x, w) [bn2] eo = BN(b, q)")
    result = check_fold(built, SAMPLES)
    assert verdicts(result) == {"bn": "backward", "bn2": "backward"}
    assert {d.scope for d in result.ledger.decisions} != {""}


def test_batch_norm_in_front_of_a_conv_folds_inside() -> None:
    built = _if("[bn] a = BN(x, p) b = Conv(a, w) to = Relu(b)", "eo = Relu(x)")
    assert verdicts(check_fold(built, SAMPLES)) == {"bn": "forward"}


def test_conv_outside_and_batch_norm_inside_stay() -> None:
    """The other branch reads the Conv as it is; and a tensor crosses the border."""
    built = _if("[bn] to = BN(a, p)", "eo = Relu(a)", before="a = Conv(x, w)")
    assert "nested-scope" in verdicts(check_fold(built, SAMPLES))["bn"]


def test_conv_inside_and_batch_norm_outside_are_right_either_way() -> None:
    built = _if("to = Conv(x, w)", "eo = Conv(x, w)", after="[bn] y = BN(i, p)")
    check_fold(built, SAMPLES)


def test_conv_read_by_a_body_keeps_its_output() -> None:
    built = _if(
        "to = Sigmoid(a)",
        "eo = Relu(x)",
        before="a = Conv(x, w) [bn] b = BN(a, p)",
        after="y = Add(i, b)",
    )
    assert "other-reader" in verdicts(check_fold(built, SAMPLES))["bn"]


def test_batch_norm_read_by_a_body_keeps_its_value() -> None:
    built = _if(
        "to = Sigmoid(b)",
        "eo = Relu(x)",
        before="r = Tanh(x) [bn] b = BN(r, p)",
        after="d = Conv(b, w) y = Add(i, d)",
    )
    assert "nested-scope" in verdicts(check_fold(built, SAMPLES))["bn"]


def test_folded_batch_norm_read_by_a_body_keeps_its_name() -> None:
    built = _if(
        "to = Sigmoid(b)",
        "eo = Relu(x)",
        before="a = Conv(x, w) [bn] b = BN(a, p)",
        after="y = Add(i, b)",
    )
    assert verdicts(check_fold(built, SAMPLES)) == {"bn": "backward"}


def test_weight_read_by_a_body_stays_for_it() -> None:
    built = _if(
        "b = Conv(x, w) to = Relu(b)",
        "eo = Relu(x)",
        before="a = Conv(x, w) [bn] b2 = BN(a, p)",
        after="y = Add(i, b2)",
    )
    assert verdicts(check_fold(built, SAMPLES)) == {"bn": "backward"}


def test_body_two_levels_deep_folds() -> None:
    built = _if(
        """z = If(c) <
            then_branch = t2 () => (float[2, 4, 3, 3] u) { a = Conv(x, w) [bn] u = BN(a, p) },
            else_branch = e2 () => (float[2, 4, 3, 3] v) { v = Tanh(x) }
        > to = Neg(z)""",
        "eo = Relu(x)",
    )
    assert verdicts(check_fold(built, SAMPLES)) == {"bn": "backward"}


def _loop(body: str, *, carried: str = "float[2, 4, 3, 3] s") -> onnx.ModelProto:
    built = onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["": 18]>
        g (float[2, 4, 3, 3] x) => (float[2, 4, 3, 3] y) {{
            y = Loop(trips, yes, x) <body = b (int64 i, bool go, {carried}) => (bool on,
            float[2, 4, 3, 3] r) {{
                on = Identity(go)
                {body}
            }}>
        }}""".replace("BN(a, p)", "BatchNormalization(a, pg, pb, pm, pv)")
    )
    for name, value in {**W, "trips": np.array(3), "yes": np.array(True)}.items():
        built.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    return built


def test_batch_norm_in_a_loop_body_folds_into_the_conv_there() -> None:
    built = _loop("a = Conv(s, w) [bn] b = BN(a, p) r = Tanh(b)")
    result = fold_checked(built, x=X)
    assert count_nodes(result.to_proto(), "BatchNormalization") == 0


def test_batch_norm_of_a_loop_variable_stays() -> None:
    """The variable is the last turn's result: what it carries is what the body gave."""
    built = _loop("a = Tanh(s) [bn] r = BN(a, p)")
    result = fold_checked(built, x=X)
    assert count_nodes(result.to_proto(), "BatchNormalization") == 1


def test_conv_result_that_is_carried_keeps_its_name() -> None:
    built = _loop("a = Conv(s, w) [bn] r = BN(a, p)")
    assert count_nodes(fold_checked(built, x=X).to_proto(), "BatchNormalization") == 0


def test_batch_norm_in_a_scan_body_folds() -> None:
    built = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["": 18]> g (float[5, 2, 4] x) => (float[5, 2, 4] y) {
            y = Scan<num_scan_inputs = 1, body = b (float[2, 4] s) => (float[2, 4] r) {
                a = Gemm(s, w2)
                r = BatchNormalization(a, pg, pb, pm, pv)
            }>(x)
        }"""
    )
    for name, value in {"w2": weight(4, 4), **norm("p", 4)}.items():
        built.graph.initializer.append(numpy_helper.from_array(value, name))
    result = fold_checked(built, x=(5, 2, 4))
    assert count_nodes(result.to_proto(), "BatchNormalization") == 0


def _with_function(
    body: list[onnx.NodeProto], inputs: list[str], call: list[str]
) -> onnx.ModelProto:
    function = helper.make_function(
        "local", "Block", inputs, ["out"], body, [helper.make_opsetid("", 18)]
    )
    built = model(
        "(float[2, 4, 3, 3] x) => (float[2, 4, 3, 3] y) { a = Conv(x, w) y = Relu(a) }", W
    )
    del built.graph.node[:]
    built.graph.node.append(helper.make_node("Conv", ["x", "w"], ["a"], name="conv"))
    built.graph.node.append(helper.make_node("Block", call, ["b"], name="call", domain="local"))
    built.graph.node.append(helper.make_node("Relu", ["b"], ["y"]))
    built.functions.append(function)
    built.opset_import.append(helper.make_opsetid("local", 1))
    return built


def test_function_around_a_batch_norm_stays_right() -> None:
    body = [helper.make_node("BatchNormalization", ["in", "g", "b", "m", "v"], ["out"])]
    built = _with_function(body, ["in", "g", "b", "m", "v"], ["a", "pg", "pb", "pm", "pv"])
    _check_function(built)


def test_function_called_twice_with_different_parameters_stays_right() -> None:
    body = [helper.make_node("BatchNormalization", ["in", "g", "b", "m", "v"], ["out"])]
    built = _with_function(body, ["in", "g", "b", "m", "v"], ["a", "pg", "pb", "pm", "pv"])
    built.graph.node[2].input[0] = "b2"
    built.graph.node.insert(
        2, helper.make_node("Block", ["b", "qg", "qb", "qm", "qv"], ["b2"], domain="local")
    )
    _check_function(built)


def test_function_that_reads_a_conv_s_output_stays_right() -> None:
    body = [helper.make_node("Sigmoid", ["in"], ["s"]), helper.make_node("Neg", ["s"], ["out"])]
    built = _with_function(body, ["in"], ["a"])
    built.graph.node.insert(
        1, helper.make_node("BatchNormalization", ["a", "pg", "pb", "pm", "pv"], ["n"], name="bn")
    )
    built.graph.node[3].input[0] = "sum"
    built.graph.node.insert(3, helper.make_node("Add", ["b", "n"], ["sum"]))
    _check_function(built)


def _check_function(built: onnx.ModelProto) -> None:
    import bnfold
    from tests.fold.property.oracle import assert_close, run_float64, run_runtime

    onnx.checker.check_model(built, full_check=True)
    feeds = {"x": weight(*X)}
    folded = bnfold.fold(built).to_proto()
    onnx.checker.check_model(folded, full_check=True)
    old, new = run_float64(built, feeds), run_float64(folded, feeds)
    assert_close("y", old.tensors["y"], new.tensors["y"], 1e-6)
    runtime = run_runtime(folded, feeds)
    assert runtime is not None
    assert np.max(np.abs(runtime[0] - old.tensors["y"])) < 1e-5


@pytest.mark.parametrize("reader", ["SequenceConstruct", "Optional"])
def test_sequences_and_optionals_are_left_alone(reader: str) -> None:
    read = {
        "SequenceConstruct": "s = SequenceConstruct(a, x) t = SequenceAt(s, zero)",
        "Optional": "s = Optional(a) t = OptionalGetElement(s)",
    }[reader]
    built = model(
        f"""(float[2, 4, 3, 3] x) => (float[2, 4, 3, 3] y) {{
            a = Conv(x, w) {read} [bn] b = BN(a, p) y = Add(b, t) }}""",
        {**W, "zero": np.array(0)},
    )
    import bnfold

    assert "other-reader" in verdicts(bnfold.fold(built))["bn"]
