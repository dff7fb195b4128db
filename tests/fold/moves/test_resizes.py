"""Resize and Upsample: a scale by channel passes where the channels keep their places."""

from __future__ import annotations

import numpy as np
import pytest

import bnfold
from tests.fold.property.oracle import run_runtime
from tests.fold.property.text_models import Array, model, norm, verdicts, weight

CONSTANTS: dict[str, Array] = {
    **norm("n", 3),
    "w": weight(3, 3, 1, 1),
    "five": np.array([5, 5]),
    "sizes": np.array([1, 3, 5, 5]),
    "empty": np.zeros(0, np.float32),
    "double": np.array([1, 1, 2, 2], np.float32),
    "wide": np.array([2, 2], np.float32),
    "tenth": np.array([1.1], np.float32),
    "mixing": np.array([1, 1.1, 1, 1], np.float32),
}
# along the channels, 0 1 2 becomes 0 2 2 at a scale of 0.9 or 1.1
AT = 'mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "ceil"'
DOWN = AT.replace("ceil", "floor")
KEPT = 'keep_aspect_ratio_policy = "not_larger"'


def resized(text: str, inputs: str, opset: int, **feeds: Array) -> str:
    """What became of a batch norm behind it: onnxruntime computes as before at each size of x."""
    parsed = model(
        f"(float[1, 3, H, W] x{inputs}) => (float y) "
        f"{{ a = Conv(x, w) m = {text} b = BN(m, n) y = Sigmoid(b) }}",
        CONSTANTS,
        opset=opset,
    )
    result = bnfold.fold(parsed)
    assert not result.ledger.bugs
    for size in (5, 6):
        x = np.random.default_rng(2).normal(size=(1, 3, size, size)).astype(np.float32)
        old, new = (run_runtime(m, {"x": x, **feeds}) for m in (parsed, result.to_proto()))
        assert old is not None and new is not None
        np.testing.assert_allclose(new[0], old[0], rtol=0, atol=1e-5)
    (verdict,) = verdicts(result).values()
    return verdict.split()[0]


@pytest.mark.parametrize(
    ("text", "opset"),
    [
        # at 6 by 6 the scale of all four axes is 5/6, at 5 by 5 it is 1
        (f"Resize<{AT}, {KEPT}>(a, , , sizes)", 18),
        (f"Resize<{AT}>(a, , mixing)", 13),
        (f"Resize<{DOWN}>(a, , mixing)", 13),
        ("Resize(a, mixing)", 10),
        ("Upsample(a, mixing)", 9),
        ("Upsample<scales = [1.0, 1.1, 1.0, 1.0]>(a)", 7),
        ('Resize<axes = [1], mode = "nearest">(a, , tenth)', 18),
    ],
)
def test_channels_that_do_not_keep_their_places_let_no_scale_pass(text: str, opset: int) -> None:
    """Each makes three channels of three, so that their number tells nothing."""
    assert resized(text, "", opset) == "not-per-channel"


@pytest.mark.parametrize(
    ("text", "opset"), [("Resize<" + DOWN + ">(a, , s)", 13), ("Resize(a, s)", 10)]
)
def test_scales_of_run_time_may_move_channels(text: str, opset: int) -> None:
    fed = np.array([1, 1.1, 1, 1], np.float32)
    assert resized(text, ", float[4] s", opset, s=fed) == "not-per-channel"


@pytest.mark.parametrize(
    ("text", "opset"),
    [
        (f"Resize<{AT}>(a, , , sizes)", 13),
        (f'Resize<{AT}, keep_aspect_ratio_policy = "stretch">(a, , , sizes)', 18),
        (f"Resize<{AT}, {KEPT}, axes = [2, 3]>(a, , , five)", 18),
        (f"Resize<{AT}, {KEPT}, axes = [-2, -1]>(a, , , five)", 18),
        (f"Resize<{AT}, axes = [2, 3]>(a, , wide)", 18),
        ("Resize(a, empty, empty, sizes)", 11),
        ("Resize(a, , double)", 13),
        ("Resize(a, double)", 10),
        ("Upsample(a, double)", 9),
        ("Upsample<scales = [1.0, 1.0, 2.0, 2.0]>(a)", 7),
    ],
)
def test_channels_that_keep_their_places_let_a_scale_pass(text: str, opset: int) -> None:
    assert resized(text, "", opset) == "backward"


@pytest.mark.parametrize("sizes", ["sizes", "z"])
@pytest.mark.parametrize("behind", [True, False])
def test_sizes_that_make_more_channels_let_no_scale_pass(sizes: str, behind: bool) -> None:
    """6 channels of 3, the scale on one side or the other."""
    body = f"a = Conv(x, w) m = Resize<{DOWN}>(a, , , {sizes}) b = BN(m, six) y = Sigmoid(b)"
    if not behind:
        body = f"a = Conv(x, w) t = Tanh(a) b = BN(t, n) m = Resize<{DOWN}>(b, , , {sizes}) "
        body += "y = Conv(m, k)"
    constants = CONSTANTS | norm("six", 6) | {"k": weight(2, 6, 1, 1)}
    constants["sizes"] = np.array([1, 6, 5, 5])
    parsed = model(f"(float[1, 3, H, W] x, int64[4] z) => (float y) {{ {body} }}", constants)
    feeds = {"x": weight(1, 3, 4, 4), "z": constants["sizes"]}
    result = bnfold.fold(parsed)
    assert not result.ledger.bugs
    assert "not-per-channel" in next(iter(verdicts(result).values())).split()
    old, new = run_runtime(parsed, feeds), run_runtime(result.to_proto(), feeds)
    assert old is not None and new is not None
    np.testing.assert_allclose(new[0], old[0], rtol=0, atol=1e-5)
