"""`bnfold fold --tune`, as a user calls it. No timing is asserted."""

from __future__ import annotations

import json

import onnx
import pytest

from tests.cli.conftest import in_bfloat16


@pytest.mark.slow
def test_a_fold_is_tuned_and_says_what_was_tried(place, stuck):
    """A Max with bounds would fold it, and is kept only where it was measured to be faster."""
    args = [
        "fold",
        stuck,
        "-o",
        "out.onnx",
        "--tune",
        "cpu",
        "--state",
        "s.json",
        "--json",
        "f.json",
    ]
    result = place.call(*args)
    assert result.exit_code == 0
    assert "tried here" in result.stdout
    found = json.loads((place / "f.json").read_text())
    tried = found["result"]["tried"]
    assert tried and all(one["is_kept"] == (one["verdict"] == "faster") for one in tried)
    left = sum(n.op_type == "BatchNormalization" for n in onnx.load(place / "out.onnx").graph.node)
    assert left == found["result"]["batch_norms_after"]
    assert place.call(*args).exit_code == 0
    assert json.loads((place / "f.json").read_text())["result"]["tried"] == tried


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--tune", "tpu"], "--tune: unknown target 'tpu'; choose from cpu, cuda, int8"),
        (["--tune", "int8"], "the target int8 needs calibration data"),
        (
            ["--tune", "cpu", "--budget", "0"],
            "must be a number of seconds above 0, not 0",
        ),
        (["--tune", "cpu", "--allow", "all"], "--tune finds out which rewrites to allow"),
        (["--tune", "cpu", "--equalize"], "--flush-subnormals and --equalize out"),
        (["--budget", "5"], "are of a tuning: add --tune cpu, cuda or int8"),
        (["--tune", "cpu", "--python", "no/python"], "no/python: no such file"),
    ],
)
def test_a_tuning_that_makes_no_sense_is_refused(place, stuck, args, words):
    result = place.call("fold", stuck, "-o", "out.onnx", *args)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (place / "out.onnx").exists()


def test_a_target_that_is_not_this_machine_is_exit_code_4(place, stuck):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("CUDA runs here")
    result = place.call("fold", stuck, "-o", "out.onnx", "--tune", "cuda")
    assert result.exit_code == 4


def test_what_cannot_be_measured_is_called_as_the_user_calls_it(place, stuck):
    in_bfloat16(stuck)
    result = place.call("fold", stuck, "-o", "out.onnx", "--tune", "cpu")
    assert result.exit_code == 2
    assert result.stderr.startswith("bnfold: stuck.onnx: input 'x' is bfloat16")
