"""Names: unique in every scope, kept where callers see them, absent where nodes have none."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from tests.fold.property.oracle import all_nodes, kinds_of
from tests.fold.property.text_models import fold_checked, model, norm, verdicts, weight

W = {"w": weight(4, 4, 1, 1), **norm("p", 4)}
X = (2, 4, 3, 3)


@pytest.mark.parametrize(
    "name", ["w_folded", "w_folded_1", "a_folded", "conv_constant_folded", "b"]
)
def test_fresh_names_keep_clear_of_tensors(name: str) -> None:
    built = model(
        f"""(float[N, 4, 3, 3] x) => (float[N, 4, 3, 3] y) {{
            {name} = Sigmoid(x)
            [conv] a = Conv({name}, w)
            [bn] z = BN(a, p)
            y = Add(z, w_folded_2)
        }}""",
        {**W, "w_folded_2": weight(1, 4, 3, 3)},
    )
    assert verdicts(fold_checked(built, x=X)) == {"bn": "backward"}


def test_fresh_names_keep_clear_of_bodies() -> None:
    """A name in an If body would be shadowed, or shadow."""
    built = model(
        """(float[N, 4, 3, 3] x, bool c) => (float[N, 4, 3, 3] y) {
            [conv] a = Conv(x, w)
            [bn] z = BN(a, p)
            y = If(c) <
                then_branch = t () => (float[N, 4, 3, 3] w_folded) { w_folded = Relu(z) },
                else_branch = e () => (float[N, 4, 3, 3] conv_constant_folded) {
                    conv_constant_folded = Sigmoid(z)
                }
            >
        }""",
        W,
    )
    result = fold_checked_with_condition(built)
    names = [name for node in all_nodes(result.graph.node, {}) for name in node.output]
    names += [tensor.name for tensor in result.graph.initializer]
    assert len(names) == len(set(names))


def fold_checked_with_condition(built: onnx.ModelProto) -> onnx.ModelProto:
    from tests.fold.property.oracle import check_fold

    samples = [{"x": weight(*X), "c": np.array(flag)} for flag in (True, False)]
    return check_fold(built, samples).to_proto()


def test_nodes_without_names_fold() -> None:
    built = model(
        "(float[N, 4, 3, 3] x) => (float[N, 4, 3, 3] y) { a = "
        "Conv(x, w) b = BN(a, p) y = Relu(b) }",
        W,
    )
    assert kinds_of(fold_checked(built, x=X)) == ["Conv", "Relu"]


def test_nodes_that_share_a_name_fold() -> None:
    built = model(
        """(float[N, 4, 3, 3] x) => (float[N, 4, 3, 3] y) {
            [n] a = Conv(x, w) [n] b = BN(a, p) [n] c = Conv(b, w) [n] y = BN(c, p) }""",
        W,
    )
    assert kinds_of(fold_checked(built, x=X)) == ["Conv"]


def test_empty_optional_bias_is_filled() -> None:
    built = model(
        "(float[N, 4, 3, 3] x) => (float[N, 4, 3, 3] y) { a = Conv(x, w, ) [bn] y = BN(a, p) }", W
    )
    built.graph.node[0].input[:] = ["x", "w", ""]
    assert verdicts(fold_checked(built, x=X)) == {"bn": "backward"}


def test_empty_optional_outputs_are_no_training() -> None:
    built = model(
        "(float[N, 4, 3, 3] x) => (float[N, 4, 3, 3] y) { a = Conv(x, w) [bn] y = BN(a, p) }", W
    )
    built.graph.node[1].output.extend(["", ""])
    assert verdicts(fold_checked(built, x=X)) == {"bn": "backward"}


def test_output_of_the_graph_keeps_its_name_wherever_the_batch_norm_stood() -> None:
    built = model(
        """(float[N, 4, 3, 3] x) => (float[N, 4, 1, 1] y) {
            a = Conv(x, w) g = GlobalAveragePool(a) i = Identity(g) [bn] y = BN(i, p) }""",
        W,
    )
    assert kinds_of(fold_checked(built, x=X))[:2] == ["Conv", "GlobalAveragePool"]


def test_batch_norm_that_is_two_outputs_at_once_keeps_both() -> None:
    built = model(
        """(float[N, 4, 3, 3] x) => (float[N, 4, 3, 3] y, float[N, 4, 3, 3] z) {
            a = Conv(x, w) [bn] y = BN(a, p) z = Identity(y) }""",
        W,
    )
    assert verdicts(fold_checked(built, x=X)) == {"bn": "backward"}


def test_metadata_and_doc_strings_stay() -> None:
    built = model(
        "(float[N, 4, 3, 3] x) => (float[N, 4, 3, 3] y) { "
        "[conv] a = Conv(x, w) [bn] y = BN(a, p) }",
        W,
    )
    built.doc_string, built.producer_name = "about", "somebody"
    built.graph.doc_string = "the graph"
    built.graph.output[0].doc_string = "the answer"
    built.metadata_props.append(onnx.StringStringEntryProto(key="k", value="v"))
    folded = fold_checked(built, x=X).to_proto()
    assert (folded.doc_string, folded.producer_name) == ("about", "somebody")
    assert folded.graph.doc_string == "the graph"
    assert folded.graph.output[0].doc_string == "the answer"
    assert folded.metadata_props == built.metadata_props
    assert folded.graph.node[0].name == "conv"


def test_value_info_is_not_left_to_lie() -> None:
    """Stated shapes and types of tensors that go away, go away; those that stay, stay true."""
    built = model(
        """(float[N, 4, 6, 6] x) => (float[N, 4, 3, 3] y) {
            a = Conv(x, w) m = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(a)
            [bn] y = BN(m, p) }""",
        W,
    )
    built = onnx.shape_inference.infer_shapes(built)
    folded = fold_checked(built, x=(2, 4, 6, 6)).to_proto()
    onnx.shape_inference.infer_shapes(folded, strict_mode=True, check_type=True)
    made = {name for node in folded.graph.node for name in node.output}
    assert {info.name for info in folded.graph.value_info} <= made
