"""A number never bears the label of a provider that did not run."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import onnxruntime
import pytest

from bnfold.errors import ProviderUnavailableError, UsageError
from bnfold.runtime.engine import Setting, facts_of, open_session, refusal_to_start, with_native_log
from bnfold.runtime.sessions import engine_errors, require_setting

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
SMALL = "g (float[1] x) => (float[1] y) { y = Relu(x) }"


def open_model(path, setting):
    with engine_errors():
        return open_session(str(path), setting, name=path.name)


has_cuda = CUDA in onnxruntime.get_available_providers()


@pytest.mark.skipif(has_cuda, reason="this onnxruntime has CUDA built in")
def test_cuda_is_refused_with_what_there_is_and_how_to_get_it():
    with pytest.raises(ProviderUnavailableError, match=r"CPU only.*onnxruntime-gpu") as refusal:
        require_setting(["cuda"], ["all"])
    assert refusal.value.exit_code == 4


def test_an_unknown_provider_is_a_usage_error_that_lists_the_known_ones():
    with pytest.raises(UsageError, match="unknown provider 'tpu': choose from cpu, cuda"):
        require_setting(["tpu"], ["all"])


def test_cpu_is_always_there():
    require_setting(["cpu"], ["all"])


@pytest.mark.skipif(has_cuda, reason="here CUDA may really start")
@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_session_that_fell_back_to_the_cpu_is_refused(monkeypatch, model_file):
    """onnxruntime gives a session on the CPU, without an exception, where CUDA is missing."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA])
    with pytest.raises(ProviderUnavailableError, match="would have used the CPU instead"):
        open_model(model_file(SMALL), Setting(provider="cuda"))


@pytest.mark.parametrize(
    ("taken", "is_refused"),
    [({CPU: 3}, True), ({CUDA: 2, CPU: 1}, False), ({}, False)],
)
def test_a_session_without_a_node_on_cuda_is_refused(monkeypatch, model_file, taken, is_refused):
    groups = [
        SimpleNamespace(ep_name=name, get_nodes=lambda n=n: [None] * n) for name, n in taken.items()
    ]
    session = SimpleNamespace(
        get_providers=lambda: [CUDA], get_provider_graph_assignment_info=lambda: groups
    )
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA])
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *_, **__: session)
    path = model_file(SMALL)
    if is_refused:
        with pytest.raises(ProviderUnavailableError, match="put no node of it on CUDA"):
            open_model(path, Setting(provider="cuda"))
    else:
        assert open_model(path, Setting(provider="cuda")) is session


def test_what_cuda_computes_with_and_what_runs_elsewhere_is_told():
    """TF32 and the search for algorithms change the figures; a node on the CPU spoils them."""
    nodes = [SimpleNamespace(op_type=op) for op in ("TopK", "TopK", "Unique")]
    groups = [
        SimpleNamespace(ep_name=CUDA, get_nodes=lambda: [SimpleNamespace(op_type="Conv")]),
        SimpleNamespace(ep_name=CPU, get_nodes=lambda: nodes),
    ]
    known = {"use_tf32": "1", "cudnn_conv_algo_search": "EXHAUSTIVE", "device_id": "0"}
    session = SimpleNamespace(
        get_provider_options=lambda: {CUDA: known, CPU: {}},
        get_provider_graph_assignment_info=lambda: groups,
    )
    found = facts_of(session, "cuda")
    assert found["options"] == {"use_tf32": "1", "cudnn_conv_algo_search": "EXHAUSTIVE"}
    assert found["elsewhere"] == {"TopK": 2, "Unique": 1}
    assert facts_of(session, "cpu") == {"options": {}, "elsewhere": {}}


@pytest.mark.parametrize(
    ("setting", "details"),
    [
        (Setting("cuda"), {}),
        (Setting("cuda", cuda_graph=True), {"enable_cuda_graph": "1"}),
        (Setting("cuda", for_values=True), {"use_tf32": "0"}),
    ],
)
def test_cuda_is_told_how_to_run(monkeypatch, model_file, setting, details):
    asked = []
    session = SimpleNamespace(get_providers=lambda: [CUDA])
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA])
    monkeypatch.setattr(
        onnxruntime, "InferenceSession",
        lambda *_, providers, **__: asked.append(providers) or session,
    )  # fmt: skip
    assert open_model(model_file(SMALL), setting) is session
    assert asked == [[(CUDA, details)]]


def test_the_refusal_carries_the_line_of_the_log_that_tells_why():
    noise = "some banner\n[E:onnxruntime] Failed to load libcudnn.so.9: no such file\nmore\n"
    error = refusal_to_start("cuda", noise)
    assert "libcudnn.so.9" in str(error)
    assert "banner" not in str(error)
    assert "gave no reason" in str(refusal_to_start("cuda", ""))


def test_what_native_code_writes_is_caught_and_the_descriptor_is_given_back(capfd):
    def work() -> int:
        os.write(2, b"from native code\n")
        print("from onnxruntime's python")  # noqa: T201
        return 7

    assert with_native_log(work) == (7, "from native code\nfrom onnxruntime's python\n")
    print("afterwards", file=sys.stderr, flush=True)  # noqa: T201
    assert capfd.readouterr() == ("", "afterwards\n")
