"""The one form in which facts become JSON, and the one version of it."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from bnfold.errors import DataError

SCHEMA_VERSION = 1


def json_form(value: Any) -> Any:
    """The value in the types of JSON: what `json.loads` would give back.

    Tuples are lists. JSON has no number that is not finite: those are the words "inf", "-inf" and
    "nan", which Python's `float` reads.
    """
    if isinstance(value, Mapping):
        return {str(key): json_form(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [json_form(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(float(value))
    return value


class Row:
    """A frozen dataclass of facts that is JSON alone as it is in the record it belongs to."""

    def to_dict(self) -> dict[str, Any]:
        """The facts as JSON values."""
        found: dict[str, Any] = json_form(dataclasses.asdict(self))  # type: ignore[call-overload]
        return found


Facts = TypeVar("Facts")


def read_as(kind: type[Facts], value: Any, *, where: str = "the record") -> Facts:
    """The dataclass whose `json_form` this is; keys that it does not have are left out.

    Raises:
        DataError: it is not; the message says where.
    """
    found: Facts = _read(kind, value, where)
    return found


def _read(kind: Any, value: Any, where: str) -> Any:
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        return _read_one_of(parts, value, where)
    if origin is Literal:
        return value if value in parts else _refuse(where, value)
    if origin is tuple:
        return _read_tuple(parts, value, where)
    if isinstance(origin or kind, type) and issubclass(origin or kind, Mapping):
        _require(isinstance(value, Mapping), where, value)
        inner = parts[1] if parts else Any
        return {key: _read(inner, entry, f"{where}.{key}") for key, entry in value.items()}
    if dataclasses.is_dataclass(kind):
        return _read_fields(kind, value, where)
    if kind is float:
        is_word = value in ("inf", "-inf", "nan")
        _require(is_word or (_is_number(value) and not isinstance(value, str)), where, value)
        return float(value)
    is_right = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    return value if is_right else _refuse(where, value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _read_one_of(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    others = [kind for kind in kinds if kind is not type(None)]
    for kind in others[:-1]:
        try:
            return _read(kind, value, where)
        except DataError:
            continue
    return _read(others[-1], value, where)


def _read_tuple(parts: tuple[Any, ...], value: Any, where: str) -> Any:
    if isinstance(value, Mapping):
        value = list(map(list, value.items()))  # pairs are kept as a mapping
    _require(isinstance(value, list | tuple), where, value)
    if len(parts) == 2 and parts[1] is Ellipsis:
        parts = (parts[0],) * len(value)
    _require(len(parts) == len(value), where, value)
    entries = zip(parts, value, strict=True)
    return tuple(_read(part, one, f"{where}[{i}]") for i, (part, one) in enumerate(entries))


def _read_fields(kind: Any, value: Any, where: str) -> Any:
    _require(isinstance(value, Mapping), where, value)
    hints = get_type_hints(kind)
    found = {}
    for field in dataclasses.fields(kind):
        if field.name in value:
            found[field.name] = _read(hints[field.name], value[field.name], f"{where}.{field.name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise DataError(f"{where} has no {field.name!r}: it is no record of this version")
    return kind(**found)


def _require(is_right: bool, where: str, value: Any) -> None:
    if not is_right:
        _refuse(where, value)


def _refuse(where: str, value: Any) -> Any:
    shown = repr(value)
    shown = shown if len(shown) < 60 else f"{shown[:57]}..."
    raise DataError(f"{where} is {shown}: it is no record of this version")
