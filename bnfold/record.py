"""The one form in which facts become JSON, and the one version of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

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
