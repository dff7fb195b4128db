"""What a command line hands over is looked at before work is spent on it."""

from __future__ import annotations

import numpy as np
import pytest

CUSTOM = """
<ir_version: 8, opset_import: ["" : 17, "acme" : 1]>
g (float[N,4] x) => (float[N,4] y) { y = acme.Fancy (x) }
"""


@pytest.fixture
def given(place):
    """Files that fit no model, beside good.onnx."""
    np.savez(place / "misnamed.npz", y=np.ones((2, 3), np.float32))
    (place / "text.npz").write_text("no arrays")
    (place / "library.so").write_text("no library")
    (place / "empty").mkdir()
    return place


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--data", "text.npz"], "--data text.npz: cannot be read as arrays"),
        (["--int8", "text.npz"], "--int8 text.npz: cannot be read as arrays"),
        (["--data", "empty"], "--data empty: has no input_0.pb"),
        (["--int8", "misnamed.npz"], "misnamed.npz: input 'x' (float32"),
        (["--data", "misnamed.npz"], "misnamed.npz: input 'x' (float32"),
        (["--int8", "misnamed.npz", "--labels", "text.npz"], "text.npz: cannot be read"),
        (["--custom-ops", "library.so"], "library.so: onnxruntime cannot load it"),
    ],
)
def test_a_run_begins_no_step_with_what_does_not_fit(given, model, options, said):
    result = given.call("run", "good.onnx", "-o", "results", *options)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert said in result.stderr
    assert not (given / "results").exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["fold", "--dry-run", "--verify", "--data", "misnamed.npz"], "input 'x' (float32"),
        (["fold", "--dry-run", "--tune", "int8", "--calibration", "misnamed.npz"], "input 'x'"),
        (["fold", "--dry-run", "--tune", "int8"], "--calibration DATA"),
        (["fold", "--dry-run", "--tune", "gpu"], "did you mean 'cuda'?"),
        (["fold", "--dry-run", "--custom-ops", "library.so"], "library.so: onnxruntime cannot"),
        (["fold", "--dry-run", "--custom-ops", "library.so", "--tune", "cpu"], "--custom-ops"),
        (["sweep", "-o", "out", "--custom-ops", "library.so"], "library.so: onnxruntime cannot"),
        (["bench", "--int8", "misnamed.npz"], "input 'x' (float32"),
        (["bench", "--dim", "batch=0"], "--dim batch=0: a size is at least 1"),
        (["bench", "--dim", "batch=-3"], "--dim batch=-3: a size is at least 1"),
    ],
)
def test_what_does_not_fit_is_one_sentence(given, model, args, said):
    command, *options = args
    result = given.call(command, "good.onnx", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_model_that_cannot_be_run_is_not_folded_to_be_verified(place):
    import onnx

    onnx.save(onnx.parser.parse_model(CUSTOM), place / "custom.onnx")
    result = place.call("fold", "custom.onnx", "--dry-run", "--verify")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("bnfold: custom.onnx: has custom operators (acme::Fancy)")
    assert "--custom-ops" in place.call("fold", "--help").stdout
