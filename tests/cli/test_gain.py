"""What a fold is worth to the runtime: said where it is worth nothing, and nowhere else."""

from __future__ import annotations


def test_what_onnxruntime_folds_itself_is_said(place, model):
    """A batch norm behind a convolution: it makes one convolution of them."""
    result = place.call("fold", model, "-o", "out.onnx")
    assert "folds this batch norm itself, so nothing is faster there" in result.stdout


def test_where_nothing_is_folded_or_not_all_of_it_by_onnxruntime_nothing_is_said(place, stuck):
    assert "itself, so nothing" not in place.call("fold", stuck, "-o", "out.onnx").stdout
    result = place.call("fold", stuck, "-o", "out.onnx", "--allow", "all")
    assert "batch norms: 1 -> 0" in result.stdout
    assert "itself, so nothing" not in result.stdout


def test_without_the_check_no_runtime_is_asked(place, model):
    result = place.call("fold", model, "-o", "out.onnx", "--no-check")
    assert "itself, so nothing" not in result.stdout
