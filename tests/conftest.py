"""What all tests share: one thread each, and what keeps six thousand of them quick."""

from __future__ import annotations

import gc
import os
from collections import Counter
from zlib import crc32

import pytest

# Several processes run side by side, and sums come out in one order.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

_ALL_TRACED = 4
_ONE_IN = 5


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Coverage is taken of some cases of each test, always the same ones.

    Tracing doubles the time of a test, and the further cases of one behaviour run through the same
    lines: of a test with many cases, every fifth is traced.
    """
    cases = Counter(map(_function, items))
    for item in items:
        is_many = cases[_function(item)] > _ALL_TRACED
        if is_many and crc32(item.nodeid.encode()) % _ONE_IN:
            item.add_marker("no_cover")


def _function(item: pytest.Item) -> str:
    return item.nodeid.partition("[")[0]


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end, so no collection looks at it again."""
    gc.collect()
    gc.freeze()
