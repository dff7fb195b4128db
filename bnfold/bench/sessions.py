"""onnxruntime sessions that run where they say they run, and nothing but the model.

Source: onnxruntime's session_options_config_keys.h; `InferenceSession` falls back to the CPU
provider silently, so the provider is asked for alone and looked up afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bnfold.bench.providers import PROVIDERS, captured_stderr, refusal_to_start, require_built_in
from bnfold.errors import ModelError, ProviderUnavailableError, UsageError

LEVELS = {
    "all": "ORT_ENABLE_ALL",
    "extended": "ORT_ENABLE_EXTENDED",
    "basic": "ORT_ENABLE_BASIC",
    "none": "ORT_DISABLE_ALL",
}

_LONGEST_REASON = 300
_ONLY_FATAL = 4  # what goes wrong comes back as an exception; the log would say it twice


@dataclass(frozen=True)
class SessionSettings:
    """How a session runs: `provider` is "cpu" or "cuda", `level` a key of `LEVELS`."""

    provider: str = "cpu"
    level: str = "all"
    threads: int = 1


def require_level(level: str) -> str:
    """The level itself, if there is one of this name."""
    if level not in LEVELS:
        raise UsageError(f"unknown optimisation level {level!r}: choose from {', '.join(LEVELS)}")
    return level


def open_session(
    model: Path | bytes, settings: SessionSettings, *, profile_prefix: str | None = None
) -> Any:
    """An `onnxruntime.InferenceSession` of the model, checked to run on the provider.

    Raises:
        ProviderUnavailableError: onnxruntime put the session on another provider.
        ModelError: onnxruntime does not accept the model.
    """
    import onnxruntime

    require_built_in(settings.provider)
    provider = PROVIDERS[settings.provider]
    options = _options(settings, profile_prefix)
    name = model.name if isinstance(model, Path) else "model"
    source = str(model) if isinstance(model, Path) else model
    with captured_stderr(settings.provider != "cpu") as noise:
        try:
            session = onnxruntime.InferenceSession(
                source, options, providers=[provider], enable_fallback=False
            )
        except runtime_errors() as error:
            if settings.provider != "cpu" and "cud" in str(error).lower():  # CUDA, cuda, cudnn
                raise refusal_to_start(settings.provider, str(error)) from error
            raise ModelError(f"{name}: onnxruntime refuses it: {said(error)}") from error
    if session.get_providers()[0] != provider:
        raise refusal_to_start(settings.provider, noise.text)
    if settings.provider != "cpu" and _runs_elsewhere(session, provider):
        raise ProviderUnavailableError(
            f"{name}: onnxruntime put no node of it on {provider}; measure it with provider 'cpu'"
        )
    return session


def nodes_by_provider(session: Any) -> dict[str, int]:
    """How many nodes each provider took; empty where onnxruntime is too old to say."""
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return {}
    counts: dict[str, int] = {}
    for group in session.get_provider_graph_assignment_info():
        counts[group.ep_name] = counts.get(group.ep_name, 0) + len(group.get_nodes())
    return counts


class BoundModel:
    """A session with inputs and outputs bound on its device; calling it is one run."""

    def __init__(self, session: Any, feeds: Mapping[str, np.ndarray], *, device: str, name: str):
        import onnxruntime

        self._name = name
        self._is_remote = device != "cpu"
        self._session = session
        self._binding = session.io_binding()
        # The binding holds only the device memory: keep what the OrtValues point to alive.
        self._values = {
            feed: onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array), device)
            for feed, array in feeds.items()
        }
        for feed, value in self._values.items():
            self._binding.bind_ortvalue_input(feed, value)
        for output in session.get_outputs():
            self._binding.bind_output(output.name, device)
        self._run = session.run_with_iobinding
        self._run_on_feeds()

    def __call__(self) -> None:
        """Runs the model once and returns when its outputs are there."""
        self._run(self._binding)
        if self._is_remote:
            self._binding.synchronize_outputs()

    def outputs(self) -> dict[str, list[Any]]:
        """What the last run computed, by output name."""
        names = [output.name for output in self._session.get_outputs()]
        values = self._binding.copy_outputs_to_cpu()
        return {name: value.tolist() for name, value in zip(names, values, strict=True)}

    def _run_on_feeds(self) -> None:
        try:
            self()
        except runtime_errors() as error:
            raise ModelError(
                f"{self._name}: it does not run on these inputs: {said(error)}"
            ) from error


def bound_model(
    model: Path, settings: SessionSettings, feeds: Mapping[str, np.ndarray]
) -> BoundModel:
    """A model that is ready to be run again and again; it has run once."""
    session = open_session(model, settings)
    return BoundModel(session, feeds, device=settings.provider, name=model.name)


def runtime_errors() -> tuple[type[Exception], ...]:
    """Every class that onnxruntime raises for a model or an input that it does not accept."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    names = ("EPFail", "EngineError", "Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf")
    more = ("ModelLoaded", "NoModel", "NoSuchFile", "NotImplemented", "RuntimeException")
    own = tuple(getattr(state, name) for name in (*names, *more) if hasattr(state, name))
    return (*own, RuntimeError, ValueError)


def said(error: Exception) -> str:
    """What onnxruntime said, on one line and without its numbers in front."""
    words = " ".join(str(error).split()) or type(error).__name__
    return re.sub(r"^(\[ONNXRuntimeError\] : )?(\d+ : \w+ : )?", "", words)[:_LONGEST_REASON]


def _runs_elsewhere(session: Any, provider: str) -> bool:
    """True where every node went to another provider: then the number would bear a wrong label."""
    counts = nodes_by_provider(session)
    return bool(counts) and counts.get(provider, 0) == 0


def _options(settings: SessionSettings, profile_prefix: str | None) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings.threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    level = LEVELS[require_level(settings.level)]
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.log_severity_level = _ONLY_FATAL
    # Spinning threads of one session would take the cores from the other one's runs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    if settings.provider != "cpu":
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    if profile_prefix is not None:
        options.enable_profiling = True
        options.profile_file_prefix = profile_prefix
    return options
