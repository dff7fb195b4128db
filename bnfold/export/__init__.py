"""From a torch network to ONNX, batch norms kept: `bnfold.export(network, inputs, path)`."""

from __future__ import annotations

from bnfold.export.api import export
from bnfold.export.records import ExportResult
from bnfold.torch_code.spec import LoadedModule, load_module

__all__ = ["ExportResult", "LoadedModule", "export", "load_module"]
