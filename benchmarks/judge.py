"""Whether a rewritten graph still computes the same, and how much work is left in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir
import onnxruntime as ort

from bnfold.errors import BnfoldError
from bnfold.float64 import run_graph

Array = npt.NDArray[np.generic]
Feed = Mapping[str, Array]

FACTOR = 8.0  # a rewrite may round this much worse than the original, or than the floor
_FLOOR_ULP = 2.0  # of the largest output value
_EPSILON = {
    onnx.TensorProto.FLOAT16: 2.0**-10,
    onnx.TensorProto.BFLOAT16: 2.0**-7,
    onnx.TensorProto.DOUBLE: 2.0**-40,  # an epsilon of 1e-5 is a float32 number or is not
}
_FREE = frozenset(("Constant", "Identity", "Dropout"))  # cost nothing, or are gone at load
_LINEAR = frozenset(("Conv", "ConvTranspose", "Gemm", "MatMul"))
_FUSED = {"FusedConv": "Conv", "FusedGemm": "Gemm", "FusedMatMul": "MatMul", "QLinearConv": "Conv"}


@dataclass(frozen=True)
class Work:
    """What a graph has to do at run time.

    Attributes:
        nodes: operators, fused ones counted as their parts.
        norms: batch norms among them.
        linear: convolutions and matrix products among them.
    """

    nodes: int
    norms: int
    linear: int

    def fits(self, best: Work) -> bool:
        return self.nodes <= best.nodes and self.norms <= best.norms and self.linear <= best.linear


def work_of_operators(operators: Sequence[str]) -> Work:
    """The work of operators by name."""
    count = Counter(operators)
    return Work(count.total(), count["BatchNormalization"], sum(count[op] for op in _LINEAR))


def work_of_model(model: onnx.ModelProto) -> Work:
    """The work of a model: its run-time nodes, those of bodies and called functions too."""
    functions = {(f.domain, f.name): f for f in model.functions}
    return work_of_operators(list(_operators(model.graph.node, _constants(model), functions)))


def _constants(model: onnx.ModelProto) -> set[str]:
    inputs = {value.name for value in model.graph.input}
    stored = {tensor.name for tensor in model.graph.initializer}
    return stored if model.ir_version < 4 else stored - inputs


def _operators(
    nodes: Sequence[onnx.NodeProto],
    constants: set[str],
    functions: Mapping[tuple[str, str], onnx.FunctionProto],
) -> Iterator[str]:
    constant = set(constants)
    for node in nodes:
        bodies = [a.g for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]
        if not bodies and all(name in constant for name in node.input if name):
            constant.update(node.output)
            continue
        function = functions.get((node.domain, node.op_type))
        if function is not None:
            inner = {f for f, a in zip(function.input, node.input, strict=False) if a in constant}
            yield from _operators(function.node, inner, functions)
            continue
        if node.op_type not in _FREE:
            yield _FUSED.get(node.op_type, node.op_type)
        attributes = {a.name for a in node.attribute}
        if node.op_type in _FUSED and "activation" in attributes:
            yield "activation"
        if node.op_type == "FusedConv" and len(node.input) > 3 and node.input[3]:
            yield "Add"
        for body in bodies:
            inner = constant | {tensor.name for tensor in body.initializer}
            yield from _operators(body.node, inner, functions)


def difference(original: Path, rewritten: Path, feeds: Sequence[Feed]) -> str | None:
    """What is wrong with the rewritten model; None where it differs by rounding alone.

    Both run in onnxruntime without its optimisations; the reference is the original in float64.
    Where the runtime cannot run the original, both are run in float64.
    """
    epsilons = _output_epsilons(original)
    first, second = _session(original), _session(rewritten)
    for feed in feeds:
        truth = _float64(original, feed)
        base = first if isinstance(first, str) else _run(first, feed)
        if not isinstance(base, str):
            other = second if isinstance(second, str) else _run(second, feed)
        else:
            base, other = truth, _float64(rewritten, feed)
        if isinstance(base, str):
            raise RuntimeError(f"{original}: the original does not run: {base}")
        if isinstance(other, str):
            return other
        wrong = _compare(base if isinstance(truth, str) else truth, base, other, epsilons)
        if wrong is not None:
            return wrong
    return None


def _compare(
    truth: Mapping[str, Array],
    base: Mapping[str, Array],
    other: Mapping[str, Array],
    epsilons: Mapping[str, float],
) -> str | None:
    for name, expected in base.items():
        got = other.get(name)
        if got is None:
            return f"output {name} is missing"
        if got.shape != expected.shape:
            return f"output {name} has shape {got.shape}, not {expected.shape}"
        if got.dtype != expected.dtype:
            return f"output {name} is {got.dtype}, not {expected.dtype}"
        wide, reference = got.astype(np.float64), truth[name].astype(np.float64)
        plain = expected.astype(np.float64)
        if not np.array_equal(np.isfinite(wide), np.isfinite(plain)):
            return f"output {name} is not finite elsewhere than the original"
        finite = np.isfinite(plain) & np.isfinite(reference)
        own = float(np.max(np.abs(plain[finite] - reference[finite]), initial=0.0))
        size = float(np.max(np.abs(reference[finite]), initial=0.0))
        floor = _FLOOR_ULP * epsilons[name] * size
        error = float(np.max(np.abs(wide[finite] - reference[finite]), initial=0.0))
        if error > FACTOR * max(own, floor):
            return f"output {name} is off by {error:.2g}, the original by {own:.2g}"
    return None


def _output_epsilons(path: Path) -> dict[str, float]:
    """For each output, one unit in the last place at 1."""
    outputs = onnx.load(path, load_external_data=False).graph.output
    return {o.name: _EPSILON.get(o.type.tensor_type.elem_type, 2.0**-23) for o in outputs}


def _session(path: Path) -> ort.InferenceSession | str:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001  # the runtime's errors have no common base class
        return f"does not load: {str(error)[:200]}"


def _run(session: ort.InferenceSession, feed: Feed) -> dict[str, Array] | str:
    names = [value.name for value in session.get_outputs()]
    wanted = {value.name for value in session.get_inputs()}
    fitting = {name: array for name, array in feed.items() if name in wanted}
    try:
        return dict(zip(names, session.run(names, fitting), strict=True))
    except Exception as error:  # noqa: BLE001
        return f"does not run: {str(error)[:200]}"


def _float64(path: Path, feed: Feed) -> dict[str, Array] | str:
    try:
        return dict(run_graph(ir.load(path), dict(feed)))
    except (BnfoldError, ValueError, TypeError, KeyError) as error:
        return f"does not run in float64: {error}"


def errors(original: Path, rewritten: Path, feed: Feed) -> tuple[float, float] | None:
    """The largest error of each model against float64, over the scale of its output.

    Both run in onnxruntime without its optimisations; None where one of them does not.
    """
    first, second = _session(original), _session(rewritten)
    if isinstance(first, str) or isinstance(second, str):
        return None
    truth, base, other = _float64(original, feed), _run(first, feed), _run(second, feed)
    if isinstance(truth, str) or isinstance(base, str) or isinstance(other, str):
        return None
    worst = [0.0, 0.0]
    for name, reference in truth.items():
        scale = float(np.max(np.abs(reference), initial=1e-30))
        for i, run in enumerate((base, other)):
            error = float(np.max(np.abs(run[name] - reference), initial=0.0)) / scale
            worst[i] = max(worst[i], error)
    return worst[0], worst[1]
