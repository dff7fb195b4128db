"""Where two models part: the first tensor that is off, and the fold sites that can be to blame.

A tensor whose name occurs in both graphs has the same value in both, so it can be compared. Where
a fold took a name away, the site lies between the last tensors that agree and the first that
does not; where several sites do, each is folded alone to see which one is off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import onnx_ir as ir

from bnfold.float64 import EvaluationError, UnsupportedOperatorError, run_graph
from bnfold.fold.api import FoldResult
from bnfold.runtime.engine import Setting
from bnfold.runtime.signature import Array
from bnfold.verify.case import OutputCase
from bnfold.verify.feeds import Feed
from bnfold.verify.records import Location, OutputRow
from bnfold.verify.subject import OnnxSubject

CHUNK = 64
"""Tensors held at once, for the memory's sake."""

Refold = Callable[[Sequence[str]], FoldResult]
"""Folds the original again, leaving these sites alone."""


@dataclass(frozen=True)
class Search:
    """What it takes to compare tensors of two models inside."""

    a: OnnxSubject
    b: OnnxSubject
    feed: Feed
    setting: Setting
    seed: int
    is_trusted: bool = True
    """Whether the float64 reference is, see `trust`."""

    def first_off(self, names: Sequence[str]) -> OutputRow | None:
        """The row of the first tensor, in the order of `names`, that is not within its budget."""
        for start in range(0, len(names), CHUNK):
            chunk = names[start : start + CHUNK]
            for row in self._rows(chunk):
                if not row.is_within:
                    return row
        return None

    def _rows(self, names: Sequence[str]) -> Iterator[OutputRow]:
        ours = self._run(self.a, names)
        theirs = self._run(self.b, names)
        copies = [self._run(self.a, names, noise=(self.seed, copy)) for copy in range(2)]
        exact = self._reference(names) or {
            name: array.astype("float64") for name, array in ours.items()
        }
        for name in names:
            if {theirs[name].shape, exact[name].shape} != {ours[name].shape}:
                continue  # behind a selection, or one name for two things
            case = OutputCase(name, [self.feed.name], [exact[name]], [ours[name]])
            for copy in copies:
                if copy[name].shape == ours[name].shape:
                    case.add_noise(0, copy[name])
            yield case.row("none", [ours[name]], [theirs[name]])

    def _reference(self, names: Sequence[str]) -> dict[str, Array] | None:
        if not self.is_trusted:
            return None
        try:
            return run_graph(self.a.model, self.feed.arrays, only=names, constants=self.a.constants)
        except (EvaluationError, UnsupportedOperatorError):
            return None

    def _run(
        self, subject: OnnxSubject, names: Sequence[str], noise: tuple[int, ...] | None = None
    ) -> dict[str, Array]:
        exposed = OnnxSubject(subject.source, subject.name)
        exposed.expose(dict.fromkeys(names))
        session = exposed.open(replace(self.setting, level="none"), noise)
        return dict(zip(names, session.run(self.feed.arrays, names), strict=True))


def locate(search: Search, refold: Refold) -> Location | None:
    """The first tensor that is off, with its sites; None where nothing inside is off."""
    names = common_tensors(search.a.model, search.b.model)
    row = search.first_off(names)
    if row is None:
        return None
    model = search.a.model
    values = {value.name: value for node in model.graph for value in node.outputs}
    node = values[row.name].producer()
    assert node is not None, "only outputs of nodes are compared"
    good = set(names[: names.index(row.name)])
    suspects = list(_between(values[row.name], good))
    sites = _sites(suspects, refold)
    if len(sites) > 1:
        sites = _guilty(search, row.name, sites, refold)
    producer = f"{node.op_type} {node.name!r}"
    return Location(
        tensor=row.name,
        producer=producer,
        ratio=max(row.ratio, row.channel_ratio or 0.0),
        sites=tuple(sites),
        sentence=_sentence(row.name, producer, sites),
    )


def common_tensors(a: ir.Model, b: ir.Model) -> list[str]:
    """The names of computed float tensors that both graphs have, in the order of the first."""
    theirs = {value.name for node in b.graph for value in node.outputs}
    return [
        value.name
        for node in a.graph
        for value in node.outputs
        if value.name and value.name in theirs and _is_float(value)
    ]


def _is_float(value: ir.Value) -> bool:
    return value.dtype is None or value.dtype.is_floating_point()


def _between(value: ir.Value, good: set[str]) -> Iterator[ir.Node]:
    """The nodes that a tensor depends on, back to tensors that are known to agree; latest first."""
    pending, seen = [value], set()
    while pending:
        current = pending.pop(0)
        node = current.producer()
        if node is None or node in seen:
            continue
        seen.add(node)
        yield node
        pending += [x for x in node.inputs if x is not None and x.name not in good]


def _sites(suspects: Sequence[ir.Node], refold: Refold) -> list[str]:
    """The fold sites among nodes, earliest first; if there are none, every batch norm."""
    made = {value.name for node in suspects for value in node.outputs}
    decisions = refold(()).ledger.decisions
    sites = [d.name for d in decisions if d.is_folded and d.output in made]
    norms = [node for node in reversed(suspects) if node.op_type == "BatchNormalization"]
    return sites or [norm.name or norm.outputs[0].name or "" for norm in norms]


def _guilty(search: Search, tensor: str, sites: Sequence[str], refold: Refold) -> list[str]:
    """Those of the sites whose fold, alone, puts the tensor off; all where none does alone."""

    def is_off(left_alone: Sequence[str]) -> bool:
        folded = OnnxSubject(refold(left_alone).model, "folded")
        if tensor not in common_tensors(search.a.model, folded.model):
            return False
        return replace(search, b=folded).first_off([tensor]) is not None

    found = [site for site in sites if is_off([other for other in sites if other != site])]
    return found or list(sites)


def _sentence(tensor: str, producer: str, sites: Sequence[str]) -> str:
    where = f"the first tensor that is off is {tensor!r}, made by {producer}"
    if not sites:
        return f"{where}; no batch norm lies between it and the tensors that agree"
    names = ", ".join(map(repr, sites))
    blame = (
        "the batch norm to blame is" if len(sites) == 1 else "the batch norms to blame are among"
    )
    return f"{where}; {blame} {names}"
