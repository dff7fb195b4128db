"""Folding as a pass of an Olive workflow: needs `pip install olive-ai`.

Olive looks its passes up in a package configuration; `package_config` has this one beside its own.
"""

from __future__ import annotations

import json
import os
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
from bnfold.errors import BnfoldError, UsageError
from bnfold.model_io import files_of

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

    def _run_for_config(self, model: Any, config: Any, output_model_path: str) -> ONNXModelHandler:
        target = Path(output_model_path)
        if target.suffix != ".onnx":
            target = target / "model.onnx"
        try:
            _fold(model, config, target)
        except BnfoldError as error:
            raise ValueError(str(error)) from error  # of others Olive makes a line in its log
        if len(files_of(target)) == 1:
            return ONNXModelHandler(model_path=str(target))
        folder = LocalFolder({"path": target.parent})
        return ONNXModelHandler(model_path=folder, onnx_file_name=target.name)


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
        UsageError: the configuration does not parse, or is none of Olive's.
        BnfoldError: what the pass raises; see `bnfold.optimize`.
    """
    name = "the configuration" if isinstance(config, dict) else os.fspath(config)
    given = config if isinstance(config, dict) else _read(Path(config))
    try:
        return run_workflow(given, package_config=package_config())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(f"{name}: Olive does not take it: {where}: {first['msg']}") from error
    except ValueError as error:
        if isinstance(error.__cause__, BnfoldError):
            raise error.__cause__ from None
        raise


def _read(path: Path) -> dict[str, Any]:
    try:
        found = load_config_file(path)
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{path}: cannot be read as a configuration: {reason}") from error
    if not isinstance(found, dict):
        raise UsageError(f"{path}: a configuration is an object, with input_model and passes")
    return found
