"""Room is asked for before a runtime begins."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import onnx.parser
import onnx_ir as ir
import psutil
import pytest
from onnx import numpy_helper

import bnfold
from bnfold.errors import ModelError
from bnfold.typed.room import require_memory, require_room

HEAD = '<ir_version: 8, opset_import: ["": 17]>'


def model(rows: int) -> ir.Model:
    """Its result has so many rows of 1 KiB; where it is run, nothing else is large."""
    return ir.from_proto(
        onnx.parser.parse_model(
            f"""{HEAD} g (float[1,256] x) => (float[N,256] y) <int64[2] shape = {{{rows}, 256}}>
            {{ wide = Expand (x, shape) y = Relu (wide) }}"""
        )
    )


def test_a_tensor_larger_than_the_memory_is_refused_before_it_is_made():
    free_kib = psutil.virtual_memory().available >> 10
    require_room(model(free_kib // 8), "m.onnx")
    with pytest.raises(ModelError, match=r"m\.onnx: its tensor 'wide' needs .* GiB of memory, and"):
        require_room(model(free_kib * 8), "m.onnx")


def test_verify_bench_and_the_check_of_a_fold_ask_first(tmp_path):
    large = model(psutil.virtual_memory().available >> 7)
    for act in (lambda: bnfold.verify(large, large), lambda: bnfold.bench([large])):
        with pytest.raises(ModelError, match="its tensor 'wide' needs"):
            act()


def test_verify_asks_for_the_weights_of_a_copy(tmp_path, monkeypatch):
    """A neighbour has weights of its own: they have to fit, whatever is mapped from the file."""
    text = f"{HEAD} g (float[N,512] x) => (float[N,512] y) {{ y = MatMul (x, w) }}"
    parsed = onnx.parser.parse_model(text)
    weight = np.zeros((512, 512), np.float32)
    parsed.graph.initializer.append(numpy_helper.from_array(weight, "w"))
    onnx.save(parsed, tmp_path / "m.onnx")
    free = SimpleNamespace(available=weight.nbytes - 1)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    with pytest.raises(ModelError, match=r"m\.onnx: a copy of its weights, rounded again, needs"):
        bnfold.verify(tmp_path / "m.onnx", tmp_path / "m.onnx")


@pytest.mark.parametrize(
    ("times", "act"),
    [
        (2, lambda file: bnfold.verify(file, file)),
        (3, lambda file: bnfold.bench([file, file], levels=["none", "extended"])),
        (2, lambda file: bnfold.bench([file], levels=["all"])),
    ],
    ids=["verify", "bench two", "bench one"],
)
def test_what_opens_sessions_with_optimisations_asks_for_their_weights(
    tmp_path, monkeypatch, times, act
):
    """What onnxruntime takes to open them was measured: tests/hostile/large.py."""
    text = f"{HEAD} g (float[N,512] x) => (float[N,512] y) {{ y = MatMul (x, w) }}"
    parsed = onnx.parser.parse_model(text)
    weight = np.zeros((512, 512), np.float32)
    parsed.graph.initializer.append(numpy_helper.from_array(weight, "w"))
    onnx.save(parsed, tmp_path / "m.onnx")
    free = SimpleNamespace(available=times * weight.nbytes - 1, total=1 << 40)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    with pytest.raises(ModelError, match=r"m\.onnx: onnxruntime, which makes weights anew to opt"):
        act(tmp_path / "m.onnx")


def test_a_size_that_no_machine_has_is_said_shortly():
    with pytest.raises(ModelError, match=r"it needs over 2\^30 GiB of memory"):
        require_memory(1 << 99, "it")
