"""Types and shapes as onnx infers them, of models that may be made to end whoever asks.

Where an extent below zero meets a Slice, onnx's inference ends the process, and a step that passes
32 bits never ends; a Split of 2^31 parts takes 16 GiB; an Einsum with more letters than axes, or
with one dot, never ends. What an extent is, only inference tells. So a model with one of the three
is inferred by a child process, and what ends that one is inferred again without them. A fold asks
several times about one model, and a fork of a large process is slow: the last answers are kept.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import warnings
from collections.abc import Iterator
from functools import lru_cache

import onnx

_UNSOUND = frozenset(("Slice", "Split", "Einsum"))
_NO_OPERATOR = "LeftAlone"  # of which no schema tells anything
_REFUSED = (ValueError, RuntimeError, MemoryError)
_SECONDS, _WAITED_SECONDS = 10, 60  # of processor time; on a clock, which a busy machine lets run
_BYTES = 1 << 30  # beyond what this process has
_KEPT, _KEPT_BYTES = 32, 1 << 18  # answers of a child; of the model that it was asked about
_ended: set[frozenset[bytes]] = set()
"""Nodes with which inference did not end well in this process."""


class NotInferredError(Exception):
    """onnx contradicts the model; the message says where."""


def infer_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the model with the types and shapes that onnx infers.

    Raises:
        NotInferredError: It is in contradiction with itself.
    """
    unsound = [node for node in _nodes(model) if node.op_type in _UNSOUND]
    if unsound:
        told = frozenset(node.SerializeToString(deterministic=True) for node in unsound)
        found = None if told in _ended else _inferred_apart(model)
        if found is not None:
            return found
        _ended.add(told)  # a model is inferred several times, and each end takes seconds
        model = _without_unsound(model)
    return _inferred(model)


def _inferred(model: onnx.ModelProto) -> onnx.ModelProto:
    try:
        return onnx.shape_inference.infer_shapes(model, data_prop=True)
    except (onnx.shape_inference.InferenceError, *_REFUSED) as error:
        raise NotInferredError(str(error)) from error


def _nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """All nodes, those of functions and within others too."""
    pending = [*model.graph.node, *(node for f in model.functions for node in f.node)]
    while pending:
        node = pending.pop()
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                pending += graph.node


def _without_unsound(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for node in _nodes(copy):
        if node.op_type in _UNSOUND:
            node.op_type = _NO_OPERATOR
    return copy


def _inferred_apart(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """What a child infers; None where it does not end well, or cannot be made."""
    if not hasattr(os, "fork"):
        return None
    asked = model.SerializeToString()
    answer = (_known_answer if len(asked) <= _KEPT_BYTES else _answer_of_a_child)(asked)
    return None if answer is None else onnx.ModelProto.FromString(answer)


def _answer_of_a_child(asked: bytes) -> bytes | None:
    import resource  # noqa: F401 (here: the child of a process with threads imports nothing)

    import psutil  # noqa: F401

    reading, writing = os.pipe()
    with warnings.catch_warnings():  # of threads: the child calls nothing that they may hold
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _be_the_child(asked, writing)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as answer:
            data = answer.read()
    finally:
        _, status = os.waitpid(child, 0)
    return data if status == 0 else None


_known_answer = lru_cache(_KEPT)(_answer_of_a_child)


def _be_the_child(asked: bytes, writing: int) -> None:
    """Never returns; the answer goes to the descriptor."""
    code = 1
    try:
        _limit()
        faulthandler.disable()  # an end by a signal is expected, and nobody's news
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what the library says when it gives up
        model = onnx.ModelProto.FromString(asked)
        data = memoryview(_inferred(model).SerializeToString())
        while data:
            data = data[os.write(writing, data) :]
        code = 0
    except (NotInferredError, MemoryError, OSError):
        pass  # the code says it
    finally:
        os._exit(code)


def _limit() -> None:
    """This process takes little, and ends by itself."""
    import resource

    import psutil

    for name in ("SIGALRM", "SIGTERM", "SIGINT", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    signal.alarm(_WAITED_SECONDS)
    used = int(sum(resource.getrusage(resource.RUSAGE_SELF)[:2])) + 1
    _lower(resource.RLIMIT_CPU, used + _SECONDS)
    _lower(resource.RLIMIT_CORE, 0)
    held = getattr(psutil.Process().memory_info(), "data", None)
    if held is not None:  # on Linux, where the limit is of memory that is mapped too
        _lower(resource.RLIMIT_DATA, held + _BYTES)


def _lower(what: int, most: int) -> None:
    import resource

    _, hard = resource.getrlimit(what)
    allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (allowed, hard))
