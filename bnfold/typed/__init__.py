"""What the runtime computes: operators in the graph's own types, rounded at each of them.

`bnfold.float64` says what a graph means; this package says what it gives. The two part where a
value meets a step: Round, Floor, Cast to an integer or a comparison turn a difference of one
rounding into a whole step, so that a constant that is computed in the graph is only known in the
types that the graph names.
"""

from bnfold.typed.errors import ConstantError
from bnfold.typed.typed_constants import TypedConstants
from bnfold.typed.typed_node import ConstantBudget, run_typed_node

__all__ = ["ConstantBudget", "ConstantError", "TypedConstants", "run_typed_node"]
