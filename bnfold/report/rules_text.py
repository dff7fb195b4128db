"""The rules in words: what --skip, --allow and the ledger call them, and what they are for."""

from __future__ import annotations

from bnfold.report.blocks import Block, Column, Line, Table, blank

_MERGED = {
    "merge-parallel": "linear branches of one value that are added become one",
    "merge-sequential": "a convolution or matrix product behind another becomes one with it",
    "merge-concat": "convolutions or matrix products of one value that are joined become one",
}


def rules_blocks() -> list[Block]:
    """A row for each rule, then the rewrites with a price."""
    from bnfold.fold.rules import PRICES, RULE_NAMES, RULES

    columns = (Column("rule"), Column("operators"), Column("backward"), Column("forward"))
    rows = []
    for name in RULE_NAMES:
        own = [rule for rule in RULES if rule.name == name]
        operators = dict.fromkeys(op for rule in own for op in rule.ops)
        rows.append(
            (
                name,
                ", ".join(operators) or _MERGED[name],
                "yes" if any(rule.backward for rule in own) else "",
                "yes" if any(rule.forward for rule in own) else "",
            )
        )
    return [
        Line("backward: what comes before takes the scale and shift; forward: what comes after"),
        Line("--skip RULE leaves out all that a rule would do"),
        blank(),
        Table(columns, rows),
        blank(),
        Line(f"with a price, for --allow: {', '.join(PRICES)}, or all"),
    ]
