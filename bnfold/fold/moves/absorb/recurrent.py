"""RNN, GRU and LSTM take an affine of their input into the input weights and biases.

Letters: X [T, N, F], W [D, G*H, F], B [D, 2*G*H] = the input biases Wb and the recurrent ones Rb
side by side, G gates. X enters each gate only as X_t @ W^T + Wb, so

    (s X' + t) @ W^T + Wb = X' @ (W s)^T + (Wb + W t)

Source: ONNX operators, RNN-7, GRU-7, LSTM-7 and later.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import input_of, op_of
from bnfold.fold.moves.operands import ARRIVES, NOT_PER_CHANNEL, weight_of
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.numbers.exact import of_array, scaled
from bnfold.fold.plan import Answer, NewNode, Refusal, Replace, Rule
from bnfold.fold.sources.not_constant import not_constant


def recurrent_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """The affine along F, the last axis of X in either layout."""
    weight = weight_of(node, facts)
    if isinstance(weight, Refusal) or set(affines) != {0}:
        return weight if isinstance(weight, Refusal) else ARRIVES
    channels = affines[0].channels(2, weight.shape[2])
    if channels is None:
        return NOT_PER_CHANNEL
    s, t = channels
    stored = input_of(node, 3)
    bias = None if stored is None else facts.exact(stored)
    if stored is not None and bias is None:
        return not_constant(stored, facts, "bias", "dynamic-bias")
    directions, gates, _ = weight.shape
    old = np.zeros((directions, 2 * gates)) if bias is None else bias.value()
    added = np.concatenate([weight.value() @ t, np.zeros((directions, gates))], axis=1)
    moved = of_array(old + added, weight.dtype)
    folded = scaled(weight, s.reshape(1, 1, -1))
    inputs = (node.inputs[0], folded, node.inputs[2], moved, *node.inputs[4:])
    return [Replace((NewNode(op_of(node), inputs),))]


RULES = (Rule("recurrent", ("RNN", "GRU", "LSTM"), forward=recurrent_before),)
