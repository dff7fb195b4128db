"""The engine's errors, and what of onnxruntime's they are made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

_LONGEST_REASON = 300
_SOURCE_PLACE = re.compile(r"/onnxruntime_src/\S+:\d+ [\w:<>~*& ]+\([^()]*\) ")


class EngineError(Exception):
    """onnxruntime does not do what it was asked for; the message is a sentence for a user."""


class UnknownSettingError(EngineError):
    """There is no such provider or level, or no such library of operators."""


class UnavailableError(EngineError):
    """The provider is not built in, does not start, or takes nothing of the model."""


class EngineRefusedError(EngineError):
    """onnxruntime does not accept the model."""


class UnsupportedError(EngineRefusedError):
    """onnxruntime has no kernel for one of its operators, in the types that it has there."""


class FailedError(EngineError):
    """The model does not run on these inputs."""


class EngineOverdueError(FailedError):
    """The run was given up, as it took longer than it may."""


@contextmanager
def failing_as(name: str) -> Iterator[None]:
    """What onnxruntime raises inside, while it runs the model of this name, is a `FailedError`.

    Raises:
        FailedError: onnxruntime raised an error of its own.
    """
    try:
        yield
    except runtime_errors() as error:
        raise FailedError(f"{name}: it does not run on these inputs: {said(error)}") from error


def refused(name: str, error: Exception) -> EngineRefusedError:
    """The error for a model that onnxruntime does not accept; of its own kind where it lacks a
    kernel, as the graph may be right then.
    """
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    kind = UnsupportedError if isinstance(error, state.NotImplemented) else EngineRefusedError
    return kind(f"{name}: onnxruntime refuses it: {said(error)}")


def runtime_errors() -> tuple[type[Exception], ...]:
    """Every class that onnxruntime raises for a model or an input that it does not accept.

    They have no base in common, and versions differ in them: so they are looked up.
    """
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    own = (getattr(state, name) for name in dir(state))
    errors = (kind for kind in own if isinstance(kind, type) and issubclass(kind, Exception))
    return (*errors, RuntimeError, ValueError)


def said(error: Exception) -> str:
    """What onnxruntime said, on one line, without its numbers in front and places in its source."""
    words = " ".join(str(error).split()) or type(error).__name__
    words = _SOURCE_PLACE.sub("", words)
    return re.sub(r"^(\[ONNXRuntimeError\] : )?(\d+ : \w+ : )?", "", words)[:_LONGEST_REASON]
