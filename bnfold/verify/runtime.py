"""onnxruntime as the thing under test: one thread, no TF32, and the provider that was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bnfold.errors import ModelError, ProviderUnavailableError, UsageError
from bnfold.verify.signature import Array

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
LEVELS = {
    "none": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}

_ONLY_FATAL = 4  # what goes wrong comes back as an exception; the log would say it twice


class RunError(ModelError):
    """The model does not run on these inputs."""


@dataclass(frozen=True)
class Setting:
    """How a model is run; `level` is a key of `LEVELS`, `custom_ops` are paths of libraries."""

    provider: str = "cpu"
    level: str = "none"
    custom_ops: tuple[str, ...] = ()


class Session:
    """A model in onnxruntime, opened once and run on many feeds."""

    def __init__(
        self,
        source: str | bytes,
        setting: Setting,
        *,
        name: str,
        weights: Iterable[tuple[str, Array]] = (),
    ) -> None:
        """Opens the session; `weights` take the place of initializers of the same names."""
        self._name = name
        options = _options(setting)
        self._weights = [_put(options, weight, array) for weight, array in weights]
        self._session = _open(source, options, setting, name)
        self._outputs = [output.name for output in self._session.get_outputs()]
        self._inputs = {value.name for value in self._session.get_inputs()}

    def run(self, feeds: Mapping[str, Array], names: Sequence[str] | None = None) -> list[Array]:
        """The outputs, or those named, in order.

        Raises:
            RunError: onnxruntime refuses the inputs, or fails on them.
        """
        wanted = list(names or self._outputs)
        fed = {name: np.ascontiguousarray(array) for name, array in feeds.items()}
        try:
            return [np.asarray(array) for array in self._session.run(wanted, fed)]
        except _runtime_errors() as error:
            raise RunError(f"{self._name}: it does not run: {_first_line(error)}") from error


def require_setting(provider: str, levels: Sequence[str], custom_ops: Sequence[str]) -> None:
    """Returns where sessions can be opened so, as far as can be told without a model.

    Raises:
        UsageError: there is no provider, level or library of this name.
        ProviderUnavailableError: onnxruntime was built without the provider.
    """
    import onnxruntime

    for value, known, what in (
        (provider, PROVIDERS, "provider"),
        *((level, LEVELS, "optimisation level") for level in levels),
    ):
        if value not in known:
            raise UsageError(f"unknown {what} {value!r}: choose from {', '.join(known)}")
    if not levels:
        raise UsageError(f"no optimisation level to verify at: choose from {', '.join(LEVELS)}")
    for library in custom_ops:
        if not Path(library).is_file():
            raise UsageError(f"{library}: no such file; --custom-ops takes a shared library")
    available = onnxruntime.get_available_providers()
    if PROVIDERS[provider] not in available:
        raise ProviderUnavailableError(
            f"provider {provider!r} is not available: onnxruntime here has {', '.join(available)}; "
            "install onnxruntime-gpu in place of onnxruntime"
        )


def _put(options: Any, name: str, array: Array) -> Any:
    """The OrtValue that now stands for the initializer; it has to outlive the session."""
    import onnxruntime

    value = onnxruntime.OrtValue.ortvalue_from_numpy(array)
    options.add_initializer(name, value)
    return value, array


def _options(setting: Setting) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(
        onnxruntime.GraphOptimizationLevel, LEVELS[setting.level]
    )
    options.intra_op_num_threads = 1  # the order of a sum, and so its rounding, stays the same
    options.inter_op_num_threads = 1
    options.log_severity_level = _ONLY_FATAL
    options.enable_cpu_mem_arena = False
    if setting.level == "none":  # a copy of the weights less; other levels run as they ship
        options.add_session_config_entry("session.disable_prepacking", "1")
    for library in setting.custom_ops:
        try:
            options.register_custom_ops_library(library)
        except _runtime_errors() as error:
            raise UsageError(
                f"{library}: onnxruntime cannot load it: {_first_line(error)}"
            ) from error
    return options


def _open(source: str | bytes, options: Any, setting: Setting, name: str) -> Any:
    import onnxruntime

    provider = PROVIDERS[setting.provider]
    settings = {"use_tf32": "0"} if setting.provider == "cuda" else {}
    try:
        session = onnxruntime.InferenceSession(
            source, options, providers=[(provider, settings)], enable_fallback=False
        )
    except _runtime_errors() as error:
        raise ModelError(f"{name}: onnxruntime refuses it: {_first_line(error)}") from error
    if session.get_providers()[0] != provider:  # onnxruntime falls back to the CPU in silence
        raise ProviderUnavailableError(
            f"provider {setting.provider!r} does not start: onnxruntime fell back to "
            f"{session.get_providers()[0]}; check the driver, CUDA and cuDNN"
        )
    return session


def _runtime_errors() -> tuple[type[Exception], ...]:
    """Every class that onnxruntime raises for a model or an input that it does not accept."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    own = (getattr(state, name, None) for name in dir(state))
    errors = (kind for kind in own if isinstance(kind, type) and issubclass(kind, Exception))
    return (*errors, RuntimeError, ValueError)


def _first_line(error: Exception) -> str:
    """The first line of what onnxruntime says, without its numeric prefix."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rpartition("[ONNXRuntimeError] : ")[2]
