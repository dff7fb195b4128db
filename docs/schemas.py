"""A JSON Schema for the record of each command, made from the dataclasses that become JSON."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

from bnfold.bench.records import BenchResult
from bnfold.fold.account.ledger import Ledger
from bnfold.record import SCHEMA_VERSION
from bnfold.report.fleet_text import UnreadModel
from bnfold.sweep.records import Outcome
from bnfold.verify.records import Verification

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
VERSION: Schema = {"const": SCHEMA_VERSION}
NUMBER: Schema = {"anyOf": [{"type": "number"}, {"enum": ["inf", "-inf", "nan"]}]}
ANYTHING: Schema = {}


def schema_of(command: str) -> Schema:
    """The schema of what `bnfold COMMAND --json` writes; for `run`, of report.json."""
    result = RESULTS[command]
    record = closed(
        {
            "schema_version": VERSION,
            "command": {"const": command},
            "tool": closed({"name": {"const": "bnfold"}, "version": TEXT}),
            "libraries": {"type": "object", "additionalProperties": TEXT},
            "settings": {"type": "object"},
            "inputs": listed(FILE),
            "outputs": listed(FILE),
            "result": result,
        }
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"The record of bnfold {command}",
        **record,
    }


def closed(
    properties: Mapping[str, Schema], *, optional: Mapping[str, Schema] | None = None
) -> Schema:
    """An object with all of these properties, perhaps the optional ones, and no other."""
    return {
        "type": "object",
        "properties": {**properties, **(optional or {})},
        "required": list(properties),
        "additionalProperties": False,
    }


def listed(item: Schema) -> Schema:
    """A list of such items."""
    return {"type": "array", "items": item}


def fields_of(kind: type) -> dict[str, Schema]:
    """The schema of each field of a dataclass."""
    hints = typing.get_type_hints(kind)
    return {field.name: schema_of_hint(hints[field.name]) for field in dataclasses.fields(kind)}


def schema_of_hint(hint: Any) -> Schema:
    """The schema of the JSON form of a value of that type.

    Raises:
        TypeError: no schema is known for it.
    """
    plain: dict[Any, Schema] = {
        str: TEXT,
        bool: {"type": "boolean"},
        int: {"type": "integer"},
        float: NUMBER,
        type(None): {"type": "null"},
        Any: ANYTHING,
    }
    if hint in plain:
        return plain[hint]
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return closed(fields_of(hint))
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in (types.UnionType, typing.Union):
        return {"anyOf": [schema_of_hint(kind) for kind in inner]}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": schema_of_hint(inner[1])}
    if origin is tuple and inner[-1] is Ellipsis:
        return listed(schema_of_hint(inner[0]))
    if origin is tuple:
        items = [schema_of_hint(kind) for kind in inner]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "items": False}
    raise TypeError(f"no schema for {hint}")


FILE = closed({"path": TEXT, "size_bytes": COUNT, "sha256": TEXT})
LEDGER = {
    "schema_version": VERSION,
    "batch_norms_before": COUNT,
    "batch_norms_after": COUNT,
    **fields_of(Ledger),
}
VERIFICATION = closed(
    {
        "schema_version": VERSION,
        "kind": {"const": "verification"},
        "bnfold_version": TEXT,
        **fields_of(Verification),
        "sha256": {"type": "object", "additionalProperties": TEXT},
        "is_same_file": {"type": "boolean"},
        "samples_per_second": {"type": "number"},
    }
)
BENCH = closed(
    {
        "schema_version": VERSION,
        "record": {"const": "bench"},
        "tool": closed({"name": {"const": "bnfold"}, "version": TEXT}),
        "is_conclusive": {"type": "boolean"},
        **fields_of(BenchResult),
    }
)
_VALUE = closed(
    {
        "name": TEXT,
        "dtype": TEXT,
        "shape": {"anyOf": [listed({"type": ["integer", "string", "null"]}), {"type": "null"}]},
    }
)
EXPORT = closed(
    {
        "path": {"type": ["string", "null"]},
        "source": TEXT,
        "opset": COUNT,
        "batch_norms": COUNT,
        "inputs": listed(_VALUE),
        "outputs": listed(_VALUE),
        "check": {"anyOf": [VERIFICATION, {"type": "null"}]},
        "notes": listed(TEXT),
        "warnings": listed(TEXT),
    }
)
RESULTS: dict[str, Schema] = {
    "export": EXPORT,
    "inspect": {
        "anyOf": [
            closed(LEDGER),
            closed(
                {
                    "models": listed(closed({"path": TEXT, **LEDGER})),
                    "failed": listed(closed(fields_of(UnreadModel))),
                }
            ),
        ]
    },
    "fold": closed(LEDGER, optional={"verification": VERIFICATION, "remarks": listed(TEXT)}),
    "verify": VERIFICATION,
    "bench": BENCH,
    "sweep": closed(
        {
            "headline": TEXT,
            "exit_code": COUNT,
            "models": listed(closed(fields_of(Outcome))),
            "orphans": listed(TEXT),
        }
    ),
    "run": closed(
        {"fold": closed(LEDGER), "verify": VERIFICATION},
        optional={"export": EXPORT, "bench": BENCH, "int8": BENCH},
    ),
}
