"""onnxruntime, opened in one place: settings in, a session that runs where it says it runs out.

This file imports nothing but NumPy, onnxruntime and the standard library, so that another Python
can be handed it as it is. Its errors are its own; `bnfold.runtime.sessions` makes bnfold's of them.

Source: onnxruntime's session_options_config_keys.h; `InferenceSession` falls back to the CPU
provider silently, so the provider is asked for alone and looked up afterwards.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib import metadata
from io import StringIO
from typing import Any

import numpy as np

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
LEVELS = {
    "all": "ORT_ENABLE_ALL",
    "extended": "ORT_ENABLE_EXTENDED",
    "basic": "ORT_ENABLE_BASIC",
    "none": "ORT_DISABLE_ALL",
}

_LONGEST_REASON = 300
_ONLY_FATAL = 4  # what goes wrong comes back as an exception; the log would say it twice
_INSTALL = "pip uninstall onnxruntime, then pip install onnxruntime-gpu"


class EngineError(Exception):
    """onnxruntime does not do what it was asked for; the message is a sentence for a user."""


class UnknownSettingError(EngineError):
    """There is no such provider or level, or no such library of operators."""


class UnavailableError(EngineError):
    """The provider is not built in, does not start, or takes nothing of the model."""


class RefusedError(EngineError):
    """onnxruntime does not accept the model."""


class UnsupportedError(RefusedError):
    """onnxruntime has no kernel for one of its operators, in the types that it has there."""


class FailedError(EngineError):
    """The model does not run on these inputs."""


@dataclass(frozen=True)
class Setting:
    """How a session runs.

    Attributes:
        provider: a key of `PROVIDERS`.
        level: of optimisation, a key of `LEVELS`.
        threads: inside one operator; with 1, the order of a sum and so its rounding stays the same.
        custom_ops: paths of libraries with operators.
        for_values: the outputs count and not the time: no TF32, and as little memory as can be.
    """

    provider: str = "cpu"
    level: str = "all"
    threads: int = 1
    custom_ops: tuple[str, ...] = ()
    for_values: bool = False


def version() -> str:
    """The version of the installed onnxruntime, which is imported to find out."""
    import onnxruntime

    return str(onnxruntime.__version__)


def require_built_in(provider: str) -> None:
    """Returns where the installed onnxruntime was built with the provider.

    Raises:
        UnknownSettingError: there is no provider of this name.
        UnavailableError: it was not.
    """
    if provider not in PROVIDERS:
        known = ", ".join(PROVIDERS)
        raise UnknownSettingError(f"unknown provider {provider!r}: choose from {known}")
    import onnxruntime

    available = onnxruntime.get_available_providers()
    if PROVIDERS[provider] in available:
        return
    found = " and ".join(sorted(p.removesuffix("ExecutionProvider") for p in available))
    raise UnavailableError(
        f"provider {provider!r} is not available: this onnxruntime ({version()}) has "
        f"{found} only; {_advice()}"
    )


def require_level(level: str) -> None:
    """Returns where there is a level of this name.

    Raises:
        UnknownSettingError: there is none.
    """
    if level not in LEVELS:
        known = ", ".join(LEVELS)
        raise UnknownSettingError(f"unknown optimisation level {level!r}: choose from {known}")


def open_session(
    model: str | bytes,
    setting: Setting,
    *,
    name: str,
    weights: Mapping[str, Any] | None = None,
    profile_prefix: str | None = None,
) -> Any:
    """An `onnxruntime.InferenceSession` of the model, checked to run on the provider.

    Args:
        model: a path, or the bytes of a model.
        setting: how it runs.
        name: what to call the model in a sentence.
        weights: OrtValues in place of initializers by name; they have to outlive the session.
        profile_prefix: where the profiler writes; it is on where this is given.

    Raises:
        UnknownSettingError: the setting has a name or a library that there is not.
        UnavailableError: onnxruntime put the session on another provider.
        RefusedError: onnxruntime does not accept the model; UnsupportedError: for want of a kernel.
    """
    import onnxruntime

    require_built_in(setting.provider)
    options = _options(setting, profile_prefix)
    for weight, value in (weights or {}).items():
        options.add_initializer(weight, value)
    provider, is_cpu = PROVIDERS[setting.provider], setting.provider == "cpu"
    details = {"use_tf32": "0"} if setting.for_values and not is_cpu else {}
    with captured_stderr(not is_cpu) as noise:
        try:
            session = onnxruntime.InferenceSession(
                model, options, providers=[(provider, details)], enable_fallback=False
            )
        except runtime_errors() as error:
            if not is_cpu and "cud" in str(error).lower():  # CUDA, cuda, cudnn
                raise refusal_to_start(setting.provider, str(error)) from error
            kind = UnsupportedError if _is_want_of_a_kernel(error) else RefusedError
            raise kind(f"{name}: onnxruntime refuses it: {said(error)}") from error
    if session.get_providers()[0] != provider:
        raise refusal_to_start(setting.provider, noise.text)
    if not is_cpu and _runs_elsewhere(session, provider):
        raise UnavailableError(
            f"{name}: onnxruntime put no node of it on {provider}; use provider 'cpu' for it"
        )
    return session


def run(session: Any, feeds: Mapping[str, Any], names: Iterable[str], *, name: str) -> list[Any]:
    """The outputs of these names, in order.

    Raises:
        FailedError: onnxruntime refuses the inputs, or fails on them.
    """
    fed = {feed: np.asarray(array, order="C") for feed, array in feeds.items()}
    with failing_as(name):
        return [np.asarray(array) for array in session.run(list(names), fed)]


@contextmanager
def failing_as(name: str) -> Iterator[None]:
    """What onnxruntime raises inside, while it runs the model of this name, is a `FailedError`."""
    try:
        yield
    except runtime_errors() as error:
        raise FailedError(f"{name}: it does not run on these inputs: {said(error)}") from error


def ort_value(array: Any, device: str = "cpu") -> Any:
    """The array as onnxruntime holds it; on the CPU the array has to outlive it."""
    import onnxruntime

    return onnxruntime.OrtValue.ortvalue_from_numpy(array, device)


def runtime_errors() -> tuple[type[Exception], ...]:
    """Every class that onnxruntime raises for a model or an input that it does not accept."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    own = (getattr(state, name) for name in dir(state))
    errors = (kind for kind in own if isinstance(kind, type) and issubclass(kind, Exception))
    return (*errors, RuntimeError, ValueError)


