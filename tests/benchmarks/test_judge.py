"""The judge of the side-by-side tables: right folds pass, faults do not, by verify's own ruler."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.numpy_helper
import onnx.parser
import pytest

import bnfold
from benchmarks.judge import difference, errors

TEXT = """
<ir_version: 8, opset_import: ["" : {opset}]>
g (float[N,3,6,6] x) => (float[N,4,4,4] y) {{
    a = Conv(x, w)
    y = BatchNormalization{flags}(a, s, b, m, v)
}}
"""
SHAPES = {"w": (4, 3, 3, 3), "s": (4,), "b": (4,), "m": (4,), "v": (4,)}


def network(path, opset=17, flags="", times=1.0):
    """Conv and BatchNormalization; the weight of the Conv times a factor."""
    model = onnx.parser.parse_model(TEXT.format(opset=opset, flags=flags))
    rng = np.random.default_rng(0)
    for name, shape in SHAPES.items():
        values = rng.uniform(0.5, 1.5, shape) * (times if name == "w" else 1)
        tensor = onnx.numpy_helper.from_array(values.astype(np.float32), name)
        model.graph.initializer.append(tensor)
    onnx.save(model, path)
    return path


@pytest.fixture
def feeds():
    rng = np.random.default_rng(1)
    return [{"x": rng.standard_normal((n, 3, 6, 6)).astype(np.float32)} for n in (1, 2)]


@pytest.mark.parametrize(
    ("opset", "flags"), [(17, ""), (6, "<is_test = 1>")], ids=["runs", "has no kernel"]
)
def test_a_right_fold_differs_by_rounding_and_a_wrong_weight_by_more(tmp_path, feeds, opset, flags):
    original = network(tmp_path / "a.onnx", opset, flags)
    folded = bnfold.fold(original).save(tmp_path / "b.onnx")
    wrong = network(tmp_path / "c.onnx", opset, flags, times=1 + 2e-6)
    assert difference(original, folded, feeds) is None
    assert "output y is off by" in (difference(original, wrong, feeds) or "")


def test_the_errors_of_both_are_those_of_their_outputs(tmp_path, feeds):
    original, wrong = network(tmp_path / "a.onnx"), network(tmp_path / "b.onnx", times=1.01)
    own, its = errors(original, wrong, feeds[0])
    assert 0 < own < 1e-6
    assert its == pytest.approx(0.01, rel=0.2)
