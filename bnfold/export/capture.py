"""From a module in eval mode to the exporter's own ONNX graph, with every batch norm in it."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from bnfold.errors import ModelError, UsageError
from bnfold.export.dynamic import Axes
from bnfold.export.inputs import ExampleInputs
from bnfold.export.instance_norms import as_batch_norms
from bnfold.export.keywords import explicit_keywords
from bnfold.export.torchscript import NEWEST_OPSET, capture_by_tracing
from bnfold.torch_code.foreign import foreign_code, quiet

if TYPE_CHECKING:
    import onnx_ir as ir
    import torch

    from bnfold.runtime.releases import Release

Exporter = Literal["dynamo", "torchscript", "auto"]

DEFAULT_OPSET = 20
OPSETS = range(18, 24)  # what torch's operator library is written for, and its checker accepts

_UNTRANSLATED = ("No ONNX function found", "UnsupportedOperatorError")
_BY_HAND = (
    "torch has no translation of that operator: with one of yours, write the model by "
    "torch.onnx.export(..., dynamo=True, optimize=False, custom_translation_table={...}), and "
    "give the file to bnfold fold"
)


def check_opset(opset: int | None) -> int:
    """The opset to export to.

    Raises:
        UsageError: the exporter cannot write that version.
    """
    if opset is None:
        return DEFAULT_OPSET
    if opset not in OPSETS:
        raise UsageError(
            f"opset {opset} is not supported; the exporter writes {OPSETS[0]} to {OPSETS[-1]}"
        )
    return opset


def opset_for(wanted: Release, opset: int | None) -> int:
    """The opset to export to for this release; what was asked for, if it loads that.

    Raises:
        UsageError: it does not, or loads none that the exporter writes.
    """
    if opset is not None and opset > wanted.opset:
        raise UsageError(f"opset {opset}: {wanted.name} loads opset {wanted.opset} at most")
    if wanted.opset < OPSETS[0]:
        raise UsageError(
            f"{wanted.name} loads opset {wanted.opset} at most; "
            f"the exporter writes {OPSETS[0]} to {OPSETS[-1]}"
        )
    return min(DEFAULT_OPSET, wanted.opset) if opset is None else opset


@dataclass(frozen=True)
class Captured:
    """What the exporter gives.

    Attributes:
        model: its graph, as it was translated.
        program: what it translated, or None if it does not say.
        sizes: the symbols of `model`'s shapes that stand for one size only: the exporter keeps a
            symbol for a dimension although the network fixes it.
        told: what a reader should know of how it was made.
    """

    model: ir.Model
    program: torch.export.ExportedProgram | None
    sizes: dict[str, int]
    told: tuple[str, ...] = ()


def capture(
    module: torch.nn.Module | torch.export.ExportedProgram,
    inputs: ExampleInputs,
    dynamic: Axes,
    *,
    opset: int,
    name: str,
    exporter: Exporter = "dynamo",
    insist: bool = False,
) -> Captured:
    """The exporter's graph, not optimised: with its defaults it folds half of the batch norms.

    Args:
        module: in eval mode.
        inputs: examples; their values do not matter.
        dynamic: for each tensor of the inputs, the dimensions that may vary.
        opset: the version of the ONNX operators.
        name: what to call the network in a sentence.
        exporter: which of torch's; "auto" is the newer one, and the older where that fails.
        insist: fail where a dimension is not dynamic. Without, torch fixes a size that the code
            turns into a Python integer (`len(x)`), whether or not it has to.

    Raises:
        ModelError: the exporter cannot do it; the sentence has the first line of its reason.
    """
    try:
        return _captured_by(exporter, module, inputs, dynamic, opset, name, insist)
    except ModelError as error:
        if any(word in str(error) for word in _UNTRANSLATED):
            raise ModelError(f"{error}; {_BY_HAND}") from error
        raise


def _captured_by(
    exporter: Exporter,
    module: torch.nn.Module | torch.export.ExportedProgram,
    inputs: ExampleInputs,
    dynamic: Axes,
    opset: int,
    name: str,
    insist: bool,
) -> Captured:
    import torch

    if exporter == "torchscript" and not isinstance(module, torch.export.ExportedProgram):
        return _traced(module, inputs, dynamic, opset, name)
    try:
        return _captured(module, inputs, dynamic, opset, name, insist)
    except ModelError as error:
        if insist or isinstance(module, torch.export.ExportedProgram):
            raise
        if exporter == "dynamo":
            raise ModelError(f"{error}; --exporter torchscript may do it") from error
        try:
            found = _traced(module, inputs, dynamic, min(opset, NEWEST_OPSET), name)
        except ModelError as other:
            raise ModelError(f"{error}; and {other}") from error
        if found.told:
            raise ModelError(
                f"{error}; torch's older exporter would do it, but {found.told[0]}: where that is "
                "right for every input, say so with --exporter torchscript"
            ) from error
        return replace(found, told=(f"it was traced, as {error}",))


def capture_by_default(
    module: torch.nn.Module | torch.export.ExportedProgram,
    inputs: ExampleInputs,
    dynamic: Axes,
    *,
    name: str,
) -> ir.Model:
    """The graph as `torch.onnx.export` writes it where nothing is said: optimised, opset its own.

    The inputs are named and as dynamic as those of the graph that is kept, so that both can be fed
    alike.

    Raises:
        ModelError: the exporter cannot do it.
    """
    return _captured(module, inputs, dynamic, None, name, insist=False, optimize=True).model


def _traced(
    module: torch.nn.Module, inputs: ExampleInputs, dynamic: Axes, opset: int, name: str
) -> Captured:
    if opset > NEWEST_OPSET:
        raise ModelError(f"{name} cannot be traced to opset {opset}: {NEWEST_OPSET} is the newest")
    with as_batch_norms(module):
        model, told = capture_by_tracing(module, inputs, dynamic, opset=opset, name=name)
    return Captured(model, None, {}, told)


def _captured(
    module: torch.nn.Module | torch.export.ExportedProgram,
    inputs: ExampleInputs,
    dynamic: Axes,
    opset: int | None,
    name: str,
    insist: bool,
    optimize: bool = False,
) -> Captured:
    import torch

    traced = None if isinstance(module, torch.export.ExportedProgram) else module
    # AUTO: what the network fixes becomes fixed, and we tell, instead of a failure.
    kind = torch.export.Dim.DYNAMIC if insist else torch.export.Dim.AUTO
    with (
        foreign_code(f"{name} cannot be exported", ModelError),
        quiet(),
        torch.no_grad(),  # with gradients, attention is written for training and may not trace
        nullcontext() if traced is None else explicit_keywords(traced, inputs),
        nullcontext() if optimize else as_batch_norms(module),
    ):
        sizes = [dict.fromkeys(axes, kind) for axes in dynamic]
        shapes = None if traced is None else _like(traced, inputs, sizes)
        program = torch.onnx.export(
            module,
            _without_keywords(inputs),
            kwargs=inputs.kwargs,
            dynamo=True,
            optimize=optimize,
            verbose=False,
            opset_version=opset,
            dynamic_shapes=shapes,
        )
        assert program is not None  # it is one whenever dynamo=True
        return Captured(
            program.model, program.exported_program, _single_sizes(program.exported_program)
        )


def _single_sizes(program: torch.export.ExportedProgram | None) -> dict[str, int]:
    if program is None:
        return {}
    return {
        str(symbol): int(sizes.lower)
        for symbol, sizes in program.range_constraints.items()
        if sizes.lower == sizes.upper
    }


def _like(module: torch.nn.Module, inputs: ExampleInputs, sizes: list[dict[int, Any]]) -> Any:
    """The dynamic sizes, nested as the arguments of `forward` are, by parameter name."""
    import inspect

    import torch
    from torch.utils import _pytree as pytree

    bound = inspect.signature(module.forward).bind(*inputs.args, **inputs.kwargs)
    leaves, spec = pytree.tree_flatten(dict(bound.arguments))
    fresh = iter(sizes)
    return pytree.tree_unflatten(
        [next(fresh) if isinstance(leaf, torch.Tensor) else None for leaf in leaves], spec
    )


def _without_keywords(inputs: ExampleInputs) -> tuple[Any, ...]:
    """The positional arguments; the exporter would take a dictionary at their end for keywords."""
    ends_in_dictionary = not inputs.kwargs and inputs.args and isinstance(inputs.args[-1], dict)
    return (*inputs.args, {}) if ends_in_dictionary else inputs.args
