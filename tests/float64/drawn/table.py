"""All operators that are drawn."""

from __future__ import annotations

from tests.float64.drawn import (
    elementwise_cases,
    quant_cases,
    recurrent_cases,
    reduce_cases,
    shape_cases,
    spatial_cases,
)
from tests.float64.drawn.case import Draw

_FAMILIES = (
    elementwise_cases,
    quant_cases,
    recurrent_cases,
    reduce_cases,
    shape_cases,
    spatial_cases,
)
CASES: dict[str, Draw] = {op: draw for family in _FAMILIES for op, draw in family.CASES.items()}
