"""Runs a part of a graph, as it is written, in float64 on random inputs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
import onnx_ir as ir

from bnfold.float64 import run_op
from bnfold.fold.facts.constants import Constant
from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import op_of
from bnfold.fold.facts.operator_facts import JOINS
from bnfold.fold.numbers.exact import Exact
from bnfold.fold.proof.bodies import DOMAIN, chosen, stacked
from bnfold.fold.proof.chunked import run_in_chunks
from bnfold.fold.proof.proof_sizes import Sizes
from bnfold.fold.proof.readings import UNLIMITED, Readings, readings_of
from bnfold.fold.proof.written import Written

FedValues = dict[ir.Value, Constant]


@dataclass
class TrialRun:
    """One run of a part of a graph, values by name.

    Args:
        part: what is run.
        facts: of the model.
        feeds: what enters; what is missing is drawn, and added.
        sizes: of what is drawn.
        way: which body of an If is taken, see `bodies`.
        empty: names of values of which an extent is 0 in every run.

    Attributes:
        values: by name.
        readings: how often each weight was read, at least.
    """

    part: Written
    facts: Facts
    feeds: FedValues
    sizes: Sizes
    way: int = 0
    empty: Collection[str] = ()
    values: dict[str, Constant] = field(default_factory=dict)
    readings: Readings = UNLIMITED

    def run(self) -> dict[str, Constant]:
        """Every value that is fed or made, and what is seen of the constants.

        Raises:
            CertificateError: something that enters has no known shape.
        """
        for node in self.part.nodes:
            if node.domain == DOMAIN:
                self.values[node.output[0]] = self._given(node)
                continue
            inputs = [
                self._get(name, self._partner(node, index)) if name else None
                for index, name in enumerate(node.input)
            ]
            outputs = self._call(node, inputs)
            self.values.update(zip(node.output, outputs, strict=False))
        for name in self.part.seen:
            self.values[name] = _array(self._get(name, None))
        return self.values

    def _given(self, node: onnx.NodeProto) -> Constant:
        """What a node with bodies makes of what one of them returns."""
        taken, value = _array(self._get(chosen(node, self.way), None)), node.output[0]
        if value not in self.part.stacked:
            return taken
        return stacked(node, taken, self.sizes.shape_of(self.part.stacked[value], None))

    def _partner(self, node: onnx.NodeProto, index: int) -> tuple[int, ...] | None:
        """A shape that the node's input agrees with, as far as the values so far tell."""
        known = [self.values[name].shape for name in node.input if name in self.values]
        if not known:
            return None
        if op_of(node) in JOINS:
            return known[0]
        is_recurrent = op_of(node) in ("RNN", "GRU", "LSTM")
        if not is_recurrent or index < 4 or node.input[0] not in self.values:
            return None
        x, is_batch_first = self.values[node.input[0]].shape, attributes_of(node).get("layout", 0)
        if index == 4:
            return (x[0 if is_batch_first else 1],)  # sequence_lens
        return (x[0], 1, 1) if is_batch_first else (1, x[1], 1)  # a state: [directions, batch, H]

    def _get(self, name: str, partner: tuple[int, ...] | None) -> Constant | Exact:
        """The value; a constant that is large, unread."""
        if name in self.part.constants:
            return self.part.constants[name]
        if name not in self.values:  # then it enters
            value = self.part.enters[name]
            if value not in self.feeds:
                self.feeds[value] = self.sizes.draw(value, partner)
            self.values[name] = self.feeds[value]
        return self.values[name]

    def _call(
        self, node: onnx.NodeProto, inputs: Sequence[Constant | Exact | None]
    ) -> list[Constant]:
        attributes, standard = attributes_of(node), op_of(node)
        if standard:
            self._count(node, inputs, attributes)
        with np.errstate(all="ignore"):
            whole = run_in_chunks(standard, inputs, attributes) if standard else None
            if whole is not None:
                return [whole]
            results = run_op(
                node.op_type,
                [None if x is None else _array(x) for x in inputs],
                attributes,
                opset=self.facts.opset(node.domain),
                n_outputs=max(
                    (i for i, name in enumerate(node.output, start=1) if name), default=0
                ),
                domain=node.domain,
            )
        return [np.asarray(result) for result in results]

    def _count(
        self,
        node: onnx.NodeProto,
        inputs: Sequence[Constant | Exact | None],
        attributes: Mapping[str, object],
    ) -> None:
        """What this run reads of the node's weight, where one factor is constant.

        What no run ever reads, none has to: whatever it is, it changes nothing.
        """
        stored = [name in self.part.constants for name in node.input[:2]]
        first, second = inputs[0], inputs[1] if len(inputs) > 1 else None
        if first is None or second is None or stored[0] == stored[1]:
            return
        x, weight = (second, first) if stored[0] else (first, second)
        if 0 in x.shape and node.input[stored.index(False)] in self.empty:
            return
        found = readings_of(op_of(node), x.shape, weight.shape, attributes, is_first=stored[0])
        self.readings = self.readings.and_of(found)


def attributes_of(node: onnx.NodeProto) -> Mapping[str, object]:
    """Plain values, text decoded."""
    found = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    return {
        name: value.decode() if isinstance(value, bytes) else value for name, value in found.items()
    }


def _array(operand: Constant | Exact) -> Constant:
    return operand.value() if isinstance(operand, Exact) else operand
