"""What of the models the sets of inputs reach: branches, sides, units, rows; in bodies too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from bnfold.runtime.signature import Array
from bnfold.verify.aims import Aim, aim_at
from bnfold.verify.records import Coverage, Share
from bnfold.verify.rows import RowsRead, Table, leaves_of, tables_of
from bnfold.verify.showing import Shows, units_of
from bnfold.verify.sides import Side, Sides, Wanted, sides_of
from bnfold.verify.trees import ensembles_of
from bnfold.verify.units import Units

Key = tuple[str, str]
"""A node's first output, and the attribute that holds a graph of it."""


@dataclass(frozen=True)
class _Body:
    """A graph that a node runs if the numbers say so, and those around it."""

    key: Key
    parents: tuple[Key, ...]
    words: str
    aim: Aim | None


class Reached:
    """What has been reached so far; it is told while the float64 reference is computed."""

    def __init__(self, graph: ir.Graph | None = None) -> None:
        """Reads the graph once; without one, there is only what is to be watched besides."""
        nodes = () if graph is None else tuple(graph.all_nodes())
        self._closed: list[str] = []
        self._bodies = [] if graph is None else list(_bodies(graph))
        self._looked_into: list[str] = []
        self._sides: dict[str, dict[str, Side]] = {}
        self._held: dict[str, Array] = {}
        self._beside: set[str] = set()
        self.watch(sides_of(nodes))
        self._met: dict[str, set[str]] = {}
        self._shows: dict[str, list[Shows]] = {}
        self._units: dict[Shows, Units] = {}
        self.watch_units(() if graph is None else units_of(graph))
        self._tables: dict[str, list[RowsRead]] = {}
        self.watch_tables(() if graph is None else tables_of(graph))
        if graph is not None:
            self.watch_trees(graph)
        self._entered: set[Key] = set()

    def watch(self, sides: Iterable[tuple[str, Sides]]) -> None:
        """From now on these are to be met as well: tensors, with what they tell."""
        for name, told in sides:
            self._sides.setdefault(name, {}).update(told)
            self._beside.update(each for side in told.values() for each in side.beside)

    def watch_units(self, shows: Iterable[Shows]) -> None:
        """From now on these units are to be met as well."""
        for each in shows:
            self._shows.setdefault(each.tensor, []).append(each)
            self._units[each] = Units()
            self._beside.update(each.beside)

    def watch_trees(self, graph: ir.Graph) -> None:
        """From now on it is told which leaves are met, and of which trees nobody knows that."""
        trees = list(ensembles_of(graph))
        self.watch_tables(leaves_of(trees))
        unread = (node for node, ensemble in trees if ensemble is None)
        self._closed += [f"which leaves of {n.op_type} {_label(n)!r} are met" for n in unread]

    def watch_tables(self, tables: Iterable[Table]) -> None:
        """From now on it is told which rows of these are read; none is looked for."""
        for each in tables:
            self._tables.setdefault(each.tensor, []).append(RowsRead(each))
            self._beside.update(each.beside)

    def watch_closed(self, functions: Iterable[ir.Function]) -> None:
        """From now on it is said that nobody knows what is met within these."""
        self._closed += [f"what is in the local function {f.name!r}" for f in functions]

    def watch_unseen(self, words: str) -> None:
        """From now on it is said that nobody knows this."""
        if words not in self._closed:
            self._closed.append(words)

    def watch_bodies(self, graph: ir.Graph) -> None:
        """From now on the graphs that nodes of this graph run are to be run as well."""
        self._bodies += _bodies(graph)
        self._looked_into += [body.key[0] for body in self._bodies if not body.parents]

    @property
    def watched(self) -> tuple[str, ...]:
        """The tensors that tell of sides, units and rows, and those behind graphs to be run."""
        return *self._sides, *self._shows, *self._tables, *self._looked_into

    def aims(self) -> dict[str, Aim]:
        """What was not met, in words, with what to look for; some can only be met by chance."""
        sides = ((words, side.aim) for words, side in self._unmet())
        bodies = ((body.words, body.aim) for body in self._resting())
        return {words: aim for words, aim in (*sides, *bodies) if aim is not None}

    @property
    def count(self) -> int:
        """How many branches, sides and units were reached; units as often as is enough."""
        units = sum(units.count for units in self._units.values())
        return len(self._entered) + sum(map(len, self._met.values())) + units

    @property
    def wanted(self) -> frozenset[Wanted]:
        """Which inputs may meet what was not met."""
        found = {side.wants for _, side in self._unmet()}
        if self._resting() or not self._are_units_met():
            found.add("numbers")
        return frozenset(found)

    @property
    def is_complete(self) -> bool:
        """Whether every branch, side and unit that was seen was reached."""
        return not self._resting() and not self._unmet() and self._are_units_met()

    def enter(self, node: ir.Node, graph: ir.Graph) -> None:
        """A graph of this node is run."""
        for name, attribute in node.attributes.items():
            if attribute.type == ir.AttributeType.GRAPH and attribute.value is graph:
                self._entered.add((_label(node), name))

    def observe(self, name: str, array: Array) -> None:
        """A tensor of the graph, or of one that it runs, has been computed."""
        if name in self._beside:
            self._held[name] = array
        if name in self._sides and array.size:
            sides = self._sides[name].items()
            found = {words for words, side in sides if self._is_met(side, array)}
            self._met[name] = found | self._met.get(name, set())
        for rows in self._tables.get(name, ()):
            if all(beside in self._held for beside in rows.table.beside):
                rows.observe(array, *(self._held[beside] for beside in rows.table.beside))
        for each in self._shows.get(name, ()):
            if all(beside in self._held for beside in each.beside):
                awake = each.where(array, *(self._held[beside] for beside in each.beside))
                self._units[each].observe(awake)

    def _are_units_met(self) -> bool:
        return all(units.is_complete for units in self._units.values())

    def _is_met(self, side: Side, array: Array) -> bool:
        beside = [self._held[name] for name in side.beside if name in self._held]
        return len(beside) == len(side.beside) and side.is_met(array, *beside)

    def coverage(self, ids: Sequence[Share], other: Reached) -> Coverage:
        """The record of it; `ids` are the rows of tables that inputs drew.

        `other` has what was reached of the other model.
        """
        units = [*self._asleep(), *(other._asleep(" of the other model"))]
        bodies, sides = [b.words for b in self._resting()], [words for words, _ in self._unmet()]
        bodies += [f"{body.words} of the other model" for body in other._resting()]
        sides += [f"{words} of the other model" for words, _ in other._unmet()]
        closed = [*self._closed, *(f"{words} of the other model" for words in other._closed)]
        rows = [*self._unread(), *other._unread(" of the other model")]
        return Coverage(
            tuple(bodies), tuple(sides), tuple(units), tuple(ids), tuple(rows), tuple(closed)
        )

    def _asleep(self, whose: str = "") -> list[Share]:
        """The units that were never met, by what they are called."""
        shares = [Share(f"{e.label}{whose}", *units.awake) for e, units in self._units.items()]
        return [share for share in shares if share.reached < share.of]

    def _unread(self, whose: str = "") -> list[Share]:
        """The tables of which some row was never read."""
        tables = (rows for each in self._tables.values() for rows in each)
        shares = [Share(f"{rows.table.label}{whose}", *rows.share) for rows in tables]
        return [share for share in shares if share.reached < share.of]

    @property
    def sizes_left(self) -> list[int]:
        """How many rows there are in tables that are read as far as a size says, and no further."""
        tables = [rows for each in self._tables.values() for rows in each]
        left = [rows for rows in tables if rows.share[0] < rows.share[1]]
        return list(dict.fromkeys(rows.share[1] for rows in left if rows.table.is_by_size))

    def _unmet(self) -> list[tuple[str, Side]]:
        """The sides of what was computed that were not met."""
        return [
            (words, side)
            for name, met in self._met.items()
            for words, side in self._sides[name].items()
            if words not in met
        ]

    def _resting(self) -> list[_Body]:
        return [
            body
            for body in self._bodies
            # a body within one that never ran would be told twice
            if body.key not in self._entered and self._entered.issuperset(body.parents)
        ]


def _bodies(graph: ir.Graph, parents: tuple[Key, ...] = ()) -> Iterator[_Body]:
    for node in graph:
        for name, attribute in node.attributes.items():
            if attribute.type != ir.AttributeType.GRAPH or attribute.is_ref():
                continue
            key = _label(node), name
            # who takes a stored condition takes one body alone: the other is no gap of the inputs
            condition = node.inputs[0] if node.op_type == "If" else None
            if condition is None or condition.const_value is None:
                # within another body nothing is fed, so that no input can be made for it
                aim = None if condition is None or parents else aim_at(condition)
                if aim is not None and name == "else_branch":
                    aim = aim.reversed()
                yield _Body(key, parents, _words(node, name), aim)
            yield from _bodies(attribute.as_graph(), (*parents, key))


def _words(node: ir.Node, attribute: str) -> str:
    what = f"{node.op_type} {node.name or _label(node)!r}"
    if node.op_type == "If":
        return f"branch {attribute.removesuffix('_branch')!r} of {what}"
    return f"the body of {what}"


def _label(node: ir.Node) -> str:
    return node.outputs[0].name or ""
