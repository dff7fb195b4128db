"""The entry point: a torch network becomes an ONNX file that is clean and checked."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx_ir as ir

from bnfold import model_io
from bnfold.errors import ModelError, UsageError
from bnfold.export.capture import Exporter, capture, capture_by_default, check_opset, opset_for
from bnfold.export.check import check_export
from bnfold.export.dimension_names import FixedDimension
from bnfold.export.dry_run import try_once
from bnfold.export.dynamic import Axes, Dynamic, dynamic_axes, with_sizes_of_two
from bnfold.export.inputs import ExampleInputs, example_inputs
from bnfold.export.outputs import output_names
from bnfold.export.prepare import Prepared, prepare
from bnfold.export.records import ExportResult
from bnfold.export.tidy import own_tensors, tidy
from bnfold.logs import logged
from bnfold.progress import Progress
from bnfold.runtime.releases import release
from bnfold.runtime.told_integers import tell_integers
from bnfold.torch_code.foreign import require
from bnfold.torch_code.modes import eval_mode
from bnfold.torch_code.preserved import preserved
from bnfold.torch_code.spec import LoadedModule, load_module
from bnfold.verify.torch_subject import to_array

if TYPE_CHECKING:
    import torch

STEPS = 4


@logged
def export(
    source: torch.nn.Module | str | os.PathLike[str],
    inputs: Any = None,
    path: str | os.PathLike[str] | None = None,
    *,
    weights: str | os.PathLike[str] | None = None,
    weights_key: str | None = None,
    dynamic: Dynamic | None = None,
    exporter: Exporter = "auto",
    opset: int | None = None,
    fp16: bool = False,
    check: bool = True,
    seed: int = 0,
    trust: bool = False,
    runtime: str | None = None,
    by_default: bool = False,
    progress: Progress | None = None,
) -> ExportResult:
    """The network is an ONNX graph with all of its batch norms, and computes what the module does.

    It is exported as it runs in eval mode. A module that was passed in is left as it was, its mode
    and the mode of each of its parts included.

    Args:
        source: a torch module; or a SPEC: `package.module:factory`, `path/file.py:factory`, or the
            path of a `.pt2` program.
        inputs: one tensor, array or shape; a tuple or list of them in the order of `forward`; or a
            mapping from the names of `forward`'s parameters to them. Without, the `example_inputs`
            beside the factory is used: a function without arguments, or a value, that gives these.
        path: where to save the model; nothing is written unless the check succeeds.
        weights: a `.safetensors` or `.pt` file to load into the module first.
        weights_key: which set of weights in that file, where several fit: "model_ema".
        dynamic: for inputs by name, the dimensions that may vary, by axis, and what to call them.
            Default: the first of each input, "batch", as far as the network allows. `{}`: none.
        exporter: "dynamo" captures the code; "torchscript" traces one run: what the code decides
            by values is then decided for good, with a warning; "auto" is the first, and the second
            where that fails and nothing is decided.
        opset: the version of the ONNX operators, 18 to 23; default 20.
        fp16: export with weights and inputs in float16.
        check: compare the graph with the module; False only where that takes too long.
        seed: of the random inputs for the check.
        trust: a `.pt2` program may run code of its author, which reading one does; without, it is
            refused.
        runtime: a release that has to load it, such as "onnxruntime==1.17": opset and IR version
            are those that it knows.
        by_default: also give the graph that `torch.onnx.export` writes where nothing is said, to
            measure beside: it folds some batch norms by itself.
        progress: called with (steps done, steps in all, what is being done).

    Raises:
        UsageError: inputs, dynamic dimensions or the opset make no sense for this network, or it is
            a program that nobody trusts.
        ModelError: the code, the weights or the exporter failed; the sentence says which and why.
        DataError: the module does not run on the inputs.
        ModelsDifferError: the exported graph computes something else than the module.
        MissingDependencyError: torch or onnxscript is not installed.
    """
    progress = progress or _silent
    wanted = None if runtime is None else release(runtime)
    version = check_opset(opset if wanted is None else opset_for(wanted, opset))
    target = None if path is None else _writable(Path(path))
    require("onnxscript")
    loaded = load_module(source, weights, weights_key=weights_key, trust=trust)
    if loaded.program is not None:
        _refuse_for_program(loaded, dynamic, fp16)
    prepared = prepare(loaded, fp16=fp16)
    given = loaded.examples if inputs is None else inputs
    examples = example_inputs(prepared.module, given, loaded.name)
    progress(1, STEPS, "capturing the graph")
    with preserved(prepared.module):
        model, axes, fixed, told = _captured(loaded, prepared, examples, dynamic, version, exporter)
        leaves = map(to_array, examples.leaves())
        tell_integers(model, dict(zip(examples.names, leaves, strict=True)))
        progress(2, STEPS, "comparing it with the module")
        warnings = [
            *prepared.warnings,
            *(f"not dynamic: {reason}" for reason in fixed),
            *told,
        ]
        checked = None
        if check:
            checked, limits = check_export(
                model,
                prepared.module,
                examples,
                dynamic_batch=all(0 in own for own in axes),
                seed=seed,
            )
            warnings += limits
        usual = None
        if by_default:
            usual, why_not = _by_default(loaded, prepared, examples, axes)
            warnings += why_not
    notes = prepared.notes
    if wanted is not None:
        notes += (wanted.fit(model, loaded.name),)
    progress(3, STEPS, "saving it")
    if target is not None:
        model_io.save(model, target)
    progress(STEPS, STEPS, "done")
    return ExportResult(
        model=model,
        path=target,
        source=loaded.name,
        opset=version,
        batch_norms=sum(node.op_type == "BatchNormalization" for node in model.graph.all_nodes()),
        check=checked,
        notes=notes,
        warnings=tuple(warnings),
        by_default=usual,
    )


def _by_default(
    loaded: LoadedModule, prepared: Prepared, examples: ExampleInputs, axes: Axes
) -> tuple[ir.Model | None, list[str]]:
    """The exporter's own graph; or none, and why."""
    wider = with_sizes_of_two(prepared.module, examples, axes) if loaded.program is None else None
    source = loaded.program or prepared.module
    try:
        with eval_mode(prepared.module):
            model = capture_by_default(source, wider or examples, axes, name=loaded.name)
    except ModelError as error:
        return None, [f"torch.onnx.export by its defaults: {error}"]
    if len(model.graph.inputs) == len(examples.names):
        for value, name in zip(model.graph.inputs, examples.names, strict=True):
            value.name = name
    own_tensors(model)
    return model, []


