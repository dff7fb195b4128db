"""What would end the process in onnxruntime is not run, and said."""

from __future__ import annotations

import faulthandler
import os
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import bnfold
from bnfold.runtime.engine import Setting
from bnfold.runtime.sessions import RefusedError, RunError, Session
from tests.fold.property.text_models import model, norm, weight
from tests.runtime_oracle import in_onnxruntime

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forks")

_GRU = "h = GRU<hidden_size = 2>(a, w, r) y = Identity(h)"
_LSTM = "h = LSTM<hidden_size = 2>(a, w, r) y = Identity(h)"
_BODIES = [
    (_GRU, (0, 2, 3), 6),
    (_GRU, (2, 0, 3), 6),
    (_GRU, (2, 2, 0), 6),
    (_LSTM, (2, 0, 3), 8),
    ('y = Einsum<equation = "ab,cb->ca">(a, a)', (3, 0), 0),
    ("y = Unique<axis = 1>(a)", (2, 4, 0), 0),
]


def _model(
    body: str, shape: tuple[int, ...], rows: int, declared: str | None = None
) -> onnx.ModelProto:
    sizes = declared or ", ".join(map(str, shape))
    text = f"(float[{sizes}] x) => (float[] y) {{ a = Tanh(x) {body} }}"
    constants = {"w": weight(1, rows, shape[2]), "r": weight(1, rows, 2)} if rows else {}
    return model(text, constants)


def _signal(proto: onnx.ModelProto, shape: tuple[int, ...]) -> int:
    """The signal that ends a child which runs the model; 0 where none does."""
    child = os.fork()
    if child == 0:
        faulthandler.disable()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        in_onnxruntime(proto, {"x": np.zeros(shape, np.float32)})
        os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # a fork beside threads
@pytest.mark.parametrize(("body", "shape", "rows"), _BODIES)
def test_what_ends_the_process_is_refused(body: str, shape: tuple[int, ...], rows: int) -> None:
    proto = _model(body, shape, rows)
    assert _signal(proto, shape), "onnxruntime has mended it: the row may go"
    with pytest.raises(RefusedError, match=r"ends the process on \w+ '\w+' of \["):
        Session(proto.SerializeToString(), Setting(level="none"), name="m")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("body", "shape", "rows"),
    [(_LSTM, (0, 2, 3), 8), (_LSTM, (2, 2, 0), 8), (_GRU, (2, 2, 3), 6)],
)
def test_what_does_not_is_run(body: str, shape: tuple[int, ...], rows: int) -> None:
    proto = _model(body, shape, rows)
    assert not _signal(proto, shape)
    session = Session(proto.SerializeToString(), Setting(level="none"), name="m")
    session.run({"x": np.zeros(shape, np.float32)})


def test_the_sizes_of_a_run_decide(tmp_path: Path) -> None:
    proto = _model(_GRU, (2, 2, 3), 6, declared="T, N, 3")
    path = str(tmp_path / "m.onnx")
    onnx.save(proto, path)
    for source in (path, proto.SerializeToString()):
        session = Session(source, Setting(level="none"), name="m")
        session.run({"x": np.zeros((4, 1, 3), np.float32)})
        with pytest.raises(RunError, match=r"GRU 'h' of \[0, 1, 3\]"):
            session.run({"x": np.zeros((0, 1, 3), np.float32)})


@pytest.mark.parametrize("place", ["node", "function"])
def test_a_file_with_large_weights_is_searched_beside_them(tmp_path: Path, place: str) -> None:
    proto = _model(_GRU, (0, 2, 3), 6)
    for name in ("first", "second"):
        zeros = np.zeros((5, 1 << 20), np.float32)  # 20 MiB
        proto.graph.initializer.append(onnx.numpy_helper.from_array(zeros, name))
    if place == "function":
        gru = next(node for node in proto.graph.node if node.op_type == "GRU")
        opset = proto.opset_import[0].version
        local = onnx.helper.make_function(
            "local", "Cell", ["a", "w", "r"], ["h"], [gru], [onnx.helper.make_opsetid("", opset)]
        )
        proto.functions.append(local)
        gru.CopyFrom(onnx.helper.make_node("Cell", gru.input, gru.output, domain="local"))
        proto.opset_import.add(domain="local", version=1)
    path = str(tmp_path / "m.onnx")
    onnx.save(proto, path)
    with pytest.raises(RefusedError, match=r"ends the process on GRU '\w+' of \["):
        Session(path, Setting(level="none"), name="m")


