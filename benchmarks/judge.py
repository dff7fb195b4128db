"""Whether a rewritten graph still computes the same, and how much work is left in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx_ir as ir

from bnfold.errors import BnfoldError
from bnfold.float64 import run_graph
from bnfold.runtime.engine import Setting
from bnfold.runtime.sessions import Session
from bnfold.runtime.signature import Array
from bnfold.verify.case import OutputCase
from bnfold.verify.records import OutputRow

Feed = Mapping[str, Array]
Run = dict[str, Array]

_SETTING = Setting(level="none", for_values=True)
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

    The ruler is that of `bnfold.verify`, laid on outputs here: both run in onnxruntime without its
    optimisations, the reference is the original in float64. Where the runtime cannot run the
    original, both are run in float64 and rounded to the type of the output.
    """
    runs, others, truths = [], [], []
    for feed in feeds:
        truth = _in_float64(original, feed)
        run = _in_runtime(original, feed)
        other = _in_runtime(rewritten, feed)
        if isinstance(run, str):
            run, other = (_rounded(original, run) for run in (truth, _in_float64(rewritten, feed)))
        if isinstance(run, str):
            raise RuntimeError(f"{original}: the original does not run: {run}")
        if isinstance(other, str):
            return other
        wrong = _misfit(run, other)
        if wrong is not None:
            return wrong
        runs.append(run)
        others.append(other)
        truths.append(run if isinstance(truth, str) else truth)
    for name in runs[0]:
        row = _row(name, truths, runs, others)
        if not row.is_within:
            own, its = row.error_original, row.error_other
            return f"output {name} is off by {its:.2g} of its scale, the original by {own:.2g}"
    return None


def _row(name: str, truths: Sequence[Run], runs: Sequence[Run], others: Sequence[Run]) -> OutputRow:
    feeds = [str(index) for index in range(len(runs))]
    base, other = [run[name] for run in runs], [run[name] for run in others]
    return OutputCase(name, feeds, [run[name] for run in truths], base).row("none", base, other)


def _misfit(run: Run, other: Run) -> str | None:
    for name, expected in run.items():
        got = other.get(name)
        if got is None:
            return f"output {name} is missing"
        if got.shape != expected.shape:
            return f"output {name} has shape {got.shape}, not {expected.shape}"
        if got.dtype != expected.dtype:
            return f"output {name} is {got.dtype}, not {expected.dtype}"
    return None


def _in_runtime(path: Path, feed: Feed) -> Run | str:
    graph = onnx.load(path, load_external_data=False).graph
    wanted, names = {value.name for value in graph.input}, [value.name for value in graph.output]
    fitting = {name: array for name, array in feed.items() if name in wanted}
    try:
        session = Session(str(path), _SETTING, name=path.name)
        return dict(zip(names, session.run(fitting, names), strict=True))
    except BnfoldError as error:
        return str(error)


def _in_float64(path: Path, feed: Feed) -> Run | str:
    try:
        return dict(run_graph(ir.load(path), dict(feed)))
    except (BnfoldError, ValueError, TypeError, KeyError) as error:
        return f"does not run in float64: {error}"


def _rounded(path: Path, run: Run | str) -> Run | str:
    """The run in the types that the model declares, as a runtime would give it at best."""
    if isinstance(run, str):
        return run
    declared = {value.name: value for value in ir.load(path).graph.outputs}
    return {
        name: array if declared[name].dtype is None else array.astype(declared[name].dtype.numpy())
        for name, array in run.items()
    }


def errors(original: Path, rewritten: Path, feed: Feed) -> tuple[float, float] | None:
    """The error of each model against float64, over the scale of its output, by `verify`'s ruler.

    Both run in onnxruntime without its optimisations; None where one of them does not.
    """
    truth = _in_float64(original, feed)
    base, other = _in_runtime(original, feed), _in_runtime(rewritten, feed)
    if isinstance(truth, str) or isinstance(base, str) or isinstance(other, str):
        return None
    rows = [_row(name, [truth], [base], [other]) for name in truth]
    return max(row.error_original for row in rows), max(row.error_other for row in rows)
