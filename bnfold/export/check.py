"""Compares an exported graph with its module, in terms of their own rounding.

    error(ONNX) <= FACTOR * max(error(torch), FLOOR_ULP * ulp(output scale))      for each output

Both errors are measured against the module in float64. A fixed tolerance would let a dropped
epsilon through in a small network and raise false alarms in a deep one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from bnfold import model_io
from bnfold.errors import InconclusiveError, ModelError, ModelsDifferError
from bnfold.export.foreign import foreign_code, quiet
from bnfold.export.inputs import ExampleInputs
from bnfold.export.prepare import eval_mode
from bnfold.export.records import ExportCheck
from bnfold.export.reference import flat_outputs, in_float64, run_float64

if TYPE_CHECKING:
    import torch

FACTOR = 10.0
FLOOR_ULP = 16.0

Array = NDArray[Any]


def check_export(
    model: ir.Model,
    module: torch.nn.Module,
    inputs: ExampleInputs,
    *,
    dynamic_batch: bool,
    seed: int,
    name: str,
) -> tuple[ExportCheck | None, list[str]]:
    """The graph computes what the module does, up to rounding, or an error says where not.

    It is run on the example inputs and on seeded random ones of their kind; with a dynamic batch
    also at batch sizes 1 and 3.

    Returns:
        The check, or None where none was possible; and sentences about what limits it.

    Raises:
        ModelsDifferError: an output is further from the reference than rounding explains.
    """
    runs = [inputs, *_random_inputs(inputs, (1, 3) if dynamic_batch else (None,), seed)]
    warnings: list[str] = []
    try:
        wide = in_float64(module, name)
        references: list[list[Array]] = [list(run_float64(wide, run, name)) for run in runs]
        reference_kind = "float64"
    except InconclusiveError as error:
        warnings.append(f"compared with the module in its own precision: {error}")
        references = [_run_torch(module, run) for run in runs]
        reference_kind = "float32"
    rounded = [_run_torch(module, run) for run in runs]
    if any(not _same(a, b) for a, b in zip(rounded[0], _run_torch(module, runs[0]), strict=True)):
        return None, ["not checked: the module answers differently each time (it is random)"]
    try:
        answers = _run_onnx(model, runs)
    except InconclusiveError as error:
        return None, [f"not checked: {error}"]
    names = [str(value.name) for value in model.graph.outputs]
    rows = [
        _errors(output, *triple, exact=reference_kind == "float64")
        for run in zip(references, rounded, answers, strict=True)
        for output, *triple in zip(names, *run, strict=True)
    ]
    check = ExportCheck(
        reference=reference_kind,
        max_error=max((row[0] for row in rows), default=0.0),
        torch_error=max((row[1] for row in rows), default=0.0),
        output_scale=max((row[2] for row in rows), default=0.0),
        batch_sizes=tuple(_batch_of(run) for run in runs),
    )
    return check, warnings


def _random_inputs(
    inputs: ExampleInputs, batches: Sequence[int | None], seed: int
) -> list[ExampleInputs]:
    """Inputs like these: normal floats, and integers and booleans out of those given."""
    import torch

    generator = torch.Generator().manual_seed(seed)

    def drawn(leaf: torch.Tensor, batch: int | None) -> torch.Tensor:
        shape = list(leaf.shape)
        if batch is not None and shape:
            shape[0] = batch
        if leaf.is_floating_point():
            return torch.randn(shape, generator=generator).to(leaf.dtype)
        count = int(np.prod(shape))
        places = torch.randint(max(leaf.numel(), 1), (count,), generator=generator)
        return leaf.flatten()[places].reshape(shape)

    return [
        inputs.with_leaves([drawn(leaf, batch) for leaf in inputs.leaves()]) for batch in batches
    ]


def _run_torch(module: torch.nn.Module, inputs: ExampleInputs) -> list[Array]:
    import torch

    with eval_mode(module), quiet(), foreign_code("the module failed on random inputs", ModelError):
        leaves = flat_outputs(inputs.run(module))
    return [
        (leaf.float() if leaf.dtype is torch.bfloat16 else leaf).detach().numpy() for leaf in leaves
    ]


def _run_onnx(model: ir.Model, runs: Sequence[ExampleInputs]) -> list[list[Array]]:
    """The graph's answers in onnxruntime on the CPU, with its optimisations off."""
    import onnxruntime as runtime

    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    names = [str(value.name) for value in model.graph.inputs]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "exported.onnx"
        model_io.save(model, path)
        with foreign_code("onnxruntime cannot load the exported graph", InconclusiveError):
            session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    answers = []
    for run in runs:
        with foreign_code(
            f"the exported graph does not run on {run.described()}, but the module does",
            ModelsDifferError,
        ):
            feeds = dict(zip(names, (leaf.numpy() for leaf in run.leaves()), strict=True))
            answers.append(session.run(None, feeds))
    return answers


def _same(a: Array, b: Array) -> bool:
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def _errors(
    output: str, reference: Array, rounded: Array, answer: Array, *, exact: bool
) -> tuple[float, float, float]:
    """The errors of the graph and of the module on one output, and its scale; or an error."""
    if answer.shape != reference.shape:
        raise ModelsDifferError(
            f"output {output} has shape {list(answer.shape)} in the exported graph and "
            f"{list(reference.shape)} in the module"
        )
    if not np.array_equal(np.isfinite(answer), np.isfinite(rounded)):
        raise ModelsDifferError(
            f"output {output}: NaN or infinity at different places than in torch"
        )
    if answer.dtype.kind != "f":
        wrong = int(np.count_nonzero(answer != rounded))
        if wrong:
            raise ModelsDifferError(
                f"output {output}: {wrong} of {answer.size} values differ from torch"
            )
        return 0.0, 0.0, float(np.abs(answer.astype(np.float64)).max(initial=0))
    finite = np.isfinite(answer) & np.isfinite(reference)
    wide = [array.astype(np.float64)[finite] for array in (reference, rounded, answer)]
    scale = float(np.abs(wide[0]).max(initial=0))
    error, torch_error = (float(np.abs(other - wide[0]).max(initial=0)) for other in wide[:0:-1])
    ulp = float(np.finfo(answer.dtype).eps) * scale
    budget = FACTOR * max(torch_error if exact else 0.0, FLOOR_ULP * ulp)
    if error > budget:
        raise ModelsDifferError(
            f"output {output} of the exported graph is off by {error:.3g}; rounding explains "
            f"{budget:.3g} (torch itself is off by {torch_error:.3g})"
        )
    return error, torch_error, scale


def _batch_of(inputs: ExampleInputs) -> int:
    leaves = inputs.leaves()
    return int(leaves[0].shape[0]) if leaves and leaves[0].ndim else 0
