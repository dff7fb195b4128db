"""How long inputs have to be for constants that are read in parts to be read throughout.

There are many ways to read as much of a table as a sequence is long: to slice, split, pad or mask
it, or to count. `rows` follows the common ones; here only the extents of such constants are told.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

_READ_IN_PARTS = frozenset(
    "Cast Compress Gather GatherElements GatherND Identity Mul Pad Reshape Slice Split Squeeze "
    "TopK Transpose Unsqueeze Where".split()
)
_LEAST = 64  # shorter ones are fed anyway


def lengths_of_constants(model: ir.Model, most: int) -> list[int]:
    """The extents up to `most`, but the last of each constant, which are its features."""
    found = (
        extent
        for value in _constants(model)
        for extent in _leading(value)
        if _LEAST < extent <= most
    )
    return sorted(dict.fromkeys(found), reverse=True)


def _constants(model: ir.Model) -> Iterator[ir.Value]:
    for graph in model.graphs():
        values = [*graph.initializers.values()]
        values += [node.outputs[0] for node in graph if node.op_type == "Constant"]
        for value in values:
            if any(use.node.op_type in _READ_IN_PARTS for use in value.uses()):
                yield value


def _leading(value: ir.Value) -> list[int]:
    shape = None if value.const_value is None else value.const_value.shape
    return [] if shape is None else [n for n in shape[:-1] if isinstance(n, int)]
