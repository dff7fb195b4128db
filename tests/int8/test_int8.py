"""Models in int8: quantised alike, and how far each then is from the float model."""

from __future__ import annotations

import math

import numpy as np
import onnx
import onnx.parser
import pytest

import bnfold
from bnfold.errors import DataError, ModelError, UsageError
from bnfold.int8.accuracy import MOST_DB, accuracy, snr_db
from bnfold.int8.quantise import quantise
from bnfold.int8.spread import spreads, widened

TEXT = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 4, 8, 8] x) => (float[N, 4] y)
<float[4, 4, 3, 3] w, float[4] s, float[4] t = {0.1, -0.2, 0.3, 0.4}, float[4] m = {0, 0, 0, 0},
 float[4] v = {1, 1, 1, 1}>
{
  c = Conv (x, w)
  b = BatchNormalization (c, s, t, m, v)
  p = GlobalAveragePool (b)
  y = Flatten (p)
}
"""


@pytest.fixture
def network(tmp_path):
    """network(scales): a convolution, a batch norm with these scales, and a score per channel."""

    def write(scales, name="net.onnx"):
        model = onnx.parser.parse_model(TEXT)
        rng = np.random.default_rng(0)
        weight = rng.standard_normal((4, 4, 3, 3)).astype(np.float32)
        for tensor in model.graph.initializer:
            if tensor.name in ("w", "s"):
                array = weight if tensor.name == "w" else np.asarray(scales, np.float32)
                tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
        kept = [t for t in model.graph.initializer if t.name not in ("w", "s")]
        del model.graph.initializer[:]
        for key, array in (("w", weight), ("s", np.asarray(scales, np.float32))):
            kept.append(onnx.numpy_helper.from_array(array, key))
        model.graph.initializer.extend(kept)
        onnx.save(model, tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def data():
    return {"x": np.random.default_rng(1).standard_normal((64, 4, 8, 8)).astype(np.float32)}


def test_signal_to_noise_is_ten_times_the_log_of_the_ratio_of_powers():
    signal = np.array([3.0, 4.0])
    assert snr_db(signal, signal + np.array([0.5, 0.0])) == pytest.approx(20.0)
    assert snr_db(signal, signal) == MOST_DB
    assert snr_db(signal, np.array([np.nan, 1.0])) == -math.inf


def test_classes_and_labels_are_counted_by_the_largest_score():
    exact = {"y": np.array([[1.0, 2.0], [3.0, 1.0], [0.0, 5.0], [1.0, 0.0]])}
    found = {"y": np.array([[1.0, 2.1], [0.0, 1.0], [0.0, 5.0], [1.0, 0.0]])}
    row = accuracy("m", exact, found, np.array([1, 0, 0, 0]))
    assert (row.top1_agreement, row.top1, row.top1_float) == (0.75, 0.5, 0.75)
    assert accuracy("m", exact, found, None).top1 is None
    with pytest.raises(DataError, match=r"labels have the shape \[3\]; m wants one for each of 4"):
        accuracy("m", exact, found, np.zeros(3, int))
    image = {"y": np.ones((2, 1, 4, 4))}
    with pytest.raises(DataError, match="m scores no classes"):
        accuracy("m", image, image, np.zeros(2, int))


def test_a_quantised_model_has_int8_weights_by_channel(network, data, tmp_path):
    target = tmp_path / "int8.onnx"
    quantise(network([1, 1, 1, 1]), [data], target, name="net")
    graph = onnx.load(target).graph
    stored = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    weights = [a for a in stored.values() if a.dtype == np.int8 and a.ndim == 4]
    assert [w.shape for w in weights] == [(4, 4, 3, 3)]
    assert any(a.shape == (4,) and a.dtype == np.float32 for a in stored.values())


def test_an_older_model_is_quantised_by_channel_too(network, data):
    """Before opset 13 a DequantizeLinear has one scale; onnxruntime's tool gives it several."""
    path = network([1, 2, 3, 4])
    older = onnx.load(path)
    older.opset_import[0].version = 11
    onnx.save(older, path)
    (row,) = bnfold.bench([path], int8=data, levels="all", pairs=5, processes=1).int8
    assert 20 < row.snr_db < 60


