"""Checks an exported graph against its module, on the examples and on random inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

from bnfold.errors import InconclusiveError
from bnfold.export.answers import RUNTIME, Array, answers_of, is_same, run_torch, runs_of
from bnfold.export.compare import Errors, Explained, errors_of
from bnfold.export.inputs import ExampleInputs
from bnfold.export.records import ExportCheck
from bnfold.export.reference import in_float64, run_float64

if TYPE_CHECKING:
    import torch

RANDOM = frozenset(
    {
        *("Bernoulli", "Dropout", "Multinomial"),
        *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
    }
)


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
    batches = (1, 3) if dynamic_batch else (None,)
    runs, rounded = runs_of(module, [inputs, *_random_inputs(inputs, batches, seed)])
    if not runs:
        return None, ["not checked: the module does not run a second time"]
    if _is_random(model) or not all(map(is_same, rounded[0], run_torch(module, runs[0]))):
        return None, ["not checked: the module answers differently each time (it is random)"]
    limits: list[str] = []
    references = rounded
    try:
        wide = in_float64(module, name)
        references = [list(run_float64(wide, run, name)) for run in runs]
    except InconclusiveError as error:
        limits.append(f"compared with the module in its own precision: {error}")
    try:
        answers, runtime = answers_of(model, runs)
    except InconclusiveError as error:
        return None, [*limits, f"not checked: {error}"]
    if runtime != RUNTIME:
        limits.append("onnxruntime cannot run this graph on the CPU: checked without it")
    explained = _explained(exact=references is not rounded, rounds=runtime == RUNTIME)
    rows = [
        errors_of(str(output.name), *triple, explained=explained)
        for run in zip(references, rounded, answers, strict=True)
        for output, *triple in zip(model.graph.outputs, *run, strict=True)
    ]
    if not all(row.finite for row in rows):
        limits.append("outputs have NaN or infinity, which could not be compared")
    return _record(rows, runs, exact=references is not rounded, runtime=runtime), limits


def _is_random(model: ir.Model) -> bool:
    """Whether the graph draws numbers; a Dropout of inference was left out by the exporter."""
    return any(node.op_type in RANDOM for node in model.graph.all_nodes())


def _explained(*, exact: bool, rounds: bool) -> Explained:
    if not rounds:
        return Explained.NOTHING
    return Explained.TORCH_ERROR if exact else Explained.ULPS


def _record(
    rows: Sequence[Errors], runs: Sequence[ExampleInputs], *, exact: bool, runtime: str
) -> ExportCheck:
    return ExportCheck(
        reference="float64" if exact else "its own precision",
        runtime=runtime,
        max_error=max((row.error for row in rows), default=0.0),
        torch_error=max((row.torch_error for row in rows), default=0.0),
        output_scale=max((row.scale for row in rows), default=0.0),
        batch_sizes=tuple(_batch_of(run) for run in runs),
    )


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


def _batch_of(inputs: ExampleInputs) -> int:
    leaves: list[Array | torch.Tensor] = list(inputs.leaves())
    return int(leaves[0].shape[0]) if leaves and leaves[0].ndim else 0
