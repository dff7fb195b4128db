"""A torch module in float64: what it would answer if it did not round."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bnfold.errors import InconclusiveError
from bnfold.export.foreign import foreign_code, quiet
from bnfold.export.inputs import ExampleInputs
from bnfold.export.prepare import eval_mode

if TYPE_CHECKING:
    import torch


def in_float64(module: torch.nn.Module, name: str) -> torch.nn.Module:
    """A copy of the module whose weights are float64: exactly the values they were.

    Raises:
        InconclusiveError: the module cannot be copied.
    """
    with foreign_code(f"{name}: cannot be copied to float64", InconclusiveError):
        return copy.deepcopy(module).cpu().double()


def run_float64(
    module: torch.nn.Module, inputs: ExampleInputs, name: str
) -> list[NDArray[np.float64]]:
    """The outputs, flattened, of a module from `in_float64`, in eval mode.

    A float32 that is written into its code (`x.float()`, `torch.zeros(3, dtype=torch.float32)`)
    becomes float64 as well.

    Raises:
        InconclusiveError: the module does not run in float64.
    """
    import torch

    wide = inputs.with_leaves(
        [leaf.double() if leaf.is_floating_point() else leaf for leaf in inputs.leaves()]
    )
    with eval_mode(module), quiet(), _default_float64():
        try:
            with foreign_code(name, InconclusiveError), _float64_mode():
                outputs = wide.run(module)
        except InconclusiveError:  # such as control flow, which takes no dispatch mode
            with foreign_code(f"{name} does not run in float64", InconclusiveError):
                outputs = wide.run(module)
    return [
        np.asarray(leaf.numpy(), dtype=np.float64)
        for leaf in flat_outputs(outputs)
        if isinstance(leaf, torch.Tensor)
    ]


def flat_outputs(outputs: Any) -> list[torch.Tensor]:
    """The tensors of an answer, however it is nested, in the order of the ONNX graph's outputs."""
    import torch
    from torch.utils import _pytree as pytree

    leaves = pytree.tree_leaves(outputs)
    return [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]


@contextmanager
def _default_float64() -> Iterator[None]:
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _float64_mode() -> Any:
    """A torch dispatch mode in which no operator gives a narrower float than float64."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_map

    narrow = (torch.float32, torch.float16, torch.bfloat16)

    def widened(leaf: Any) -> Any:
        if isinstance(leaf, torch.Tensor) and leaf.dtype in narrow:
            return leaf.double()
        return torch.float64 if isinstance(leaf, torch.dtype) and leaf in narrow else leaf

    class Float64Mode(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            if func is torch.ops.aten._assert_tensor_metadata.default:
                return None  # a program's own check that its dtypes are as they were
            return func(*tree_map(widened, args), **tree_map(widened, kwargs or {}))

    return Float64Mode()  # type: ignore[no-untyped-call]
