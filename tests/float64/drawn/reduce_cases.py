"""Reductions, rankings, norms and products."""

from __future__ import annotations

import numpy as np

from tests.float64.drawn.case import Case, Dice, Draw


def reduction(dice: Dice, low: float = -2) -> Case:
    x = dice.number(low, 2, *dice.shape(1, 4))
    if dice.maybe(0.3):
        given = dice.some(axes=lambda: dice.axes(x.ndim), keepdims=lambda: dice.whole(0, 1))
        return Case([x], given, opset=11)
    given = dice.some(keepdims=lambda: dice.whole(0, 1))
    if dice.maybe(0.2):
        return Case([x], {**given, "noop_with_empty_axes": dice.whole(0, 1)}, opset=18)
    return Case([x, np.array(dice.axes(x.ndim))], given, opset=18)


def reduce_sum(dice: Dice) -> Case:
    case = reduction(dice)
    return Case(case.inputs, case.attributes, opset=13 if case.opset == 18 else 11)


def extreme(dice: Dice) -> Case:
    x = dice.ints(-2, 2, *dice.shape(1, 4), dtype=np.float32)
    axis = dice.whole(-x.ndim, x.ndim - 1)
    options = dice.some(
        keepdims=lambda: dice.whole(0, 1), select_last_index=lambda: dice.whole(0, 1)
    )
    return Case([x], {"axis": axis, **options}, opset=13)


def cum_sum(dice: Dice) -> Case:
    x = dice.real(*dice.shape(1, 4))
    options = dice.some(exclusive=lambda: dice.whole(0, 1), reverse=lambda: dice.whole(0, 1))
    return Case([x, np.asarray(dice.whole(-x.ndim, x.ndim - 1))], options, opset=14)


def top_k(dice: Dice) -> Case:
    x = dice.ints(-4, 4, *dice.shape(1, 3), dtype=np.float32)
    axis = dice.whole(-x.ndim, x.ndim - 1)
    k = np.array([dice.whole(1, x.shape[axis])])
    options = dice.some(largest=lambda: dice.whole(0, 1))
    return Case([x, k], {"axis": axis, **options}, opset=11, n_outputs=2)


def along_axis(dice: Dice) -> Case:
    x = dice.distinct(*dice.shape(1, 4)) / 4
    options = dice.some(axis=lambda: dice.whole(-x.ndim, x.ndim - 1))
    if not options and x.ndim < 2:
        options = {"axis": 0}
    return Case([x], options, opset=dice.pick(11, 13))


def lp_normalization(dice: Dice) -> Case:
    x = dice.real(*dice.shape(1, 4))
    return Case([x], {"axis": dice.whole(-x.ndim, x.ndim - 1), "p": dice.pick(1, 2)})


def mean_variance(dice: Dice) -> Case:
    x = dice.real(2, 3, 4, 5)
    return Case([x], dice.some(axes=lambda: sorted(dice.permutation(4)[:2].tolist())), opset=13)


def normalisation(dice: Dice, extra: int = 2) -> Case:
    x = dice.real(*dice.shape(3, 5), 4)
    parameters = [dice.number(0.5, 2, x.shape[1]) for _ in range(extra)]
    return Case([x, *parameters], dice.some(epsilon=lambda: float(dice.uniform(1e-6, 0.1))))


def batch_norm(dice: Dice) -> Case:
    case = normalisation(dice, extra=4)
    return Case(case.inputs, case.attributes, opset=dice.pick(9, 14, 15))


def layer_norm(dice: Dice) -> Case:
    x = dice.real(*dice.shape(2, 4), 4)
    axis = dice.whole(-x.ndim, x.ndim - 1)
    tail = x.shape[axis % x.ndim :]
    bias = [dice.real(*tail)] if dice.maybe() else []
    return Case([x, dice.real(*tail), *bias], {"axis": axis}, opset=17, tolerance=2e-5)


def rms_norm(dice: Dice) -> Case:
    case = layer_norm(dice)
    return Case(case.inputs[:2], case.attributes, opset=23, tolerance=2e-5)


def group_norm(dice: Dice) -> Case:
    groups, per = dice.whole(1, 3), dice.whole(1, 3)
    x = dice.real(2, groups * per, *dice.shape(1, 3), 3)
    parameters = [dice.real(groups * per) for _ in range(2)]
    return Case([x, *parameters], {"num_groups": groups}, opset=21)


def lrn(dice: Dice) -> Case:
    options = dice.some(
        alpha=lambda: float(dice.uniform(0.01, 1)),
        beta=lambda: float(dice.uniform(0.2, 2)),
        bias=lambda: float(dice.uniform(0.5, 2)),
    )
    return Case([dice.real(2, dice.whole(1, 7), 3, 2)], {"size": dice.pick(1, 3, 5), **options})


def matmul(dice: Dice) -> Case:
    K = dice.whole(1, 5)
    batch = dice.shape(0, 2, 3)
    if dice.maybe(0.2):
        return Case([dice.real(K), dice.real(*batch, K, dice.whole(1, 4))])
    left = tuple(n if dice.maybe() else 1 for n in batch)
    a = dice.real(*left, dice.whole(1, 4), K)
    b = dice.real(K) if dice.maybe(0.2) else dice.real(*batch, K, dice.whole(1, 4))
    return Case([a, b])


def gemm(dice: Dice) -> Case:
    M, K, N = dice.whole(1, 5), dice.whole(1, 5), dice.whole(1, 5)
    trans_a, trans_b = dice.whole(0, 1), dice.whole(0, 1)
    a = dice.real(*((K, M) if trans_a else (M, K)))
    b = dice.real(*((N, K) if trans_b else (K, N)))
    c = [dice.real(*dice.pick((M, N), (N,), (1, N), (M, 1), ()))] if dice.maybe(0.7) else []
    options = dice.some(alpha=lambda: float(dice.normal()), beta=lambda: float(dice.normal()))
    attributes = {"transA": trans_a, "transB": trans_b, **options}
    return Case([a, b, *c], attributes, opset=dice.pick(11, 13))


def einsum(dice: Dice) -> Case:
    equation = dice.pick("ij,jk->ik", "bij,bjk->bik", "bhid,bhjd->bhij", "ij->ji", "...ij,...jk")
    extents = {letter: dice.whole(1, 4) for letter in "abhijkd"}
    inputs = []
    for term in equation.split("->")[0].split(","):
        dims = [extents[c] for c in term.replace("...", "ab")]
        inputs.append(dice.real(*dims))
    return Case(inputs, {"equation": equation}, opset=12)


CASES: dict[str, Draw] = {
    **dict.fromkeys(("ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin"), reduction),
    **dict.fromkeys(("ReduceProd", "ReduceSumSquare", "ReduceLogSumExp"), reduction),
    "ReduceLogSum": lambda dice: reduction(dice, 0.1),
    "ReduceSum": reduce_sum,
    **dict.fromkeys(("ArgMax", "ArgMin"), extreme),
    "CumSum": cum_sum,
    "TopK": top_k,
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), along_axis),
    "LpNormalization": lp_normalization,
    "MeanVarianceNormalization": mean_variance,
    "InstanceNormalization": normalisation,
    "BatchNormalization": batch_norm,
    "LayerNormalization": layer_norm,
    "RMSNormalization": rms_norm,
    "GroupNormalization": group_norm,
    "LRN": lrn,
    "MatMul": matmul,
    "Gemm": gemm,
    "Einsum": einsum,
}
