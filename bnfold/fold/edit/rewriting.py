"""A plan is carried out, proven as the graph then stands, and kept or undone."""

from __future__ import annotations

from bnfold.fold.edit.engine import Edit, Engine
from bnfold.fold.facts.graph import Facts
from bnfold.fold.plan import MISTAKES, Plan, Refusal, Report, told
from bnfold.fold.proof.certificate import Certificate
from bnfold.fold.proof.difference import Finding
from bnfold.fold.proof.written import CertificateError, UnknownRankError

_BUG = "this is a bug in bnfold; please report it"


class Rewriting:
    """Carries plans out, one after another.

    Args:
        facts: of the model.
        report: told of each plan that is wrong.
        largest: a plan that makes a tensor of more entries is taken on trust, unread.

    Attributes:
        unproven: what could not be run, and so was not made, each once.
    """

    def __init__(self, facts: Facts, report: Report, largest: int | None = None) -> None:
        self._facts = facts
        self._engine = Engine(facts)
        self._report = report
        self._largest = largest
        self.unproven: dict[str, None] = {}

    def carry_out(self, plan: Plan, label: str) -> Refusal | float:
        """Why the graph is as it was; or, where the plan is carried out, how well it is proven.

        The number is the largest difference in float64, over the largest value of its tensor.

        Args:
            plan: what to do.
            label: who asks for it, for messages.
        """
        try:
            if self._trusts(plan):
                self._engine.keep(self._engine.apply(plan))
                return 0.0
            refusal = _unfit(plan, label)
            return self._proven(plan, label) if refusal is None else refusal
        except UnknownRankError as error:
            return Refusal("rank-unknown", str(error), label, error.advice)
        except CertificateError as error:
            return self._unproven(error, label)
        except MemoryError:
            why = "what it computes takes more memory than there is"
            return self._unproven(CertificateError(why), label)
        except MISTAKES as error:
            self._report(f"{label}: a rewrite failed: {told(error)}")
            return Refusal("rewrite-failed", f"the rewrite failed: {told(error)}", label, _BUG)

    def _unproven(self, error: CertificateError, label: str) -> Refusal:
        sentence = f"the rewrite could not be proven: {error}"
        self.unproven[f"{label}: {sentence}"] = None
        return Refusal("not-certified", sentence, label, error.advice)

    def _trusts(self, plan: Plan) -> bool:
        limit = self._largest
        return limit is not None and any(made.size > limit for made, _ in plan.fresh_constants)

    def _proven(self, plan: Plan, label: str) -> Refusal | float:
        certificate = Certificate(plan, self._facts)
        edit = self._engine.apply(plan)
        found: Finding = "it was not looked at"
        try:
            found = certificate.compared(edit.nodes, edit.constants)
        finally:
            self._close(edit, keeps=isinstance(found, float))
        if isinstance(found, float):
            return found
        self._report(f"{label}: {found}")
        return Refusal("certificate-failed", f"the rewrite is wrong: {found}", label, _BUG)

    def _close(self, edit: Edit, *, keeps: bool) -> None:
        if keeps:
            self._engine.keep(edit)
        else:
            self._engine.undo(edit)


def _unfit(plan: Plan, label: str) -> Refusal | None:
    """Why a plan that the algebra allows must not be carried out: its tensors would not fit."""
    for exact, is_addend in plan.fresh_constants:
        fault = exact.fault(is_addend=is_addend) if exact.dtype.is_floating_point() else None
        if fault is not None:
            return Refusal(
                fault,
                f"a folded weight would {fault} {exact.dtype.name.lower()}",
                at=label,
                advice="fold the model in float32, then convert it",
            )
    return None
