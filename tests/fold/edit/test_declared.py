"""What a file declares of sizes inside it and is not so is not in the folded file."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest

import bnfold
from tests.fold.property.text_models import model, norm, weight

TEXT = (
    "(float[N,2,9,{columns}] x) => (float[N,2,9,K] y) "
    "<float[N,2,9,{first}] b, float[N,2,9,{then}] c> "
    "{{ b = Mul(x, s) c = BN(b, n) d = Tanh(c) y = Sub(k, d) }}"
)


def declared(first: int, then: int, columns: str = "?") -> onnx.ModelProto:
    """x has 5 columns, as the difference needs them; the file says otherwise of b and c."""
    values = {"s": np.float32([[[2]], [[3]]]), "k": weight(5)}
    text = TEXT.format(first=first, then=then, columns=columns)
    return model(text, {**values, **norm("n", 2)})


def told(proto: onnx.ModelProto) -> dict[str, list[int]]:
    """The sizes that the file declares inside."""
    return {
        info.name: [dim.dim_value for dim in info.type.tensor_type.shape.dim]
        for info in proto.graph.value_info
        if info.type.tensor_type.HasField("shape")
    }


def loaded(proto: onnx.ModelProto) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(proto.SerializeToString(), options, ["CPUExecutionProvider"])


@pytest.mark.parametrize(("first", "then"), [(1, 3), (3, 1), (7, 6)])
def test_two_that_contradict_each_other_are_both_dropped(first: int, then: int) -> None:
    parsed = declared(first, then)
    x = weight(2, 2, 9, 5)
    (old,) = loaded(parsed).run(None, {"x": x})
    result = bnfold.fold(parsed, strict=True)
    assert len(result.ledger.folded) == 1  # the Mul, in the batch norm
    (new,) = loaded(result.to_proto()).run(None, {"x": x})
    np.testing.assert_allclose(new, old, rtol=0, atol=1e-5 * float(np.abs(old).max()))


def test_what_the_inputs_confirm_stays_declared() -> None:
    assert told(bnfold.fold(declared(5, 5, "5")).to_proto())["c"] == [0, 2, 9, 5]


def test_what_nothing_contradicts_stays_declared() -> None:
    assert told(bnfold.fold(declared(5, 5)).to_proto())["c"] == [0, 2, 9, 5]


def test_what_the_inputs_contradict_is_dropped() -> None:
    assert "c" not in told(bnfold.fold(declared(5, 3, "5")).to_proto())
