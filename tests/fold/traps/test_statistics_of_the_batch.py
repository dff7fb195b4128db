"""Batch norms that are no affine: training mode in every opset's words, statistics of the input."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import bnfold
from tests.fold.property.text_models import fold_checked, model, norm, verdicts, weight

SHAPE = (2, 3, 5, 5)
CONV_BN = "(float[N, 3, 5, 5] x) => (float[N, 4, 5, 5] y) { a = Conv(x, w) [bn] y = BN%s(a, p) }"


def _conv_bn(attributes: str, opset: int) -> onnx.ModelProto:
    return model(CONV_BN % attributes, {"w": weight(4, 3, 1, 1), **norm("p", 4)}, opset=opset)


@pytest.mark.parametrize("opset", [7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18, 20, 21, 22])
def test_inference_form_folds_in_every_opset(opset: int) -> None:
    result = fold_checked(_conv_bn("", opset), x=SHAPE)
    assert verdicts(result) == {"bn": "backward"}


@pytest.mark.parametrize("opset", [14, 15, 18, 22])
def test_training_mode_stays(opset: int) -> None:
    result = fold_checked(_conv_bn("<training_mode = 1>", opset), x=SHAPE)
    assert verdicts(result) == {"bn": "training-mode"}


@pytest.mark.parametrize("opset", [14, 15, 18, 22])
def test_training_mode_of_zero_folds(opset: int) -> None:
    result = fold_checked(_conv_bn("<training_mode = 0, momentum = 0.5>", opset), x=SHAPE)
    assert verdicts(result) == {"bn": "backward"}


@pytest.mark.parametrize("opset", [14, 18])
def test_training_mode_with_its_statistics_read_stays(opset: int) -> None:
    built = model(
        """(float[N, 3, 5, 5] x) => (float[N, 4, 5, 5] y, float[4] mean) {
            a = Conv(x, w)
            [bn] y, mean, var = BatchNormalization<training_mode = 1>(a, pg, pb, pm, pv)
        }""",
        {"w": weight(4, 3, 1, 1), **norm("p", 4)},
        opset=opset,
    )
    assert verdicts(fold_checked(built, x=SHAPE)) == {"bn": "training-mode"}


@pytest.mark.parametrize("opset", [7, 9, 13])
def test_five_outputs_mean_training_in_the_old_opsets(opset: int) -> None:
    """Their batch norms tell the mode by the number of outputs, read or not."""
    built = model(
        """(float[N, 3, 5, 5] x) => (float[N, 4, 5, 5] y) {
            a = Conv(x, w)
            [bn] y, m1, v1, m2, v2 = BatchNormalization(a, pg, pb, pm, pv)
        }""",
        {"w": weight(4, 3, 1, 1), **norm("p", 4)},
        opset=opset,
    )
    assert verdicts(bnfold.fold(built)) == {"bn": "training-mode"}


@pytest.mark.parametrize(
    ("attribute", "verdict"),
    [("", "training-mode"), ("is_test = 0", "training-mode"), ("is_test = 1", "backward")],
)
def test_is_test_decides_in_opset_6(attribute: str, verdict: str) -> None:
    """Its default is training."""
    built = _conv_bn(f"<{attribute}>" if attribute else "", 6)
    assert verdicts(bnfold.fold(built)) == {"bn": verdict}


@pytest.mark.parametrize("opset", [7, 8])
def test_spatial_of_zero_stays(opset: int) -> None:
    """It has parameters for each position: [C, H, W]."""
    rng = np.random.default_rng(0)
    parameters = {
        f"p{n}": rng.uniform(0.5, 1.5, (4, 5, 5)).astype(np.float32) for n in ("g", "b", "m", "v")
    }
    built = model(CONV_BN % "<spatial = 0>", {"w": weight(4, 3, 1, 1), **parameters}, opset=opset)
    assert verdicts(bnfold.fold(built)) == {"bn": "not-spatial"}


def test_spatial_of_one_folds() -> None:
    assert verdicts(fold_checked(_conv_bn("<spatial = 1>", 7), x=SHAPE)) == {"bn": "backward"}


def test_instance_normalization_is_no_affine() -> None:
    built = model(
        """(float[N, 3, 5, 5] x) => (float[N, 4, 5, 5] y) {
            a = Conv(x, w)
            y = InstanceNormalization(a, pg, pb)
        }""",
        {"w": weight(4, 3, 1, 1), **norm("p", 4)},
    )
    result = fold_checked(built, x=SHAPE)
    assert [n.op_type for n in result.model.graph] == ["Conv", "InstanceNormalization"]


def test_statistics_computed_at_run_time_stay() -> None:
    """What track_running_stats = False exports to: mean and variance of the batch itself."""
    built = model(
        """(float[N, 3, 5, 5] x) => (float[N, 4, 5, 5] y) {
            a = Conv(x, w)
            m4 = ReduceMean<keepdims = 1>(a, axes)
            d = Sub(a, m4)
            d2 = Mul(d, d)
            v4 = ReduceMean<keepdims = 1>(d2, axes)
            m = Squeeze(m4, axes)
            v = Squeeze(v4, axes)
            [bn] y = BatchNormalization(a, pg, pb, m, v)
        }""",
        {"w": weight(4, 3, 1, 1), "axes": np.array([0, 2, 3]), **norm("p", 4)},
    )
    assert verdicts(fold_checked(built, x=SHAPE)) == {"bn": "dynamic-parameters"}


@pytest.mark.parametrize("which", ["g", "b", "m", "v"])
def test_one_parameter_from_the_caller_is_enough_to_stay(which: str) -> None:
    given = ", ".join(("q" if n == which else "p") + n for n in "gbmv")
    built = model(
        f"""(float[N, 3, 5, 5] x, float[4] q{which}) => (float[N, 4, 5, 5] y) {{
            a = Conv(x, w)
            [bn] y = BatchNormalization(a, {given})
        }}""",
        {"w": weight(4, 3, 1, 1), **norm("p", 4)},
    )
    result = bnfold.fold(built)
    assert verdicts(result) == {"bn": "dynamic-parameters"}


@pytest.mark.parametrize("which", ["g", "b", "m", "v"])
def test_one_parameter_that_the_caller_may_override_is_enough_to_stay(which: str) -> None:
    built = _conv_bn("", 18)
    built.graph.input.append(onnx.helper.make_tensor_value_info(f"p{which}", 1, [4]))
    assert verdicts(fold_checked(built, x=SHAPE)) == {"bn": "overridable-constant"}
