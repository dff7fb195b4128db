"""A batch norm, a linear operator, and something between them that may let an affine pass.

What random composition brings about now and then, on purpose and often: nobody else reads what is
inside, so that the operator in the middle decides.
"""

from __future__ import annotations

from tests.fold.property.builder import Builder, NotApplicableError
from tests.fold.property.motifs import compound, join, layout, linear, pointwise, pooling
from tests.fold.property.motifs.affine import batch_norm, decomposed

_BETWEEN = [
    (20, pooling.pool),
    (3, pooling.global_pool),
    (4, pooling.reduction),
    (10, pooling.pad),
    (5, pooling.resize),
    *layout.MOTIFS,
    (12, join.add),
    (3, join.concat),
    (3, join.split),
    (2, join.broadcast),
    (3, join.multiply),
    (3, pointwise.relu),
    (2, pointwise.prelu),
    (2, pointwise.clip),
    (2, pointwise.same),
    (2, pointwise.negate),
    (3, compound.choice),
    (3, compound.repeat),
]


def behind(b: Builder, x: str) -> str:
    """A linear operator, something, and the batch norm."""
    y = _between(b, _linear(b, x))
    return decomposed(b, y) if b.choices.chance(20) else batch_norm(b, y)


def ahead(b: Builder, x: str) -> str:
    """The batch norm, something, and a linear operator."""
    if b.choices.chance(70):
        x = b.node("Tanh", [x])  # nothing behind it takes an affine
    y = decomposed(b, x) if b.choices.chance(20) else batch_norm(b, x)
    return _linear(b, _between(b, y))


def _linear(b: Builder, x: str) -> str:
    rank = len(b.shape(x))
    if rank == 2:
        return b.choices.of([linear.gemm, linear.gemm, linear.matmul])(b, x)
    return b.choices.weighted([(10, linear.conv), (4, linear.conv_transpose), (3, linear.matmul)])(
        b, x
    )


def _between(b: Builder, x: str) -> str:
    for _ in range(b.choices.between(0, 2)):
        mark = b.mark()
        try:
            x = b.choices.weighted(_BETWEEN)(b, x)
        except NotApplicableError:
            b.rewind(mark)
        if len(b.shape(x)) < 2:
            raise NotApplicableError("no channels are left")
    return x


MOTIFS = [(90, behind), (90, ahead)]
