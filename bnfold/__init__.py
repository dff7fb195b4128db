"""Folds every batch norm of a trained network that can be folded exactly, and proves it.

    import bnfold

    result = bnfold.fold("model.onnx")
    result.save("folded.onnx")
    assert bnfold.verify("model.onnx", "folded.onnx")

`export`, `fold`, `fold_module`, `inspect`, `verify` and `bench` are functions. What they return,
and the parts, are in packages to import from: `from bnfold.fold import Ledger`. Whatever they need
is imported when they are called, so that `import bnfold` costs nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from bnfold.errors import BnfoldError

if TYPE_CHECKING:
    import os

    import onnx
    import onnx_ir as ir
    import torch

    from bnfold.bench.records import BenchResult
    from bnfold.bench.subjects import ModelSource
    from bnfold.export.dynamic import Dynamic
    from bnfold.export.records import ExportResult
    from bnfold.fold.account.ledger import Ledger
    from bnfold.fold.api import FoldResult
    from bnfold.torch_fold.records import FoldedModule
    from bnfold.verify.records import Verification
    from bnfold.verify.subject import Source
    from bnfold.verify.user_data import Data

__version__ = "0.1.0"

__all__ = [
    "BnfoldError",
    "__version__",
    "bench",
    "export",
    "fold",
    "fold_module",
    "inspect",
    "verify",
]


def export(
    source: torch.nn.Module | str | os.PathLike[str],
    inputs: Any = None,
    path: str | os.PathLike[str] | None = None,
    *,
    weights: str | os.PathLike[str] | None = None,
    dynamic: Dynamic | None = None,
    opset: int | None = None,
    fp16: bool = False,
    check: bool = True,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
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
        dynamic: for inputs by name, the dimensions that may vary, by axis, and what to call them.
            Default: the first of each input, "batch", as far as the network allows. `{}`: none.
        opset: the version of the ONNX operators, 18 to 23; default 20.
        fp16: export with weights and inputs in float16.
        check: compare the graph with the module; False only where that takes too long.
        seed: of the random inputs for the check.
        progress: called after each step with its number and how many there are.

    Raises:
        UsageError: inputs, dynamic dimensions or the opset make no sense for this network.
        ModelError: the code, the weights or the exporter failed; the sentence says which and why.
        DataError: the module does not run on the inputs.
        ModelsDifferError: the exported graph computes something else than the module.
        MissingDependencyError: torch or onnxscript is not installed.
    """
    from bnfold.export.api import export as export_

    return export_(
        source,
        inputs,
        path,
        weights=weights,
        dynamic=dynamic,
        opset=opset,
        fp16=fp16,
        check=check,
        seed=seed,
        progress=progress,
    )


