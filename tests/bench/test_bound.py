"""Sessions are set up as the protocol needs them, and failures name the model."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest

from bnfold.bench.bound import BoundModel, bind_alike
from bnfold.errors import ModelError, UsageError
from bnfold.runtime.engine import Setting, open_session, said
from bnfold.runtime.sessions import engine_errors


def open_model(path, setting):
    with engine_errors():
        return open_session(str(path), setting, name=path.name)


def bound_model(path, setting, feeds):
    with engine_errors():
        session = open_model(path, setting)
        return BoundModel(session, feeds, device=setting.provider, name=path.name)


SMALL = "g (float[1] x) => (float[1] y) { y = Relu(x) }"


def test_threads_are_as_asked_and_never_spin(model_file):
    """A spinning thread pool of one session takes the cores from the other one's runs."""
    options = open_model(model_file(SMALL), Setting(threads=2)).get_session_options()
    assert options.intra_op_num_threads == 2
    assert options.inter_op_num_threads == 1
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert options.get_session_config_entry("session.inter_op.allow_spinning") == "0"


def test_a_session_is_set_up_as_it_is_deployed(model_file):
    """More threads for operators side by side mean that they do run so."""
    options = open_model(
        model_file(SMALL),
        Setting(
            inter_threads=3,
            session_options=(("session.intra_op.allow_spinning", "1"), ("enable_mem_pattern", "0")),
        ),
    ).get_session_options()
    assert options.inter_op_num_threads == 3
    assert options.execution_mode == onnxruntime.ExecutionMode.ORT_PARALLEL
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "1"
    assert not options.enable_mem_pattern
    assert onnxruntime.SessionOptions().enable_mem_pattern


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("enable_speed", "1"), "enable_speed=1: onnxruntime has no such session option"),
        (("enable_mem_pattern", "on"), "enable_mem_pattern=on: this option is a switch: 0 or 1"),
    ],
)
def test_a_session_option_that_there_is_not_is_refused(model_file, option, words):
    with pytest.raises(UsageError, match=words):
        open_model(model_file(SMALL), Setting(session_options=(option,)))


def test_a_bound_model_computes_from_the_arrays_it_was_given(model_file):
    run = bound_model(model_file(SMALL), Setting(), {"x": np.array([3.5], np.float32)})
    run()
    assert run.outputs() == {"y": [3.5]}


def test_outputs_of_another_batch_than_the_file_declares_are_bound_anew_in_all_models(model_file):
    """onnxruntime makes such an output, and refuses to write into the one of the run before."""
    feeds = {"x": np.array([[1.0], [2.0]], np.float32)}
    files = [model_file(f"g (float[N,1] x) => (float[{n},1] y) {{ y = Neg(x) }}", f"{n}.onnx")
             for n in (1, "N")]  # fmt: skip
    models = [bound_model(file, Setting(), feeds) for file in files]
    assert [model.is_bound_anew for model in models] == [True, False]
    bind_alike(models)
    for model in models:
        assert model.is_bound_anew
        model()
        assert model.outputs() == {"y": [[-1.0], [-2.0]]}


def test_a_level_that_does_not_exist_is_a_usage_error(model_file):
    with pytest.raises(UsageError, match="'most': choose from all, extended, basic, none"):
        open_model(model_file(SMALL), Setting(level="most"))


def test_a_model_that_onnxruntime_refuses_is_named(model_file, capfd):
    path = model_file("g (float[1] x) => (float[1] y) { y = Nonsense(x) }", "odd.onnx")
    with pytest.raises(ModelError, match=r"odd\.onnx: onnxruntime refuses it: .*Nonsense"):
        open_model(path, Setting())
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Got\n  this", "Got this"),
        ("Required inputs (['x']) are missing", "Required inputs (['x']) are missing"),
        ("", "RuntimeError"),
        ("a" * 999, "a" * 300),
    ],
)
def test_what_onnxruntime_said_is_one_line(text, words):
    assert said(RuntimeError(text)) == words


def test_on_a_device_inputs_and_outputs_are_bound_there_and_waited_for(monkeypatch):
    """Stands in for CUDA: what is asked of onnxruntime, in which order."""
    asked: list[tuple[str, ...]] = []
    binding = SimpleNamespace(
        bind_ortvalue_input=lambda name, value: asked.append(("input", name, value)),
        bind_output=lambda name, device: asked.append(("output", name, device)),
        synchronize_outputs=lambda: asked.append(("wait",)),
    )
    session = SimpleNamespace(
        io_binding=lambda: binding,
        get_outputs=lambda: [SimpleNamespace(name="y")],
        run_with_iobinding=lambda _: asked.append(("run",)),
    )
    monkeypatch.setattr(
        onnxruntime.OrtValue, "ortvalue_from_numpy", lambda _, device: f"lies on {device}"
    )
    run = BoundModel(session, {"x": np.ones(1, np.float32)}, device="cuda", name="m")
    run()
    once = [("run",), ("wait",)]
    assert asked == [("input", "x", "lies on cuda"), ("output", "y", "cuda"), *once, *once, *once]


def test_a_cuda_graph_is_captured_behind_a_run_whose_outputs_stay_where_they_are(monkeypatch):
    """Stands in for CUDA: the first run is not captured, and tells where the outputs lie."""
    asked: list[tuple[object, ...]] = []
    binding = SimpleNamespace(
        bind_ortvalue_input=lambda name, value: asked.append(("input", name)),
        bind_output=lambda name, device: asked.append(("output", name, device)),
        bind_ortvalue_output=lambda name, value: asked.append(("output", name, value)),
        clear_binding_outputs=lambda: asked.append(("clear",)),
        get_outputs=lambda: ["where y lies"],
        synchronize_outputs=lambda: asked.append(("wait",)),
    )

    def run_with_iobinding(_, options=None):
        graph = None if options is None else options.get_run_config_entry("gpu_graph_id")
        asked.append(("run", graph))

    session = SimpleNamespace(
        io_binding=lambda: binding,
        get_outputs=lambda: [SimpleNamespace(name="y")],
        run_with_iobinding=run_with_iobinding,
    )
    monkeypatch.setattr(onnxruntime.OrtValue, "ortvalue_from_numpy", lambda *_: "on the device")
    feeds = {"x": np.ones(1, np.float32)}
    BoundModel(session, feeds, device="cuda", name="m", is_graph=True)
    once = [("run", None), ("wait",)]
    assert asked == [
        ("input", "x"), ("output", "y", "cuda"), ("run", "-1"), ("clear",),
        ("output", "y", "where y lies"), *once, *once,
    ]  # fmt: skip
