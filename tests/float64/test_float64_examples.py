"""The examples that the ONNX project gives for its operators, all opsets' latest forms."""

from __future__ import annotations

import re

import numpy as np
import onnx
import pytest
from onnx.backend.test.case.node import collect_testcases

from bnfold import model_io
from bnfold.float64 import UnsupportedOperatorError, run_graph

# Where we differ on purpose: nothing is rounded, and onnxruntime is followed where it disagrees.
ROUNDED = re.compile(r"cast.*_to_(BFLOAT16|FLOAT8|FLOAT4)|bf16|bfloat16|dynamicquantizelinear$")
ROUNDED_TIES = re.compile(r"dynamicquantizelinear_expanded")
RUNTIME_DIFFERS = re.compile(r"resize_downsample_scales_(linear|cubic)_align_corners$")
OPTIONALS = re.compile(r"if_opt$")
UNSUPPORTED = {
    "AffineGrid",
    "Bernoulli",
    "BitCast",
    "Dropout",
    "ImageDecoder",
    "RandomUniformLike",
    "Scan",
    "SequenceMap",
    "TfIdfVectorizer",
    "ai.onnx.ml.LabelEncoder",
    "ai.onnx.preview.FlexAttention",
    "ai.onnx.preview.training.Adam",
}
DIFFERENT = (ROUNDED, ROUNDED_TIES, RUNTIME_DIFFERS, OPTIONALS)


def array(value):
    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def agree(ours, theirs, tolerances):
    if theirs is None:
        return True
    if isinstance(theirs, list | tuple):
        return len(ours) == len(theirs) and all(
            agree(a, b, tolerances) for a, b in zip(ours, theirs, strict=True)
        )
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    if theirs.dtype.kind in "OSU":
        return (
            ours.shape == theirs.shape and ours.astype(str).tolist() == theirs.astype(str).tolist()
        )
    kind = np.complex128 if theirs.dtype.kind == "c" else np.float64
    rtol, atol = tolerances
    coarse = theirs.dtype.kind not in "iub" and theirs.dtype.itemsize < 4
    return ours.shape == theirs.shape and np.allclose(
        ours.astype(kind),
        theirs.astype(kind),
        rtol=max(rtol, 1e-3 if coarse else 1e-5),
        atol=max(atol, 1e-5),
        equal_nan=True,
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the examples are computed while they are collected
def test_examples_of_operators():
    wrong, unsupported, right = [], set(), 0
    for case in collect_testcases(None):
        if case.model is None or any(known.search(case.name) for known in DIFFERENT):
            continue
        model = model_io.load(case.model)
        for inputs, outputs in case.data_sets:
            names = [value.name for value in model.graph.inputs]
            feeds = {name: array(x) for name, x in zip(names, inputs, strict=False)}
            try:
                result = run_graph(model, feeds)
            except UnsupportedOperatorError as error:
                unsupported.add(re.split(r":| ", str(error))[0])
                continue
            tolerances = (case.rtol, case.atol)
            if all(
                agree(result[value.name], array(expected), tolerances)
                for value, expected in zip(model.graph.outputs, outputs, strict=True)
            ):
                right += 1
            else:
                wrong.append(case.name)
    assert wrong == []
    assert unsupported <= UNSUPPORTED
    assert right > 1000
