"""Why a value is no constant: it is fed, a default, or made by an operator that nobody computes."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import describe, is_op

_MOST = 4096  # values looked at
_RUN_TIME = frozenset(
    "Bernoulli If Loop Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike "
    "Scan".split()
)


@dataclass(frozen=True)
class Origin:
    """What keeps a value from being a constant.

    Attributes:
        default: an initializer that the caller may override, by name; empty where there is none.
        operator: one over constants that nobody computed, in words; empty where there is none.
    """

    default: str = ""
    operator: str = ""

    @property
    def is_run_time(self) -> bool:
        """Whether it depends on what is fed."""
        return not self.default and not self.operator


def origin_of(value: ir.Value, facts: Facts) -> Origin:
    """Why the value, which is no constant, is none."""
    default = operator = ""
    seen, pending = {value}, [value]
    while pending:
        current = pending.pop()
        if facts.is_constant(current):
            continue
        node = current.producer()
        if node is None and current.is_initializer():
            default = default or current.name or "?"
            continue
        if node is None or is_op(node, *_RUN_TIME) or len(seen) > _MOST:
            return Origin()
        sources = [v for v in node.inputs if v is not None]
        if not sources:
            return Origin()
        if all(facts.is_constant(v) for v in sources):
            operator = operator or describe(node)
        pending.extend(v for v in sources if v not in seen)
        seen.update(sources)
    return Origin(default) if default else Origin(operator=operator)
