"""Sizes as a constant of a graph: what Reshape and Split take as an input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir


def add_sizes(node: ir.Node, name: str, sizes: Sequence[int]) -> ir.Value:
    """An int64 initializer of that name, `[len(sizes)]`, in the graph of the node."""
    assert node.graph is not None
    constant = ir.Value(
        name=name,
        type=ir.TensorType(ir.DataType.INT64),
        shape=ir.Shape([len(sizes)]),
        const_value=ir.tensor(np.array(sizes, dtype=np.int64), name=name),
    )
    node.graph.initializers.add(constant)
    return constant
