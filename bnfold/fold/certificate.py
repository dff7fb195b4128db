"""A rewrite proves itself when it is made: the region before and after, in float64.

Both are run with unrounded constants on small random inputs whose values have both signs and whose
sizes reach the borders. Equal to 1e-10 of the output's scale, or the rewrite is not made.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from bnfold.errors import BnfoldError
from bnfold.float64 import run_op
from bnfold.fold.exact import Exact
from bnfold.fold.graph import FLOATS, Constant, Facts, attribute_of
from bnfold.fold.plan import NewNode, Plan, Step

_TOLERANCE = 1e-10
_BATCH = 2
_SPATIAL = 7  # an unknown extent in space: odd, and larger than most kernels
_LARGE = 12  # a static extent in space above this is made smaller first
_MOST = 1 << 24  # elements of an input of the region


class CertificateError(Exception):
    """The region could not be run: nothing is proven."""


@dataclass(frozen=True)
class Region:
    """The nodes of a plan, in topological order, and the values that enter and leave."""

    nodes: tuple[ir.Node, ...]
    enters: tuple[ir.Value, ...]
    leaves: tuple[ir.Value, ...]


@dataclass
class _Run:
    """One run of the region: values by identity, temporaries of one node by name."""

    facts: Facts
    values: dict[ir.Value, Constant] = field(default_factory=dict)

    def get(self, value: ir.Value) -> Constant:
        if value not in self.values:
            exact = self.facts.exact(value)
            constant = exact.value() if exact is not None else self.facts.constant(value)
            constant = self.facts.dequantized(value) if constant is None else constant
            if constant is None:
                raise CertificateError(f"'{value.name}' is no constant")
            self.values[value] = constant
        return self.values[value]


def certify(plan: Plan, facts: Facts) -> str | None:
    """Why the plan is wrong; None where before and after agree.

    Raises:
        CertificateError: the region could not be run.
    """
    region = _region(plan, facts)
    tried: list[str] = []
    for shrink in (True, False):
        try:
            feeds = _feeds(region, facts, shrink=shrink)
            before = _run(region, feeds, facts, {}, {})
        except (BnfoldError, ValueError, IndexError, ZeroDivisionError, CertificateError) as error:
            tried.append(str(error))
            continue
        try:
            after = _run(region, feeds, facts, plan.steps, plan.constants)
        except (BnfoldError, ValueError, IndexError, CertificateError) as error:
            if shrink:
                continue  # a constant map has the size that the graph states
            return f"the rewritten region does not run: {error}"
        return _difference(region, before, after)
    raise CertificateError("; ".join(dict.fromkeys(tried)))


def _difference(
    region: Region, before: Mapping[ir.Value, Constant], after: Mapping[ir.Value, Constant]
) -> str | None:
    for value in region.leaves:
        old, new = before[value], after[value]
        if old.shape != new.shape:
            return f"'{value.name}' changes its shape from {old.shape} to {new.shape}"
        if old.dtype.kind != "f":
            if not np.array_equal(old, new):
                return f"'{value.name}' changes"
            continue
        scale = float(np.max(np.abs(old), initial=0.0))
        error = float(np.max(np.abs(new - old), initial=0.0))
        if not error <= _TOLERANCE * max(scale, 1e-30):
            return f"'{value.name}' is off by {error:.3g} where the largest value is {scale:.3g}"
    return None


def _region(plan: Plan, facts: Facts) -> Region:
    touched = {*plan.steps, *plan.witnesses, *(node for node, _ in plan.constants)}
    nodes = tuple(sorted(touched, key=facts.order))
    inside = {value for node in nodes for value in node.outputs}
    enters: dict[ir.Value, None] = {}
    for node in nodes:
        for value in node.inputs:
            if value is None or value in inside or facts.is_constant(value):
                continue
            if facts.dequantized(value) is None:
                enters[value] = None
    leaves = [
        value
        for node in nodes
        for value in node.outputs
        if value not in plan.moved and _is_read_outside(value, touched)
    ]
    return Region(nodes, tuple(enters), tuple(leaves))


def _is_read_outside(value: ir.Value, inside: set[ir.Node]) -> bool:
    return value.is_graph_output() or any(use.node not in inside for use in value.uses())


def _feeds(region: Region, facts: Facts, *, shrink: bool) -> dict[ir.Value, Constant]:
    """Random values for what enters: both signs, some exact zeros, sizes as small as may be."""
    sizes = _Sizes(facts, region.enters, shrink=shrink)
    feeds = {}
    for value in region.enters:
        shape = sizes.shape_of(value)
        if int(np.prod(shape)) > _MOST:
            raise CertificateError(f"'{value.name}' of shape {shape} is too large to try")
        generator = np.random.default_rng(zlib.crc32((value.name or "").encode()))
        array = generator.standard_normal(shape)
        dtype = facts.dtype(value)
        if dtype is not None and dtype not in FLOATS:
            array = generator.integers(0, 2, shape).astype(dtype.numpy())
        feeds[value] = array
    return feeds


class _Sizes:
    """Concrete extents for every dimension; equal symbols get equal extents."""

    def __init__(self, facts: Facts, values: Iterable[ir.Value], *, shrink: bool) -> None:
        self._facts = facts
        self._symbols: dict[str, int] = {}
        self._factor = 1
        spatial = [
            d
            for value in values
            for d in (facts.dims(value) or ())[2:]
            if isinstance(d, int) and d > 1
        ]
        if shrink and spatial and max(spatial) > _LARGE:
            smallest = min(spatial)
            fits = [f for f in range(1, smallest) if smallest // f >= _SPATIAL]
            divides = [f for f in fits if all(d % f == 0 for d in spatial)]
            self._factor = max(divides, default=1)

    def shape_of(self, value: ir.Value) -> tuple[int, ...]:
        dims = self._facts.dims(value)
        if dims is None:
            raise CertificateError(f"the rank of '{value.name}' is not known")
        return tuple(self._extent(dim, axis) for axis, dim in enumerate(dims))

    def _extent(self, dim: int | str | None, axis: int) -> int:
        if isinstance(dim, int):
            return dim // self._factor if axis >= 2 and dim > 1 else dim
        plain = _BATCH if axis == 0 else _SPATIAL
        return plain if dim is None else self._symbols.setdefault(dim, plain)


def _run(
    region: Region,
    feeds: Mapping[ir.Value, Constant],
    facts: Facts,
    steps: Mapping[ir.Node, Step],
    constants: Mapping[tuple[ir.Node, int], Exact],
) -> dict[ir.Value, Constant]:
    run = _Run(facts, dict(feeds))
    for node in region.nodes:
        step = steps.get(node)
        if step is not None and step.drops is not None:
            source = node.inputs[step.drops]
            assert source is not None
            run.values[node.outputs[0]] = run.get(source)
        elif step is not None and step.nodes is not None:
            _run_new(run, node, step.nodes)
        else:
            _run_old(run, node, constants)
    return run.values


def _run_old(run: _Run, node: ir.Node, constants: Mapping[tuple[ir.Node, int], Exact]) -> None:
    inputs = [
        constants[node, i].value()
        if (node, i) in constants
        else (None if value is None else run.get(value))
        for i, value in enumerate(node.inputs)
    ]
    attributes = {name: attribute_of(node, name, None) for name in node.attributes}
    results = _call(node.op_type, inputs, attributes, run.facts, len(node.outputs))
    for value, result in zip(node.outputs, results, strict=False):
        run.values[value] = np.asarray(result)


def _run_new(run: _Run, node: ir.Node, new_nodes: Iterable[NewNode]) -> None:
    temporary: dict[str, Constant] = {}
    for new in new_nodes:
        inputs: list[Constant | None] = []
        for operand in new.inputs:
            if operand is None:
                inputs.append(None)
            elif isinstance(operand, str):
                inputs.append(temporary[operand])
            elif isinstance(operand, Exact):
                inputs.append(operand.value())
            else:
                inputs.append(run.get(operand))
        attributes = new.attributes
        if attributes is None:
            attributes = {name: attribute_of(node, name, None) for name in node.attributes}
        count = len(node.outputs) if new.output is None else 1
        results = _call(new.op_type, inputs, dict(attributes), run.facts, count)
        if new.output is not None:
            temporary[new.output] = np.asarray(results[0])
            continue
        for value, result in zip(node.outputs, results, strict=False):
            run.values[value] = np.asarray(result)


def _call(
    op_type: str,
    inputs: list[Constant | None],
    attributes: dict[str, object],
    facts: Facts,
    count: int,
) -> list[npt.NDArray[np.generic]]:
    with np.errstate(all="ignore"):
        return list(run_op(op_type, inputs, attributes, opset=facts.opset(), n_outputs=count))
