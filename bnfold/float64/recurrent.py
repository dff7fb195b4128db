"""RNN, GRU and LSTM as onnxruntime runs them: directions, sequence lengths, clip, activations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bnfold.float64.call import Array, Call, Operator
from bnfold.float64.elementwise import sigmoid, softplus

Activation = Callable[[Array], Array]
Step = Callable[["Cell", Array, "State"], "State"]

# Each with alpha and beta, and how many of the two it reads from the lists of the node.
_ACTIVATIONS: Mapping[str, tuple[int, Callable[[Array, float, float], Array]]] = {
    "affine": (2, lambda x, alpha, beta: alpha * x + beta),
    "elu": (1, lambda x, alpha, beta: np.where(x >= 0, x, alpha * np.expm1(np.minimum(x, 0)))),
    "hardsigmoid": (2, lambda x, alpha, beta: np.clip(alpha * x + beta, 0.0, 1.0)),
    "leakyrelu": (1, lambda x, alpha, beta: np.where(x >= 0, x, alpha * x)),
    "relu": (0, lambda x, alpha, beta: np.maximum(x, 0.0)),
    "scaledtanh": (2, lambda x, alpha, beta: alpha * np.tanh(beta * x)),
    "sigmoid": (0, lambda x, alpha, beta: sigmoid(x)),
    "softplus": (0, lambda x, alpha, beta: softplus(x)),
    "softsign": (0, lambda x, alpha, beta: x / (1 + np.abs(x))),
    "tanh": (0, lambda x, alpha, beta: np.tanh(x)),
    "thresholdedrelu": (1, lambda x, alpha, beta: np.where(x > alpha, x, 0.0)),
}
# What onnxruntime takes where a list is too short: 0 also where the operator's own default is 1.
_ALPHA = {"elu": 1.0, "hardsigmoid": 0.2, "leakyrelu": 0.01}
_BETA = {"hardsigmoid": 0.5}


@dataclass(frozen=True)
class State:
    """What a step hands on, both [batch, hidden]; only an LSTM has a cell."""

    hidden: Array
    cell: Array | None = None


@dataclass(frozen=True)
class Cell:
    """One direction: R [gates * hidden, hidden], the recurrent bias, peepholes [3 * hidden]."""

    R: Array
    bias: Array
    peephole: Array | None
    activations: Sequence[Activation]
    clip: float
    option: bool  # input_forget of an LSTM, linear_before_reset of a GRU

    def bounded(self, x: Array) -> Array:
        """What goes into an activation: within the `clip` of the node."""
        return np.clip(x, -self.clip, self.clip)


def _rnn_step(cell: Cell, x: Array, state: State) -> State:
    """h = f(x + h R' + Rb)."""
    (f,) = cell.activations
    return State(f(cell.bounded(x + state.hidden @ cell.R.T + cell.bias)))


def _gru_step(cell: Cell, x: Array, state: State) -> State:
    """z, r = f(...); n = g(x + (r * h) R' + Rb), or g(x + r * (h R' + Rb)); h = (1-z) n + z h."""
    f, g = cell.activations
    h, H = state.hidden, state.hidden.shape[1]
    gates = x[:, : 2 * H] + h @ cell.R[: 2 * H].T + cell.bias[: 2 * H]
    z, r = np.split(f(cell.bounded(gates)), 2, axis=1)
    R, bias = cell.R[2 * H :].T, cell.bias[2 * H :]
    inner = r * (h @ R + bias) if cell.option else (r * h) @ R + bias
    n = g(cell.bounded(x[:, 2 * H :] + inner))
    return State((1 - z) * n + z * h)


def _lstm_step(cell: Cell, x: Array, state: State) -> State:
    """i, o, f, c by gates; C = f C + i c; h = o tanh(C); peepholes look at C, o at the new one."""
    f, g, h = cell.activations
    C = state.cell
    assert C is not None
    i, o, forget, c = np.split(x + state.hidden @ cell.R.T + cell.bias, 4, axis=1)
    p = None if cell.peephole is None else np.split(cell.peephole, 3)
    i = f(cell.bounded(i if p is None else i + p[0] * C))
    forget = 1 - i if cell.option else f(cell.bounded(forget if p is None else forget + p[2] * C))
    C = forget * C + i * g(cell.bounded(c))
    o = f(cell.bounded(o if p is None else o + p[1] * C))
    return State(o * h(C), C)


def _recurrent(gates: int, defaults: Sequence[str], step: Step, option: str) -> Operator:
    """The operator around a step: inputs X, W, R, B, sequence_lens, initial_h, initial_c, P."""

    def run(call: Call) -> Sequence[Array]:
        by_batch = bool(call.integer("layout", 0))
        x = call[0].swapaxes(0, 1) if by_batch else call[0]
        directions, H = call[2].shape[0], call[2].shape[2]
        activations = _activations(call, defaults, directions)
        lengths = call.optional(4)
        lengths = np.full(x.shape[1], x.shape[0]) if lengths is None else lengths
        ys, hs, cs = [], [], []
        for d in range(directions):
            bias = np.zeros(2 * gates * H) if (b := call.optional(3)) is None else b[d]
            peephole = call.optional(7)
            cell = Cell(
                R=call[2][d],
                bias=bias[gates * H :],
                peephole=None if peephole is None else peephole[d],
                activations=activations[d],
                clip=call.real("clip", np.inf) or np.inf,
                option=bool(call.integer(option, 0)),
            )
            projected = x @ call[1][d].T + bias[: gates * H]
            start = [_initial(call, index, d, x.shape[1], H, by_batch) for index in (5, 6)]
            state = State(start[0], start[1] if gates == 4 else None)
            backwards = d == 1 or call.text("direction", "forward") == "reverse"
            y, state = _scan(cell, step, projected, state, lengths, backwards)
            ys.append(y)
            hs.append(state.hidden)
            cs.append(state.cell)
        outputs = [np.stack(ys, 2 if by_batch else 1), np.stack(hs, 1 if by_batch else 0)]
        if by_batch:
            outputs[0] = np.moveaxis(outputs[0], 0, 1).reshape(*call[0].shape[:2], directions, H)
        if gates == 4:
            outputs.append(np.stack([c for c in cs if c is not None], 1 if by_batch else 0))
        return outputs[: call.n_outputs]

    return run


def _scan(
    cell: Cell, step: Step, x: Array, state: State, lengths: Array, backwards: bool
) -> tuple[Array, State]:
    """All steps of one direction: y [time, batch, hidden], 0 behind a sequence's end.

    The last state of a sequence without elements is 0, whatever it starts from: onnxruntime's rule.
    """
    T = x.shape[0]
    time = np.arange(T)[:, None]
    batch = np.arange(x.shape[1])
    order = np.where(time < lengths, lengths - 1 - time, time) if backwards else time + 0 * batch
    y = np.zeros((T, x.shape[1], state.hidden.shape[1]))
    for t in range(T):
        live = (t < lengths)[:, None]
        new = step(cell, x[order[t], batch], state)
        state = State(
            np.where(live, new.hidden, state.hidden),
            None
            if new.cell is None or state.cell is None
            else np.where(live, new.cell, state.cell),
        )
        y[order[t], batch] = np.where(live, new.hidden, 0.0)
    any_step = (lengths > 0)[:, None]
    cells = None if state.cell is None else np.where(any_step, state.cell, 0.0)
    return y, State(np.where(any_step, state.hidden, 0.0), cells)


def _initial(call: Call, index: int, d: int, batch: int, H: int, by_batch: bool) -> Array:
    given = call.optional(index)
    if given is None:
        return np.zeros((batch, H))
    return np.asarray(given[:, d] if by_batch else given[d])


def _activations(
    call: Call, defaults: Sequence[str], directions: int
) -> list[tuple[Activation, ...]]:
    """The functions of each direction; alpha and beta go, in order, to those that have one."""
    named = call.attributes.get("activations")
    texts = list(named) if isinstance(named, Sequence) else [*defaults] * directions
    names = [(t.decode() if isinstance(t, bytes) else str(t)).lower() for t in texts]
    alphas, betas = (_reals(call, f"activation_{name}") for name in ("alpha", "beta"))
    functions = [_activation(name, alphas, betas) for name in names]
    count = len(defaults)
    if len(functions) != count * directions:
        raise ValueError(f"{count * directions} activations are needed, not {len(functions)}")
    return [tuple(functions[d * count : (d + 1) * count]) for d in range(directions)]


def _reals(call: Call, name: str) -> list[float]:
    given = call.attributes.get(name)
    return [float(v) for v in given] if isinstance(given, Sequence) else []


def _activation(name: str, alphas: list[float], betas: list[float]) -> Activation:
    if name not in _ACTIVATIONS:
        raise ValueError(f"the activation {name!r} is unknown")
    reads, function = _ACTIVATIONS[name]
    alpha = alphas.pop(0) if reads and alphas else float(np.float32(_ALPHA.get(name, 0.0)))
    beta = betas.pop(0) if reads > 1 and betas else float(np.float32(_BETA.get(name, 0.0)))
    return lambda x: function(x, alpha, beta)


OPERATORS: Mapping[str, Operator] = {
    "GRU": _recurrent(3, ("Sigmoid", "Tanh"), _gru_step, "linear_before_reset"),
    "LSTM": _recurrent(4, ("Sigmoid", "Tanh", "Tanh"), _lstm_step, "input_forget"),
    "RNN": _recurrent(1, ("Tanh",), _rnn_step, ""),
}