def fold(
    model: str | os.PathLike[str] | onnx.ModelProto | ir.Model,
    *,
    allow: str | Collection[str] = (),
    skip: str | Collection[str] = (),
    strict: bool = False,
    check: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> FoldResult:
    """Every batch norm that can be folded exactly is folded, in a copy of the model.

    Args:
        model: a path, a ModelProto or an onnx_ir.Model; it stays as it is.
        allow: priced rewrites to use where nothing else folds a batch norm: "constant-map",
            "clone", "rectifier", or "all"; one alone may be a plain string.
        skip: names of nodes or rules to leave alone; one alone may be a plain string.
        strict: raise where a rewrite does not prove itself, instead of leaving it out.
        check: compare the whole model before and after in onnxruntime too, where it runs there.
        progress: called with (done, total).

    Raises:
        ModelError: the model is missing, malformed or not supported.
        UsageError: `allow` has an unknown name, or `skip` one that nothing here bears.
        InternalError: a bug in bnfold: the folded model differs by more than rounding explains, or,
            with `strict`, a rewrite was wrong.
    """
    from bnfold.fold.api import fold as fold_

    return fold_(
        model,
        allow=allow,
        skip=skip,
        strict=strict,
        check=check,
        progress=progress,
    )


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
    from bnfold.torch_fold.api import fold_module as fold_module_

    return fold_module_(module, example_inputs, skip=skip, seed=seed)


def inspect(
    model: str | os.PathLike[str] | onnx.ModelProto | ir.Model,
    *,
    allow: str | Collection[str] = (),
    skip: str | Collection[str] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Ledger:
    """Where each batch norm would go, or why it stays; the model stays as it is.

    Args:
        model: a path, a ModelProto or an onnx_ir.Model.
        allow: priced rewrites that `fold` would be allowed.
        skip: names of nodes or rules that `fold` would leave alone.
        progress: called with (done, total).

    Raises:
        ModelError: the model is missing, malformed or not supported.
        UsageError: `allow` has an unknown name, or `skip` one that nothing here bears.
    """
    from bnfold.fold.api import inspect as inspect_

    return inspect_(
        model,
        allow=allow,
        skip=skip,
        progress=progress,
    )


def verify(
    a: Source | torch.nn.Module,
    b: Source,
    *,
    data: Data | None = None,
    samples: int | None = None,
    seed: int = 0,
    provider: str = "cpu",
    levels: Sequence[str] = ("none", "all"),
    dims: Mapping[str, int] | None = None,
    custom_ops: Sequence[str | os.PathLike[str]] = (),
    save_data: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Whether `b` computes what `a` computes, up to the rounding that `a` itself has.

    Args:
        a: the original: a path, a ModelProto, an onnx_ir.Model, a torch module, or what
            `bnfold.export` takes (`package.module:factory`, `file.py:factory`, a .pt2 program).
        b: the other model, as ONNX.
        data: inputs to compare on: a .npz, a .npy, a folder of `test_data_set_*`, arrays by name,
            or an iterable of those. Without it, inputs are made up from the graph and the seed.
        samples: how many sets of inputs at most; 8 made-up ones, or all of the data.
        seed: of the made-up inputs and of the original's neighbours.
        provider: "cpu" or "cuda".
        levels: of the runtime's optimisations; each is judged by itself.
        dims: sizes of dynamic dimensions of made-up inputs, by name or as "INPUT:AXIS".
        custom_ops: shared libraries with operators for onnxruntime.
        save_data: a folder to write the inputs and the original's outputs to.
        progress: called with (done, total).

    Raises:
        ModelError: a model is malformed, or no inputs can fit both.
        DataError: the data does not fit; the message names the input.
        UsageError: a setting, or a dynamic dimension, that there is not.
        ProviderUnavailableError: the provider does not run here.
    """
    from bnfold.verify.api import verify as verify_

    return verify_(
        a,
        b,
        data=data,
        samples=samples,
        seed=seed,
        provider=provider,
        levels=levels,
        dims=dims,
        custom_ops=custom_ops,
        save_data=save_data,
        progress=progress,
    )


def bench(
    models: ModelSource | Sequence[ModelSource],
    *,
    providers: str | Sequence[str] = ("cpu",),
    threads: int = 1,
    batch: int = 1,
    levels: str | Sequence[str] = ("all", "none"),
    pairs: int = 40,
    seed: int = 0,
    data: Data | None = None,
    dims: Mapping[str, int] | None = None,
    custom_ops: Sequence[str | os.PathLike[str]] = (),
    profile: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> BenchResult:
    """Every model is compared with the first one, and measured alone in a process of its own.

    Args:
        models: paths or models in memory; the first is the baseline, one alone, in a list or not,
            is only measured.
        providers: "cpu", "cuda"; the first is the headline, one alone may be a plain string.
        threads: threads inside one operator.
        batch: the size of a dynamic first dimension.
        levels: onnxruntime's optimisations, "all", "extended", "basic", "none"; the first is the
            headline, "none" stands for runtimes that optimise little.
        pairs: the number of paired measurements per comparison, fixed beforehand.
        seed: of the random inputs and of the bootstrap.
        data: what to time on, in place of random numbers: arrays by input name, or what
            `bnfold.verify` takes, of which the first set is used.
        dims: sizes of further dynamic dimensions, by name or as "INPUT:AXIS".
        custom_ops: shared libraries with operators for onnxruntime.
        profile: also sum up the time per operator.
        progress: called with (steps done, steps in all, what is being done).

    Raises:
        UsageError: a setting, or a dynamic dimension without a size.
        ModelError: a model that cannot be read, does not run, or wants other inputs than the first.
        DataError: `data` that does not fit.
        ProviderUnavailableError: a provider that does not really run here.
    """
    from bnfold.bench.api import bench as bench_

    return bench_(
        models,
        providers=providers,
        threads=threads,
        batch=batch,
        levels=levels,
        pairs=pairs,
        seed=seed,
        data=data,
        dims=dims,
        custom_ops=custom_ops,
        profile=profile,
        progress=progress,
    )


class _Package(ModuleType):
    """This package, whose functions stay what they are.

    Python binds a sub-package to its name here when it is first imported: `bnfold.fold.api` would
    turn `bnfold.fold` from the function into the package around it.
    """

    def __setattr__(self, name: str, value: object) -> None:
        is_sub_package = isinstance(value, ModuleType) and value.__name__ == f"{__name__}.{name}"
        if not (is_sub_package and name in __all__):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    return sorted(__all__)
