"""Which execution providers there are, and a clear no where one does not really run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib import metadata
from io import StringIO

from bnfold.errors import ProviderUnavailableError, UsageError

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}

_INSTALL = "pip uninstall onnxruntime, then pip install onnxruntime-gpu"


def require_provider(name: str) -> None:
    """Returns where a session really starts on the provider; a small one is started to see.

    Raises:
        UsageError: there is no provider of this name.
        ProviderUnavailableError: it is not built in, or its libraries do not load.
    """
    require_built_in(name)
    if name != "cpu":
        from bnfold.bench.sessions import SessionSettings, open_session

        open_session(_smallest_model(), SessionSettings(provider=name, level="none"))


def require_built_in(name: str) -> None:
    """Returns where the installed onnxruntime was built with the provider."""
    if name not in PROVIDERS:
        raise UsageError(f"unknown provider {name!r}: choose from {', '.join(PROVIDERS)}")
    import onnxruntime

    available = onnxruntime.get_available_providers()
    if PROVIDERS[name] in available:
        return
    found = " and ".join(sorted(p.removesuffix("ExecutionProvider") for p in available))
    raise ProviderUnavailableError(
        f"provider {name!r} is not available: this onnxruntime ({onnxruntime.__version__}) has "
        f"{found} only; {_advice()}"
    )


def refusal_to_start(name: str, noise: str) -> ProviderUnavailableError:
    """The error for a provider that is built in but fell back, with onnxruntime's own reason."""
    lines = [line for line in noise.splitlines() if line.strip()]
    telling = [line for line in lines if "rror" in line or "equire" in line or "ailed" in line]
    reason = (telling or lines or ["onnxruntime gave no reason"])[0].strip()
    return ProviderUnavailableError(
        f"provider {name!r} does not start, onnxruntime would have used the CPU instead: {reason}; "
        "check the driver with nvidia-smi, and that CUDA and cuDNN match onnxruntime-gpu "
        "(pip install 'onnxruntime-gpu[cuda,cudnn]' brings them)"
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


def _smallest_model() -> bytes:
    import onnx.parser

    text = '<ir_version: 8, opset_import: ["" : 13]> g (float[1] x) => (float[1] y) { y = Relu(x) }'
    model = onnx.parser.parse_model(text)
    return bytes(model.SerializeToString())