def test_a_fold_says_that_nobody_was_asked() -> None:
    text = """(float[1, 0, 5] x) => (float[] y) { a = Conv(x, w) b = BN(a, p)
        c = Transpose<perm = [2, 0, 1]>(b) y = GRU<hidden_size = 2>(c, v, r) }"""
    constants = {"w": weight(0, 0, 1), "v": weight(1, 6, 0), "r": weight(1, 6, 2), **norm("p", 0)}
    result = bnfold.fold(model(text, constants))
    assert result.ledger.batch_norms_after == 0
    said = result.ledger.opinion.left_out
    assert said is not None and "ends the process on GRU 'y' of [5, 1, 0]" in said


def _pool(pool: str, channels: int = 16) -> onnx.ModelProto:
    text = f"(float[N, {channels}, H, 7] x) => (float[] y) {{ a = Tanh(x) y = {pool}(a) }}"
    return model(text, {})


def _signal_where_optimised(proto: onnx.ModelProto, shape: tuple[int, ...]) -> int:
    child = os.fork()
    if child == 0:
        faulthandler.disable()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        found = onnxruntime.InferenceSession(
            proto.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        found.run(None, {"x": np.zeros(shape, np.float32)})
        os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


_WINDOW = "kernel_shape = [2, 3]"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # a fork beside threads
@pytest.mark.parametrize(
    "pool",
    [
        f"AveragePool<{_WINDOW}>",
        f"AveragePool<{_WINDOW}, ceil_mode = 1>",
        f"AveragePool<{_WINDOW}, count_include_pad = 1>",
        f"MaxPool<{_WINDOW}>",
        "MaxPool<kernel_shape = [4, 3], strides = [2, 1], pads = [1, 0, 0, 0]>",
    ],
)
@pytest.mark.parametrize("level", ["none", "all"])
def test_a_pool_of_which_no_row_is_left_is_refused_where_channels_lie_in_blocks(
    pool: str, level: str
) -> None:
    proto = _pool(pool)
    shape = (1, 16, 1, 7)
    if level == "all":
        assert _signal_where_optimised(proto, shape), "onnxruntime has mended it: it may go"
        with pytest.raises(RunError, match=r"ends the process on \w+Pool 'y' of \[1, 16, 1, 7\]"):
            Session(proto.SerializeToString(), Setting(level=level), name="m").run(
                {"x": np.zeros(shape, np.float32)}
            )
        return
    session = Session(proto.SerializeToString(), Setting(level=level), name="m")
    (found,) = session.run({"x": np.zeros(shape, np.float32)})
    assert found.shape[2] == 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("pool", "channels", "rows"),
    [
        (f"MaxPool<{_WINDOW}>", 12, 1),
        (f"MaxPool<{_WINDOW}>", 16, 2),
        (f"AveragePool<{_WINDOW}, count_include_pad = 1, ceil_mode = 1>", 16, 1),
        (f"AveragePool<{_WINDOW}, strides = [2, 2]>", 16, 1),
        (f"MaxPool<{_WINDOW}, pads = [1, 0, 0, 0]>", 16, 1),
        ("MaxPool<kernel_shape = [1, 8]>", 16, 3),
    ],
)
def test_other_pools_are_run(pool: str, channels: int, rows: int) -> None:
    proto, shape = _pool(pool, channels), (1, channels, rows, 7)
    assert not _signal_where_optimised(proto, shape)
    session = Session(proto.SerializeToString(), Setting(level="all"), name="m")
    session.run({"x": np.zeros(shape, np.float32)})