def _is_want_of_a_kernel(error: Exception) -> bool:
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return isinstance(error, state.NotImplemented)


def said(error: Exception) -> str:
    """What onnxruntime said, on one line and without its numbers in front."""
    words = " ".join(str(error).split()) or type(error).__name__
    return re.sub(r"^(\[ONNXRuntimeError\] : )?(\d+ : \w+ : )?", "", words)[:_LONGEST_REASON]


def refusal_to_start(provider: str, noise: str) -> UnavailableError:
    """The error for a provider that is built in but fell back, with onnxruntime's own reason."""
    lines = [line for line in noise.splitlines() if line.strip()]
    telling = [line for line in lines if "rror" in line or "equire" in line or "ailed" in line]
    reason = (telling or lines or ["onnxruntime gave no reason"])[0].strip()
    return UnavailableError(
        f"provider {provider!r} does not start, onnxruntime would have used the CPU instead: "
        f"{reason}; check the driver with nvidia-smi, and that CUDA and cuDNN match "
        "onnxruntime-gpu (pip install 'onnxruntime-gpu[cuda,cudnn]' brings them)"
    )


@dataclass
class Noise:
    """What was written while stderr was captured; filled in when the capture ends."""

    text: str = ""


@contextmanager
def captured_stderr(is_wanted: bool) -> Iterator[Noise]:
    """Collects what native code writes to file descriptor 2, and what Python prints.

    onnxruntime tells why a provider fell back in its native log and nowhere else.
    """
    noise = Noise()
    if not is_wanted:
        yield noise
        return
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file, redirect_stdout(StringIO()) as printed:
        os.dup2(file.fileno(), 2)
        try:
            _preload_libraries()
            yield noise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            noise.text = file.read().decode(errors="replace") + printed.getvalue()


def _preload_libraries() -> None:
    """Lets onnxruntime find CUDA and cuDNN where pip has put them."""
    import onnxruntime

    if hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()


def _advice() -> str:
    try:
        metadata.version("onnxruntime-gpu")
    except metadata.PackageNotFoundError:
        return f"for CUDA: {_INSTALL} (needs an NVIDIA GPU)"
    return (
        "onnxruntime-gpu is installed, but another onnxruntime package hides it: "
        "uninstall both, then pip install onnxruntime-gpu"
    )


def _runs_elsewhere(session: Any, provider: str) -> bool:
    """True where every node went to another provider; onnxruntime may be too old to say."""
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return False
    taken = [g for g in session.get_provider_graph_assignment_info() if g.get_nodes()]
    return bool(taken) and all(group.ep_name != provider for group in taken)


def _options(setting: Setting, profile_prefix: str | None) -> Any:
    import onnxruntime

    require_level(setting.level)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(
        onnxruntime.GraphOptimizationLevel, LEVELS[setting.level]
    )
    options.intra_op_num_threads = setting.threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _ONLY_FATAL
    # Spinning threads of one session would take the cores from the other one's runs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    if setting.for_values:
        options.enable_cpu_mem_arena = False
    if setting.for_values and setting.level == "none":  # other levels run as they ship
        options.add_session_config_entry("session.disable_prepacking", "1")
    if setting.provider != "cpu":
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    if profile_prefix is not None:
        options.enable_profiling = True
        options.profile_file_prefix = profile_prefix
    for library in setting.custom_ops:
        try:
            options.register_custom_ops_library(library)
        except runtime_errors() as error:
            raise UnknownSettingError(
                f"{library}: onnxruntime cannot load it: {said(error)}"
            ) from error
    return options
