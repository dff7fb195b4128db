"""Folded weights that are subnormal: correct, and many times slower on some processors.

A float32 below 1.2e-38 has fewer bits and no implicit one; a channel with a scale of 1e-39 makes a
whole row of them. As 0 they change nothing by more than 1.2e-38 times an activation.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

from bnfold.fold.numbers.exact import Exact, exact_of
from bnfold.fold.numbers.subnormals import flushed, subnormals_in


def count_subnormals(model: ir.Model) -> int:
    """How many entries of the weights that a fold has made are subnormal float32 numbers."""
    return sum(subnormals_in(exact) for _, exact in _made(model))


def flush_subnormals(model: ir.Model) -> int:
    """Those entries are 0; how many there were."""
    count = 0
    for value, exact in list(_made(model)):
        found = subnormals_in(exact)
        if found:
            value.const_value = flushed(exact).lazy_tensor(value.name or "")
        count += found
    return count


def _made(model: ir.Model) -> Iterator[tuple[ir.Value, Exact]]:
    """The float32 initializers that a fold has made."""
    for graph in model.graphs():
        for value in graph.initializers.values():
            exact = None if value.const_value is None else exact_of(value.const_value)
            if exact is not None and exact.dtype == ir.DataType.FLOAT:
                yield value, exact
