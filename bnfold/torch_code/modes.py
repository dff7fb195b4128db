"""How a torch module is run: in eval mode, and in float64 whatever its code says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from bnfold.errors import BnfoldError
from bnfold.torch_code.foreign import foreign_code, quiet

if TYPE_CHECKING:
    import torch


@contextmanager
def eval_mode(module: torch.nn.Module) -> Iterator[None]:
    """The module is in eval mode inside; each submodule's own mode is restored, come what may."""
    modes = [(part, part.training) for part in module.modules()]
    try:
        with suppress(NotImplementedError):  # an exported program has no modes
            module.eval()
        yield
    finally:
        for part, training in modes:
            part.training = training  # not train(), which a user may have overridden


def in_float64(run: Callable[[], Any], what: str, kind: type[BnfoldError]) -> Any:
    """What `run` gives, on a module and inputs that are float64 already.

    A float32 that is written into the code (`x.float()`, `torch.zeros(3, dtype=torch.float32)`)
    becomes float64 as well.

    Raises:
        kind: the code does not run in float64; the sentence begins with `what`.
    """
    with quiet(), _default_float64():
        try:
            with foreign_code(what, kind), _float64_mode():
                return run()
        except kind:  # such as control flow, which takes no dispatch mode
            with foreign_code(what, kind):
                return run()


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
