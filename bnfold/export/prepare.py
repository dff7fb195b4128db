"""A module made ready for export: in eval mode, on the CPU, in the asked precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bnfold.errors import ModelError
from bnfold.torch_code.copying import copy_of
from bnfold.torch_code.foreign import foreign_code
from bnfold.torch_code.spec import LoadedModule

if TYPE_CHECKING:
    import torch

SHOWN = 3


@dataclass(frozen=True)
class Prepared:
    """The module to export, which may be a copy, and what there is to say about it."""

    module: torch.nn.Module
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def prepare(loaded: LoadedModule, *, fp16: bool) -> Prepared:
    """A module on the CPU, in float16 if asked for; the caller's own module is left as it is.

    Raises:
        ModelError: the module has no weights yet, or they do not fit float16.
    """
    module = loaded.module
    devices = {tensor.device.type for tensor in (*module.parameters(), *module.buffers())}
    if "meta" in devices:
        raise ModelError(
            f"{loaded.name}: some of its weights are on the meta device: they have no values"
        )
    notes = loaded.notes if loaded.program is not None else (*loaded.notes, *_notes(module))
    if devices - {"cpu"} or fp16:
        with foreign_code(f"{loaded.name}: the module cannot be copied", ModelError):
            module = copy_of(module).cpu()
            module = module.half() if fp16 else module
    if fp16:
        _refuse_overflow(module, loaded)
        notes = (*notes, "weights and inputs are float16")
    return Prepared(module, notes, _warnings(module))


def _notes(module: torch.nn.Module) -> tuple[str, ...]:
    import torch

    notes = []
    if any(part.training for part in module.modules()):
        notes.append("the module was in training mode; it is exported in eval mode")
    synchronised = _names(module, torch.nn.SyncBatchNorm)
    if synchronised:
        notes.append(f"SyncBatchNorm becomes BatchNormalization: {_listed(synchronised)}")
    return tuple(notes)


def _warnings(module: torch.nn.Module) -> tuple[str, ...]:
    from torch.nn.modules.batchnorm import _BatchNorm

    untracked = [
        name
        for name, part in module.named_modules()
        if isinstance(part, _BatchNorm) and (part.running_mean is None or part.running_var is None)
    ]
    if not untracked:
        return ()
    return (
        f"cannot be folded: {_listed(untracked)} (track_running_stats=False: the mean and the "
        "variance are those of each batch, so there are no constants to fold)",
    )


def _names(module: torch.nn.Module, kind: type) -> list[str]:
    return [name or "the module" for name, part in module.named_modules() if isinstance(part, kind)]


def _refuse_overflow(module: torch.nn.Module, loaded: LoadedModule) -> None:
    before = loaded.module.state_dict()
    for name, value in module.state_dict().items():
        if (
            value.is_floating_point()
            and not value.isfinite().all()
            and before[name].isfinite().all()
        ):
            raise ModelError(f"{loaded.name}: {name} has values beyond float16's 65504")


def _listed(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
