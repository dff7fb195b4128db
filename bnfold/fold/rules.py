"""What a user may name: the rules that `skip` takes, and the rewrites with a price of `allow`."""

from __future__ import annotations

from bnfold.fold.merge import sequential, sum_tree
from bnfold.fold.moves.table import PRICES, RULES

MERGES: tuple[str, ...] = (sum_tree.RULE, sequential.RULE)

RULE_NAMES: tuple[str, ...] = tuple(dict.fromkeys([*(rule.name for rule in RULES), *MERGES]))
"""Every rule once, in the order in which they are asked."""

__all__ = ["MERGES", "PRICES", "RULES", "RULE_NAMES"]
