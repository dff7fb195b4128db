"""One run of the module before the export, which takes long, tells what would come to nothing."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Any

from bnfold.errors import DataError, ModelError
from bnfold.export.inputs import ExampleInputs
from bnfold.torch_code.foreign import foreign_code, quiet

if TYPE_CHECKING:
    import torch


def try_once(module: torch.nn.Module, inputs: ExampleInputs, name: str) -> None:
    """The module runs on the inputs, and each of its parts does so as in inference.

    Args:
        module: in eval mode.
        inputs: the examples.
        name: what to call the network in a sentence.

    Raises:
        DataError: it does not take the inputs.
        ModelError: a part stays in training mode whatever `eval()` says.
    """
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm
    from torch.nn.modules.dropout import _DropoutNd

    training: list[tuple[str, torch.nn.Module]] = []

    def watched(path: str) -> Any:
        return lambda part, _args: training.append((path, part)) if part.training else None

    hooks = [
        part.register_forward_pre_hook(watched(path or "the module"))
        for path, part in module.named_modules()
        if isinstance(part, (_BatchNorm, _DropoutNd))
        and not isinstance(part, torch.jit.ScriptModule)
    ]
    try:
        with (
            foreign_code(f"{name} does not run on inputs {inputs.described()}", DataError),
            quiet(),
        ):
            _register_dataclasses(inputs.run(module))
    finally:
        for hook in hooks:
            hook.remove()
    if training:
        path, part = training[0]
        does = (
            "works with the statistics of each batch, which are no constants to fold"
            if isinstance(part, _BatchNorm)
            else "drops values at random"
        )
        raise ModelError(
            f"{name}: {type(part).__name__} {path!r} is in training mode even after eval(): it "
            f"{does}; let eval() set its `training` to False"
        )


def _register_dataclasses(answer: Any) -> None:
    """torch knows the fields of the dataclass that is returned; else it cannot export it."""
    import torch
    from torch.utils import _pytree as pytree

    for leaf in pytree.tree_leaves(answer):
        if is_dataclass(leaf) and not isinstance(leaf, type):
            torch.export.register_dataclass(type(leaf))


def require_initialised(module: torch.nn.Module, name: str) -> None:
    """Returns where every parameter and buffer has a size.

    Raises:
        ModelError: a lazy one has none yet.
    """
    from torch.nn.parameter import is_lazy

    for key, value in (*module.named_parameters(), *module.named_buffers()):
        if is_lazy(value):
            raise ModelError(f"{name}: {key!r} has no size yet (a LazyModule): run it once before")
