"""A ConvTranspose of one tap for each position takes a shift in front of it, whatever the size."""

from __future__ import annotations

import pytest

from tests.fold.merge.merging import merged
from tests.fold.property.text_models import fold_checked, model, norm, verdicts, weight

CONSTANTS = {"w": weight(4, 3, 1, 1), "c": weight(3), **norm("p", 4, signs=True)}


@pytest.mark.parametrize("inputs", ["b, w", "b, w, c"])
@pytest.mark.parametrize(
    ("attributes", "goes"),
    [
        ("", True),
        ('<auto_pad = "VALID">', True),
        ('<auto_pad = "SAME_UPPER">', True),
        ("<strides = [1, 1]>", True),
        ("<strides = [2, 2]>", False),  # zeros between
        ("<strides = [2, 2], output_padding = [1, 1]>", False),
    ],
)
def test_it_takes_a_shift_where_there_are_no_zeros_between(
    attributes: str, goes: bool, inputs: str
) -> None:
    text = f"""(float[N, 4, H, W] x) => (float[N, 3, P, Q] y) {{
        r = Relu(x) b = BN(r, p) y = ConvTranspose{attributes}({inputs}) }}"""
    folded = merged(text, CONSTANTS, x=(2, 4, 5, 3))
    assert ("BatchNormalization" not in folded.operators) == goes


@pytest.mark.parametrize("inputs", ["b, w", "b, w, c"])
def test_a_scale_leaves_its_bias(inputs: str) -> None:
    text = f"""(float[N, 4, H, W] x) => (float[N, 3, P, Q] y) {{
        r = Relu(x) b = Mul(r, s) y = ConvTranspose<strides = [2, 2]>({inputs}) }}"""
    folded = merged(text, CONSTANTS | {"s": weight(4, 1, 1)}, x=(2, 4, 5, 3))
    assert folded.operators == ["Relu", "ConvTranspose"]
    assert len(folded.node("ConvTranspose").input) == len(inputs.split(","))


@pytest.mark.parametrize(
    "attributes", ["<dilations = [2, 2], output_padding = [1, 1]>", "<output_shape = [6, 4]>"]
)
def test_no_shift_reaches_what_is_added_at_the_end(attributes: str) -> None:
    """onnxruntime takes neither, onnx both."""
    text = f"""(float[N, 4, H, W] x) => (float[N, 3, P, Q] y) {{
        r = Relu(x) b = BN(r, p) y = ConvTranspose{attributes}(b, w) }}"""
    result = fold_checked(model(text, CONSTANTS), x=(2, 4, 5, 3))
    assert len(verdicts(result)) == 1
    assert len(result.ledger.kept) == 1


@pytest.mark.parametrize(
    ("body", "inputs"),
    [
        ("a = ConvTranspose(x, w, c) y = Add(a, n)", (2, 3)),  # a bias of zeros, or none
        ("a = ConvTranspose(x, w) y = Mul(a, n)", (2,)),
    ],
)
def test_a_bias_that_a_shift_cancels_is_gone(body: str, inputs: tuple[int, ...]) -> None:
    text = f"(float[N, 4, H, W] x) => (float[N, 3, P, Q] y) {{ {body} }}"
    negative = {"n": -CONSTANTS["c"].reshape(3, 1, 1)}
    folded = merged(text, CONSTANTS | negative, x=(2, 4, 5, 3))
    assert folded.operators == ["ConvTranspose"]
    assert len(folded.node("ConvTranspose").input) in inputs
