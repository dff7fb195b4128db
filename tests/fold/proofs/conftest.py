"""The modules of the rules see symbols while a proof runs."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil

import numpy as np
import onnx_ir as ir
import pytest

from bnfold.fold import merge, moves, sources
from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import op_of
from bnfold.fold.sources import source
from tests.fold.proofs.symbols import ObjectNumpy, teach_affine

if importlib.util.find_spec("z3") is None:  # it is in the dependency group `test`
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(autouse=True)
def symbolic(monkeypatch: pytest.MonkeyPatch) -> None:
    """numpy makes arrays of objects in the rules, and an Affine of symbols answers."""
    teach_affine(monkeypatch)
    for package in (moves, merge, sources):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(found.name)
            if getattr(module, "np", None) is np:
                monkeypatch.setattr(module, "np", ObjectNumpy())
    monkeypatch.setattr(source, "_arithmetic", _arithmetic)


def _arithmetic(node: ir.Node, facts: Facts) -> source.Source | None:
    """The rule's own algebra, past the question whether the constant is one of floats."""
    first, second = (facts.constant(value) for value in node.inputs)
    if (first is None) == (second is None):
        return None
    index = 0 if first is None else 1
    c = np.asarray(second if first is None else first)
    rank = facts.rank(node.inputs[index])
    assert rank is not None
    laid = c.reshape((1,) * (rank - c.ndim) + c.shape)
    found = source._constant_affine(op_of(node), laid, x_is_first=index == 0)
    return None if found is None else source.Source(node, index, found)
