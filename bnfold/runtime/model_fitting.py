"""Sizes at which a model runs in onnxruntime, where its constants do not take the usual ones.

How far a run came is told by the node on which it stopped: nodes run in the order of the graph, and
bear their places as names.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from time import thread_time
from typing import TypeVar

import onnx_ir as ir
from onnx_ir.passes.common import InlinePass, LiftConstantsToInitializersPass

from bnfold.errors import BnfoldError
from bnfold.runtime.extents import Extent
from bnfold.runtime.fitting import USUAL, Candidates, fitted, told_extents
from bnfold.runtime.sessions import OverdueError, RunError

_MOST_RUNS = 4000
_SECONDS = 1.5  # of processor time, for all of them
_SHAPE = 16  # entries of a constant that may be a shape, or sizes of parts
_NEAR = 3  # nodes back from where a run stops to the constants that may have stopped it
_BATCHES = (3, 2, 1, 4, 8)  # a second size of a first axis that may have several
_OTHERS = (12, 20, 32, 64, 8, 5, 4, 3, 2, 1)  # and of others: no smaller than windows, if it can be
_PLACE = re.compile(r"Name:'(\d+)")

MOST_NUMBERS = 1 << 18
"""Along the open extents of one input: a picture of 512 x 512."""

Sizes = Mapping[str, int]
"""Of open extents, by name or place."""

Run = Callable[[Sizes], object]
Shape = tuple[int, ...]
_Item = TypeVar("_Item", bound=Hashable)


def with_places(model: ir.Model) -> ir.Model:
    """A copy without functions, of constants as initializers, with nodes named by their places."""
    copy = InlinePass()(model.clone()).model
    LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(copy)
    for place, node in enumerate(copy.graph):
        node.name = str(place)
    return copy


def fitting_sizes(
    model: ir.Model, extents: Sequence[Extent], start: Sizes, run: Run
) -> Iterator[Sizes]:
    """Sizes at which the model runs, if any are found; then others, if there are such too.

    Args:
        model: with places.
        extents: that are open.
        start: sizes of all of them to begin with.
        run: raises BnfoldError where the model does not run; its setting is `in_order`.

    Raises:
        OverdueError: a run was given up.
    """
    search = _Search(model, extents, run)
    first = fitted(search.inputs(), start, search.told, search.reached, MOST_NUMBERS)
    if first is None:
        return
    yield first
    second = search.moved(first)
    if second != first:
        yield second


class _Search:
    """What is known of one model, and how much was tried."""

    def __init__(self, model: ir.Model, extents: Sequence[Extent], run: Run) -> None:
        self._extents, self._run = extents, run
        self._nodes = list(model.graph)
        constants = [v for graph in model.graphs() for v in graph.initializers.values()]
        self._whole = list(dict.fromkeys(shape for v in constants for shape in _shapes_of(v)))
        self._runs, self._end = 0, thread_time() + _SECONDS

    def inputs(self) -> list[list[str | None]]:
        """What is open, see `fitted`."""
        found: dict[str, list[str | None]] = {}
        for extent in self._extents:
            axes = found.setdefault(extent.input, [None] * extent.rank)
            axes[extent.axis] = extent.label
        return list(found.values())

    def reached(self, sizes: Sizes) -> float:
        """The place at which the run stops; infinity where it does not."""
        is_over = self._runs >= _MOST_RUNS or thread_time() > self._end
        if is_over or any(size < 1 for size in sizes.values()):
            return -math.inf
        self._runs += 1
        try:
            self._run(sizes)
        except OverdueError:
            raise
        except BnfoldError as error:  # so many numbers may not be made up
            found = _PLACE.search(str(error)) if isinstance(error, RunError) else None
            return -math.inf if found is None else int(found.group(1))
        return math.inf

    def told(self, furthest: float) -> Candidates:
        """What the constants near the place tell, then what is usual, then what all of them do."""
        shapes = self._near(int(furthest)) if math.isfinite(furthest) else self._whole
        told = told_extents(extent for shape in shapes for extent in shape)
        whole = told_extents(extent for shape in self._whole for extent in shape)
        return Candidates(shapes, _each_once(USUAL, told), told, _each_once(USUAL, whole))

    def moved(self, sizes: Sizes) -> Sizes:
        """The sizes, with as many of the open extents as can be had changed."""
        for label, axis in {extent.label: extent.axis for extent in self._extents}.items():
            tried = (size for size in (_OTHERS if axis else _BATCHES) if size != sizes[label])
            others = ({**sizes, label: size} for size in tried)
            sizes = next((other for other in others if self.reached(other) == math.inf), sizes)
        return sizes

    def _near(self, place: int) -> list[Shape]:
        """Of the constants that the node of this place reads, or nodes close before it."""
        nodes, found = [self._nodes[place]], list[Shape]()
        for _ in range(_NEAR):
            values = [value for node in nodes for value in _reads(node)]
            found += [shape for value in values for shape in _shapes_of(value)]
            nodes = [node for value in values if (node := value.producer()) is not None]
        return _each_once(found)


def _reads(node: ir.Node) -> Iterator[ir.Value]:
    """What it reads, in its bodies too."""
    yield from (value for value in node.inputs if value is not None)
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            for inner in attribute.as_graph():
                yield from _reads(inner)


def _shapes_of(value: ir.Value) -> Iterator[Shape]:
    """The shape of a constant; what it holds where that may be one, or sizes of parts."""
    tensor = value.const_value
    if tensor is None:
        return
    yield tuple(tensor.shape.numpy())
    if tensor.dtype in (ir.DataType.INT64, ir.DataType.INT32) and tensor.size <= _SHAPE:
        entries = tuple(abs(int(entry)) for entry in tensor.numpy().flat)
        yield entries
        yield (sum(entries),)


def _each_once(*groups: Iterable[_Item]) -> list[_Item]:
    return list(dict.fromkeys(item for group in groups for item in group))
