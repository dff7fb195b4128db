"""A session that runs where it says it runs.

Source: `InferenceSession` falls back to the CPU provider silently, so the provider is asked for
alone and looked up afterwards.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from .errors import UnavailableError, failing_as, refused, runtime_errors
from .native_log import with_native_log
from .options import session_options
from .setting import PROVIDERS, Setting, require_built_in
from .time_limit import ended_after

TELLING = ("use_tf32", "cudnn_conv_algo_search", "cudnn_conv_use_max_workspace",
           "enable_cuda_graph", "prefer_nhwc")  # fmt: skip
"""Options of CUDA on which its speed depends, as onnxruntime names them."""


def open_session(
    model: str | bytes,
    setting: Setting,
    *,
    name: str,
    weights: Mapping[str, Any] | None = None,
    apart: Collection[str] = (),
    profile_prefix: str | None = None,
    save_as: str | None = None,
) -> Any:
    """An `onnxruntime.InferenceSession` of the model, checked to run on the provider.

    Args:
        model: a path, or the bytes of a model.
        setting: how it runs.
        name: what to call the model in a sentence.
        weights: OrtValues in place of initializers by name; they have to outlive the session.
        apart: names of those that are data beside the model, which is not there.
        profile_prefix: where the profiler writes; it is on where this is given.
        save_as: a path for the graph as onnxruntime has rewritten it.

    Raises:
        UnknownSettingError: the setting has a name or a library that there is not.
        UnavailableError: onnxruntime put the session on another provider.
        EngineRefusedError: onnxruntime does not accept the model; UnsupportedError where it has
            no kernel.
    """
    import onnxruntime

    require_built_in(setting.provider)
    options = session_options(setting, profile_prefix=profile_prefix, save_as=save_as)
    for weight, value in (weights or {}).items():
        if weight not in apart:
            options.add_initializer(weight, value)
    if apart:
        names = list(apart)
        options.add_external_initializers(names, [(weights or {})[name] for name in names])
    provider, is_cpu = PROVIDERS[setting.provider], setting.provider == "cpu"
    details = {} if is_cpu else _details(setting)

    def opened() -> Any:
        return onnxruntime.InferenceSession(
            model, options, providers=[(provider, details)], enable_fallback=False
        )

    try:
        session, log = (opened(), "") if is_cpu else with_native_log(opened)
    except runtime_errors() as error:
        if not is_cpu and "cud" in str(error).lower():  # CUDA, cuda, cudnn
            raise refusal_to_start(setting.provider, str(error)) from error
        raise refused(name, error) from error
    if session.get_providers()[0] != provider:
        raise refusal_to_start(setting.provider, log)
    if not is_cpu and _runs_elsewhere(session, provider):
        raise UnavailableError(
            f"{name}: onnxruntime put no node of it on {provider}; use provider 'cpu' for it"
        )
    return session


def _details(setting: Setting) -> dict[str, str]:
    """What the provider of an accelerator is told."""
    values = {"use_tf32": "0"} if setting.for_values else {}
    return {**values, "enable_cuda_graph": "1"} if setting.cuda_graph else values


def facts_of(session: Any, provider: str) -> dict[str, Any]:
    """How an accelerator computes, and what does not run on it; both empty for the CPU.

    Keys: `options`, those of the provider that change how fast or how exact it is; `elsewhere`, the
    number of nodes of each operator that another provider has, where onnxruntime says so.
    """
    if provider == "cpu":
        return {"options": {}, "elsewhere": {}}
    ours, known = PROVIDERS[provider], session.get_provider_options()
    options = {key: value for key, value in known.get(ours, {}).items() if key in TELLING}
    elsewhere: dict[str, int] = {}
    if hasattr(session, "get_provider_graph_assignment_info"):
        for group in session.get_provider_graph_assignment_info():
            for node in group.get_nodes() if group.ep_name != ours else ():
                elsewhere[node.op_type] = elsewhere.get(node.op_type, 0) + 1
    return {"options": options, "elsewhere": elsewhere}


def run(
    session: Any,
    feeds: Mapping[str, Any],
    names: Iterable[str],
    *,
    name: str,
    seconds: float | None = None,
) -> list[Any]:
    """The outputs of these names, in order.

    Args:
        session: of `open_session`.
        feeds: inputs by name.
        names: of outputs.
        name: what to call the model in a sentence.
        seconds: that the run may take; None for as long as it takes.

    Raises:
        FailedError: onnxruntime refuses the inputs, or fails on them.
        EngineOverdueError: it takes longer.
    """
    fed = {feed: np.asarray(array, order="C") for feed, array in feeds.items()}
    with failing_as(name), ended_after(seconds, name) as options:
        return [np.asarray(array) for array in session.run(list(names), fed, options)]


def ort_value(array: Any, device: str = "cpu") -> Any:
    """The array as onnxruntime holds it; on the CPU the array has to outlive it."""
    import onnxruntime

    return onnxruntime.OrtValue.ortvalue_from_numpy(array, device)


def uncaptured() -> Any:
    """Options of a run that makes no CUDA graph, in a session that would capture one.

    Source: onnxruntime_run_options_config_keys.h.
    """
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.add_run_config_entry("gpu_graph_id", "-1")
    return options


def refusal_to_start(provider: str, log: str) -> UnavailableError:
    """The error for a provider that is built in but fell back, with onnxruntime's own reason."""
    lines = [line for line in log.splitlines() if line.strip()]
    telling = [line for line in lines if "rror" in line or "equire" in line or "ailed" in line]
    reason = (telling or lines or ["onnxruntime gave no reason"])[0].strip()
    return UnavailableError(
        f"provider {provider!r} does not start, onnxruntime would have used the CPU instead: "
        f"{reason}; check the driver with nvidia-smi, and that CUDA and cuDNN match "
        "onnxruntime-gpu (pip install 'onnxruntime-gpu[cuda,cudnn]' brings them)"
    )


def _runs_elsewhere(session: Any, provider: str) -> bool:
    """True where every node went to another provider; onnxruntime may be too old to say."""
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return False
    taken = [g for g in session.get_provider_graph_assignment_info() if g.get_nodes()]
    return bool(taken) and all(group.ep_name != provider for group in taken)
