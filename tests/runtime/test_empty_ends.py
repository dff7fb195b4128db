"""A list of inputs or outputs that ends in empty names means what a shorter one does."""

from __future__ import annotations

import faulthandler
import os
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from click.testing import CliRunner

import bnfold
from bnfold.cli.group import main
from bnfold.runtime.engine import Setting
from bnfold.runtime.sessions import Session
from tests.fold.property.text_models import model, norm, weight

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forks")

CPU = ["CPUExecutionProvider"]
SHAPE = (2, 4, 5, 5)
KINDS = {
    "an input of LayerNormalization": (17, "LayerNormalization", "input", 1),
    "outputs of BatchNormalization": (9, "BatchNormalization", "output", 4),
}
KIND = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def ending(opset: int, op: str, side: str, count: int, place: str = "graph") -> onnx.ModelProto:
    """A convolution with a batch norm, and a norm whose list is so much longer."""
    text = "(float[2,4,5,5] x) => (float[] y) { a = Conv(x, w) b = BN(a, n) r = Tanh(b) "
    is_layer = op == "LayerNormalization"
    text += "y = LayerNormalization<axis = -1>(r, g) }" if is_layer else "y = BN(r, k) }"
    others = {"g": weight(5)} if is_layer else norm("k", 4)
    proto = model(text, {"w": weight(4, 4, 1, 1), **norm("n", 4), **others})
    proto.opset_import[0].version = opset
    last = proto.graph.node[-1]
    assert last.op_type == op
    getattr(last, side).extend([""] * count)
    if place == "function":
        opsets = [onnx.helper.make_opsetid("", opset)]
        local = onnx.helper.make_function("local", "Norm", last.input, ["y"], [last], opsets)
        inputs = [name for name in last.input if name]
        del local.input[len(inputs) :]
        proto.functions.append(local)
        proto.opset_import.add(domain="local", version=1)
        last.CopyFrom(onnx.helper.make_node("Norm", inputs, ["y"], domain="local"))
    return proto


def signal_of(proto: onnx.ModelProto) -> int:
    """The signal that ends a child which runs the model as it stands; 0 where none does."""
    child = os.fork()
    if child == 0:
        faulthandler.disable()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        found = onnxruntime.InferenceSession(proto.SerializeToString(), providers=CPU)
        found.run(None, {"x": np.ones(SHAPE, np.float32)})
        os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # a fork beside threads
@KIND
@pytest.mark.parametrize("place", ["graph", "function"])
def test_it_runs_with_the_shorter_list(
    kind: tuple[int, str, str, int], place: str, tmp_path: Path
) -> None:
    proto = ending(*kind, place)
    assert signal_of(proto), "onnxruntime has mended it: the row may go"
    path = str(tmp_path / "m.onnx")
    onnx.save(proto, path, save_as_external_data=True, size_threshold=0)
    x = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    shorter = ending(*kind[:3], 0).SerializeToString()
    (exact,) = onnxruntime.InferenceSession(shorter, providers=CPU).run(None, {"x": x})
    for source in (ending(*kind, place).SerializeToString(), path):
        for level in ("none", "all"):
            (found,) = Session(source, Setting(level=level), name="m").run({"x": x})
            np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-5)


@KIND
def test_a_fold_is_checked_and_keeps_the_list_of_what_it_leaves(
    kind: tuple[int, str, str, int], tmp_path: Path
) -> None:
    path, target = tmp_path / "m.onnx", tmp_path / "f.onnx"
    onnx.save(ending(*kind), path)
    folded = bnfold.fold(path)
    assert folded.ledger.opinion is not None
    assert folded.ledger.opinion.sizes == 2
    assert bnfold.verify(path, folded.to_proto()).is_equivalent
    done = CliRunner().invoke(main, ["fold", str(path), "-o", str(target)])
    assert done.exit_code == 0, done.output
    if kind[1] == "LayerNormalization":
        assert list(onnx.load(target).graph.node[-1].input)[1:] == ["g", ""]
