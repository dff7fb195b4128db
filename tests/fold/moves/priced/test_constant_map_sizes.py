"""A constant map is made of a small one, and is the one that the full size has."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pytest

import bnfold
from benchmarks.motifs import Motif, Norm
from bnfold.fold.moves.priced import constant_map
from tests.fold.property.text_models import model, norm, weight
from tests.runtime_oracle import in_onnxruntime

CASES = {
    "conv": ("Conv<pads = [1, 2, 0, 3]>", (4, 3, 3, 3)),
    "strided": ("Conv<pads = [1, 1, 1, 1], strides = [2, 3]>", (4, 3, 3, 5)),
    "dilated": ("Conv<pads = [4, 2, 4, 2], dilations = [4, 2]>", (4, 3, 3, 3)),
    "same": ('Conv<auto_pad = "SAME_UPPER", strides = [3, 2]>', (4, 3, 4, 3)),
    "same lower": ('Conv<auto_pad = "SAME_LOWER", strides = [2, 2]>', (4, 3, 3, 4)),
    "transposed": ("ConvTranspose<strides = [2, 3], pads = [1, 0, 2, 1]>", (3, 4, 3, 4)),
    "transposed, dilated": ("ConvTranspose<strides = [3, 2], dilations = [2, 1]>", (3, 4, 3, 3)),
}


@pytest.mark.parametrize("size", [(61, 64), (40, 97)])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_map_is_right_at_every_position(
    case: tuple[str, tuple[int, ...]], size: tuple[int, int]
) -> None:
    operator, shape = case
    text = f"(float[1,3,{size[0]},{size[1]}] x) => (float[1,4,P,Q] y) {{ "
    text += f"s = Sigmoid(x) b = BN(s, n) y = {operator}(b, w) }}"
    model = Motif("map", text, {"n": Norm(3), "w": shape}, "").model()
    result = bnfold.fold(model, allow="constant-map", strict=True)
    assert result.ledger.batch_norms_after == 0
    x = np.random.default_rng(0).standard_normal((1, 3, *size)).astype(np.float32)
    (old,), (new,) = (in_onnxruntime(m, {"x": x}) for m in (model, result.to_proto()))
    np.testing.assert_allclose(new, old, rtol=0, atol=1e-5 * float(np.abs(old).max()))


def test_nothing_of_the_full_size_is_computed_where_nobody_pays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "(float[1,64,512,512] x) => (float[1,64,512,512] y) "
    text += "{ s = Sigmoid(x) b = BN(s, n) y = Conv<pads = [1, 1, 1, 1], group = 64>(b, w) }"
    model = Motif("large", text, {"n": Norm(64), "w": (64, 1, 3, 3)}, "").model()
    planes: list[int] = []
    original = constant_map.run_op

    def noted(op: str, inputs: list[np.ndarray], *args: object, **kwargs: object) -> object:
        planes.append(inputs[0].size)
        return original(op, inputs, *args, **kwargs)

    monkeypatch.setattr(constant_map, "run_op", noted)
    begun = perf_counter()
    (kept,) = bnfold.fold(model).ledger.kept
    assert kept.would_fold_with == ("constant-map",)
    assert planes
    assert max(planes) < 64 * 32 * 32
    assert perf_counter() - begun < 20


@pytest.mark.parametrize("padding", ["SAME_LOWER", "SAME_UPPER"])
def test_a_size_that_runtimes_do_not_agree_on_has_no_map(padding: str) -> None:
    """onnxruntime makes 6 x 10, the reference 7 x 11: a map of either is wrong in the other."""
    text = "(float[1,3,3,5] x) => (float[1,4,P,Q] y) { s = Sigmoid(x) b = BN(s, n) "
    text += f'y = ConvTranspose<auto_pad = "{padding}", output_padding = [1, 1], strides = [2, 2]>'
    model = Motif("map", text + "(b, w) }", {"n": Norm(3), "w": (3, 4, 1, 4)}, "").model()
    result = bnfold.fold(model, allow="constant-map", strict=True)
    x = np.random.default_rng(0).standard_normal((1, 3, 3, 5)).astype(np.float32)
    (old,), (new,) = (in_onnxruntime(m, {"x": x}) for m in (model, result.to_proto()))
    np.testing.assert_allclose(new, old, rtol=0, atol=1e-5)
    assert "shape-unknown" in [r.code for r in result.ledger.kept[0].refusals]


HUGE = {
    "extents": ("2147483647,2147483647", "Conv<pads = [1, 1, 1, 1]>"),
    "pads": ("8,8", "Conv<pads = [536870912, 1, 1, 1]>"),
    "dilations": ("8,8", "Conv<pads = [1073741824, 1, 0, 1], dilations = [536870912, 1]>"),
    "strides": ("8,8", "ConvTranspose<strides = [536870912, 1]>"),
    "output padding": ("8,8", "ConvTranspose<output_padding = [536870912, 1]>"),
    "large inside": ("2147483647,2147483647", "ConvTranspose<pads = [1, 1, 1, 1]>"),
}


@pytest.mark.parametrize(("size", "operator"), HUGE.values(), ids=HUGE.keys())
def test_a_map_that_nobody_could_store_is_not_computed(size: str, operator: str) -> None:
    text = f"(float[1,4,{size}] x) => (float[1,4,P,Q] y) "
    text += f"{{ s = Sigmoid(x) b = BN(s, n) c = {operator}(b, w) y = Sigmoid(c) }}"
    model = Motif("huge", text, {"n": Norm(4), "w": (4, 4, 3, 3)}, "").model()
    assert bnfold.fold(model, check=False).ledger.batch_norms_after == 1
    paid = bnfold.fold(model, allow="constant-map", check=False).ledger
    assert "map-too-large" in {refusal.code for refusal in paid.decisions[0].refusals}


@pytest.mark.parametrize(("opset", "folds"), [(6, False), (7, True)])
def test_a_map_is_added_to_each_sample_since_opset_7(opset: int, folds: bool) -> None:
    """Before, an Add has to say that it broadcasts."""
    test = "<is_test = 1>" if opset < 7 else ""
    text = f"""(float[2, 4, 5, 5] x) => (float[] y) {{
        r = Tanh(x) b = BN{test}(r, n) y = Conv<pads = [1, 1, 1, 1]>(b, w) }}"""
    built = model(text, {"w": weight(3, 4, 3, 3), **norm("n", 4)}, opset=opset)
    result = bnfold.fold(built, allow="constant-map", check=False)
    assert (result.ledger.batch_norms_after == 0) == folds
