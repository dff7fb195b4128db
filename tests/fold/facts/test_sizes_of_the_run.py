"""A size that is taken for a fact is the size of the run: onnxruntime is asked."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest

from bnfold.fold.facts.graph import Facts
from bnfold.fold.numbers.affine import Dims
from tests.fold.facts.drawn_operators import DRAWS, Drawn

_REFUSES = (
    ort.capi.onnxruntime_pybind11_state.Fail,
    ort.capi.onnxruntime_pybind11_state.InvalidArgument,
    ort.capi.onnxruntime_pybind11_state.InvalidGraph,
    ort.capi.onnxruntime_pybind11_state.NotImplemented,
    ort.capi.onnxruntime_pybind11_state.RuntimeException,
)


def shapes_of_the_run(drawn: Drawn, model: onnx.ModelProto) -> list[tuple[int, ...]] | None:
    """What onnxruntime makes, its optimisations off; None where it does not run the model."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    providers = ["CPUExecutionProvider"]
    try:
        session = ort.InferenceSession(model.SerializeToString(), options, providers=providers)
        return [np.shape(y) for y in session.run(None, drawn.feeds())]
    except _REFUSES:
        return None


def wrong_sizes(drawn: Drawn, random: np.random.Generator) -> tuple[list[str], int]:
    """Dimensions that are believed and are not those of the run; and how many are right.

    The model is declared with some dimensions open, named by their size.
    """
    fixed = [[int(n) for n in shape] for shape in drawn.shapes]
    shapes = shapes_of_the_run(drawn, drawn.model([[*dims] for dims in fixed]))
    if shapes is None:
        return [], 0
    share = float(random.choice([0.0, 0.5]))
    open_dims = [[f"s{n}" if random.random() < share else n for n in dims] for dims in fixed]
    facts = Facts(ir.from_proto(drawn.model([[*dims] for dims in open_dims])))
    wrong, right = [], 0
    for value, shape in zip(facts.model.graph.outputs, shapes, strict=True):
        dims = facts.dims(value)
        if dims is None:
            continue
        believed = _numbers(dims)
        if len(believed) != len(shape) or any(
            b is not None and b != n for b, n in zip(believed, shape, strict=True)
        ):
            wrong.append(f"{drawn} gives {shape}, not {dims}")
        right += sum(b is not None for b in believed)
    return wrong, right


def _numbers(dims: Dims) -> list[int | None]:
    """Symbols of ours as the size that they are named by; those of inference are no numbers."""
    named = [d[1:] if isinstance(d, str) and d.startswith("s") else d for d in dims]
    return [int(d) if isinstance(d, int) or (d or "").isdigit() else None for d in named]  # type: ignore[arg-type]


def check(op: str, count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    known = 0
    for _ in range(count):
        wrong, right = wrong_sizes(DRAWS[op](random), random)
        assert not wrong, wrong[0]
        known += right
    assert known > count / 2, "next to nothing is known: the test says nothing"


@pytest.mark.parametrize("op", DRAWS)
def test_a_known_size_is_that_of_the_run(op: str) -> None:
    check(op, 12, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("op", DRAWS)
def test_a_known_size_is_that_of_the_run_in_many_draws(op: str) -> None:
    window = op in ("Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool", "Resize")
    check(op, 2_000 if window else 150, seed=1)
