"""Weights that a session gets as they lie in memory: a changed graph does not hold them twice."""

from __future__ import annotations

import sys

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import bnfold
from bnfold.runtime.engine import Setting
from bnfold.runtime.sessions import RefusedError, Session
from bnfold.verify import apart
from bnfold.verify.apart import LARGE
from bnfold.verify.neighbour import Neighbour
from bnfold.verify.subject import OnnxSubject
from tests.hostile import large
from tests.verify.graphs import parsed

WIDE = 160
TEXT = """g (float[N,WIDE] x) => (float[N,WIDE] y, float[N,6] p) {
    h = MatMul (x, w)  r = Relu (h)
    m = ReduceMax <keepdims = 0> (r)  c = Greater (m, zero)
    y = If (c) <
        then_branch = t () => (float[N,WIDE] a) { a = MatMul (r, w) },
        else_branch = e () => (float[N,WIDE] b) { b = Neg (r) }
    >
    l = MatMul (r, v)  p = Softmax (l)
}"""


def model(factor: float = 1.0) -> onnx.ModelProto:
    """Its largest weight is read in the main graph and in a branch; `factor` is of one row."""
    rng = np.random.default_rng(0)
    w = rng.normal(size=(WIDE, WIDE)) / 12
    w[7] *= factor
    assert w.astype(np.float32).nbytes > LARGE
    return parsed(
        TEXT.replace("WIDE", str(WIDE)), w=w, v=rng.normal(size=(WIDE, 6)), zero=np.float32(0)
    )


@pytest.mark.parametrize("level", ["none", "all"])
def test_a_changed_graph_gives_the_numbers_that_it_gave(level):
    subject, setting = OnnxSubject(model(), "m"), Setting(level=level, for_values=True)
    x = np.random.default_rng(1).normal(size=(3, WIDE)).astype(np.float32)
    plain = subject.open(setting).run({"x": x})
    exposed = subject.copy()
    exposed.expose({"r": ir.DataType.FLOAT})
    y, p, r = exposed.open(setting).run({"x": x})
    assert np.array_equal(y, plain[0])
    assert np.array_equal(p, plain[1])
    assert np.allclose(
        r, np.maximum(x @ onnx.numpy_helper.to_array(model().graph.initializer[0]), 0)
    )


def test_a_neighbour_has_its_own_large_weights():
    subject, setting = OnnxSubject(model(), "m"), Setting(level="none", for_values=True)
    x = np.random.default_rng(1).normal(size=(3, WIDE)).astype(np.float32)
    exposed = subject.copy()
    exposed.expose({"h": ir.DataType.FLOAT})
    runs = [exposed.open(setting, Neighbour((0, copy))).run({"x": x})[2] for copy in range(3)]
    h = exposed.open(setting).run({"x": x})[2]
    assert all(0 < np.abs(run - h).max() < 1e-5 * np.abs(h).max() for run in runs)


def test_models_with_large_weights_are_judged():
    assert bnfold.verify(model(), model()).is_equivalent
    found = bnfold.verify(model(), model(1.01))
    assert found.verdict == "different"
    assert found.location is not None
    assert found.location.tensor == "h"


def test_a_runtime_that_wants_the_numbers_while_it_opens_gets_them(monkeypatch):
    opened = []

    class Wanting(Session):
        """One that reads weights where they are said to be, as optimisations do."""

        def __init__(self, source, *args, **settings):
            opened.append(type(source))
            if isinstance(source, str):
                raise RefusedError("0 bytes of 102400")
            super().__init__(source, *args, **settings)

    monkeypatch.setattr(apart, "Session", Wanting)
    setting = Setting(level="none", for_values=True)
    x = np.random.default_rng(1).normal(size=(3, WIDE)).astype(np.float32)
    y, p = OnnxSubject(model(), "m").open(setting, Neighbour((0, 0))).run({"x": x})
    assert opened == [str, bytes]
    plain = OnnxSubject(model(), "m").open(setting).run({"x": x})
    assert np.allclose(y, plain[0], rtol=1e-5, atol=1e-6)
    assert np.allclose(p, plain[1], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_large_model_is_compared_in_little_more_than_its_weights(tmp_path):
    """A copy, rounded once more, has weights of its own; the rest is mapped."""
    megabytes = 768
    large.build(tmp_path, megabytes, one_file=False)
    sizes = ("--level", "none", "--samples", "2", *large.SIZES)
    told = large.measured(tmp_path, ("verify", "m.onnx", "m.onnx", *sizes))
    assert told["code"] == 0, told["said"]
    assert told["peak_anonymous_mib"] < 1.5 * megabytes
