"""A Slice backwards to the largest integer takes all that lies in front, as onnxruntime has it.

By the text of ONNX, and for its shape inference, it takes nothing.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import pytest

import bnfold
from bnfold.float64 import run_op
from tests.fold.property.text_models import fold_checked, norm, weight
from tests.fold.property.text_models import model as text_model
from tests.runtime_oracle import in_onnxruntime

LARGEST = (2**31 - 1, 2**63 - 1)
X = np.random.default_rng(0).standard_normal((2, 4)).astype(np.float32)


def model(end: int, step: int, declared: str, behind: str) -> onnx.ModelProto:
    """Channels the other way round behind a batch norm, or the weight of what follows it."""
    return onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["": 17]> g (float{declared} x) => (float z)
        <int64[1] last = {{-1}}, int64[1] end = {{{end}}}, int64[1] one = {{1}},
         int64[1] step = {{{step}}}, float[4] s = {{2.0, 3.0, 4.0, 5.0}},
         float[4] b = {{1.0, 2.0, 3.0, 4.0}}, float[4] v = {{1.0, 1.0, 1.0, 1.0}},
         float[4,4] w = {{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6}}>
        {{ n = BatchNormalization (x, s, b, b, v) {behind} }}"""  # noqa: E501
    )


BEHIND = {
    "an output": "z = Slice (n, last, end, one, step)",
    "a product": "r = Slice (n, last, end, one, step) z = MatMul (r, w)",
    "a weight": "u = Slice (w, last, end, one, step) z = MatMul (n, u)",
}


@pytest.mark.parametrize(
    ("behind", "declared"),
    [
        *[("an output", shape) for shape in ("[N,4]", "[2,4]", "")],
        *[("a weight", shape) for shape in ("[N,4]", "[2,4]")],
        ("a product", ""),  # where the size is known, onnxruntime refuses the original
    ],
)
@pytest.mark.parametrize("end", LARGEST)
def test_a_fold_computes_what_the_runtime_did(end, behind, declared):
    original = model(end, -1, declared, BEHIND[behind])
    if not declared:
        original.graph.input[0].type.tensor_type.ClearField("shape")
    folded = bnfold.fold(original, check=False).to_proto()
    (wanted,) = in_onnxruntime(original, {"x": X})
    (got,) = in_onnxruntime(folded, {"x": X})
    assert wanted.size
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("end", LARGEST)
def test_the_reference_takes_what_the_runtime_takes(end):
    bounds = [np.array([n]) for n in (-1, end, 1, -1)]
    (found,) = run_op("Slice", [X.astype(np.float64), *bounds], {}, opset=17)
    np.testing.assert_array_equal(found, X[:, ::-1].astype(np.float64))


@pytest.mark.parametrize(
    ("start", "end", "taken"),
    [(-100, LARGEST[0], 1), (-100, -100, 1), (2, -100, 3), (100, 1, 2), (100, LARGEST[1], 4)],
)
def test_bounds_before_the_first_entry_are_the_first_backwards_too(start, end, taken):
    text = "(float[N,4] x) => (float y) { r = Relu(x) b = BN(r, n) s = Slice(b, at, to, on, by) "
    text += "y = MatMul(s, w) }"
    bounds = {"at": start, "to": end, "on": 1, "by": -1}
    constants = {name: np.array([bound]) for name, bound in bounds.items()}
    constants |= {"w": weight(taken, 3), **norm("n", 4)}
    result = fold_checked(text_model(text, constants), x=(2, 4))
    assert result.ledger.batch_norms_after == 0
