"""Runs a region in float64 on random inputs, as it is or as a plan would have it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from bnfold.float64 import run_op
from bnfold.fold.facts.constants import Constant
from bnfold.fold.facts.graph import FLOATS, Facts
from bnfold.fold.facts.node import attribute_of, is_op
from bnfold.fold.numbers.exact import Exact
from bnfold.fold.plan import NewNode, Operand, PassBy, Plan, Remove, Replace
from bnfold.fold.proof.chunked import run_in_chunks
from bnfold.fold.proof.region import Region

_BATCH = 2
_SPATIAL = 7  # an unknown extent in space: odd, and larger than most kernels
_MOST = 1 << 24  # elements of an input of the region
_JOINS = ("Add", "Sub", "Sum", "Mean", "Mul", "Div", "Max", "Min", "Where")


class CertificateError(Exception):
    """The region could not be run: nothing is proven."""


class Sizes:
    """Concrete extents for what enters a region; equal symbols get equal extents.

    Args:
        facts: of the model.
        factor: by which static extents in space are divided.
        concrete: shapes that follow from sizes of the model's inputs, where they are known.
    """

    def __init__(
        self,
        facts: Facts,
        factor: int,
        concrete: Mapping[ir.Value, tuple[int, ...]] | None = None,
    ) -> None:
        self._facts = facts
        self._factor = factor
        self._concrete = concrete or {}
        self._symbols: dict[str, int] = {}

    @property
    def is_shrunken(self) -> bool:
        """Whether static extents were made smaller."""
        return self._factor > 1

    def shape_of(self, value: ir.Value, partner: tuple[int, ...] | None) -> tuple[int, ...]:
        """The shape to feed the value with; open extents follow a partner it is joined with."""
        dims = self._facts.dims(value)
        if dims is not None and partner is not None and len(partner) == len(dims):
            for dim, extent in zip(dims, partner, strict=True):
                if isinstance(dim, str):
                    self._symbols.setdefault(dim, extent)
            return tuple(
                self._extent(dim, axis) if dim is not None else partner[axis]
                for axis, dim in enumerate(dims)
            )
        if value in self._concrete:
            return self._concrete[value]
        if dims is None:
            raise CertificateError(f"the rank of '{value.name}' is not known")
        return tuple(self._extent(dim, axis) for axis, dim in enumerate(dims))

    def _extent(self, dim: int | str | None, axis: int) -> int:
        if isinstance(dim, int):
            return dim // self._factor if axis >= 2 and dim > 1 else dim
        plain = _BATCH if axis == 0 else _SPATIAL
        return plain if dim is None else self._symbols.setdefault(dim, plain)


@dataclass
class _Run:
    """One run of a region: values by identity."""

    facts: Facts
    feeds: dict[ir.Value, Constant]
    sizes: Sizes
    enters: frozenset[ir.Value]
    values: dict[ir.Value, Constant] = field(default_factory=dict)

    def get(self, value: ir.Value, partner: tuple[int, ...] | None = None) -> Constant | Exact:
        """The value; a constant that is large, unread."""
        if value in self.values:
            return self.values[value]
        if value in self.enters:
            if value not in self.feeds:
                shape = self.sizes.shape_of(value, partner)
                self.feeds[value] = _feed(value, shape, self.facts)
            return self.feeds[value]
        exact = self.facts.exact(value)
        if exact is not None:
            return exact
        constant = self.facts.constant(value)
        constant = self.facts.dequantized(value) if constant is None else constant
        if constant is None:
            raise CertificateError(f"'{value.name}' is no constant")
        return constant


def run_region(
    region: Region,
    facts: Facts,
    feeds: dict[ir.Value, Constant],
    sizes: Sizes,
    plan: Plan | None = None,
) -> dict[ir.Value, Constant]:
    """Every value that the region makes; what enters is drawn, and added to `feeds`.

    Raises:
        CertificateError: something that enters has no known shape.
    """
    run = _Run(facts, feeds, sizes, frozenset(region.enters))
    for node in region.nodes:
        step = None if plan is None else plan.steps.get(node)
        if isinstance(step, Remove):
            continue
        if plan is not None and isinstance(step, PassBy):
            source, changed = node.inputs[step.index], plan.constants.get((node, step.index))
            assert source is not None
            run.values[node.outputs[0]] = _array(run.get(source) if changed is None else changed)
        elif isinstance(step, Replace):
            _run_new(run, node, step.nodes)
        else:
            _run_old(run, node, {} if plan is None else plan.constants)
    return run.values


def _run_old(run: _Run, node: ir.Node, constants: Mapping[tuple[ir.Node, int], Exact]) -> None:
    known = [v for v in node.inputs if v is not None and v in run.values]
    partner = run.values[known[0]].shape if known and is_op(node, *_JOINS) else None
    inputs = [
        constants[node, i]
        if (node, i) in constants
        else (None if value is None else run.get(value, partner))
        for i, value in enumerate(node.inputs)
    ]
    attributes = {name: attribute_of(node, name, None) for name in node.attributes}
    results = _call(node.op_type, inputs, attributes, run.facts, len(node.outputs))
    run.values.update(zip(node.outputs, results, strict=False))


def _run_new(run: _Run, node: ir.Node, new_nodes: Iterable[NewNode]) -> None:
    temporary: dict[str, Constant] = {}

    def operand_value(operand: Operand) -> Constant | Exact | None:
        if isinstance(operand, str):
            return temporary[operand]
        return run.get(operand) if isinstance(operand, ir.Value) else operand

    for new in new_nodes:
        inputs = [operand_value(operand) for operand in new.inputs]
        attributes = new.attributes
        if attributes is None:
            attributes = {name: attribute_of(node, name, None) for name in node.attributes}
        count = len(node.outputs) if new.output is None else 1
        results = _call(new.op_type, inputs, attributes, run.facts, count)
        if new.output is not None:
            temporary[new.output] = results[0]
        else:
            run.values.update(zip(node.outputs, results, strict=False))


def _call(
    op_type: str,
    inputs: Sequence[Constant | Exact | None],
    attributes: Mapping[str, object],
    facts: Facts,
    count: int,
) -> list[Constant]:
    with np.errstate(all="ignore"):
        whole = run_in_chunks(op_type, inputs, attributes)
        if whole is not None:
            return [whole]
        arrays = [None if x is None else _array(x) for x in inputs]
        results = run_op(op_type, arrays, attributes, opset=facts.opset(), n_outputs=count)
    return [np.asarray(result) for result in results]


def _array(operand: Constant | Exact) -> Constant:
    return operand.value() if isinstance(operand, Exact) else operand


def _feed(value: ir.Value, shape: tuple[int, ...], facts: Facts) -> Constant:
    """Random values of both signs; small integers where integers are wanted."""
    if int(np.prod(shape)) > _MOST:
        raise CertificateError(f"'{value.name}' of shape {shape} is too large to try")
    generator = np.random.default_rng(zlib.crc32((value.name or "").encode()))
    dtype = facts.dtype(value)
    if dtype is not None and dtype not in FLOATS:
        return np.asarray(generator.integers(0, 2, shape).astype(dtype.numpy()))
    return generator.standard_normal(shape)
