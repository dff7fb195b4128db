"""A graph under construction; every tensor has a sample value, so that no shape is guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir
from onnx import helper, numpy_helper

from bnfold.float64 import EvaluationError, UnsupportedOperatorError, run_op
from tests.fold.property.choices import Choices

Array = npt.NDArray[np.generic]
_MOST = 4096  # elements of a tensor


class NotApplicableError(Exception):
    """The motif does not fit the value that it was given; the graph is as it was before."""


@dataclass
class Builder:
    """Nodes, constants and sample values of one scope.

    Attributes:
        choices: where decisions come from.
        numbers: for weights, which nobody needs to shrink.
        opset: of the standard domain.
        dtype: of all floating tensors but some batch norm parameters.
        values: float tensors that a motif may continue from, oldest first.
        samples: every tensor's value for the sample input, in float64.
        parent: the scope around; None for the main graph.
        most, least: elements of a tensor, at most and at least.
        steps: constants may come through steps (Round, Floor, Cast to integers).
        fixed: initializers that lead to a step: moved by a rounding they mean something else.
    """

    choices: Choices
    numbers: np.random.Generator
    opset: int
    dtype: int = onnx.TensorProto.FLOAT
    parent: Builder | None = None
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)
    overridable: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)
    samples: dict[str, Array] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    most: int = _MOST
    least: int = 1
    steps: bool = False
    fixed: set[str] = field(default_factory=set)

    def name(self, hint: str) -> str:
        """A free name; now and then one that a fold would like to use."""
        base = hint
        if self.choices.chance(4) and self.initializers:
            base = f"{self.choices.of(self.initializers).name}_folded"
        candidate, count = base, 0
        while candidate in self.names:
            count += 1
            candidate = f"{hint}{count}"
        self.names.add(candidate)
        return candidate

    def sample(self, name: str) -> Array:
        scope: Builder | None = self
        while scope is not None:
            if name in scope.samples:
                return scope.samples[name]
            scope = scope.parent
        raise KeyError(name)

    def shape(self, name: str) -> tuple[int, ...]:
        return self.sample(name).shape

    def store(self, array: Array, hint: str, dtype: int | None = None) -> str:
        """An initializer; floats take the graph's dtype unless told otherwise."""
        array = np.asarray(array)
        if array.dtype.kind == "f":
            array = array.astype(ir.DataType(dtype or self.dtype).numpy())
        name = self.name(hint)
        self.initializers.append(numpy_helper.from_array(array, name))
        self.samples[name] = array.astype(np.float64) if array.dtype.kind in "fV" else array
        return name

    def node(
        self, op: str, inputs: Sequence[str], attributes: dict[str, object] | None = None
    ) -> str:
        """The first output of a new node."""
        return self.multi(op, inputs, 1, attributes)[0]

    def multi(
        self,
        op: str,
        inputs: Sequence[str],
        count: int,
        attributes: dict[str, object] | None = None,
    ) -> list[str]:
        """The outputs of a new node.

        Raises:
            NotApplicableError: the operator does not take these inputs, or gives nothing.
        """
        given = dict(attributes or {})
        arrays = [self.sample(name) if name else None for name in inputs]
        try:
            results = run_op(op, arrays, given, opset=self.opset, n_outputs=count)
        except (ValueError, IndexError, UnsupportedOperatorError, EvaluationError) as error:
            raise NotApplicableError(str(error)) from error
        for result in results[:count]:
            if not self.least <= result.size <= self.most:
                raise NotApplicableError(f"{op} gives {result.shape}")
        outputs = [self.name(op.lower()[:4]) for _ in range(count)]
        label = "" if self.choices.chance(15) else self.name(f"n_{op.lower()[:4]}")
        self.nodes.append(helper.make_node(op, list(inputs), outputs, name=label, **given))
        for name, result in zip(outputs, results, strict=False):
            self.samples[name] = np.asarray(result)
        return outputs

    def mark(self) -> tuple[int, int, int, int]:
        """Where to go back to if a motif does not fit."""
        return len(self.nodes), len(self.initializers), len(self.values), len(self.overridable)

    def rewind(self, mark: tuple[int, int, int, int]) -> None:
        """Forgets what was added since `mark`."""
        del self.nodes[mark[0] :], self.initializers[mark[1] :]
        del self.values[mark[2] :], self.overridable[mark[3] :]

    def inner(self) -> Builder:
        """A builder for a body of a control-flow node."""
        return Builder(
            self.choices,
            self.numbers,
            self.opset,
            self.dtype,
            parent=self,
            names=self.names,
            most=self.most,
            least=self.least,
            steps=self.steps,
            fixed=self.fixed,
        )
