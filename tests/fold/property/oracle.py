"""What must hold of every fold, whatever the graph: the judge of the random graphs and the traps.

The judge does not trust the certificates: it runs whole models, in float64 and in onnxruntime, and
compares every tensor whose name survives.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir

import bnfold
from bnfold.float64 import run_graph
from tests.fold.property.cost import count_macs
from tests.fold.property.noise import coarsest_rounding, perturbed
from tests.runtime_oracle import REFUSES, in_onnxruntime

Array = npt.NDArray[np.generic]
Feeds = Mapping[str, Array]

ROUNDINGS = 60  # how many roundings of a weight a fold may cost, at worst
SLACK = 1e-10  # of a tensor's largest value: what float64 itself may lose


@dataclass
class Run:
    """Everything that a model computes in its main graph, in float64."""

    model: onnx.ModelProto
    tensors: dict[str, Array] = field(default_factory=dict)


def run_float64(model: onnx.ModelProto, feeds: Feeds) -> Run:
    """The model's tensors by name, what was fed among them; initializers are left out."""
    run = Run(model, {name: np.asarray(array) for name, array in feeds.items()})
    loaded = ir.from_proto(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        outputs = run_graph(loaded, dict(feeds), observe=run.tensors.__setitem__)
    run.tensors.update(outputs)
    return run


def run_runtime(model: onnx.ModelProto, feeds: Feeds) -> list[Array] | None:
    """onnxruntime's outputs, its optimisations off; None where it does not take the model."""
    kinds = {info.name: info.type.tensor_type.elem_type for info in model.graph.input}
    stored = {name: array.astype(ir.DataType(kinds[name]).numpy()) for name, array in feeds.items()}
    try:
        return in_onnxruntime(model, stored)
    except REFUSES:
        return None


def check_fold(
    model: onnx.ModelProto,
    samples: Sequence[Feeds],
    *,
    allow: Collection[str] = (),
    skip: Collection[str] = (),
    with_runtime: bool = True,
) -> bnfold.fold.FoldResult:
    """The fold of the model, after everything that must hold of it was found to hold."""
    before = model.SerializeToString(deterministic=True)
    result = bnfold.fold(model, allow=allow, skip=skip)
    assert model.SerializeToString(deterministic=True) == before, "the caller's model was changed"
    assert result.ledger.bugs == (), result.ledger.bugs
    folded = result.to_proto()
    if _passes_checker(model):
        onnx.checker.check_model(folded, full_check=True)
    _check_interface(model, folded)
    _check_ledger(result, model, folded)
    _check_repeats(model, folded, allow, skip)
    free = not allow
    if free:
        assert count_nodes(folded) <= count_nodes(model), "more nodes than before"
    for feeds in samples:
        _check_values(model, folded, feeds, free=free)
        if with_runtime:
            _check_runtime(model, folded, feeds)
    return result


def _passes_checker(model: onnx.ModelProto) -> bool:
    """Not so where an input declares no shape at all, which runtimes take."""
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return False
    return True


def kinds_of(result: bnfold.fold.FoldResult) -> list[str]:
    """The operators of the folded main graph, in order."""
    return [node.op_type for node in result.model.graph]


def count_nodes(model: onnx.ModelProto, *op_types: str) -> int:
    """Nodes in all scopes, of these operators or of all; those of a function at each call."""
    functions = {function.name: function.node for function in model.functions}
    nodes = all_nodes(model.graph.node, functions)
    return sum(not op_types or node.op_type in op_types for node in nodes)


def all_nodes(
    nodes: Iterable[onnx.NodeProto], functions: Mapping[str, Sequence[onnx.NodeProto]]
) -> Iterator[onnx.NodeProto]:
    """The nodes, those of the bodies in them, and those of functions in place of their calls."""
    for node in nodes:
        if node.op_type in functions:
            yield from all_nodes(functions[node.op_type], functions)
            continue
        yield node
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from all_nodes(attribute.g.node, functions)


def _check_interface(model: onnx.ModelProto, folded: onnx.ModelProto) -> None:
    listed = {tensor.name for tensor in model.graph.initializer} if model.ir_version < 4 else set()
    made = {tensor.name for tensor in folded.graph.initializer} if model.ir_version < 4 else set()
    inputs = [info for info in model.graph.input if info.name not in listed]
    assert [info for info in folded.graph.input if info.name not in made] == inputs
    assert [o.name for o in folded.graph.output] == [o.name for o in model.graph.output]
    for old, new in zip(model.graph.output, folded.graph.output, strict=True):
        assert new.type.tensor_type.elem_type == old.type.tensor_type.elem_type, old.name
        assert new.type == old.type, f"output {old.name} changed its type"
    assert _opsets(folded).items() <= _opsets(model).items()
    assert _opsets(folded)[""] == _opsets(model)[""]
    assert folded.ir_version == model.ir_version
    if model.ir_version < 4:
        assert {t.name for t in folded.graph.initializer} <= {i.name for i in folded.graph.input}


def _opsets(model: onnx.ModelProto) -> dict[str, int]:
    return {opset.domain: opset.version for opset in model.opset_import}


def _check_ledger(
    result: bnfold.fold.FoldResult, model: onnx.ModelProto, folded: onnx.ModelProto
) -> None:
    ledger = result.ledger
    left = count_nodes(folded, "BatchNormalization")
    assert left <= count_nodes(model, "BatchNormalization")
    assert ledger.batch_norms_after == left, "the ledger miscounts what is left"
    assert ledger.batch_norms_before == count_nodes(model, "BatchNormalization")
    for decision in ledger.decisions:
        assert decision.status in ("folded", "kept")
        if decision.status == "kept":
            assert decision.refusals, f"{decision.name} was kept without a reason"
            assert all(r.code and r.sentence and r.at for r in decision.refusals)
        else:
            assert decision.direction


def _check_repeats(
    model: onnx.ModelProto, folded: onnx.ModelProto, allow: Collection[str], skip: Collection[str]
) -> None:
    again = bnfold.fold(model, allow=allow, skip=skip).to_proto()
    whole = folded.SerializeToString(deterministic=True)
    assert again.SerializeToString(deterministic=True) == whole, "two folds differ"
    if not _is_declared(model):
        return  # shapes are guessed from weights, which can go further once the graph is simpler
    twice = bnfold.fold(folded, allow=allow, skip=skip)
    assert not twice.ledger.folded, f"a second fold went on: {twice.ledger.folded}"
    assert twice.to_proto().SerializeToString(deterministic=True) == whole, "fold is not idempotent"


def _check_values(
    model: onnx.ModelProto, folded: onnx.ModelProto, feeds: Feeds, *, free: bool
) -> None:
    old, new = run_float64(model, feeds), run_float64(folded, feeds)
    noise = _noise(old, feeds)
    unit = coarsest_rounding(model)
    for name in old.tensors.keys() & new.tensors.keys():
        assert_close(name, old.tensors[name], new.tensors[name], noise.get(name, 0.0), unit)
    constants = {t.name: t for t in model.graph.initializer}
    for tensor in folded.graph.initializer:
        if tensor.name in constants:
            same = constants[tensor.name].SerializeToString(deterministic=True)
            assert tensor.SerializeToString(deterministic=True) == same, f"{tensor.name} changed"
    assert {o.name for o in model.graph.output} <= new.tensors.keys()
    is_seen = count_nodes(folded, "If") == count_nodes(model, "If")  # bodies are not, nor functions
    if free and is_seen and not model.functions:
        assert count_macs(folded, new.tensors) <= count_macs(model, old.tensors), "more MACs"


def _noise(run: Run, feeds: Feeds) -> dict[str, float]:
    """How far each tensor moves where every stored weight is off by one rounding of its dtype."""
    largest: dict[str, float] = {}
    for seed in range(3):
        moved = run_float64(perturbed(run.model, seed), feeds)
        for name, array in moved.tensors.items():
            if array.dtype.kind != "f" and not np.array_equal(array, run.tensors.get(name)):
                largest[name] = np.inf  # a comparison, say, that rounding turns
            elif array.dtype.kind == "f" and array.size and name in run.tensors:
                with np.errstate(invalid="ignore"):
                    distance = np.nanmax(np.abs(array - run.tensors[name]), initial=0.0)
                largest[name] = max(largest.get(name, 0.0), float(distance))
    return largest


def _is_declared(model: onnx.ModelProto) -> bool:
    return all(info.type.tensor_type.HasField("shape") for info in model.graph.input)


def assert_close(name: str, old: Array, new: Array, noise: float, unit: float = 0.0) -> None:
    """Equal but for the rounding of weights."""
    assert old.shape == new.shape, f"{name} changed its shape from {old.shape} to {new.shape}"
    if old.dtype.kind != "f":
        assert np.isinf(noise) or np.array_equal(old, new), f"{name} changed"
        return
    finite = np.isfinite(old)
    assert np.array_equal(old[~finite], new[~finite], equal_nan=True), f"{name}: NaN or infinity"
    scale = np.max(np.abs(old[finite]), initial=0.0)
    error = np.max(np.abs(new[finite] - old[finite]), initial=0.0)
    limit = ROUNDINGS * noise + (SLACK + 4 * unit) * scale
    assert error <= limit, f"{name} is off by {error:.3g} of {scale:.3g}, allowed {limit:.3g}"


def _check_runtime(model: onnx.ModelProto, folded: onnx.ModelProto, feeds: Feeds) -> None:
    """onnxruntime takes the folded model where it took the original, and agrees with itself."""
    old = run_runtime(model, feeds)
    if old is None:
        return
    new = run_runtime(folded, feeds)
    assert new is not None, "onnxruntime takes the original, but not the folded model"
    truth = run_float64(model, feeds)
    noise = _noise(truth, feeds)
    for info, first, second in zip(model.graph.output, old, new, strict=True):
        assert first.dtype == second.dtype, info.name
        if first.dtype.kind != "f" and first.dtype != ir.DataType.BFLOAT16.numpy():
            continue
        a, b = first.astype(np.float64), second.astype(np.float64)
        exact = truth.tensors[info.name]
        finite = np.isfinite(a) & np.isfinite(exact) & np.isfinite(b)
        own = np.max(np.abs(a[finite] - exact[finite]), initial=0.0)
        scale = np.max(np.abs(exact)[finite], initial=0.0)
        epsilon = 2.0**-7 if first.dtype.itemsize == 2 else float(np.finfo(first.dtype).eps)
        limit = ROUNDINGS * max(own, noise.get(info.name, 0.0), epsilon * scale)
        error = np.max(np.abs(b[finite] - exact[finite]), initial=0.0)
        assert error <= limit, f"onnxruntime: {info.name} is off by {error:.3g} of {scale:.3g}"