def _silent(_done: int, _total: int, _what: str) -> None:
    """No progress is shown."""


def _captured(
    loaded: LoadedModule,
    prepared: Prepared,
    examples: ExampleInputs,
    dynamic: Dynamic | None,
    version: int,
    exporter: Exporter,
) -> tuple[ir.Model, Axes, list[str], tuple[str, ...]]:
    """The clean graph, its dynamic dimensions, why others are not, and what a trace has decided."""
    axes = dynamic_axes(examples, dynamic, loaded.name)
    reasons: list[str] = []
    with eval_mode(prepared.module):
        if loaded.program is None:
            try_once(prepared.module, examples, loaded.name)
        while True:
            ready = examples
            if loaded.program is None:
                wider = with_sizes_of_two(prepared.module, examples, axes)
                if wider is None:
                    reasons.append(f"the network does not run on more than {examples.described()}")
                    axes = [{} for _ in axes]
                else:
                    ready = wider
            model, fixed, told = _tidied(loaded, prepared, ready, axes, version, exporter)
            if fixed and loaded.program is None and exporter != "torchscript":
                with suppress(ModelError):  # then they are fixed indeed
                    model, fixed, told = _tidied(
                        loaded, prepared, ready, axes, version, "dynamo", insist=True
                    )
            reasons += map(str, fixed)
            if reasons and dynamic is not None:
                raise UsageError(
                    f"{loaded.name} cannot have these dynamic dimensions: {reasons[0]}"
                )
            for dimension in fixed:
                axes[examples.names.index(dimension.input)].pop(dimension.axis)
            if not fixed or loaded.program is not None:
                return model, axes, reasons, told
            # Once more, without them: the exporter keeps a symbol in shapes where there is a size,
            # and that may be the two that we made of a one.


def _tidied(
    loaded: LoadedModule,
    prepared: Prepared,
    inputs: ExampleInputs,
    axes: Axes,
    version: int,
    exporter: Exporter,
    *,
    insist: bool = False,
) -> tuple[ir.Model, list[FixedDimension], tuple[str, ...]]:
    captured = capture(
        loaded.program or prepared.module,
        inputs,
        axes,
        opset=version,
        name=loaded.name,
        exporter=exporter,
        insist=insist,
    )
    model = captured.model
    if len(model.graph.inputs) == len(inputs.names):
        for value, name in zip(model.graph.inputs, inputs.names, strict=True):
            value.name = name
    fixed = tidy(
        model,
        dimensions=dict(zip(inputs.names, axes, strict=True)),
        sizes=captured.sizes,
        outputs=output_names(captured.program, len(model.graph.outputs)),
        parameters=prepared.module.state_dict().keys(),
    )
    return model, fixed, captured.told


def _refuse_for_program(loaded: LoadedModule, dynamic: Dynamic | None, fp16: bool) -> None:
    if dynamic is not None:
        raise UsageError(f"{loaded.name}: a .pt2 program has its dynamic dimensions in it already")
    if fp16:
        raise UsageError(f"{loaded.name}: a .pt2 program has its dtypes in it; export the module")


def _writable(path: Path) -> Path:
    """The path, once it is sure that a file can be written there: the export takes a while."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder; give the name of a file in it")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: the folder {path.parent} does not exist")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            return path
    except OSError as error:
        raise UsageError(f"{path}: cannot write there ({error.strerror})") from error
