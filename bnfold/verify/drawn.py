"""Numbers in (-1, 1) for each element of a tensor, drawn by the graph itself in each run.

RandomUniformLike draws them. From opset 22 on onnxruntime (1.32) has no kernel for it, nor for
the other operators that draw, but for one: a Dropout in training. There a long list of numbers is
laid out from one of its places on, which a Dropout draws, again and again over the whole tensor.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from bnfold.runtime.domains import standard_opset
from bnfold.runtime.signature import Array

_WITHOUT_KERNELS = 22
_LENGTH = 65_521  # a prime: no extent is in step with it
_BITS = 16  # of a place in the list, or one round on


class Draws:
    """Random numbers for the values of one graph, which is changed.

    Args:
        model: the graph, whose opset decides by which operators.
        seed: of the list.
    """

    def __init__(self, model: ir.Model, seed: int) -> None:
        self._graph = model.graph
        self._is_drawn = standard_opset(model.opset_imports) < _WITHOUT_KERNELS
        self._seed = seed
        self._constants: dict[str, ir.Value] = {}

    def like(self, value: ir.Value, dtype: ir.DataType, place: int) -> list[ir.Node]:
        """Nodes of which the last one makes the numbers, as many and of the same shape.

        Those of another place, or another list, have nothing to do with them.
        """
        seed = self._seed_of(place)
        if self._is_drawn:
            span = {"low": -1.0, "high": 1.0, "seed": float(seed), "dtype": int(dtype)}
            return [ir.node("RandomUniformLike", [value], span)]
        length, one = (self._constant(str(n), np.array([n])) for n in (_LENGTH, 1))
        begin = self._begin(seed)
        size, shape = ir.node("Size", [value]), ir.node("Shape", [value])
        end = ir.node("Add", [begin[-1].outputs[0], size.outputs[0]])
        rounds = ir.node("Div", [end.outputs[0], length])
        enough = ir.node("Add", [rounds.outputs[0], one])
        tiled = ir.node("Tile", [self._list(dtype), enough.outputs[0]])
        part = ir.node("Slice", [tiled.outputs[0], begin[-1].outputs[0], end.outputs[0]])
        laid = ir.node("Reshape", [part.outputs[0], shape.outputs[0]], {"allowzero": 1})
        return [*begin, size, shape, end, rounds, enough, tiled, part, laid]

    def _seed_of(self, place: int) -> int:
        """A number that a float32 holds; what is drawn by the double of a seed goes with it."""
        (drawn,) = np.random.SeedSequence((self._seed, place)).generate_state(1)
        return int(drawn) % (1 << 24)

    def _begin(self, seed: int) -> list[ir.Node]:
        """Bits that a Dropout keeps or not, as a number: int64 [1]."""
        bits = self._constant("bits", np.ones(_BITS, np.float32))
        half, is_training = self._constant("half", np.float32(0.5)), self._constant("on", True)
        worth = 2.0 ** np.arange(_BITS)[:, np.newaxis] / 2  # what is kept is doubled
        kept = ir.node("Dropout", [bits, half, is_training], {"seed": seed})
        number = ir.node(
            "MatMul", [kept.outputs[0], self._constant("worth", worth.astype(np.float32))]
        )
        return [kept, number, ir.node("Cast", [number.outputs[0]], {"to": int(ir.DataType.INT64)})]

    def _list(self, dtype: ir.DataType) -> ir.Value:
        drawn = np.random.default_rng(self._seed).uniform(-1.0, 1.0, _LENGTH)
        return self._constant(dtype.name, drawn.astype(dtype.numpy()))

    def _constant(self, key: str, array: Array | np.float32 | bool) -> ir.Value:
        """Made once, in front of everything."""
        if key not in self._constants:
            node = ir.node("Constant", [], {"value": ir.tensor(np.asarray(array))})
            node.outputs[0].name = f"jitter {len(self._constants)} of all"
            self._graph.insert_before(self._graph[0], node)
            self._constants[key] = node.outputs[0]
        return self._constants[key]
