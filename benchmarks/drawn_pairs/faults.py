"""The faults by kind, and one of them planted in a copy of a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx

from benchmarks.drawn_pairs import attributes, nodes, numbers, tails
from benchmarks.drawn_pairs.editing import Fault
from benchmarks.drawn_pairs.graphs import Rng
from benchmarks.drawn_pairs.runs import Feed, outputs

FAULTS: Mapping[str, Sequence[Fault]] = {
    "a weight, a channel, a row of a table": (
        *(numbers.entry_off, numbers.channel_off, numbers.channels_swapped, numbers.row_off),
    ),
    "an attribute: epsilon, pads, `ceil_mode`, an axis": (
        *(attributes.epsilon, attributes.pads, attributes.ceil_mode, attributes.count_include_pad),
        *(attributes.alpha, attributes.dilations, attributes.axis, attributes.resize_mode),
    ),
    "a node: an activation lost, operands swapped, a border": (
        *(nodes.activation_lost, nodes.operands_swapped, nodes.operand_twice, nodes.border),
        nodes.other_reduction,
    ),
    "rows of a batch, or from an extent on": (
        *(tails.rows_repeated, tails.last_row_off, tails.off_from_an_extent_on, tails.all_off),
    ),
    "types and ids": (
        *(nodes.half_inside, nodes.half_outside, nodes.mask_as_bool, nodes.ids_without_sign),
    ),
    "a bound": (tails.bound, nodes.bound_inside),
}
"""By what a reader would call them."""

_TRIES = 1000


def planted(model: onnx.ModelProto, feeds: Sequence[Feed], rng: Rng) -> tuple[str, onnx.ModelProto]:
    """The kind of a fault, and a copy of the graph that has it and runs on the first set."""
    kinds = list(FAULTS)
    for _ in range(_TRIES):
        kind = kinds[rng.integers(len(kinds))]
        fault = FAULTS[kind][int(rng.integers(len(FAULTS[kind])))]
        wrong = onnx.ModelProto()
        wrong.CopyFrom(model)
        is_planted = fault(wrong, rng) and wrong != model
        if is_planted and outputs(wrong, feeds[:1])[0] is not None:
            return kind, wrong
    raise ValueError(f"no fault fits in {np.unique([n.op_type for n in model.graph.node])}")
