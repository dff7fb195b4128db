"""Which models a release of onnxruntime loads: the highest IR version and opset of each.

Source: onnxruntime's compatibility page pairs each release with a release of ONNX; the numbers here
were found with each release itself, by a Relu of one element (`python -m benchmarks.releases`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import onnx_ir as ir

from bnfold.errors import ModelError, UsageError

_FORM = re.compile(r"(?:onnxruntime\s*(?:==|=|\s)\s*)?v?(\d+)\.(\d+)(?:\.\d+)?")

LOADS: dict[tuple[int, int], tuple[int, int]] = {
    (1, 15): (9, 19),
    (1, 16): (9, 19),
    (1, 17): (9, 20),
    (1, 18): (10, 21),
    (1, 19): (10, 21),
    (1, 20): (10, 21),
    (1, 21): (10, 22),
    (1, 22): (10, 22),
    (1, 23): (11, 23),
    (1, 24): (13, 25),
    (1, 25): (13, 26),
    (1, 26): (13, 26),
    (1, 27): (13, 26),
    (1, 28): (13, 26),
    (1, 29): (13, 26),
    (1, 30): (13, 26),
    (1, 31): (13, 26),
    (1, 32): (14, 28),
}
"""(IR version, opset of the default domain) by release; later ones load what the last one does."""

_IR_OF_TYPES = {"FLOAT8": 9, "INT4": 10, "UINT4": 10, "FLOAT4": 11, "INT2": 13, "UINT2": 13}
"""The IR version that each type came with, by how its name begins; FLOAT8E8M0 came with 12."""

_OLDEST_IR = 8  # below it, local functions and optional values are unknown


@dataclass(frozen=True)
class Release:
    """A release of onnxruntime, as far as loading goes."""

    name: str
    ir_version: int
    opset: int

    def fit(self, model: ir.Model, where: str) -> str:
        """The model has an IR version that this release loads; the sentence says which.

        Only the number changes, and only downward: nothing in the model needs a higher one.

        Raises:
            ModelError: something in it does.
        """
        opset = model.opset_imports.get("") or model.opset_imports.get("ai.onnx") or 0
        if opset > self.opset:
            raise ModelError(
                f"{where}: it has opset {opset}, and {self.name} loads {self.opset} at most; "
                f"export it anew with opset {self.opset}"
            )
        needed, why = max(_needs(model), default=(0, ""))
        if needed > self.ir_version:
            raise ModelError(
                f"{where}: {why} needs IR version {needed}, and {self.name} loads "
                f"{self.ir_version} at most"
            )
        before = model.ir_version
        if before <= self.ir_version:
            return f"IR version {before} and opset {opset}, which {self.name} loads"
        model.ir_version = self.ir_version
        return (
            f"IR version {self.ir_version} (it was {before}) and opset {opset}, "
            f"which {self.name} loads"
        )


def release(text: str) -> Release:
    """The release that the text names: `onnxruntime==1.17`, with a patch or without.

    Raises:
        UsageError: it names none, or one too old to know.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise UsageError(
            f"{text!r} is no release that is known; write onnxruntime==1.17, or another number"
        )
    number = (int(found[1]), int(found[2]))
    oldest = min(LOADS)
    if number < oldest:
        raise UsageError(
            f"{text!r}: the oldest release that is known is onnxruntime {oldest[0]}.{oldest[1]}"
        )
    known = max(one for one in LOADS if one <= number)
    return Release(f"onnxruntime {number[0]}.{number[1]}", *LOADS[known])


def _needs(model: ir.Model) -> Iterator[tuple[int, str]]:
    """IR versions that parts of the model need, each with the part."""
    for _, _, overload in model.functions:
        if overload:
            yield 10, "an overload of a local function"
    for dtype in _types(model):
        if dtype.name == "FLOAT8E8M0":
            yield 12, f"the type {dtype.name.lower()}"
        for begin, version in _IR_OF_TYPES.items():
            if dtype.name.startswith(begin):
                yield version, f"the type {dtype.name.lower()}"
    yield _OLDEST_IR if model.functions else 0, "a local function"


def _types(model: ir.Model) -> Iterator[ir.DataType]:
    """The type of each value and of each stored tensor, wherever it stands."""
    for graph in model.graphs():
        yield from _known((*graph.inputs, *graph.initializers.values()))
    for function in model.functions.values():
        yield from _known(function.inputs)
    for node in chain(model.graph.all_nodes(), *(f.all_nodes() for f in model.functions.values())):
        yield from _known(node.outputs)
        for attribute in node.attributes.values():
            if attribute.type == ir.AttributeType.TENSOR and not attribute.is_ref():
                yield attribute.as_tensor().dtype


def _known(values: Iterable[ir.Value]) -> Iterator[ir.DataType]:
    return (value.dtype for value in values if value.dtype is not None)
