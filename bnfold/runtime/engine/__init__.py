"""onnxruntime, opened in one place: settings in, a session that runs where it says it runs out.

This folder imports nothing but NumPy, onnxruntime, the standard library and itself, by relative
names: another Python can be handed it as it is. Its errors are its own; `bnfold.runtime.sessions`
makes bnfold's of them.
"""

from .errors import (
    EngineError,
    EngineOverdueError,
    EngineRefusedError,
    FailedError,
    UnavailableError,
    UnknownSettingError,
    UnsupportedError,
    failing_as,
    runtime_errors,
    said,
)
from .native_log import with_native_log
from .quantiser import quantise_static
from .session import facts_of, open_session, ort_value, refusal_to_start, run, uncaptured
from .setting import LEVELS, PROVIDERS, Setting, require_built_in, require_level, version

__all__ = [
    "LEVELS",
    "PROVIDERS",
    "EngineError",
    "EngineOverdueError",
    "EngineRefusedError",
    "FailedError",
    "Setting",
    "UnavailableError",
    "UnknownSettingError",
    "UnsupportedError",
    "facts_of",
    "failing_as",
    "open_session",
    "ort_value",
    "quantise_static",
    "refusal_to_start",
    "require_built_in",
    "require_level",
    "run",
    "runtime_errors",
    "said",
    "uncaptured",
    "version",
    "with_native_log",
]
