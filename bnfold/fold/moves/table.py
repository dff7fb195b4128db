"""The table of moves. An operator is added here and nowhere else."""

from __future__ import annotations

from collections.abc import Collection

from bnfold.fold.moves.absorb import (
    affine_nodes,
    conv,
    conv_transpose,
    deform_conv,
    dequantize,
    fused,
    fused_matmul,
    gemm,
    matmul,
    normalizers,
    quantized,
    recurrent,
)
from bnfold.fold.moves.carry import (
    barriers,
    branches,
    contraction,
    depth_to_space,
    forgets,
    join,
    layout,
    norms,
    parts,
    pool,
    powers,
    rectify,
    repeat,
    samplers,
    select,
    spatial,
    turns,
    unpool,
)
from bnfold.fold.plan import Rule

RULES: tuple[Rule, ...] = (
    *quantized.RULES,  # first: it answers only for quantised weights
    *dequantize.RULES,
    *conv.RULES,
    *deform_conv.RULES,
    *fused.RULES,
    *fused_matmul.RULES,
    *conv_transpose.RULES,
    *gemm.RULES,
    *matmul.RULES,
    *normalizers.RULES,
    *recurrent.RULES,
    *affine_nodes.RULES,
    *layout.RULES,
    *depth_to_space.RULES,
    *select.RULES,
    *parts.RULES,
    *rectify.RULES,
    *pool.RULES,
    *spatial.RULES,
    *norms.RULES,
    *powers.RULES,
    *samplers.RULES,
    *unpool.RULES,
    *repeat.RULES,
    *contraction.RULES,
    *join.RULES,
    *branches.RULES,
    *turns.RULES,
    *forgets.RULES,
    *barriers.RULES,
)

PRICES: tuple[str, ...] = ("constant-map", "clone", "rectifier", "cast")
"""Names of rewrites that cost something, as `--allow` spells them."""


def price_order(prices: Collection[str]) -> tuple[int, list[int]]:
    """By which sets of prices are sorted: one alone before several together, as listed above."""
    return len(prices), sorted(map(PRICES.index, prices))
