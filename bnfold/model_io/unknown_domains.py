"""Operators of domains that are nobody's."""

from __future__ import annotations

import onnx_ir as ir

from bnfold.model_io import walk
from bnfold.runtime.domains import KNOWN_DOMAINS


def unknown_domains(model: ir.Model) -> list[str]:
    """The domains of operators that are neither ONNX's, nor onnxruntime's, nor the model's own."""
    known = {*KNOWN_DOMAINS, *(domain for domain, _, _ in model.functions)}
    used = {node.domain for graph in walk.bodies(model) for node in graph}
    return sorted(used - known)
