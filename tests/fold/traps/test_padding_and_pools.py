"""What stands at the border: zeros that a shift does not reach, windows of padding alone."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import bnfold
from tests.fold.property.oracle import kinds_of
from tests.fold.property.text_models import fold_checked, model, norm, verdicts, weight
from tests.runtime_oracle import in_onnxruntime

BODY = "(float[N, 3, {h}, {w}] x) => (float[N, {c}, P, Q] y) {{ {text} }}"


def _shift_into(op: str, *, h: object = 7, w: object = 7, out: int = 4) -> str:
    return BODY.format(h=h, w=w, c=out, text=f"r = Sigmoid(x) [bn] b = BN(r, p) y = {op}")


PADS = ["0, 0, 0, 0", "1, 1, 1, 1", "0, 0, 0, 1", "0, 1, 0, 0", "2, 0, 0, 0"]


@pytest.mark.parametrize("pads", PADS)
def test_shift_reaches_a_conv_only_without_pads(pads: str) -> None:
    built = model(
        _shift_into(f"Conv<pads = [{pads}]>(b, w)"), {"w": weight(4, 3, 3, 3), **norm("p", 3)}
    )
    wanted = "forward" if pads == PADS[0] else "padded-shift"
    assert wanted in verdicts(fold_checked(built, x=(2, 3, 7, 7)))["bn"]


@pytest.mark.parametrize("pads", PADS)
def test_scale_without_shift_reaches_a_padded_conv(pads: str) -> None:
    parameters = norm("p", 3, signs=True)
    parameters["pb"] = parameters["pm"] = np.zeros(3, np.float32)
    built = model(
        _shift_into(f"Conv<pads = [{pads}]>(b, w)"), {"w": weight(4, 3, 3, 3), **parameters}
    )
    assert verdicts(fold_checked(built, x=(2, 3, 7, 7))) == {"bn": "forward"}


@pytest.mark.parametrize("pads", PADS[1:])
def test_shift_reaches_a_padded_conv_as_a_map_where_that_is_allowed(pads: str) -> None:
    built = model(
        _shift_into(f"Conv<pads = [{pads}]>(b, w)"), {"w": weight(4, 3, 3, 3), **norm("p", 3)}
    )
    result = fold_checked(built, ("constant-map",), x=(2, 3, 7, 7))
    assert kinds_of(result) == ["Sigmoid", "Conv", "Add"]


def test_map_needs_a_static_size() -> None:
    built = model(
        _shift_into("Conv<pads = [1, 1, 1, 1]>(b, w)", h="H", w="W"),
        {"w": weight(4, 3, 3, 3), **norm("p", 3)},
    )
    assert "padded-shift" in verdicts(fold_checked(built, ("constant-map",), x=(2, 3, 7, 7)))["bn"]


SAME = list(itertools.product(("SAME_UPPER", "SAME_LOWER"), (1, 2, 3), (1, 2, 3), (6, 7)))


@pytest.mark.parametrize(("auto_pad", "kernel", "stride", "size"), SAME)
def test_auto_pad_pads_as_the_sizes_say(auto_pad: str, kernel: int, stride: int, size: int) -> None:
    """SAME pads nothing where the last window ends with the input."""
    total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
    built = model(
        _shift_into(
            f'Conv<auto_pad = "{auto_pad}", strides = [{stride}, {stride}]>(b, w)', h=size, w=size
        ),
        {"w": weight(4, 3, kernel, kernel), **norm("p", 3)},
    )
    wanted = "padded-shift" if total else "forward"
    assert wanted in verdicts(fold_checked(built, x=(2, 3, size, size)))["bn"]


@pytest.mark.parametrize(
    ("kernel", "stride", "verdict"),
    [(1, 1, "forward"), (1, 2, "forward"), (2, 2, "padded-shift"), (3, 1, "padded-shift")],
)
def test_auto_pad_of_an_unknown_size_may_pad(kernel: int, stride: int, verdict: str) -> None:
    built = model(
        _shift_into(
            f'Conv<auto_pad = "SAME_UPPER", strides = [{stride}, {stride}]>(b, w)', h="H", w="W"
        ),
        {"w": weight(4, 3, kernel, kernel), **norm("p", 3)},
    )
    assert verdict in verdicts(fold_checked(built, x=(2, 3, 7, 7)))["bn"]


def test_auto_pad_of_a_dilated_kernel() -> None:
    """Runtimes differ in the size, so that no map is offered either."""
    built = model(
        _shift_into('Conv<auto_pad = "SAME_UPPER", dilations = [2, 2]>(b, w)'),
        {"w": weight(4, 3, 3, 3), **norm("p", 3)},
    )
    assert "shape-unknown" in verdicts(fold_checked(built, x=(2, 3, 7, 7)))["bn"]


def test_auto_pad_valid_pads_nothing() -> None:
    built = model(
        _shift_into('Conv<auto_pad = "VALID", strides = [2, 2]>(b, w)'),
        {"w": weight(4, 3, 2, 2), **norm("p", 3)},
    )
    assert verdicts(fold_checked(built, x=(2, 3, 7, 7))) == {"bn": "forward"}


@pytest.mark.parametrize(
    "attributes",
    [
        "",
        "strides = [2, 2]",
        "pads = [1, 1, 1, 1]",
        "output_padding = [1, 1], strides = [2, 2]",
        "dilations = [2, 2]",
    ],
)
def test_shift_does_not_reach_a_transposed_conv(attributes: str) -> None:
    """How many taps reach an output position differs from one to the next."""
    op = f"ConvTranspose{f'<{attributes}>' if attributes else ''}(b, w)"
    built = model(_shift_into(op), {"w": weight(3, 4, 3, 3), **norm("p", 3)})
    assert "uneven-shift" in verdicts(fold_checked(built, x=(2, 3, 5, 5)))["bn"]


def test_shift_reaches_a_pointwise_transposed_conv() -> None:
    built = model(_shift_into("ConvTranspose(b, w)"), {"w": weight(3, 4, 1, 1), **norm("p", 3)})
    assert verdicts(fold_checked(built, x=(2, 3, 5, 5))) == {"bn": "forward"}


@pytest.mark.parametrize(
    "attributes",
    [
        "strides = [2, 2]",
        "strides = [2, 2], output_padding = [1, 1]",
        "strides = [3, 3], group = 3",
        'auto_pad = "SAME_UPPER", strides = [2, 2]',
        "strides = [2, 2], output_shape = [10, 10]",
    ],
)
def test_transposed_conv_takes_what_follows_it(attributes: str) -> None:
    text = BODY.format(
        h=5, w=5, c=6, text=f"a = ConvTranspose<{attributes}>(x, w) [bn] y = BN(a, p)"
    )
    cout = 2 if "group" in attributes else 6
    built = model(text, {"w": weight(3, cout, 3, 3), **norm("p", 6, signs=True)})
    assert verdicts(fold_checked(built, x=(2, 3, 5, 5))) == {"bn": "backward"}


POOLS = {
    # name: (operator, signs of gamma, verdict for a batch norm behind Conv and this)
    "max": ("MaxPool<kernel_shape = [2, 2]>", False, "backward"),
    "max-negative-scale": ("MaxPool<kernel_shape = [2, 2]>", True, "negative-scale"),
    "max-padded": (
        "MaxPool<kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [2, 2]>",
        False,
        "backward",
    ),
    "max-ceil": (
        "MaxPool<kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1>",
        False,
        "backward",
    ),
    "max-ceil-padded": (
        "MaxPool<kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1], ceil_mode = 1>",
        False,
        "backward",
    ),
    "max-dilated": ("MaxPool<kernel_shape = [2, 2], dilations = [2, 2]>", False, "backward"),
    "max-same": (
        'MaxPool<kernel_shape = [3, 3], auto_pad = "SAME_LOWER", strides = [2, 2]>',
        False,
        "backward",
    ),
    "average": ("AveragePool<kernel_shape = [2, 2]>", True, "backward"),
    "average-padded": ("AveragePool<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>", True, "backward"),
    "average-counted": (
        "AveragePool<kernel_shape = [3, 3], pads = [1, 1, 1, 1], count_include_pad = 1>",
        True,
        "padding-counted",
    ),
    "average-counted-unpadded": (
        "AveragePool<kernel_shape = [3, 3], count_include_pad = 1>",
        True,
        "backward",
    ),
    "average-ceil": (
        "AveragePool<kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1>",
        True,
        "backward",
    ),
    "average-same": (
        'AveragePool<kernel_shape = [2, 2], auto_pad = "SAME_UPPER">',
        True,
        "backward",
    ),
    "average-same-counted": (
        'AveragePool<kernel_shape = [2, 2], auto_pad = "SAME_UPPER", count_include_pad = 1>',
        True,
        "padding-counted",
    ),
    "global-average": ("GlobalAveragePool", True, "backward"),
    "global-max": ("GlobalMaxPool", False, "backward"),
    "global-max-negative-scale": ("GlobalMaxPool", True, "negative-scale"),
    "lp": ("LpPool<kernel_shape = [2, 2]>", False, "shift-before-norm"),
    "global-lp": ("GlobalLpPool", False, "shift-before-norm"),
    "mean": ("ReduceMean<axes = [2, 3]>", True, "backward"),
    "max-over-space": ("ReduceMax<axes = [2, 3]>", False, "backward"),
    "max-over-space-negative-scale": ("ReduceMax<axes = [-1]>", True, "negative-scale"),
    "min-over-space": ("ReduceMin<axes = [3]>", False, "backward"),
    "sum-over-space": ("ReduceSum<axes = [2, 3]>", True, ""),
    "l2-over-space": ("ReduceL2<axes = [2, 3]>", False, ""),
    "sum-of-squares": ("ReduceSumSquare<axes = [2, 3]>", False, ""),
}


@pytest.mark.parametrize("name", POOLS)
def test_batch_norm_behind_a_pool(name: str) -> None:
    op, signs, verdict = POOLS[name]
    text = BODY.format(h=7, w=7, c=4, text=f"a = Conv(x, w) m = {op}(a) [bn] y = BN(m, p)")
    parameters = {"w": weight(4, 3, 3, 3), **norm("p", 4, signs=signs)}
    built = model(text, parameters, opset=11)
    assert verdict in verdicts(fold_checked(built, x=(2, 3, 7, 7)))["bn"].split() or not verdict


@pytest.mark.parametrize("name", [name for name in POOLS if POOLS[name][2] == "backward"])
def test_batch_norm_in_front_of_a_pool_and_a_matrix(name: str) -> None:
    op, signs, _ = POOLS[name]
    text = BODY.format(
        h=7,
        w=7,
        c=3,
        text=f"r = Sigmoid(x) [bn] b = BN(r, p) m = {op}(b) c = Conv(m, w) y = Tanh(c)",
    )
    built = model(text, {"w": weight(3, 3, 1, 1), **norm("p", 3, signs=signs)}, opset=11)
    assert verdicts(fold_checked(built, x=(2, 3, 7, 7))) == {"bn": "forward"}


def test_pool_whose_last_window_holds_padding_alone_keeps_its_shift() -> None:
    """-infinity, or the lowest number, plus a shift is not what the runtime gives."""
    text = BODY.format(
        h=5,
        w=5,
        c=4,
        text="a = Conv(x, w) m = MaxPool<kernel_shape = [1, 1], strides = "
        "[3, 3], ceil_mode = 1>(a) [bn] y = BN(m, p)",
    )
    fold_checked(model(text, {"w": weight(4, 3, 1, 1), **norm("p", 4)}), x=(2, 3, 5, 5))


def test_pool_with_its_indices_read_stays() -> None:
    built = model(
        """(float[N, 3, 6, 6] x) => (float[N, 4, 3, 3] y, int64[N, 4, 3, 3] i) {
            a = Conv(x, w)
            m, i = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(a)
            [bn] y = BN(m, p)
        }""",
        {"w": weight(4, 3, 1, 1), **norm("p", 4)},
    )
    assert "indices-read" in verdicts(fold_checked(built, x=(2, 3, 6, 6)))["bn"]


def test_pool_with_its_indices_unread_lets_pass() -> None:
    built = model(
        """(float[N, 3, 6, 6] x) => (float[N, 4, 3, 3] y) {
            a = Conv(x, w)
            m, i = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(a)
            [bn] y = BN(m, p)
        }""",
        {"w": weight(4, 3, 1, 1), **norm("p", 4)},
    )
    assert verdicts(fold_checked(built, x=(2, 3, 6, 6))) == {"bn": "backward"}


@pytest.mark.parametrize(
    "side", ["b = AveragePool<{a}>(r) y = BN(b, p)", "b = BN(r, p) y = AveragePool<{a}>(b)"]
)
def test_a_mean_over_a_window_that_is_larger_than_its_input(side: str) -> None:
    """Runtimes let it stand over the end, and divide by all that it counts."""
    attributes = "kernel_shape = [3], strides = [3], count_include_pad = 1"
    text = f"(float[2, 4, 1] x) => (float[] y) {{ r = Conv(x, w) {side.format(a=attributes)} }}"
    built = model(text, {"w": weight(4, 4, 1), **norm("p", 4)})
    result = fold_checked(built, x=(2, 4, 1))
    assert not result.ledger.bugs


NOTHING = {
    "forward": (
        "(float[2,3,0] x) => (float[2,4] y) { r = Sigmoid(x) b = BN(r, p) "
        "m = ReduceMean<axes = [2], keepdims = 0>(b) y = MatMul(m, w) }",
        3,
    ),
    "backward": (
        "(float[2,0,3] x) => (float[2,4] y) { r = MatMul(x, w) "
        "m = ReduceMean<axes = [1], keepdims = 0>(r) y = BN(m, p) }",
        4,
    ),
}


@pytest.mark.parametrize("case", NOTHING.values(), ids=NOTHING.keys())
def test_a_shift_is_not_moved_through_a_mean_of_nothing(case: tuple[str, int]) -> None:
    """It is 0 in onnxruntime, whatever it is a mean of."""
    text, channels = case
    built = model(text, {"w": weight(3, 4), **norm("p", channels)}, opset=13)
    folded = bnfold.fold(built).to_proto()
    shape = (2, 3, 0) if channels == 3 else (2, 0, 3)
    feeds = {"x": np.zeros(shape, np.float32)}
    (before,), (after,) = (in_onnxruntime(one, feeds) for one in (built, folded))
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-5)
