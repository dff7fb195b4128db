"""Folding as a pass of an Olive workflow: needs `pip install olive-ai`.

Olive looks its passes up in a package configuration; `package_config` has this one beside its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from olive.common.config_utils import load_config_file
from olive.model import ONNXModelHandler
from olive.passes import Pass
from olive.passes.onnx.common import get_external_data_config
from olive.passes.pass_config import PassConfigParam
from olive.resource_path import LocalFolder
from olive.workflows import run as run_workflow
from pydantic import ValidationError

import bnfold
from bnfold.errors import BnfoldError, UsageError, did_you_mean
from bnfold.model_io import files_of
from bnfold.torch_code.foreign import foreign_code

_NAMES = (
    ("allow", "Priced rewrites that may be used, as for bnfold.fold."),
    ("skip", "Names of nodes or rules to leave alone, as for bnfold.fold."),
)


class FoldBatchNorm(Pass):
    """Folds every batch norm of an ONNX model that can be folded exactly, and compares the two.

    A folded model that is different, or of which that cannot be said, ends the workflow with the
    evidence and is not written. `verify: false` leaves the comparison away.
    """

    @classmethod
    def _default_config(cls, accelerator_spec: Any) -> dict[str, PassConfigParam]:
        names = {
            name: PassConfigParam(type_=list[str], default_value=[], description=told)
            for name, told in _NAMES
        }
        verify = PassConfigParam(
            type_=bool, default_value=True, description="Compare the folded model first."
        )
        return {**names, "verify": verify, **get_external_data_config()}

    @classmethod
    def get_config_params(
        cls,
        accelerator_spec: Any,
        config: dict[str, Any] | None = None,
        disable_search: bool | None = False,
    ) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        """As Olive's own, which says nothing of an option that the pass does not have."""
        known = cls.default_config(accelerator_spec)
        for name in config or {}:
            if name not in known:
                meant = did_you_mean(name, known)
                with _told_to_olive():
                    raise UsageError(f"FoldBatchNorm has no option '{name}'{meant}")
        found: tuple[Any, dict[str, Any], dict[str, Any]] = super().get_config_params(
            accelerator_spec, config, disable_search
        )
        return found

    def _run_for_config(self, model: Any, config: Any, output_model_path: str) -> ONNXModelHandler:
        target = Path(output_model_path)
        if target.suffix != ".onnx":
            target = target / "model.onnx"
        with _told_to_olive():
            _fold(model, config, target)
        if len(files_of(target)) == 1:
            return ONNXModelHandler(model_path=str(target))
        folder = LocalFolder({"path": target.parent})
        return ONNXModelHandler(model_path=folder, onnx_file_name=target.name)


@contextmanager
def _told_to_olive() -> Iterator[None]:
    """What we raise inside ends the workflow: of others than these Olive makes a line in its log.

    Raises:
        ValueError: for a `BnfoldError`, which is its cause.
    """
    try:
        yield
    except BnfoldError as error:
        raise ValueError(str(error)) from error


def _fold(model: Any, config: Any, target: Path) -> None:
    """The folded model is at the target.

    Raises:
        BnfoldError: as `bnfold.optimize`; nothing is written then.
    """
    if not isinstance(model, ONNXModelHandler):
        kind = type(model).__name__.removesuffix("Handler")
        raise UsageError(
            f"FoldBatchNorm: takes an ONNX model, not a {kind}; put OnnxConversion before it"
        )
    names = {"allow": config.allow, "skip": config.skip}
    source = model.model_path
    fold = bnfold.optimize(source, **names).fold if config.verify else bnfold.fold(source, **names)
    target.parent.mkdir(parents=True, exist_ok=True)
    fold.save(target, external_data=config.save_as_external_data or None)


def package_config() -> dict[str, Any]:
    """Olive's own package configuration, with `FoldBatchNorm` among its passes."""
    from olive.package_config import OlivePackageConfig

    text = Path(OlivePackageConfig.get_default_config_path()).read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    found["passes"][FoldBatchNorm.__name__] = {
        "module_path": f"{__name__}.{FoldBatchNorm.__name__}",
        **{f"supported_{what}": ["*"] for what in ("providers", "accelerators", "precisions")},
    }
    return found


def run(config: str | os.PathLike[str] | dict[str, Any]) -> Any:
    """What Olive's workflow gives, in which `FoldBatchNorm` is a pass by its name.

    Args:
        config: of the workflow: a file of JSON or YAML, or what is in one.

    Raises:
        UsageError: the configuration does not parse, or Olive does not carry it out; what Olive
            raised is the cause.
        BnfoldError: what the pass raises; see `bnfold.optimize`.
    """
    name, given = _read(config)
    try:
        with foreign_code(f"{name}: Olive does not carry it out", UsageError):
            return _run(name, given)
    except UsageError as error:
        for cause in _causes(error):
            if isinstance(cause, BnfoldError):
                raise cause from None
        raise


def _run(name: str, given: dict[str, Any]) -> Any:
    try:
        return run_workflow(given, package_config=package_config())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        reason = " ".join(first["msg"].split())
        raise UsageError(f"{name}: Olive does not take it: {where}: {reason}") from error


def _causes(error: BaseException) -> Iterator[BaseException]:
    """What stands behind the error, the nearest first."""
    while error.__cause__ is not None:
        error = error.__cause__
        yield error


def _read(config: Any) -> tuple[str, dict[str, Any]]:
    """The configuration, and how to call it.

    Raises:
        UsageError: it cannot be read, or is no object.
    """
    if isinstance(config, dict):
        return "the configuration", config
    if not isinstance(config, str | os.PathLike):
        kind = type(config).__name__
        raise UsageError(f"a configuration is a file or a dict, with input_model, not a {kind}")
    name = os.fspath(config)
    try:
        found = load_config_file(Path(name))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{name}: cannot be read as a configuration: {reason}") from error
    if not isinstance(found, dict):
        raise UsageError(f"{name}: a configuration is an object, with input_model and passes")
    return name, found
