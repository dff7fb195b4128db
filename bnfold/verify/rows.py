"""Rows of tables that are read by what is computed: positions, categories, what an ArgMax picks.

What an input says is told by the input, see `drawn_ids`; of the rest float64 tells which rows are
read. A row that no set reads may be anything.

    Gather(t, Range(n))     as many rows as a sequence is long
    Slice(t, 0, n)          the same
    Gather(t, ArgMax(h))    the classes that are the largest somewhere
    Gather(t, Clip(Cast))   what real numbers say
    LabelEncoder, ...       the keys that are fed
    TreeEnsemble, ...       the leaves that are met
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import onnx_ir as ir

from bnfold.float64.control import values_read
from bnfold.runtime.bodies import bodies_of
from bnfold.runtime.domains import DEFAULT_DOMAINS, ML_DOMAIN
from bnfold.runtime.signature import Array
from bnfold.runtime.tables import reads_of
from bnfold.verify.scores import constant_of
from bnfold.verify.sides import numbers_of
from bnfold.verify.trees import Ensemble

_KEYS = frozenset({"cats_int64s", "cats_strings", "keys_floats", "keys_int64s", "keys_strings"})

_WHOLE = frozenset(
    {"Cast", "Expand", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}
)
"""They hand all of an input on."""


@dataclass(frozen=True)
class Table:
    """Rows that are read by what a tensor says.

    Attributes:
        label: what it is called.
        tensor: what is computed last of what tells.
        rows: how many there are.
        read: gets that, and what is `beside` it; the numbers of the rows.
        beside: what else tells.
        is_by_size: whether sizes alone tell, and no number that is fed.
    """

    label: str
    tensor: str
    rows: int
    read: Callable[..., Array]
    beside: tuple[str, ...] = ()
    is_by_size: bool = False


def tables_of(graph: ir.Graph) -> Iterator[Table]:
    """Those of the graph, and of the graphs that it runs."""
    fed = _depending(graph, set())
    numbers = _depending(graph, {"Shape", "Size"})
    for node in graph.all_nodes():
        for table in (*_gathered(node, fed), *_cut(node, fed), *_encoded(node, fed)):
            value = next((v for v in node.inputs if v is not None and v in numbers), None)
            yield Table(*table, is_by_size=value is None)


def leaves_of(ensembles: Iterable[tuple[ir.Node, Ensemble | None]]) -> Iterator[Table]:
    """The same of the leaves of trees."""
    for node, ensemble in ensembles:
        x = node.inputs[0]
        if ensemble is not None and x is not None and x.name:
            label = f"leaves of {node.op_type} {node.name or node.outputs[0].name!r}"
            can = ensemble.reachable
            yield Table(label, x.name, int(can.sum()), partial(_leaves_met, ensemble, can))


_Told = tuple[str, str, int, Callable[..., Array], tuple[str, ...]]


def _gathered(node: ir.Node, fed: set[ir.Value]) -> Iterator[_Told]:
    for read in reads_of(node):
        index = node.inputs[read.index]
        table = None if read.table is None else node.inputs[read.table]
        if index is None or index not in fed or not index.name or not read.rows:
            continue
        if (table is not None and table in fed) or _is_an_input(index):
            continue
        what = node.outputs[0].name if table is None else table.name
        place = 0 if node.op_type == "GatherND" else None
        yield _label(node, what), index.name, read.rows, partial(_by_index, read.rows, place), ()


def _by_index(rows: int, place: int | None, index: Array) -> Array:
    """The rows that an index says; of several coordinates the first one."""
    index = index if place is None else index[..., place]
    known = index[np.isfinite(index)].astype(np.int64).reshape(-1)
    known = np.where(known < 0, known + rows, known)
    return known[(known >= 0) & (known < rows)]


def _cut(node: ir.Node, fed: set[ir.Value]) -> Iterator[_Told]:
    """A Slice of a table along one axis, step by step."""
    if node.op_type != "Slice" or node.domain not in DEFAULT_DOMAINS or len(node.inputs) < 4:
        return
    table, starts, ends, axes = node.inputs[:4]
    axis = None if axes is None else numbers_of(axes)
    if table is None or table in fed or table.shape is None or axis is None or axis.size != 1:
        return
    computed = [v for v in (starts, ends) if v is not None and v in fed and v.name]
    rows = table.shape[int(axis.reshape(-1)[0])]
    name = node.outputs[0].name
    if not computed or not isinstance(rows, int) or not name:
        return
    from_start = None if starts in computed or starts is None else numbers_of(starts)
    beside = (starts.name or "",) if starts in computed and starts is not None else ()
    read = partial(_from, rows, int(axis.reshape(-1)[0]), from_start)
    if from_start is not None or beside:
        yield _label(node, table.name), name, rows, read, beside


def _from(rows: int, axis: int, start: Array | None, y: Array, *starts: Array) -> Array:
    first = int((starts[0] if start is None else start).reshape(-1)[0])
    first = min(max(first + rows * (first < 0), 0), rows)
    return np.arange(first, min(first + y.shape[axis], rows))


def _encoded(node: ir.Node, fed: set[ir.Value]) -> Iterator[_Told]:
    x = node.inputs[0] if node.inputs else None
    if node.domain != ML_DOMAIN or x is None or x not in fed or not x.name:
        return
    for name, attribute in node.attributes.items():
        if name in _KEYS and attribute.value:
            keys = [k.decode() if isinstance(k, bytes) else k for k in attribute.value]
            is_fed = node.op_type != "CategoryMapper" or name == "cats_strings"
            if is_fed:
                yield _label(node, x.name), x.name, len(keys), partial(_by_key, keys), ()


def _by_key(keys: list[object], x: Array) -> Array:
    given = {k.decode() if isinstance(k, bytes) else k for k in x.reshape(-1).tolist()}
    return np.flatnonzero([key in given for key in keys])


def _leaves_met(ensemble: Ensemble, can: Array, x: Array) -> Array:
    """The leaves that rows meet, numbered among those that rows can meet."""
    met = np.zeros(can.size, np.bool_)
    met[ensemble.met(x.reshape(-1, x.shape[-1]))] = True
    return np.flatnonzero(met[can])


def _label(node: ir.Node, what: str | None) -> str:
    return f"rows of {what!r} in {node.op_type} {node.name or node.outputs[0].name!r}"


def _is_an_input(value: ir.Value) -> bool:
    """Whether it is an input of the graph, all of it."""
    node = value.producer()
    while node is not None and node.op_type in _WHOLE and node.inputs[0] is not None:
        value = node.inputs[0]
        node = value.producer()
    is_integer = value.dtype is not None and value.dtype.is_integer()
    return node is None and is_integer and value.is_graph_input()


def _depending(graph: ir.Graph, ends: set[str]) -> set[ir.Value]:
    """The values that depend on what is fed, but for what comes of the operators in `ends`."""
    found = {v for v in graph.inputs if not v.is_initializer()}
    _spread(graph, ends, found)
    return found


def _spread(graph: ir.Graph, ends: set[str], found: set[ir.Value]) -> None:
    for node in graph:
        is_read = not found.isdisjoint(values_read(node)) and node.op_type not in ends
        for _, body in bodies_of(node):
            found.update(body.inputs)
            _spread(body, ends, found)
        if is_read and constant_of(node.outputs[0]) is None:
            found.update(node.outputs)


class RowsRead:
    """Of one table, which rows were read."""

    def __init__(self, table: Table) -> None:
        self._read: Array | None = None
        self.table = table

    def observe(self, array: Array, *beside: Array) -> None:
        """What tells has been computed."""
        if self._read is None:
            self._read = np.zeros(self.table.rows, np.bool_)
        self._read[self.table.read(array, *beside)] = True

    @property
    def share(self) -> tuple[int, int]:
        """How many were read, of how many; of a table that nothing came to, 0 of 0."""
        return (0, 0) if self._read is None else (int(self._read.sum()), self._read.size)
