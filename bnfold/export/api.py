"""The entry point: a torch network becomes an ONNX file that is clean and checked."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx_ir as ir

from bnfold import model_io
from bnfold.errors import BnfoldError, ModelError, ModelsDifferError, UsageError
from bnfold.export.attempt import Attempt, Clean
from bnfold.export.capture import Exporter, capture_by_default, check_opset, opset_for
from bnfold.export.check import check_export
from bnfold.export.dry_run import require_initialised, try_once
from bnfold.export.dynamic import AS_THE_EXAMPLES, Axes, Dynamic, with_sizes_of_two
from bnfold.export.inputs import ExampleInputs, example_inputs
from bnfold.export.prepare import Prepared, prepare
from bnfold.export.records import ExportResult
from bnfold.export.tidy import own_tensors
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

    from bnfold.verify.records import Verification

STEPS = 5


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
    progress(0, STEPS, "loading the network")
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
    attempt = Attempt(loaded, prepared, examples, version, exporter)
    require_initialised(prepared.module, loaded.name)
    with preserved(prepared.module):
        progress(1, STEPS, "running it once")
        if loaded.program is None:
            with eval_mode(prepared.module):
                try_once(prepared.module, examples, loaded.name)
        compared = _Compared(attempt, check, seed, progress)
        clean, checked, limits = compared.at_least_as_the_examples(dynamic)
        model, axes = clean.model, clean.axes
        leaves = map(to_array, examples.leaves())
        tell_integers(model, dict(zip(examples.names, leaves, strict=True)))
        warnings = [*prepared.warnings, *clean.warnings, *limits]
        usual = None
        if by_default:
            usual, why_not = _by_default(loaded, prepared, examples, axes)
            warnings += why_not
    notes = prepared.notes
    if wanted is not None:
        notes += (wanted.fit(model, loaded.name),)
    progress(4, STEPS, "saving it")
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


@dataclass(frozen=True)
class _Compared:
    """A clean graph that was compared with its module, where that is asked for."""

    attempt: Attempt
    check: bool
    seed: int
    progress: Progress

    def at_least_as_the_examples(
        self, dynamic: Dynamic | None
    ) -> tuple[Clean, Verification | None, list[str]]:
        """With these dynamic dimensions; by default with none where the exporter fails on those.

        Raises:
            BnfoldError: there is no graph of the network, or it computes something else; with
                dimensions that were asked for, the sentence tells whether it has one without.
        """
        try:
            return self._with(dynamic)
        except (ModelError, ModelsDifferError) as error:
            if self.attempt.loaded.program is not None or dynamic == {}:
                raise
            try:
                clean, checked, limits = self._with({})
            except BnfoldError:
                raise error from error.__cause__
            if dynamic is not None:
                raise type(error)(f"{error}; {AS_THE_EXAMPLES}") from error
            why = f"not dynamic: with other sizes than the examples', {error}"
            return replace(clean, warnings=(why, *clean.warnings)), checked, limits

    def _with(self, dynamic: Dynamic | None) -> tuple[Clean, Verification | None, list[str]]:
        self.progress(2, STEPS, "capturing the graph, by torch")
        clean = self.attempt.clean(dynamic)
        if not self.check:
            return clean, None, []
        what = "comparing it with the module"
        self.progress(3, STEPS, what)
        checked, limits = check_export(
            clean.model,
            self.attempt.prepared.module,
            self.attempt.examples,
            dynamic_batch=all(0 in own for own in clean.axes),
            seed=self.seed,
            progress=lambda done, total, _: self.progress(3, STEPS, f"{what}, {done} of {total}"),
        )
        return clean, checked, limits


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
