"""How a session runs, and whether the installed onnxruntime can run it so."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata

from .errors import UnavailableError, UnknownSettingError

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
LEVELS = {
    "all": "ORT_ENABLE_ALL",
    "extended": "ORT_ENABLE_EXTENDED",
    "basic": "ORT_ENABLE_BASIC",
    "none": "ORT_DISABLE_ALL",
}

_INSTALL = "pip uninstall onnxruntime, then pip install onnxruntime-gpu"


@dataclass(frozen=True)
class Setting:
    """How a session runs.

    Attributes:
        provider: a key of `PROVIDERS`.
        level: of optimisation, a key of `LEVELS`.
        threads: inside one operator; with 1, the order of a sum and so its rounding stays the same.
        custom_ops: paths of libraries with operators.
        for_values: the outputs count and not the time: no TF32, and as little memory as can be.
        inter_threads: operators side by side; with 1, one after the other.
        session_options: further entries of the session's configuration, or attributes of
            `SessionOptions` that are on or off, such as `enable_cpu_mem_arena`.
        cuda_graph: the first run is captured, and launched again as a whole: CUDA alone.
        in_order: nodes run in the order of the file, as far as onnxruntime is concerned.
    """

    provider: str = "cpu"
    level: str = "all"
    threads: int = 1
    custom_ops: tuple[str, ...] = ()
    for_values: bool = False
    inter_threads: int = 1
    session_options: tuple[tuple[str, str], ...] = ()
    cuda_graph: bool = False
    in_order: bool = False


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


def _advice() -> str:
    try:
        metadata.version("onnxruntime-gpu")
    except metadata.PackageNotFoundError:
        return f"for CUDA: {_INSTALL} (needs an NVIDIA GPU)"
    return (
        "onnxruntime-gpu is installed, but another onnxruntime package hides it: "
        "uninstall both, then pip install onnxruntime-gpu"
    )
