"""What a user may name: rules for `skip`, rewrites with a price for `allow`; what they mean."""

from __future__ import annotations

from collections.abc import Collection

from bnfold import arguments
from bnfold.errors import UsageError, did_you_mean
from bnfold.fold.merge import concat, sequential, sum_tree
from bnfold.fold.moves.table import PRICES, RULES, price_order

MERGES: tuple[str, ...] = (sum_tree.RULE, sequential.RULE, concat.RULE)

RULE_NAMES: tuple[str, ...] = tuple(dict.fromkeys([*(rule.name for rule in RULES), *MERGES]))
"""Every rule once, in the order in which they are asked."""


def allowed(allow: str | Collection[str]) -> frozenset[str]:
    """The priced rewrites that may be used; several may stand in one name, separated by commas.

    Raises:
        UsageError: a name is none of them.
    """
    given = arguments.names("allow", allow)
    found = frozenset(name for several in given for name in several.split(","))
    unknown = sorted(found - {*PRICES, "all"})
    if unknown:
        near = did_you_mean(unknown[0], [*PRICES, "all"])
        raise UsageError(
            f"allow: unknown {', '.join(unknown)}; choose from {', '.join(PRICES)}, all{near}"
        )
    return frozenset(PRICES if "all" in found else found)


__all__ = ["MERGES", "PRICES", "RULES", "RULE_NAMES", "allowed", "price_order"]
