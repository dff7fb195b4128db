"""The examples that the ONNX project gives for its operators, all opsets' latest forms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx.backend.test.case.node import collect_testcases

from bnfold import model_io
from bnfold.float64 import UnsupportedOperatorError, run_graph

GUIDE = Path(__file__).parents[2] / "docs" / "float64-reference.md"


def rows_of(heading: str) -> list[str]:
    """The first cells of the table under a heading of the guide."""
    section = GUIDE.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return [re.split(r"(?<!\\)\|", row)[1].strip() for row in rows]


def unsupported_operators() -> set[str]:
    return {row.strip("`") for row in rows_of("Not supported")}


def differing_cases() -> list[re.Pattern[str]]:
    names = [
        name
        for row in rows_of("Where it differs from the suite on purpose")
        for name in re.findall(r"`([^`]+)`", row.replace("\\|", "|"))
    ]
    return [re.compile(rf"^test_{name}$") for name in names]


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
    if theirs.dtype.kind in "iub" and ours.dtype != theirs.dtype:
        return False
    kind = np.complex128 if theirs.dtype.kind == "c" else np.float64
    rtol, atol = tolerances
    narrow = theirs.dtype in (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16))
    rounding = 4 * float(ml_dtypes.finfo(theirs.dtype).eps) if narrow else 0.0
    return ours.shape == theirs.shape and np.allclose(
        ours.astype(kind),
        theirs.astype(kind),
        rtol=max(rtol, rounding, 1e-5),
        atol=max(atol, 1e-5),
        equal_nan=True,
    )


def outcomes() -> Iterator[tuple[str, str]]:
    """The name of each case, and `right`, `wrong` or the operator that is not supported."""
    for case in collect_testcases(None):
        if case.model is None:
            continue
        model = model_io.load(case.model)
        names = [value.name for value in model.graph.inputs]
        for inputs, outputs in case.data_sets:
            feeds = {name: array(x) for name, x in zip(names, inputs, strict=False)}
            try:
                result = run_graph(model, feeds)
            except UnsupportedOperatorError as error:
                yield case.name, re.split(r":| ", str(error))[0]
                continue
            pairs = zip(model.graph.outputs, outputs, strict=True)
            tolerances = (case.rtol, case.atol)
            right = all(agree(result[v.name], array(y), tolerances) for v, y in pairs)
            yield case.name, "right" if right else "wrong"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the examples are computed while they are collected
def test_each_example_is_right_or_the_guide_names_it():
    """And the guide names none that is right: an exception that outlives its reason hides one."""
    found = list(outcomes())
    assert len(found) > 1500
    wrong = {name for name, outcome in found if outcome == "wrong"}
    explained = [{name for name in wrong if case.search(name)} for case in differing_cases()]
    assert wrong - set().union(*explained) == set()
    assert all(explained)
    refused = {outcome for _, outcome in found} - {"right", "wrong"}
    assert refused <= unsupported_operators()
