"""What all tests share: one thread each, and what keeps six thousand of them quick."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections import Counter
from collections.abc import Iterator
from copy import copy
from functools import cache
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


def pytest_unconfigure() -> None:
    """What is left is let go as always: native code complains of what outlives it."""
    gc.unfreeze()


@pytest.fixture(scope="module", autouse=True)
def _frozen() -> Iterator[None]:
    """The same of what a file's tests have imported."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _translated_once() -> Iterator[None]:
    """The exporter's table of operators is made once, and copied for each export.

    torch parses the source of 500 translations for each, which is more than half of the time that
    a small network takes.
    """
    if "torch" not in sys.modules:
        yield
        return
    registration = importlib.import_module("torch.onnx._internal.exporter._registration")
    table = registration.ONNXRegistry
    made = cache(table.from_torchlib)

    def copied(*args: object, **settings: object) -> object:
        found = copy(made(*args, **settings))
        found.functions = {name: list(ways) for name, ways in found.functions.items()}
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "from_torchlib", staticmethod(copied))
        yield
