"""What a module and its exported graph answer to the same inputs."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from bnfold import float64, model_io
from bnfold.errors import DataError, InconclusiveError, ModelsDifferError
from bnfold.export.foreign import foreign_code, quiet
from bnfold.export.inputs import ExampleInputs
from bnfold.export.prepare import eval_mode
from bnfold.export.reference import flat_outputs
from bnfold.runtime.engine import Setting
from bnfold.runtime.sessions import RefusedError, RunError, Session

if TYPE_CHECKING:
    import torch

RUNTIME = "onnxruntime"

Array = NDArray[Any]


def runs_of(
    module: torch.nn.Module, wanted: Sequence[ExampleInputs]
) -> tuple[list[ExampleInputs], list[list[Array]]]:
    """The inputs that the module accepts, of those wanted, and its answers to them."""
    runs, answers = [], []
    for inputs in wanted:
        with suppress(DataError):  # random values may be none that the module can work on
            answers.append(run_torch(module, inputs))
            runs.append(inputs)
    return runs, answers


def run_torch(module: torch.nn.Module, inputs: ExampleInputs) -> list[Array]:
    """The module's answers in eval mode and its own precision, flattened.

    Raises:
        DataError: the module does not run on these inputs.
    """
    with eval_mode(module), quiet(), foreign_code("the module", DataError):
        leaves = flat_outputs(inputs.run(module))
    return [_numpy(leaf.detach()) for leaf in leaves]


def answers_of(model: ir.Model, runs: Sequence[ExampleInputs]) -> tuple[list[list[Array]], str]:
    """The graph's answers, and what ran it: onnxruntime, or our interpreter where that cannot.

    Raises:
        ModelsDifferError: the graph does not run on inputs that the module accepts.
        InconclusiveError: nothing here can run the graph.
    """
    names = [str(value.name) for value in model.graph.inputs]
    feeds = [dict(zip(names, map(_numpy, run.leaves()), strict=True)) for run in runs]
    session = _session(model)
    if session is None:
        with foreign_code("no runtime here has all of its operators", InconclusiveError):
            wide = [float64.run_graph(model, feed) for feed in feeds]
        outputs = [str(value.name) for value in model.graph.outputs]
        return [[answer[name] for name in outputs] for answer in wide], "float64 interpreter"
    answers = []
    for run, feed in zip(runs, feeds, strict=True):
        try:
            answers.append(session.run(feed))
        except RunError as error:
            raise ModelsDifferError(
                f"the exported graph does not run on {run.described()}, but the module does: "
                f"{error}"
            ) from error
    return answers, RUNTIME


def _session(model: ir.Model) -> Session | None:
    """A session on the CPU, optimisations off; None where onnxruntime lacks a kernel."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "exported.onnx"
        model_io.save(model, path)
        with suppress(RefusedError):
            return Session(str(path), Setting(level="none"), name="the exported graph")
    return None


def is_same(a: Array, b: Array) -> bool:
    """Whether the answers are equal bit by bit, NaN included."""
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def _numpy(tensor: torch.Tensor) -> Array:
    """The values; bfloat16, which numpy does not have, as float64."""
    import torch

    array: Array = (tensor.double() if tensor.dtype is torch.bfloat16 else tensor).numpy()
    return array
