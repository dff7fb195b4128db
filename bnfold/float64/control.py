"""If, Loop, Scan and SequenceMap: operators that run graphs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from bnfold.float64.call import Array, UnsupportedOperatorError

RunGraph = Callable[[ir.Graph, Sequence[Array]], list[Array]]
Inputs = Sequence[Array | None]
ControlOperator = Callable[[Inputs, Mapping[str, Any], RunGraph], list[Array]]

_MOST_TURNS = 1 << 16  # of a Loop, which may never end


def values_read(node: ir.Node) -> list[ir.Value]:
    """What a node reads: its inputs, and whatever its subgraphs read or return."""
    values = [v for v in node.inputs if v is not None]
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH and not attribute.is_ref():
            graphs = [attribute.as_graph()]
        elif attribute.type == ir.AttributeType.GRAPHS and not attribute.is_ref():
            graphs = list(attribute.as_graphs())
        else:
            continue
        for graph in graphs:
            values.extend(graph.outputs)
            for inner in graph:
                values += values_read(inner)
    return values


def _given(inputs: Inputs, index: int) -> Array:
    value = inputs[index]
    if value is None:
        raise ValueError(f"input {index} is missing")
    return value


def run_if(inputs: Inputs, attributes: Mapping[str, Any], run: RunGraph) -> list[Array]:
    """If: the outputs of the branch that the condition, a tensor of one truth value, takes."""
    taken = bool(_given(inputs, 0).reshape(-1)[0])
    return run(attributes["then_branch" if taken else "else_branch"], [])


def run_loop(inputs: Inputs, attributes: Mapping[str, Any], run: RunGraph) -> list[Array]:
    """Loop: at most M times, while the condition holds; scan outputs are stacked.

    Raises:
        UnsupportedOperatorError: a loop that never runs has scan outputs.
    """
    body: ir.Graph = attributes["body"]
    limit = None if inputs[0] is None else int(inputs[0].reshape(-1)[0])
    condition = inputs[1] if len(inputs) > 1 else None
    going = condition is None or bool(condition.reshape(-1)[0])
    carried = [_given(inputs, i) for i in range(2, len(inputs))]
    rows: list[list[Array]] = []
    while going and (limit is None or len(rows) < limit):
        if len(rows) >= _MOST_TURNS:
            raise UnsupportedOperatorError(f"Loop: it runs more than {_MOST_TURNS:,} times")
        step = np.asarray(len(rows), np.int64)
        results = run(body, [step, np.asarray(True), *carried])
        going = bool(results[0].reshape(-1)[0])
        carried = results[1 : 1 + len(carried)]
        rows.append(results[1 + len(carried) :])
    if not rows and len(body.outputs) > 1 + len(carried):
        raise UnsupportedOperatorError("Loop: scan outputs of a loop that never runs")
    return [*carried, *(np.stack(column) for column in zip(*rows, strict=True))]


def run_scan(inputs: Inputs, attributes: Mapping[str, Any], run: RunGraph) -> list[Array]:
    """Scan: M inputs are cut along an axis, N - M states are carried."""
    body: ir.Graph = attributes["body"]
    if len(inputs) > len(body.inputs):
        return _run_batched_scan(inputs, attributes, run)
    count = int(attributes["num_scan_inputs"])
    values = [_given(inputs, i) for i in range(len(inputs))]
    states, scanned = values[: len(values) - count], values[len(values) - count :]
    n_outputs = len(body.outputs) - len(states)
    axes = attributes.get("scan_input_axes") or [0] * count
    backwards = attributes.get("scan_input_directions") or [0] * count
    cuts = [
        np.flip(np.moveaxis(x, axis, 0), 0) if back else np.moveaxis(x, axis, 0)
        for x, axis, back in zip(scanned, axes, backwards, strict=True)
    ]
    rows: list[list[Array]] = []
    for parts in zip(*cuts, strict=True):
        results = run(body, [*states, *parts])
        states, row = results[: len(states)], results[len(states) :]
        rows.append(row)
    out_axes = attributes.get("scan_output_axes") or [0] * n_outputs
    out_back = attributes.get("scan_output_directions") or [0] * n_outputs
    stacked = [
        np.moveaxis(np.stack(column[::-1] if back else column), 0, axis)
        for column, axis, back in zip(zip(*rows, strict=True), out_axes, out_back, strict=True)
    ]
    return [*states, *stacked]


def _run_batched_scan(inputs: Inputs, attributes: Mapping[str, Any], run: RunGraph) -> list[Array]:
    """Scan of opset 8: a batch axis in front of everything, perhaps a length for each sample."""
    lengths, values = inputs[0], [_given(inputs, i) for i in range(1, len(inputs))]
    count = int(attributes["num_scan_inputs"])
    n_states = len(values) - count
    steps = values[-1].shape[1]
    newer = {
        "body": attributes["body"],
        "num_scan_inputs": count,
        "scan_input_directions": attributes.get("directions"),
    }
    samples = []
    for b in range(values[0].shape[0]):
        length = steps if lengths is None else int(lengths[b])
        scanned = [x[b, :length] for x in values[n_states:]]
        results = run_scan([*(x[b] for x in values[:n_states]), *scanned], newer, run)
        rest = [(0, steps - length)]
        padded = [np.pad(y, rest + [(0, 0)] * (y.ndim - 1)) for y in results[n_states:]]
        samples.append([*results[:n_states], *padded])
    return [np.stack(column) for column in zip(*samples, strict=True)]


def run_sequence_map(inputs: Inputs, attributes: Mapping[str, Any], run: RunGraph) -> list[Any]:
    """SequenceMap: the body for each element of a sequence, and of others that are as long."""
    body: ir.Graph = attributes["body"]
    values: list[Any] = [_given(inputs, i) for i in range(len(inputs))]
    rows = [
        run(body, [v[i] if isinstance(v, list) else v for v in values])
        for i in range(len(values[0]))
    ]
    return [[row[k] for row in rows] for k in range(len(body.outputs))]


OPERATORS: Mapping[str, ControlOperator] = {
    "If": run_if,
    "Loop": run_loop,
    "Scan": run_scan,
    "SequenceMap": run_sequence_map,
}
