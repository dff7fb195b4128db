"""Functions of single elements, comparisons, casts."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from tests.float64.drawn.case import Array, Case, Dice, Draw

INTEGERS = (np.int32, np.int64)


def unary(low: float = -4.0, high: float = 4.0, opset: int = 18) -> Draw:
    return lambda dice: Case([dice.number(low, high, *dice.shape(0))], opset=opset)


def with_attributes(**ranges: tuple[float, float]) -> Draw:
    def draw(dice: Dice) -> Case:
        drawn = {n: (lambda r=r: float(dice.uniform(*r))) for n, r in ranges.items()}
        return Case([dice.number(-4, 4, *dice.shape())], dice.some(**drawn))

    return draw


def broadcast_pair(dice: Dice, draw: object) -> list[Array]:
    """Two arrays that broadcast: some extents are 1, and one may have fewer axes."""
    full = dice.shape(0, 4, 4)
    shapes = []
    for _ in range(2):
        own = tuple(n if dice.maybe(0.7) else 1 for n in full)
        shapes.append(own[dice.whole(0, len(own)) :] if dice.maybe(0.3) else own)
    return [draw(*shape) for shape in shapes]  # type: ignore[operator]


def arithmetic(dice: Dice) -> Case:
    if dice.maybe(0.3):
        dtype = dice.pick(*INTEGERS)
        return Case(broadcast_pair(dice, lambda *s: dice.ints(1, 40, *s, dtype=dtype)))
    return Case(broadcast_pair(dice, dice.real), opset=dice.pick(7, 13, 14))


def signed_division(dice: Dice) -> Case:
    pair = broadcast_pair(dice, lambda *s: dice.ints(1, 9, *s) * dice.pick(-1, 1))
    return arithmetic(dice) if dice.maybe() else Case([pair[0] * 3 + 1, pair[1]])


def comparison(dice: Dice) -> Case:
    return Case(broadcast_pair(dice, lambda *s: dice.ints(-2, 2, *s, dtype=np.float32)), opset=16)


def logical(dice: Dice) -> Case:
    return Case(broadcast_pair(dice, lambda *s: dice.ints(0, 1, *s, dtype=np.bool_)))


def bits(dice: Dice) -> Case:
    dtype = dice.pick(np.uint8, np.int32, np.int64)
    return Case(broadcast_pair(dice, lambda *s: dice.ints(0, 100, *s, dtype=dtype)))


def shift(dice: Dice) -> Case:
    pair = broadcast_pair(dice, lambda *s: dice.ints(0, 7, *s, dtype=np.uint32))
    return Case(pair, {"direction": dice.pick("LEFT", "RIGHT")})


def many(dice: Dice) -> Case:
    return Case([*broadcast_pair(dice, dice.real), dice.real(1)][: dice.whole(1, 3)])


def power(dice: Dice) -> Case:
    whole = dice.maybe(0.4)
    exponent = (lambda *s: dice.ints(0, 3, *s)) if whole else dice.real
    a, b = broadcast_pair(dice, dice.real)
    base = dice.number(0.1, 3, *a.shape)
    if dice.maybe(0.2):
        return Case([dice.ints(-4, 4, *a.shape), dice.ints(0, 3, *b.shape)])
    return Case([base, exponent(*b.shape)], tolerance=1e-5)


def modulo(dice: Dice) -> Case:
    if dice.maybe():
        sign = dice.pick(-1, 1)
        pair = broadcast_pair(dice, lambda *s: sign * dice.ints(1, 9, *s))
        return Case([pair[0] * dice.pick(-3, 5), pair[1]], {"fmod": dice.whole(0, 1)})
    a, b = broadcast_pair(dice, dice.real)
    pair = [np.asarray(np.round(a * 8)), np.asarray(np.round(np.abs(b) * 4) + 1)]
    return Case(pair, {"fmod": 1})


def clip(dice: Dice) -> Case:
    x = dice.real(*dice.shape())
    if dice.maybe(0.3):
        bounds = dice.some(min=lambda: float(dice.normal()), max=lambda: float(dice.normal()))
        return Case([x], bounds, opset=dice.pick(6, 9))
    low, high = (dice.real() if dice.maybe(0.7) else None for _ in range(2))
    return Case([x, low, high], opset=dice.pick(11, 12, 13))


def prelu(dice: Dice) -> Case:
    x = dice.real(*dice.shape(2, 4))
    slope = (x.shape[1], *[1] * (x.ndim - 2)) if dice.maybe() else (1,)
    return Case([x, dice.real(*slope)], opset=dice.pick(7, 9, 16))


def gelu(dice: Dice) -> Case:
    approximate = dice.pick("none", "tanh")
    return Case([dice.real(*dice.shape())], {"approximate": approximate}, opset=20)


def where(dice: Dice) -> Case:
    a, b = broadcast_pair(dice, dice.real)
    condition = dice.ints(0, 1, *dice.pick(a.shape, b.shape, (1,)), dtype=np.bool_)
    return Case([condition, a, b])


def rounding(dice: Dice) -> Case:
    return Case([dice.ints(-9, 9, *dice.shape()).astype(np.float32) / 2])


def is_inf(dice: Dice) -> Case:
    x = dice.real(*dice.shape())
    x[x > 1], x[x < -1] = np.inf, -np.inf
    flags = {f"detect_{side}": (lambda: dice.whole(0, 1)) for side in ("negative", "positive")}
    return Case([x], dice.some(**flags))


def is_nan(dice: Dice) -> Case:
    x = dice.real(*dice.shape())
    x[x > 1] = np.nan
    return Case([x])


CAST_TARGETS = (
    ir.DataType.INT32,
    ir.DataType.INT64,
    ir.DataType.UINT8,
    ir.DataType.BOOL,
    ir.DataType.FLOAT,
    ir.DataType.DOUBLE,
)


def cast(dice: Dice) -> Case:
    x = dice.number(0, 100, *dice.shape(0)).astype(dice.pick(np.float32, np.int32, np.uint8))
    return Case([x], {"to": dice.pick(*CAST_TARGETS).value})


def cast_like(dice: Dice) -> Case:
    target = dice.pick(np.int32, np.float64, np.bool_, np.float32)
    return Case([dice.number(-9, 9, *dice.shape()), np.zeros(1, target)])


CASES: dict[str, Draw] = {
    **dict.fromkeys(("Abs", "Erf", "Floor", "Ceil", "Neg", "Relu", "Sigmoid", "Sign"), unary()),
    **dict.fromkeys(("Atan", "Asinh", "Sin", "Cos", "Sinh", "Cosh", "Exp", "Tanh"), unary()),
    **dict.fromkeys(("Softplus", "Softsign", "Identity", "Mish", "HardSwish"), unary()),
    **dict.fromkeys(("Acos", "Asin", "Atanh"), unary(-0.95, 0.95)),
    **dict.fromkeys(("Log", "Sqrt", "Reciprocal"), unary(0.1, 9)),
    "Tan": unary(-1.2, 1.2),
    "Acosh": unary(1.1, 9),
    "Round": rounding,
    **dict.fromkeys(("Add", "Sub", "Mul"), arithmetic),
    "Div": signed_division,
    **dict.fromkeys(("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"), comparison),
    **dict.fromkeys(("And", "Or", "Xor"), logical),
    "Not": lambda dice: Case([dice.ints(0, 1, *dice.shape(), dtype=np.bool_)]),
    **dict.fromkeys(("BitwiseAnd", "BitwiseOr", "BitwiseXor"), bits),
    "BitwiseNot": lambda dice: Case([dice.ints(0, 100, *dice.shape(), dtype=np.int32)]),
    "BitShift": shift,
    **dict.fromkeys(("Max", "Min", "Mean", "Sum"), many),
    "Pow": power,
    "Mod": modulo,
    "Clip": clip,
    "PRelu": prelu,
    "Gelu": gelu,
    "Where": where,
    "IsInf": is_inf,
    "IsNaN": is_nan,
    "Cast": cast,
    "CastLike": cast_like,
    "Elu": with_attributes(alpha=(0.1, 2)),
    "Selu": with_attributes(alpha=(0.1, 2), gamma=(0.5, 2)),
    "Celu": with_attributes(alpha=(0.1, 2)),
    "LeakyRelu": with_attributes(alpha=(0.01, 0.9)),
    "HardSigmoid": with_attributes(alpha=(0.1, 0.9), beta=(0.1, 0.9)),
    "ThresholdedRelu": with_attributes(alpha=(0, 2)),
    "Shrink": with_attributes(bias=(-1, 1), lambd=(0, 2)),
}
