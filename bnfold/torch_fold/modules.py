"""Which parts of a module may be given other weights, or be taken out, and why others may not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bnfold.errors import DataError
from bnfold.torch_code.foreign import foreign_code
from bnfold.torch_code.modes import eval_mode

if TYPE_CHECKING:
    import torch

    from bnfold.export.inputs import ExampleInputs


@dataclass(frozen=True)
class Parts:
    """The parts of one module.

    Attributes:
        modules: by name.
        calls: how often each was called in one run.
        shared: names of parts whose weight is another part's too.
    """

    modules: Mapping[str, torch.nn.Module]
    calls: Mapping[str, int]
    shared: frozenset[str]

    def why_not(self, name: str, kinds: tuple[type, ...]) -> str | None:
        """Why the part cannot be changed by name; None where it can.

        What is called more than once would change in all places, and a subclass may do more than
        its base.
        """
        part = self.modules.get(name)
        if part is None:
            return f"no module has the name {name!r}"
        if type(part) not in kinds:
            return f"{name} is a {type(part).__name__}, which may do more than its weights say"
        if self.calls.get(name, 0) != 1:
            return f"{name} is called {self.calls.get(name, 0)} times in one run"
        if part._forward_hooks or part._forward_pre_hooks:
            return f"{name} has hooks"
        return f"{name} shares its weight" if name in self.shared else None

    def has_linear(self, name: str) -> bool:
        """Whether the part is one whose weights may take a scale and a shift."""
        return type(self.modules.get(name)) in linear_kinds()


def linear_kinds() -> tuple[type, ...]:
    """Modules whose weights may take a scale and a shift."""
    from torch import nn

    return (
        nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d,
        nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
    )  # fmt: skip


def norm_kinds() -> tuple[type, ...]:
    """Batch norms that do nothing but normalize."""
    from torch import nn

    return (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def parts_of(module: torch.nn.Module, inputs: ExampleInputs) -> Parts:
    """The parts, and how often each is called when the module runs on the inputs.

    Raises:
        DataError: the module does not run on them.
    """
    modules = dict(module.named_modules())
    names = {part: name for name, part in modules.items()}
    calls: Counter[str] = Counter()

    def count(part: torch.nn.Module, _inputs: Any) -> None:
        calls[names[part]] += 1

    hooks = [part.register_forward_pre_hook(count) for part in modules.values()]
    try:
        with eval_mode(module), foreign_code("the module does not run", DataError):
            inputs.run(module)
    finally:
        for hook in hooks:
            hook.remove()
    return Parts(modules, calls, _shared(modules))


def _shared(modules: Mapping[str, torch.nn.Module]) -> frozenset[str]:
    owners: dict[int, list[str]] = {}
    for name, part in modules.items():
        for tensor in part.parameters(recurse=False):
            owners.setdefault(tensor.data_ptr(), []).append(name)
    return frozenset(name for found in owners.values() if len(found) > 1 for name in found)
