"""What allowing more would come to: which batch norms would go, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass

from bnfold.record import Row


@dataclass(frozen=True)
class Allowance(Row):
    """Priced rewrites that would fold more, found by folding a copy of the model with them.

    Attributes:
        allow: as `allow` takes them; several that are needed together are separated by commas.
        batch_norms: those of what is left that would go, by name.
            Where the fold of the copy took too long to come to an end, those of its beginning.
        nodes, multiplications, parameter_bytes: what the model would have more than it has now, of
            what its size tells; below 0 where it would have less. None where that is not known.
    """

    allow: str
    batch_norms: tuple[str, ...]
    nodes: int | None
    multiplications: int | None
    parameter_bytes: int | None
