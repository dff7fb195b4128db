"""A rewrite proves itself when it is made: the region before, and the region that is there now.

Both are read back from what would be written, and run with unrounded constants on random inputs
whose values have both signs and whose sizes reach the borders. Equal to 1e-10 of the output's
scale, and each fresh tensor rounded once, or the rewrite is undone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import onnx_ir as ir

from bnfold.errors import BnfoldError
from bnfold.fold.facts.constants import Constant
from bnfold.fold.facts.graph import Facts
from bnfold.fold.plan import Plan
from bnfold.fold.proof.bodies import are_too_deep, label_of, ways_of
from bnfold.fold.proof.difference import Finding, largest_of, unlike
from bnfold.fold.proof.fitting import DOES_NOT_RUN, Fitting, contradicts
from bnfold.fold.proof.lean import lean_extent, reach_of
from bnfold.fold.proof.proof_sizes import (
    OTHER,
    PLAIN,
    SMALL,
    Sizes,
    has_open_extents,
    smaller_extents,
)
from bnfold.fold.proof.readings import FEW, NONE, batch_of, enough
from bnfold.fold.proof.region import region_of, rewritten
from bnfold.fold.proof.rounding import misrounded
from bnfold.fold.proof.trial_run import FedValues, TrialRun
from bnfold.fold.proof.written import CertificateError, UnknownRankError, Written, written

_EXTENTS = (16, 64, 224)  # of the model's inputs, where small sizes do not fit

_IN_VAIN = 6  # runs in which no number meets a weight: an end of a Slice is drawn, and may be 0

_NOTHING_READ = "no number meets one of its weights, as an extent is 0"
_OTHER_SIZES = "the nodes concerned were tried at sizes which what stands behind them does not take"
_NO_SIZES = (
    "the nodes concerned run at none of the sizes that were tried for what the model leaves open"
)
_NOT_ITS_SIZES = "the nodes concerned do not run at the sizes that the model has"
_DECLARE = "declare the sizes that the model runs at, or report the model"


class Certificate:
    """What a plan must not change, recorded before the graph is edited.

    Args:
        plan: that is about to be carried out.
        facts: of the model, which is as it was.

    Raises:
        CertificateError: the region cannot be read: nothing could be proven.
    """

    def __init__(self, plan: Plan, facts: Facts) -> None:
        self._facts = facts
        self._region = region_of(plan, facts)
        seen = [value for _, value in self._region.read_now()]
        self._before = written(self._region.nodes, self._region.enters, seen, facts)
        nodes, enters = self._region.nodes, self._region.enters
        self._lean = lean_extent(nodes, facts)
        self._reach, self._enough = reach_of(nodes), enough(nodes)
        least = self._lean or max(SMALL, self._reach)
        self._smaller = smaller_extents(nodes, enters, facts, least)
        made = (output for node in nodes for output in node.outputs)
        self._ways = ways_of(nodes, facts)
        if are_too_deep(self._ways):
            raise CertificateError("Ifs stand in one another's bodies too deep to try every way")
        self._told = {label_of(value, facts): facts.dims(value) or () for value in made}
        extents = {
            **{name: facts.dims(v) or () for name, v in self._before.enters.items()},
            **self._told,
        }
        self._empty = frozenset(name for name, dims in extents.items() if 0 in dims)
        self._batch = batch_of(nodes, is_lean=self._lean is not None)
        self._outputs = [_signature(output) for output in facts.model.graph.outputs]

    def compared(
        self, made_nodes: Collection[ir.Node], made_constants: Collection[ir.Value]
    ) -> Finding:
        """What is wrong with the graph as it is now; or how nearly before and after agree.

        Raises:
            CertificateError: the region cannot be run: nothing is proven.
        """
        if self._outputs != [_signature(output) for output in self._facts.model.graph.outputs]:
            return "an output of the graph changes its name or its type"
        try:
            nodes = rewritten(self._region, self._facts, made_nodes)
            seen = [value for _, value in self._region.read_now()]
            after = written(nodes, self._region.enters, seen, self._facts, made_constants)
        except CertificateError as error:
            return f"the rewritten region does not hold together: {error}"
        for value in after.fresh.values():
            wrong = misrounded(value)
            if wrong is not None:
                return wrong
        worst = 0.0
        for way in range(self._ways):
            found = self._compared(after, way)
            if isinstance(found, str):
                return found
            worst = max(worst, found)
        return worst

    def _compared(self, after: Written, way: int) -> Finding:
        """At the first sizes at which both run; other ones than a network's accuse nobody."""
        stopped: list[Exception] = []
        for sizes in self._sizes():
            found = self._found_at(sizes, after, stopped, way)
            if isinstance(found, float):
                elsewhere = self._elsewhere(after, way)
                return elsewhere if isinstance(elsewhere, str) else max(found, elsewhere)
            if found is not None and not sizes.is_shrunken:
                return found
        return self._where_it_fits(after, stopped, way)

    def _where_it_fits(self, after: Written, stopped: list[Exception], way: int) -> Finding:
        """At sizes that are looked for.

        Raises:
            CertificateError: there are none.
        """
        worst = None
        if any(isinstance(error, BnfoldError) for error in stopped):
            raise self._unproven(stopped)  # an operator that runs at no size
        fitting = Fitting(self._before, self._facts, way, self._reach, self._told)
        for sizes in fitting.sizes():
            found = self._found_at(sizes, after, stopped, way)
            if isinstance(found, str):
                return found
            if found is not None:
                worst = max(found, worst or 0.0)
        if worst is None:
            raise self._unproven(stopped)
        return worst

    def _unproven(self, stopped: Collection[Exception]) -> CertificateError:
        """Why, in our words: what an evaluator says of shapes is not repeated."""
        ours = [error for error in stopped if isinstance(error, CertificateError)]
        of_the_model = [error for error in ours if isinstance(error, UnknownRankError)]
        of_operators = [
            CertificateError(str(error)) for error in stopped if isinstance(error, BnfoldError)
        ]
        for reasons in (of_the_model, of_operators, ours):
            if reasons:
                return reasons[-1]
        if has_open_extents(self._region.enters, self._facts, first=0):
            return CertificateError(_NO_SIZES, advice=_DECLARE)
        return CertificateError(_NOT_ITS_SIZES)

    def _found_at(
        self, sizes: Sizes, after: Written, stopped: list[Exception], way: int
    ) -> Finding | None:
        """What comes of so many runs that each weight was read often enough; None: it runs not."""
        readings, worst = NONE, 0.0
        while not readings.suffice(self._enough):
            feeds: FedValues = {}
            first = TrialRun(self._before, self._facts, feeds, sizes, way, self._empty)
            try:
                old = first.run()
            except DOES_NOT_RUN as error:
                stopped.append(error)
                return None
            try:
                new = TrialRun(after, self._facts, feeds, sizes, way).run()
            except DOES_NOT_RUN as error:
                return f"the rewritten region does not run: {error}"
            difference = self._difference(old, new)
            if isinstance(difference, str) and contradicts(old, self._told):
                stopped.append(CertificateError(_OTHER_SIZES))
                return None
            if isinstance(difference, str):
                return difference
            worst = max(worst, difference)
            readings, sizes = readings + first.readings, sizes.again()
            if sizes.turn >= _IN_VAIN and not readings.vectors:
                stopped.append(CertificateError(_NOTHING_READ))
                return None
        return worst

    def _elsewhere(self, after: Written, way: int) -> Finding:
        """The same at other sizes, where the graph leaves some open and they can be had."""
        if not has_open_extents(self._region.enters, self._facts):
            return 0.0
        plain = OTHER if self._lean is None else (FEW, self._lean + 1)
        plain = plain[0], max(plain[1], self._reach + 3)  # others than it was first tried at
        sizes, feeds = Sizes(facts=self._facts, smaller=self._smaller, plain=plain), FedValues()
        try:
            old = TrialRun(self._before, self._facts, feeds, sizes, way).run()
        except DOES_NOT_RUN:
            return 0.0  # the region takes no such sizes: there is nothing to compare
        try:
            new = TrialRun(after, self._facts, feeds, sizes, way).run()
        except DOES_NOT_RUN as error:
            return 0.0 if sizes.is_shrunken else f"it does not run at other sizes: {error}"
        difference = self._difference(old, new)
        if isinstance(difference, float):
            return difference
        return 0.0 if contradicts(old, self._told) else f"at other sizes, {difference}"

    def _difference(self, before: Mapping[str, Constant], after: Mapping[str, Constant]) -> Finding:
        """What is read outside, and whatever keeps its name, is the same."""
        worst = 0.0
        largest = max((largest_of(array) for array in before.values()), default=0.0)
        pairs = {(name, label_of(now, self._facts)) for name, now in self._region.read_now()}
        pairs |= {(name, name) for name in before if name in after}
        for name, now in sorted(pairs):
            difference = unlike(name, before[name], after[now], largest)
            if isinstance(difference, str):
                return difference
            worst = max(worst, difference)
        return worst

    def _sizes(self) -> Iterator[Sizes]:
        """Sizes to try, the cheapest first: small ones may not fit each other, or a constant.

        First with a batch, which is what lets a fault be seen for certain, then as it is stated.
        """
        for batch in (self._batch, 0):
            if self._lean is not None:
                plain = (max(batch, 1), self._lean)
                yield Sizes(
                    facts=self._facts, smaller=self._smaller, plain=plain, batch=batch, is_lean=True
                )
            else:
                plain = (max(batch, PLAIN[0]), max(PLAIN[1], self._reach))
                yield Sizes(facts=self._facts, smaller=self._smaller, plain=plain, batch=batch)
        if self._lean is not None or self._smaller:
            yield Sizes(facts=self._facts, plain=(PLAIN[0], max(PLAIN[1], self._reach)))
        for extent in _EXTENTS:
            yield Sizes(facts=self._facts, concrete=self._facts.concrete_dims(extent))


def _signature(output: ir.Value) -> tuple[str | None, ir.TypeProtocol | None]:
    return output.name, output.type