def test_what_has_nothing_for_int8_is_said(tmp_path):
    text = '<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { y = Sin(x) }'
    onnx.save(onnx.parser.parse_model(text), tmp_path / "sin.onnx")
    with pytest.raises(ModelError, match="sin: onnxruntime's quantiser leaves it as it is"):
        feeds = [{"x": np.ones(2, np.float32)}]
        quantise(tmp_path / "sin.onnx", feeds, tmp_path / "q.onnx", name="sin")


def test_the_spread_is_the_widest_channel_over_the_median_one(network, data):
    even = spreads(network([1, 1, 1, 1], "even.onnx"), data, name="even")
    wide = spreads(network([1, 1, 1, 100], "wide.onnx"), data, name="wide")
    assert wide["c"] == pytest.approx(even["c"])
    assert wide["b"] > 10 * even["b"]
    assert widened(even, {**even, "folded": 50.0}) == "folded"
    assert widened(even, {**even, "folded": 1.5}) is None
    assert widened(even, even) is None


def test_bench_times_models_in_int8_and_tells_their_accuracy(network, data):
    original = network([1, 2, 0.5, 1])
    folded = original.with_name("folded.onnx")
    bnfold.fold(original).save(folded)
    labels = np.zeros(64, np.int64)
    result = bnfold.bench(
        [original, folded], int8=data, labels=labels, levels="all", pairs=5, processes=1
    )
    assert [model.name for model in result.models] == ["net.onnx in int8", "folded.onnx in int8"]
    assert [row.model for row in result.int8] == ["net.onnx", "folded.onnx"]
    assert all(20 < row.snr_db < 60 and row.rows == 64 for row in result.int8)
    assert all(row.top1 is not None and row.top1_agreement > 0.9 for row in result.int8)
    assert result.comparisons[0].candidate == "folded.onnx in int8"


@pytest.mark.slow
def test_a_model_that_loses_accuracy_in_int8_is_named_with_the_tensor_that_does_it(
    network, data, tmp_path
):
    """The same network, its scales moved into the convolution, and its inverse behind it."""
    original = network([1, 1, 1, 1])
    model = onnx.load(original)
    scale = np.array([1, 1, 1, 300], np.float32)
    for tensor in model.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        if tensor.name == "w":
            array = array * scale[:, None, None, None]
        if tensor.name == "s":
            array = array / scale
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    for node in model.graph.node:
        node.input[:] = ["wide" if name == "c" else name for name in node.input]
        node.output[:] = ["wide" if name == "c" else name for name in node.output]
    # A pooling of one element keeps the batch norm from going into the convolution.
    pool = onnx.helper.make_node("MaxPool", ["wide"], ["held"], kernel_shape=[1, 1])
    model.graph.node[1].input[0] = "held"
    model.graph.node.insert(1, pool)
    onnx.save(model, tmp_path / "apart.onnx")
    assert bnfold.verify(original, tmp_path / "apart.onnx", samples=2)
    result = bnfold.bench(
        [original, tmp_path / "apart.onnx"], int8=data, levels="all", pairs=5, processes=1
    )
    before, after = (row.snr_db for row in result.int8)
    assert after < before - 10
    assert any(
        "apart.onnx is" in note and "channels of 'wide'" in note for note in result.notes
    ) or (any("channels of 'held'" in note for note in result.notes))
    assert any("fold with --equalize" in note for note in result.notes)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"int8": {"z": np.ones(3, np.float32)}}, DataError, "input 'x'.* is missing"),
        ({"int8": {"x": np.ones((2, 3, 8, 8), np.float32)}}, DataError, "input 'x' wants shape"),
        ({"int8": "no.npz"}, DataError, "no.npz: no such file"),
        ({"labels": np.zeros(3, int)}, UsageError, "labels are of the rows of the int8 data"),
    ],
)
def test_calibration_data_that_do_not_fit_are_a_sentence(network, given, error, words):
    with pytest.raises(error, match=words):
        bnfold.bench([network([1, 1, 1, 1])], levels="all", **given)
