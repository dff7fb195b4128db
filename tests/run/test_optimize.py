"""`bnfold.optimize`: what is written was verified, and says what made it."""

from __future__ import annotations

import importlib
import inspect
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import numpy as np
import onnx
import onnx.parser
import pytest

import bnfold
from bnfold.errors import InconclusiveError, ModelsDifferError, UsageError
from bnfold.fold.api import FoldResult
from tests.cli.conftest import GOOD, parsed
from tests.runtime_oracle import in_onnxruntime

PUBLIC = ("run", "optimize", "export", "fold", "verify", "bench")
TRAINING = """
    <ir_version: 8, opset_import: ["" : 15]>
    net (float[2, 2, 5, 5] x) => (float[2, 2, 5, 5] y)
    <float[2, 2, 1, 1] w = {2, 0, 0, 2}, float[2] s = {2, 3}, float[2] b = {0, 0},
     float[2] mean = {0.5, -1}, float[2] variance = {4, 0.25}>
    {
        h = Conv (x, w)
        y, m, v = BatchNormalization <training_mode: int = 1> (h, s, b, mean, variance)
    }
"""
X = {"x": np.random.default_rng(0).standard_normal((2, 2, 5, 5)).astype(np.float32)}


@pytest.fixture
def source(tmp_path):
    onnx.save(parsed(GOOD), tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def test_what_is_written_computes_the_same_and_says_where_it_comes_from(source, tmp_path):
    result = bnfold.optimize(source, target=tmp_path / "folded.onnx", samples=2)
    assert result
    folded = onnx.load(tmp_path / "folded.onnx")
    assert [node.op_type for node in folded.graph.node] == ["Conv"]
    old, new = (in_onnxruntime(model, X)[0] for model in (onnx.load(source), folded))
    np.testing.assert_allclose(new, old, rtol=1e-5, atol=1e-5)
    told = {entry.key: entry.value for entry in folded.metadata_props}
    assert told == {
        "bnfold.version": bnfold.__version__,
        "bnfold.rules": "conv",
        "bnfold.source_sha256": sha256(source.read_bytes()).hexdigest(),
    }


def test_a_fold_that_went_wrong_is_raised_with_evidence_and_not_written(
    source, tmp_path, monkeypatch
):
    """A fault behind all proofs: the weights are spoilt once the fold is done."""
    real = bnfold.fold

    def spoilt(*args, **kwargs):
        model = real(*args, **kwargs).to_proto()
        for tensor in model.graph.initializer:
            array = onnx.numpy_helper.to_array(tensor)
            if array.ndim == 4:
                tensor.CopyFrom(onnx.numpy_helper.from_array(array * np.float32(1.01), tensor.name))
        done = real(model, check=False)
        return FoldResult(done.model, done.ledger)

    monkeypatch.setattr(importlib.import_module("bnfold.run.steps"), "fold", spoilt)
    with pytest.raises(ModelsDifferError, match="times the original's own rounding error"):
        bnfold.optimize(source, target=tmp_path / "folded.onnx", samples=2)
    assert not (tmp_path / "folded.onnx").exists()


def test_a_model_that_cannot_be_judged_is_not_written(tmp_path):
    random = GOOD.replace("[bn] y =", "n = RandomNormalLike (c)\n  d = Add (c, n)\n  [bn] y =")
    onnx.save(parsed(random.replace("(c, gamma", "(d, gamma")), tmp_path / "net.onnx")
    with pytest.raises(InconclusiveError):
        bnfold.optimize(tmp_path / "net.onnx", target=tmp_path / "folded.onnx")
    assert not (tmp_path / "folded.onnx").exists()


def test_a_model_takes_no_settings_of_an_export(source):
    with pytest.raises(UsageError, match="nothing to export"):
        bnfold.optimize(source, opset=20)


def test_a_module_is_exported_on_the_way(tmp_path):
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)).eval()
    result = bnfold.optimize(module, (1, 3, 8, 8), tmp_path / "net.onnx", samples=2)
    assert result.export is not None
    assert [n.op_type for n in onnx.load(tmp_path / "net.onnx").graph.node] == ["Conv"]


def test_eight_threads_get_the_bytes_of_one(source, tmp_path):
    bnfold.optimize(source, target=tmp_path / "alone.onnx", samples=2)
    targets = [tmp_path / f"{number}.onnx" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda t: bnfold.optimize(source, target=t, samples=2), targets))
    assert {path.read_bytes() for path in targets} == {(tmp_path / "alone.onnx").read_bytes()}


def test_both_take_what_the_steps_take_with_the_same_defaults():
    """Who goes from one to the other finds the same settings, and the same where unsaid."""
    of = {name: inspect.signature(getattr(bnfold, name)).parameters for name in PUBLIC}
    shared = set(of["run"]) & set(of["optimize"])
    assert shared == set(of["optimize"]) - {"target"}
    for name in shared:
        homes = [of[step][name] for step in PUBLIC if name in of[step]]
        assert len({str(home.default) for home in homes}) == 1, name
        if name != "source":  # export takes modules alone
            assert len({str(home.annotation) for home in homes}) == 1, name


def test_a_repair_is_what_the_folded_model_is_compared_with(tmp_path):
    """Left in training mode, a batch norm uses the statistics of the batch, and then its own."""
    model = onnx.parser.parse_model(TRAINING)
    result = bnfold.optimize(model, target=tmp_path / "folded.onnx", repair="inference", samples=2)
    assert result.fold.ledger.repairs
    x = X["x"]
    s, mean, variance = (
        np.array(numbers, np.float32).reshape(1, 2, 1, 1)
        for numbers in ([2, 3], [0.5, -1], [4, 0.25])
    )
    expected = (x * 2 - mean) / np.sqrt(variance + 1e-5) * s
    found = in_onnxruntime(onnx.load(tmp_path / "folded.onnx"), X)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_channels_are_evened_out_where_that_is_asked_for(tmp_path):
    """By powers of two: no number changes, and the rows of the first weight come together."""
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 15]>
        net (float[2, 2, 5, 5] x) => (float[2, 2, 5, 5] y)
        <float[2, 2, 1, 1] w = {2, 1, 0.001, 0.002}, float[2, 2, 1, 1] v = {1, 900, 2, 700},
         float[2] s = {2, 3}, float[2] b = {1, 0.01},
         float[2] mean = {0.5, -1}, float[2] variance = {4, 0.25}>
        {
            h = Conv (x, w)
            r = Relu (h)
            g = Conv (r, v)
            y = BatchNormalization (g, s, b, mean, variance)
        }
    """)
    spread, answers = {}, {}
    for equalize in (False, True):
        target = tmp_path / f"{equalize}.onnx"
        result = bnfold.optimize(model, target=target, equalize=equalize, samples=2)
        assert bool(result.fold.ledger.equalized) == equalize
        assert result.settings["fold"]["equalize"] == equalize
        folded = onnx.load(target)
        weights = {w.name: onnx.numpy_helper.to_array(w) for w in folded.graph.initializer}
        first = next(node for node in folded.graph.node if node.op_type == "Conv")
        largest = np.abs(weights[first.input[1]]).max(axis=(1, 2, 3))
        spread[equalize] = largest.max() / largest.min()
        answers[equalize] = in_onnxruntime(folded, X)[0]
    np.testing.assert_array_equal(answers[True], answers[False])
    assert spread[True] < 0.1 * spread[False]
