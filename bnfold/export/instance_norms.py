"""Instance norms that use stored statistics are batch norms, and exported as what they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@contextmanager
def as_batch_norms(network: torch.nn.Module | torch.export.ExportedProgram) -> Iterator[None]:
    """Inside, instance norms with stored statistics compute by `batch_norm`, which is the same.

        y[n, c] = (x[n, c] - mean[c]) / sqrt(variance[c] + epsilon) * weight[c] + bias[c]

    torch writes them as a batch norm of N * C channels of one sample, whose statistics are repeated
    N times: that keeps the batch in the constants, and nothing folds it.
    """
    import torch

    if isinstance(network, torch.export.ExportedProgram):
        _rewrite(network)
        yield
        return
    replaced = [part for part in network.modules() if _is_stored(part)]
    for part in replaced:
        part.forward = _forward_of(part)
    try:
        yield
    finally:
        for part in replaced:
            del part.forward


def _is_stored(part: torch.nn.Module) -> bool:
    """Whether it is one of torch's own, in eval mode, with statistics; not with a forward of its
    own.
    """
    from torch.nn.modules.instancenorm import _InstanceNorm

    return (
        isinstance(part, _InstanceNorm)
        and type(part).forward is _InstanceNorm.forward
        and "forward" not in vars(part)
        and not part.training
        and part.track_running_stats
        and part.running_mean is not None
        and part.running_var is not None
    )


def _forward_of(part: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    def forward(input: torch.Tensor) -> torch.Tensor:
        from torch.nn import functional

        part._check_input_dim(input)
        is_one = input.dim() == part._get_no_batch_dim()
        rows = input.unsqueeze(0) if is_one else input
        normal = functional.batch_norm(
            rows, part.running_mean, part.running_var, part.weight, part.bias, eps=part.eps
        )
        return normal.squeeze(0) if is_one else normal

    return forward


def _rewrite(program: torch.export.ExportedProgram) -> None:
    """Both operators take the same arguments, in the same order."""
    import torch

    for node in program.graph.nodes:
        if node.target is torch.ops.aten.instance_norm.default and node.args[5] is False:
            node.target = torch.ops.aten.batch_norm.default
