"""Measurements that were made already: a script that was stopped goes on where it was."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bnfold import __version__
from bnfold.bench.records import BenchResult
from bnfold.record import json_form, read_as


def kept(folder: Path, name: str, settings: Any, measure: Callable[[], BenchResult]) -> BenchResult:
    """The measurement of that name at these settings: of an earlier run, or made now and kept.

    Another version of bnfold, or other settings, are another measurement.
    """
    key = json.dumps(json_form([name, settings, __version__]), sort_keys=True)
    file = folder / "results" / f"{zlib.crc32(key.encode()):08x}.json"
    if file.exists():
        found = json.loads(file.read_text(encoding="utf-8"))
        if found["key"] == key:
            return read_as(BenchResult, found["result"], where=str(file))
    result = measure()
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps({"key": key, "result": result.to_dict()}), encoding="utf-8")
    fresh.replace(file)
    return result
