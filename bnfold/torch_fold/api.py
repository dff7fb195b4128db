"""The entry point: a torch module's batch norms, folded into its own Linear and Conv layers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bnfold.errors import ModelError, UsageError
from bnfold.export.api import export
from bnfold.export.inputs import example_inputs as inputs_of
from bnfold.logs import logged
from bnfold.torch_code.copying import copy_of
from bnfold.torch_code.foreign import foreign_code, require
from bnfold.torch_fold.largest_fold import mapped
from bnfold.torch_fold.mapping import Array
from bnfold.torch_fold.modules import parts_of
from bnfold.torch_fold.records import FoldedModule
from bnfold.verify.api import verify

if TYPE_CHECKING:
    import torch


@logged
def fold_module(
    module: torch.nn.Module,
    example_inputs: Any,
    *,
    skip: str | Collection[str] = (),
    seed: int = 0,
) -> FoldedModule:
    """The module's batch norms are folded into its own Linear and Conv layers, in a copy of it.

    The fold is that of the exported graph, told to the module by name: layers before or behind a
    batch norm get other weights, the batch norm becomes `torch.nn.Identity`, and whatever stays
    keeps its name in the state dict. What cannot be told by name (a layer that is called twice, a
    functional convolution, a subclass) stays as it is, with the reason. The copy is for inference:
    it is in eval mode, and is verified against the module by exporting it too.

    Args:
        module: it stays as it is, its mode included.
        example_inputs: what `bnfold.export` takes as `inputs`.
        skip: names of batch norms to leave alone; one alone may be a plain string.
        seed: of the random inputs that the copy is verified on.

    Raises:
        UsageError: `skip` has a name that is no batch norm of the module.
        ModelError: the module cannot be copied or exported.
        DataError: it does not run on the inputs.
        ModelsDifferError: the copy computes something else; it is not handed out.
        InconclusiveError: that cannot be said.
        MissingDependencyError: torch or onnxscript is not installed.
    """
    require("torch")
    import torch

    if not isinstance(module, torch.nn.Module):
        raise UsageError(f"fold_module takes a torch module, not {type(module).__name__}")
    tensors = (*module.parameters(), *module.buffers())
    if any(tensor.dtype is torch.bfloat16 for tensor in tensors):
        raise ModelError(
            f"{type(module).__name__}: onnxruntime computes nothing in bfloat16 on a CPU, so that "
            "a folded copy could not be verified; fold module.float(), and convert that"
        )
    with foreign_code("the module cannot be copied", ModelError):
        folded = copy_of(module)
    folded.eval()
    original = export(module, example_inputs, seed=seed).model
    parts = parts_of(folded, inputs_of(folded, example_inputs, type(module).__name__))
    skipped = frozenset((skip,) if isinstance(skip, str) else skip)
    unknown = sorted(skipped - parts.modules.keys())
    if unknown:
        raise UsageError(f"skip: the module has no part {unknown[0]!r}")
    found = mapped(original, parts, skipped)
    before = set(folded.state_dict())
    _apply(folded, found.changes.tensors, found.gone)
    after = set(folded.state_dict())
    verification = verify(module, export(folded, example_inputs, seed=seed).model, seed=seed)
    verification.raise_if_different()
    return FoldedModule(
        module=folded,
        folded=found.gone,
        kept=found.kept,
        changed=tuple(dict.fromkeys(name.rpartition(".")[0] for name in found.changes.tensors)),
        new_keys=tuple(sorted(after - before)),
        gone_keys=tuple(sorted(before - after)),
        verification=verification,
    )


def _apply(module: torch.nn.Module, tensors: Mapping[str, Array], gone: Sequence[str]) -> None:
    """The module has these tensors, and none of these batch norms."""
    import torch

    for name, array in tensors.items():
        owner, _, last = name.rpartition(".")
        part = module.get_submodule(owner)
        like = part.get_parameter("weight")
        fresh = torch.from_numpy(array.copy()).to(like.device, like.dtype)
        part.register_parameter(last, torch.nn.Parameter(fresh, like.requires_grad))
    for name in gone:
        parent, _, last = name.rpartition(".")
        setattr(module.get_submodule(parent), last, torch.nn.Identity())
