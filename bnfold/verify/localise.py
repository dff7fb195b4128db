"""Where two models part: the first tensor that is off, and the fold sites that can be to blame.

It supports an alarm on an output and raises none. Tensors inside are matched by what they hold, see
`matching`, and compared in graph order; a sequence, map or optional value is none. Where the other
model is bnfold's own fold of the original, the sites lie between the last tensors that agree and
the first that does not; where there are several, each is folded alone to see which one is off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import onnx_ir as ir

from bnfold.float64 import EvaluationError, UnsupportedOperatorError, run_graph
from bnfold.runtime.engine import Setting
from bnfold.runtime.sessions import RefusedError, RunError
from bnfold.runtime.signature import Array
from bnfold.verify.blame import Refold, blamed, is_fold_of
from bnfold.verify.case import OutputCase
from bnfold.verify.feeds import Feed
from bnfold.verify.inference import dtypes_of
from bnfold.verify.matching import Match, Print, matches, print_of
from bnfold.verify.neighbour import Neighbour
from bnfold.verify.records import Location, OutputRow
from bnfold.verify.subject import OnnxSubject

CHUNK = 32
"""Tensors of one model held at once, for the memory's sake."""

ELEMENTS = 1 << 22
"""Of the pairs that are held at once, each in five runs: of both, two copies, and in float64."""


@dataclass(frozen=True)
class InnerSearch:
    """What it takes to compare tensors of two models inside."""

    a: OnnxSubject
    b: OnnxSubject
    feed: Feed
    setting: Setting
    seed: int
    is_trusted: bool = True
    """Whether the float64 reference is, see `trust`."""

    def pairs(self) -> list[Match]:
        """The tensors that stand for each other, in graph order."""
        return matches(self.a.model, self.b.model, self._prints(self.a), self._prints(self.b))

    def first_off(self, pairs: Sequence[Match]) -> OutputRow | None:
        """The row of the first tensor, in the order of the pairs, that is not within its budget."""
        for some in _pieces(pairs):
            for row in self._rows(some):
                if not row.is_within:
                    return row
        return None

    def _prints(self, subject: OnnxSubject) -> Mapping[str, Print]:
        names, found = list(_computed_floats(subject.model)), {}
        for start in range(0, len(names), CHUNK):
            for name, array in self._run(subject, names[start : start + CHUNK]).items():
                seen = print_of(array)
                if seen is not None:
                    found[name] = seen
        return found

    def _rows(self, pairs: Sequence[Match]) -> Iterator[OutputRow]:
        names = [pair.ours for pair in pairs]
        ours = self._run(self.a, names)
        theirs = self._run(self.b, [pair.theirs for pair in pairs])
        neighbours = [Neighbour((self.seed, copy)) for copy in range(2)]
        copies = [self._run(self.a, names, neighbour) for neighbour in neighbours]
        exact = self._reference(names) or {
            name: array.astype("float64") for name, array in ours.items()
        }
        for pair in pairs:
            name, other = pair.ours, theirs[pair.theirs]
            if {other.shape, exact[name].shape} != {ours[name].shape}:
                continue  # behind a selection
            case = OutputCase(name, [self.feed.name], [exact[name]], [ours[name]])
            for copy in copies:
                if copy[name].shape == ours[name].shape:
                    case.add_noise(0, copy[name])
            yield case.row("none", [ours[name]], [other])

    def _reference(self, names: Sequence[str]) -> dict[str, Array] | None:
        if not self.is_trusted:
            return None
        try:
            return run_graph(self.a.model, self.feed.arrays, only=names, constants=self.a.constants)
        except (EvaluationError, UnsupportedOperatorError):
            return None

    def _run(
        self, subject: OnnxSubject, names: Sequence[str], neighbour: Neighbour | None = None
    ) -> dict[str, Array]:
        exposed = subject.copy()
        exposed.expose(dict.fromkeys(names))
        session = exposed.open(replace(self.setting, level="none"), neighbour)
        tensors = [name for name in names if name in session.tensors]
        if not tensors:
            return {}
        return dict(zip(tensors, session.run(self.feed.arrays, tensors), strict=True))


def _pieces(pairs: Sequence[Match]) -> Iterator[Sequence[Match]]:
    """The pairs in order, so many at once as `ELEMENTS` and `CHUNK` allow; one at least."""
    start = size = 0
    for index, pair in enumerate(pairs):
        size += pair.elements
        if index > start and (size > ELEMENTS or index - start == CHUNK):
            yield pairs[start:index]
            start, size = index, pair.elements
    yield pairs[start:]


def locate(search: InnerSearch, refold: Refold) -> Location | None:
    """The first tensor that is off, with its sites; None where nothing inside is off."""
    try:
        pairs = search.pairs()
        row = search.first_off(pairs)
    except (RefusedError, RunError):
        return None  # a graph does not run with everything returned: the output is all there is
    if row is None:
        return None
    value = next(v for node in search.a.model.graph for v in node.outputs if v.name == row.name)
    node = value.producer()
    assert node is not None, "only outputs of nodes are compared"
    producer = f"{node.op_type} {node.name!r}"
    before = pairs[: [pair.ours for pair in pairs].index(row.name)]
    good = {pair.ours for pair in before}
    folded = refold(())
    sites: Sequence[str] | None = None
    if is_fold_of(search.b.model, search.a.model, folded.model):

        def is_off(model: ir.Model) -> bool:
            other = replace(search, b=OnnxSubject(model, "folded"))
            pair = next((pair for pair in other.pairs() if pair.ours == row.name), None)
            return pair is not None and other.first_off([pair]) is not None

        sites = blamed(value, good, folded, refold, is_off)
    return Location(
        tensor=row.name,
        producer=producer,
        ratio=max(row.ratio, row.channel_ratio or 0.0),
        sites=tuple(sites or ()),
        sentence=_sentence(row.name, producer, sites),
    )


def _computed_floats(model: ir.Model) -> Iterator[str]:
    """The float tensors that the main graph computes, as far as it tells."""
    known = dtypes_of(model)
    for node in model.graph:
        for value in node.outputs:
            dtype = known.get(value.name or "")
            if value.name and (dtype is None or dtype.is_floating_point()):
                yield value.name


def _sentence(tensor: str, producer: str, sites: Sequence[str] | None) -> str:
    where = f"the first tensor that is off is {tensor!r}, made by {producer}"
    if sites is None:
        return where
    if not sites:
        return f"{where}; no batch norm lies between it and the tensors that agree"
    names = ", ".join(map(repr, sites))
    blame = (
        "the batch norm to blame is" if len(sites) == 1 else "the batch norms to blame are among"
    )
    return f"{where}; {blame} {names}"
