"""Sessions of onnxruntime whose errors are bnfold's own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bnfold.errors import (
    BnfoldError,
    InconclusiveError,
    ModelError,
    ProviderUnavailableError,
    UsageError,
)
from bnfold.runtime import engine
from bnfold.runtime.engine import Setting

Array = np.ndarray[Any, np.dtype[Any]]


class RefusedError(ModelError):
    """onnxruntime does not accept the model, for want of a kernel or because it is wrong."""


class RunError(ModelError):
    """The model does not run on these inputs."""


class OverdueError(InconclusiveError):
    """A run was given up, as it took longer than it may: nothing can be said of the model."""


_KINDS: Mapping[str, type[BnfoldError]] = {
    engine.UnknownSettingError.__name__: UsageError,
    engine.UnavailableError.__name__: ProviderUnavailableError,
    engine.EngineRefusedError.__name__: RefusedError,
    engine.UnsupportedError.__name__: RefusedError,
    engine.FailedError.__name__: RunError,
    engine.EngineOverdueError.__name__: OverdueError,
}


def our_error(kind: str, message: str) -> BnfoldError:
    """What a user of bnfold knows an error of the engine as; `kind` is the name of its class."""
    return _KINDS[kind](message)


@contextmanager
def engine_errors() -> Iterator[None]:
    """What the engine raises inside leaves as the error that a user of bnfold knows.

    Raises:
        BnfoldError: of the kind that `our_error` gives.
    """
    try:
        yield
    except engine.EngineError as error:
        raise our_error(type(error).__name__, str(error)) from error


class Session:
    """A model in onnxruntime, opened once and run on many feeds.

    Attributes:
        name: what sentences call the model.
        setting: how it runs.
        outputs: the names of the outputs, in order.
        tensors: those of them that are tensors, and no sequence, map or optional value.
    """

    def __init__(
        self,
        source: str | bytes,
        setting: Setting,
        *,
        name: str,
        weights: Mapping[str, Array] | Iterable[tuple[str, Array]] = (),
        apart: Collection[str] = (),
        seconds: float | None = None,
    ) -> None:
        """Opens the session.

        Args:
            source: a path, or the bytes of a model.
            setting: how it runs.
            name: what to call the model in a sentence.
            weights: take the place of initializers of the same names.
            apart: names of those that the model has no numbers of.
            seconds: that one run may take, see `loops.seconds_for`; None for any time.

        Raises:
            RefusedError: onnxruntime does not accept the model, or would end this process.
        """
        # these need onnx, and records are read without
        from bnfold.runtime.empty_ends import without_empty_ends
        from bnfold.runtime.fatal import FatalNodes

        source = without_empty_ends(source)
        in_blocks = setting.level == "all" and setting.provider == "cpu"
        self._fatal = FatalNodes(source, in_blocks=in_blocks)
        reason = self._fatal.reason()
        if reason is not None:
            raise RefusedError(f"{name}: {reason}")
        self.name, self.setting, self._seconds = name, setting, seconds
        self._arrays = dict(weights)  # an OrtValue points into its array, a session to its OrtValue
        self._values = {key: engine.ort_value(array) for key, array in self._arrays.items()}
        with engine_errors():
            self._session = engine.open_session(
                source, setting, name=name, weights=self._values, apart=apart
            )
        returned = self._session.get_outputs()
        self.outputs = [output.name for output in returned]
        self.tensors = frozenset(each.name for each in returned if each.type.startswith("tensor("))

    def run(self, feeds: Mapping[str, Array], names: Sequence[str] | None = None) -> list[Array]:
        """The outputs, or those named, in order.

        Raises:
            RunError: onnxruntime refuses the inputs, fails on them, or would end this process.
            OverdueError: it is not done in time.
        """
        reason = self._fatal.reason_on(feeds)
        if reason is not None:
            raise RunError(f"{self.name}: {reason}")
        asked = names or self.outputs
        with engine_errors():
            return engine.run(self._session, feeds, asked, name=self.name, seconds=self._seconds)


def require_setting(
    providers: Sequence[str], levels: Sequence[str], custom_ops: Sequence[str] = ()
) -> None:
    """Returns where sessions can be opened so; on an accelerator, or with libraries, one is.

    Raises:
        UsageError: there is no provider, level or library of this name, or no name at all; or a
            library does not load.
        ProviderUnavailableError: a provider is not built in, or its libraries do not load.
    """
    for values, what in ((providers, "provider"), (levels, "optimisation level")):
        if isinstance(values, str) or not values:
            raise UsageError(
                f"no {what} in {values!r}: providers and levels are lists of at least one name"
            )
    for library in custom_ops:
        if not Path(library).is_file():
            raise UsageError(f"{library}: no such file; --custom-ops takes a shared library")
        if not is_utf8(str(library)):
            raise UsageError(f"{library}: onnxruntime opens names in UTF-8 only; rename the file")
    with engine_errors():
        for level in levels:
            engine.require_level(level)
        for provider in providers:
            engine.require_built_in(provider)
            # Whether it is built in says nothing of its driver and libraries: one node does.
            if provider != "cpu" or custom_ops:
                setting = Setting(provider, level="none", custom_ops=tuple(custom_ops))
                engine.open_session(_smallest_model(), setting, name="a Relu")


def is_utf8(text: str) -> bool:
    """Whether onnxruntime can open a file of this name."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _smallest_model() -> bytes:
    import onnx.parser

    text = '<ir_version: 8, opset_import: ["" : 13]> g (float[1] x) => (float[1] y) { y = Relu(x) }'
    model = onnx.parser.parse_model(text)
    return bytes(model.SerializeToString())
