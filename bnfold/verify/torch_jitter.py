"""A torch module whose activations are moved by a rounding while it runs, as `jitter` does a graph.

A module is no graph, so its operators are met as they are called: each one that rounds gets
x * (1 + r * a * ulp) in place of a float x that is no weight, with a and r as in `jitter`. So what
a function inside of `forward` adds up counts like a layer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from bnfold.verify.jitter import SOME_TERMS, spread_of
from bnfold.verify.torch_calls import CallMode

_EXACT = frozenset(
    {"_to_copy", "_unsafe_view", "abs", "amax", "amin", "argmax", "argmin", "argsort", "cat"}
    | {"ceil", "clamp", "clamp_max", "clamp_min", "clone", "constant_pad_nd", "copy", "embedding"}
    | {"eq", "fill", "floor", "flip", "full_like", "gather", "ge", "gt", "hardtanh", "index"}
    | {"index_put", "index_select", "isinf", "isnan", "le", "lift_fresh", "lt"}
    | {"masked_fill", "masked_select", "max", "max_pool2d_with_indices", "maximum", "min"}
    | {"max_pool3d_with_indices", "minimum", "ne", "neg", "nonzero", "ones_like", "relu"}
    | {"repeat", "roll", "round", "scatter", "sign", "slice_scatter", "sort", "stack", "topk"}
    | {"tril", "triu", "trunc", "upsample_nearest1d", "upsample_nearest2d", "where"}
    | {"upsample_nearest3d", "zeros_like"}
)
"""Calls that hand numbers on, or choose between them, and do not round; views are told apart."""

_SUMS = ("attention", "group_norm", "gru", "lstm", "pool", "rnn", "rms_norm")
"""What is in the names of calls that add up terms which neither shapes nor arguments tell."""


class Jitter(CallMode):  # type: ignore[no-untyped-call]
    """Moves what operators get, while it is entered; weights are left alone.

    Args:
        weights: parameters and buffers of the module.
        seed: of what is drawn.
        strength: a factor for all of it.
    """

    def __init__(self, weights: Sequence[torch.Tensor], seed: int, strength: int) -> None:
        super().__init__()
        self._generator = torch.Generator().manual_seed(seed)
        self._weights = {_place(weight) for weight in weights}
        self._strength = strength

    def called(self, func: Any, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Calls it with moved arguments; what is changed in place stays itself."""
        if func.is_view or func._schema.is_mutable or name in _EXACT:
            return func(*args, **named)
        spread = spread_of(_terms(name, args))
        return func(*(self._moved(argument, spread) for argument in args), **named)

    def _moved(self, argument: Any, spread: float) -> Any:
        if not isinstance(argument, torch.Tensor) or not argument.is_floating_point():
            return argument
        if not argument.numel() or _place(argument) in self._weights:
            return argument
        ulp = torch.finfo(argument.dtype).eps
        is_wide = argument.dtype in (torch.float32, torch.float64)  # others add in float32
        size = self._strength * ulp * (spread if is_wide else 1.0)
        drawn = torch.rand(argument.shape, generator=self._generator, dtype=torch.float32)
        step = (drawn * 2.0 - 1.0).to(argument.device, argument.dtype) * size
        return argument * (1.0 + step)


def _place(tensor: torch.Tensor) -> int:
    """Where its numbers lie: views of a weight lie where the weight does."""
    return int(tensor.untyped_storage().data_ptr())


def _terms(name: str, args: Sequence[Any]) -> int:
    """How many numbers are added up for one of the results, about; 1 for no sum."""
    tensors = [argument for argument in args if isinstance(argument, torch.Tensor)]
    if name in ("addmm", "addmv", "baddbmm") and len(tensors) > 1:
        return int(tensors[1].shape[-1])
    if name in ("mm", "mv", "bmm", "dot") and tensors:
        return int(tensors[0].shape[-1])
    if "convolution" in name and len(tensors) > 1:
        return math.prod(tensors[1].shape[1:])
    if name in ("sum", "mean", "cumsum", "_softmax", "_log_softmax", "logsumexp", "var", "std"):
        return _along(tensors[0], args[1] if len(args) > 1 else None)
    if name in ("linalg_vector_norm", "var_mean", "std_mean"):
        return int(tensors[0].numel())
    if name == "native_layer_norm":
        return math.prod(args[1])
    return SOME_TERMS if any(part in name for part in _SUMS) else 1


def _along(tensor: torch.Tensor, axes: Any) -> int:
    """How many numbers lie along the axes; all, where none are named."""
    chosen = [axes] if isinstance(axes, int) else axes
    if not isinstance(chosen, list | tuple) or not chosen or not tensor.dim():
        return int(tensor.numel())
    return math.prod(int(tensor.shape[axis]) for axis in chosen)
