"""Large models go to the runtime as files, not as bytes that are held several times over."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest

import bnfold

CHANNELS, LAYERS = 256, 16  # 37.7 MB of weights
SCRIPT = """
import json, sys, threading, bnfold
from bnfold.fold.opinion import second
def anonymous():
    fields = dict(line.split(":") for line in open("/proc/self/status") if ":" in line)
    return int(fields["RssAnon"].split()[0]) / 1e3
bnfold.fold(sys.argv[1])  # what is imported, and kept by allocators, is there
start, peak, done = anonymous(), 0.0, threading.Event()
def watch():
    global peak
    while not done.wait(0.002):
        peak = max(peak, anonymous())
watching = threading.Thread(target=watch)
watching.start()
result = bnfold.fold(sys.argv[2])
done.set()
watching.join()
print(json.dumps([peak - start, str(result.ledger.opinion)]))
"""


def write_chain(path: Path, layers: int, **saving: object) -> float:
    """Conv, batch norm, Relu, one after the other; the MB of weights."""
    body = " ".join(
        f"c{i} = Conv <pads = [1, 1, 1, 1]> (r{i}, w{i}) "
        f"n{i} = BatchNormalization (c{i}, s, b, m, v) r{i + 1} = Relu (n{i})"
        for i in range(layers)
    )
    model = onnx.parser.parse_model(
        f'<ir_version: 9, opset_import: ["" : 17]> g (float[N, {CHANNELS}, 4, 4] r0) '
        f"=> (float[N, {CHANNELS}, 4, 4] r{layers}) {{ {body} }}"
    )
    rng = np.random.default_rng(0)
    arrays = {f"w{i}": rng.standard_normal((CHANNELS, CHANNELS, 3, 3)) / 48 for i in range(layers)}
    arrays |= {"s": rng.uniform(0.5, 2, CHANNELS), "b": rng.standard_normal(CHANNELS)}
    arrays |= {"m": rng.standard_normal(CHANNELS), "v": rng.uniform(0.5, 2, CHANNELS)}
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(array.astype(np.float32), name)
        for name, array in arrays.items()
    )
    onnx.save(model, path, **saving)
    return sum(array.size for array in arrays.values()) * 4 / 1e6


@pytest.mark.slow
@pytest.mark.parametrize("is_beside", [False, True], ids=["in one file", "beside the graph"])
def test_it_is_compared_and_leaves_no_file_behind(tmp_path, monkeypatch, is_beside):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    write_chain(tmp_path / "a.onnx", LAYERS, save_as_external_data=is_beside)
    opinion = bnfold.fold(tmp_path / "a.onnx").ledger.opinion
    assert opinion.agrees
    assert opinion.error < 1e-4
    assert not list(scratch.iterdir())


@pytest.mark.slow
def test_without_a_place_for_a_copy_it_is_told_that_nothing_was_compared(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no such folder"))
    write_chain(tmp_path / "a.onnx", LAYERS)
    result = bnfold.fold(tmp_path / "a.onnx")
    assert len(result.ledger.folded) == LAYERS
    assert "a copy of it cannot be written" in str(result.ledger.opinion)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_stays_below_three_times_the_weights(tmp_path):
    """It was four times: bytes were made, serialised, parsed and copied."""
    write_chain(tmp_path / "small.onnx", 1)
    megabytes = write_chain(tmp_path / "a.onnx", 2 * LAYERS)
    paths = [str(tmp_path / name) for name in ("small.onnx", "a.onnx")]
    command = [sys.executable, "-c", SCRIPT, *paths]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    peak, opinion = json.loads(done.stdout)
    assert opinion.startswith("checked in onnxruntime")
    assert peak < 3 * megabytes, peak / megabytes
