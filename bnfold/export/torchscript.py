"""torch's older exporter, which traces: for networks that the newer one cannot capture."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import onnx
import onnx_ir as ir

from bnfold.errors import ModelError
from bnfold.export.dynamic import Axes
from bnfold.export.inputs import ExampleInputs
from bnfold.torch_code.foreign import foreign_code, quiet

if TYPE_CHECKING:
    import torch

NEWEST_OPSET = 20  # what its operator library was last written for
SCOPES = "pkg.torch.onnx.name_scopes"


def capture_by_tracing(
    module: torch.nn.Module, inputs: ExampleInputs, dynamic: Axes, *, opset: int, name: str
) -> tuple[ir.Model, tuple[str, ...]]:
    """The graph of one run on the examples, with every batch norm in it, and what to know of it.

    What the code decides by the values or the sizes that it sees is decided once and for all: the
    tracer says where, and the check on other inputs and other batches has to bear it out.

    Args:
        module: in eval mode.
        inputs: examples.
        dynamic: for each tensor of the inputs, the dimensions that may vary.
        opset: the version of the ONNX operators, `NEWEST_OPSET` at most.
        name: what to call the network in a sentence.

    Raises:
        ModelError: it cannot be traced either; the sentence has the first line of the reason.
    """
    import torch

    buffer = io.BytesIO()
    axes = dict(zip(inputs.names, dynamic, strict=True))
    with foreign_code(f"{name} cannot be traced", ModelError), quiet(), _decisions() as told:
        with torch.no_grad(), _no_log():
            torch.onnx.export(
                module,
                (*inputs.args, dict(inputs.kwargs)),
                buffer,  # type: ignore[arg-type]  # a file too, by its documentation
                dynamo=False,
                opset_version=opset,
                input_names=list(inputs.names),
                dynamic_axes={key: dict(own) for key, own in axes.items() if own},
                training=torch.onnx.TrainingMode.PRESERVE,  # EVAL would fold batch norms
                do_constant_folding=False,
            )
        model = ir.from_proto(onnx.load_from_string(buffer.getvalue()))
    for node in model.graph.all_nodes():
        path = _module_path(node.name or "")
        if path:
            node.metadata_props[SCOPES] = repr([path, ""])
    return model, tuple(told)


@contextmanager
def _no_log() -> Iterator[None]:
    """The exporter writes no graph to the standard output, past Python, where it fails.

    It switches its log on whatever was said of it, so what it logs by is taken away.
    """
    import torch

    log = torch._C._jit_onnx_log
    torch._C._jit_onnx_log = lambda *_: None
    try:
        yield
    finally:
        torch._C._jit_onnx_log = log


@contextmanager
def _decisions() -> Iterator[list[str]]:
    """What the tracer warns of, while the block runs: places where it has decided for good."""
    from torch.jit._trace import TracerWarning

    told: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", TracerWarning)
        yield told
    told += dict.fromkeys(
        f"a trace decides {warning.filename}:{warning.lineno} once and for all"
        for warning in caught
        if issubclass(warning.category, TracerWarning)
    )


def _module_path(name: str) -> str:
    """`features.0.conv` of `/features/features.0/conv/Conv`: children of containers repeat them."""
    parts: list[str] = []
    for part in name.split("/")[1:-1]:
        if parts and part.startswith(f"{parts[-1]}."):
            parts[-1] = part
        else:
            parts.append(part)
    return ".".join(parts)
