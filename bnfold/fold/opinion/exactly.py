"""Whether two models mean the same, where onnxruntime alone cannot tell a fault from rounding.

Rounding while a model runs is none of float64's: there, two models that mean the same differ by how
their weights were rounded and no more, however large the values are that cancel inside. A weight
that is off by a thousandth shows, where in float32 it hides in what 1e5 + x - 1e5 loses.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import onnx_ir as ir

from bnfold.float64 import run_graph
from bnfold.float64.graph import Observer
from bnfold.fold.opinion.feeds import Feed
from bnfold.fold.opinion.neighbours import lifted, moved
from bnfold.fold.opinion.original_model import UNITS
from bnfold.fold.opinion.outputs import Outputs, difference
from bnfold.typed import TypedConstants

_FACTOR = 4  # a weight is rounded by half a unit at most, a neighbour's is moved by one or by none
_NEIGHBOURS = 8  # as two weights alone may be moved by nothing, or one by the other's opposite
_FEW_NEIGHBOURS = 2
_MANY = 1 << 16  # weights, of which none decides alone


def mean_the_same(
    original: ir.Model, folded: ir.Model, feeds: Sequence[Feed], tolerance: float
) -> bool:
    """Whether float64 finds no more between them than the rounding of weights comes to.

    Args:
        original: as it was given.
        folded: as it would be written.
        feeds: that both take.
        tolerance: over the largest value, which needs no explanation.

    Raises:
        BnfoldError: the reference does not run one of them.
    """
    olds, news = outputs_of(original, feeds), outputs_of(folded, feeds)
    apart = _largest(olds, news)
    if apart <= tolerance:
        return True
    if not _entries(folded):
        return True  # in bfloat16, or in bodies: what rounding them comes to is not known
    return any(apart <= _FACTOR * rounding for rounding in _weight_rounding(folded, feeds, news))


def rounding_of_run(model: ir.Model, feeds: Sequence[Feed]) -> float:
    """What rounding comes to while the model runs, as far as its weights tell; 0 without any.

    What a runtime makes of a sum of k products is what float64 makes of weights that are off by
    a few units in the last place: by k of them if all roundings go one way, by the root of k if
    each is as likely up as down.

    Source: N. Higham, Accuracy and Stability of Numerical Algorithms, 2.8 and 3.1.

    Raises:
        BnfoldError: the reference does not run the model.
    """
    tensors = (v.const_value for v in lifted(model).graph.initializers.values())
    shapes = [t.shape.numpy() for t in tensors if t is not None and t.dtype in UNITS]
    sums = [max(shape[0], math.prod(shape[1:])) for shape in shapes if len(shape) > 1]
    moved_by = max(_weight_rounding(model, feeds, outputs_of(model, feeds)), default=0.0)
    return max(_FACTOR, math.sqrt(max(sums, default=1))) * moved_by


def _weight_rounding(
    model: ir.Model, feeds: Sequence[Feed], plain: Sequence[Outputs]
) -> Iterator[float]:
    """How far a unit in the last place of its weights moves the outputs, some ways; none without.

    Nobody should ask for more than are needed: see `neighbours_of`.
    """
    for outputs in neighbours_of(model, feeds):
        yield _largest(plain, outputs)


def neighbours_of(model: ir.Model, feeds: Sequence[Feed]) -> Iterator[list[Outputs]]:
    """What some of its neighbours make of the feeds in float64; none where no weight is known.

    Each takes a run of all feeds, so nobody should ask for more than are needed.

    Raises:
        BnfoldError: the reference does not run one.
    """
    entries = _entries(model)
    seeds = range(_NEIGHBOURS if entries < _MANY else _FEW_NEIGHBOURS) if entries else ()
    for seed in seeds:
        yield outputs_of(_neighbour(model, seed), feeds)


def _entries(model: ir.Model) -> int:
    """How many weights can be moved."""
    return sum(array.size for array in moved(lifted(model), 0).values())


def outputs_of(
    model: ir.Model, feeds: Sequence[Feed], observe: Observer | None = None
) -> list[Outputs]:
    """What the model makes of each feed in float64; `observe` as `run_graph` takes it.

    Raises:
        BnfoldError: the reference does not run it.
    """
    constants = TypedConstants(model).get
    runs = (run_graph(model, feed, constants=constants, observe=observe) for feed in feeds)
    return [list(run.values()) for run in runs]


def _largest(some: Sequence[Outputs], others: Sequence[Outputs]) -> float:
    return max(difference(one, other) for one, other in zip(some, others, strict=True))


def _neighbour(model: ir.Model, seed: int) -> ir.Model:
    """A copy, with other weights."""
    copy = lifted(model)
    for name, array in moved(copy, seed).items():
        copy.graph.initializers[name].const_value = ir.tensor(array, name=name)
    return copy
