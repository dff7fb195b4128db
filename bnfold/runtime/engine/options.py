"""A setting in the words of onnxruntime.

Source: onnxruntime's session_options_config_keys.h.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .errors import UnknownSettingError, runtime_errors, said
from .setting import LEVELS, Setting, require_level

_SWITCH = {"0": False, "false": False, "1": True, "true": True}
ONLY_FATAL = 4  # what goes wrong comes back as an exception; the log would say it twice


def session_options(
    setting: Setting, *, profile_prefix: str | None = None, save_as: str | None = None
) -> Any:
    """`onnxruntime.SessionOptions` for the setting.

    Raises:
        UnknownSettingError: the setting has a level or a library that there is not.
    """
    import onnxruntime

    require_level(setting.level)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(
        onnxruntime.GraphOptimizationLevel, LEVELS[setting.level]
    )
    options.intra_op_num_threads = setting.threads
    options.inter_op_num_threads = setting.inter_threads
    options.execution_mode = (
        onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        if setting.inter_threads == 1
        else onnxruntime.ExecutionMode.ORT_PARALLEL
    )
    if setting.in_order:
        options.execution_order = onnxruntime.ExecutionOrder.PRIORITY_BASED
    options.log_severity_level = ONLY_FATAL
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
    if save_as is not None:
        options.optimized_model_filepath = save_as
    for library in setting.custom_ops:
        _register(options, library)
    for key, value in setting.session_options:
        _set(options, key, value)
    return options


def _set(options: Any, key: str, value: str) -> None:
    """Sets an entry of the configuration, whose names have dots, or a switch."""
    if "." in key:
        options.add_session_config_entry(key, value)
        return
    if not isinstance(getattr(options, key, None), bool):
        raise UnknownSettingError(
            f"{key}={value}: onnxruntime has no such session option; name an entry of its session "
            "configuration, which has dots, or a switch such as enable_cpu_mem_arena"
        )
    if value.lower() not in _SWITCH:
        raise UnknownSettingError(f"{key}={value}: this option is a switch: 0 or 1")
    setattr(options, key, _SWITCH[value.lower()])


def _register(options: Any, library: str) -> None:
    try:
        # By its full path: a bare name is one for the system's folders of libraries.
        options.register_custom_ops_library(str(Path(library).absolute()))
    except runtime_errors() as error:
        raise UnknownSettingError(
            f"{library}: onnxruntime cannot load it: {said(error)}"
        ) from error
