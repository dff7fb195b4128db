"""Options that several commands share arrive at them as one frozen value."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Any], Any]


def bundled(name: str, kind: type[Any], options: Sequence[Decorator]) -> Callable[[Command], Any]:
    """A decorator: the command takes these click options, and gets them as one `kind` in `name`.

    The options' parameter names are the fields of the dataclass `kind`.
    """
    fields = [field.name for field in dataclasses.fields(kind)]

    def decorate(command: Command) -> Any:
        @functools.wraps(command)
        def with_bundle(*args: Any, **values: Any) -> Any:
            bundle = kind(**{field: values.pop(field) for field in fields})
            return command(*args, **{name: bundle}, **values)

        decorated: Any = with_bundle
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


def settings_of(bundle: Any) -> dict[str, Any]:
    """The options as a record keeps them: JSON types, paths as text."""
    return {key: _plain(value) for key, value in dataclasses.asdict(bundle).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return [_plain(entry) for entry in value] if isinstance(value, tuple) else value
