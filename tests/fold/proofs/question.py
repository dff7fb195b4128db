"""A small model whose float constants are symbols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
import sympy

from bnfold.fold.facts.constants import Constant
from bnfold.fold.facts.graph import Facts
from bnfold.fold.moves.table import RULES
from bnfold.fold.numbers.exact import Exact, of_array
from bnfold.fold.plan import Rule
from tests.fold.proofs.symbols import Symbols, symbols
from tests.fold.property.text_models import model as text_model


class SymbolicFacts(Facts):
    """What is known of the model, with symbols for the float constants."""

    def __init__(self, model: ir.Model, constants: Mapping[str, Symbols]) -> None:
        super().__init__(model)
        self._symbols = constants

    def exact(self, value: ir.Value | None) -> Exact | None:
        known = super().exact(value)
        if known is None or value is None or value.name not in self._symbols:
            return known
        return of_array(self._symbols[value.name], known.dtype)

    def constant(self, value: ir.Value | None) -> Constant | None:
        if value is not None and value.name in getattr(self, "_symbols", {}):
            return self._symbols[value.name]
        return super().constant(value)


_ASSUMED: Mapping[str, Mapping[str, Any]] = {
    "": {},
    "positive": {"positive": True},
    "nonzero": {"nonzero": True},
    "a slope": {"positive": True, "least": sympy.Rational(1, 1024)},
}


@dataclass
class Question:
    """One node, and symbols for its inputs and constants.

    Attributes:
        text: an ONNX graph of one node, or more: the last one is asked about.
        floats: float constants to their shapes.
        integers: constants that are read as they are.
        shapes: of the run-time inputs, by name, with all sizes as in the text.
        assumed: float constants to what they are, e.g. "positive".
        given: what is known of the symbols beside.
        computed: integers that other nodes make of the inputs, to numbers of a run: no constants.
    """

    text: str
    floats: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    integers: Mapping[str, Sequence[int]] = field(default_factory=dict)
    opset: int = 18
    assumed: Mapping[str, str] = field(default_factory=dict)
    given: Sequence[sympy.Basic] = ()
    computed: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        random = np.random.default_rng(0)
        stored = {n: random.uniform(0.5, 1, s).astype(np.float32) for n, s in self.floats.items()}
        stored |= {n: np.array(v, np.int64) for n, v in self.integers.items()}
        self.model = ir.from_proto(text_model(self.text, stored, opset=self.opset))
        self.constants = {
            n: symbols(n, s, **_ASSUMED[self.assumed.get(n, "")]) for n, s in self.floats.items()
        }
        self.constants |= {
            n: np.array(v) for n, v in (*self.integers.items(), *self.computed.items())
        }
        self.facts = SymbolicFacts(self.model, {n: self.constants[n] for n in self.floats})
        self.node = list(self.model.graph)[-1]

    def value(self, value: ir.Value | None) -> Symbols | None:
        """The symbols that a node's input holds."""
        if value is None:
            return None
        if value.name in self.constants:
            return self.constants[value.name]
        known = self.facts.constant(value)
        if known is not None:
            return _rational(known)
        dims = self.facts.dims(value)
        assert dims is not None and all(isinstance(d, int) for d in dims), (value.name, dims)
        return symbols(str(value.name), dims)  # type: ignore[arg-type]

    def rule(self, name: str) -> Rule:
        return next(r for r in RULES if r.name == name and self.node.op_type in r.ops)


def _rational(array: Symbols) -> Symbols:
    if array.dtype.kind != "f":
        return array
    return np.vectorize(lambda x: sympy.Rational(float(x)), otypes=[object])(array)
