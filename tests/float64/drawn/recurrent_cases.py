"""RNN, GRU and LSTM in all their forms."""

from __future__ import annotations

import numpy as np

from tests.float64.drawn.case import Case, Dice, Draw

FUNCTIONS = {"RNN": 1, "GRU": 2, "LSTM": 3}
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
WITH_ALPHA = ("Affine", "Elu", "HardSigmoid", "LeakyRelu", "ScaledTanh", "ThresholdedRelu")
WITH_BETA = ("Affine", "HardSigmoid", "ScaledTanh")
BOUNDED = ("HardSigmoid", "Sigmoid", "Softsign", "Tanh")
WITHOUT = ("Relu", "Sigmoid", "Softplus", "Softsign", "Tanh")


def recurrent(op: str) -> Draw:
    def draw(dice: Dice) -> Case:
        direction = dice.pick("forward", "reverse", "bidirectional")
        D = 2 if direction == "bidirectional" else 1
        T, B, X, H = (dice.whole(1, 6) for _ in range(4))
        G = GATES[op]
        # small weights: a net that amplifies without bound amplifies its rounding as well
        weights = [dice.real(D, G * H, n) / np.float32(2 * n) for n in (X, H)]
        inputs = [dice.real(T, B, X), *weights]
        more = [
            dice.real(D, 2 * G * H),
            dice.ints(0 if dice.maybe(0.3) else 1, T, B, dtype=np.int32),
            dice.real(D, B, H),
        ]
        if op == "LSTM":
            more += [dice.real(D, B, H), dice.real(D, 3 * H)]
        attributes = {"hidden_size": H, "direction": direction}
        attributes |= dice.some(clip=lambda: float(dice.uniform(0.1, 2)))
        if op != "RNN":
            option = "input_forget" if op == "LSTM" else "linear_before_reset"
            attributes |= dice.some(**{option: lambda: 1})
        if dice.maybe():
            attributes |= activations(dice, FUNCTIONS[op], D)
        return Case(
            [*inputs, *(x if dice.maybe() else None for x in more)],
            attributes,
            opset=14,
            n_outputs=3 if op == "LSTM" else 2,
            tolerance=1e-4,
        )

    return draw


def activations(dice: Dice, functions: int, directions: int) -> dict[str, object]:
    """A function for each place; gates are bounded, as states grow without bound otherwise."""
    gate = BOUNDED if functions > 1 else (*WITH_ALPHA, *WITHOUT)
    places = [gate, *[(*WITH_ALPHA, *WITHOUT)] * (functions - 1)] * directions
    names = [dice.pick(*choices) for choices in places]
    if dice.maybe(0.3):
        return {"activations": names}
    drawn: dict[str, object] = {"activations": names}
    for kind, readers in (("alpha", WITH_ALPHA), ("beta", WITH_BETA)):
        reading = sum(name in readers for name in names)
        if reading:
            drawn[f"activation_{kind}"] = dice.uniform(0.1, 1, reading).tolist()
    return drawn


CASES: dict[str, Draw] = {op: recurrent(op) for op in GATES}
