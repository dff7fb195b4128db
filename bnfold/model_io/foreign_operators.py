"""Operators of domains that are nobody's."""

from __future__ import annotations

import onnx_ir as ir

from bnfold.errors import ModelError
from bnfold.model_io import walk
from bnfold.runtime.domains import KNOWN_DOMAINS


def unknown_domains(model: ir.Model) -> list[str]:
    """The domains of operators that are neither ONNX's, nor onnxruntime's, nor the model's own."""
    known = {*KNOWN_DOMAINS, *(domain for domain, _, _ in model.functions)}
    used = {node.domain for graph in walk.bodies(model) for node in graph}
    return sorted(used - known)


def refuse_foreign(model: ir.Model, name: str) -> None:
    """Returns where onnxruntime may have every operator without a library of the reader's.

    Raises:
        ModelError: one is of a domain that neither ONNX, onnxruntime nor the model itself defines.
    """
    local = {(domain, operator) for domain, operator, _ in model.functions}
    foreign = {
        f"{node.domain}::{node.op_type}"
        for graph in walk.bodies(model)
        for node in graph
        if node.domain not in KNOWN_DOMAINS and (node.domain, node.op_type) not in local
    }
    if foreign:
        raise ModelError(
            f"{name}: has custom operators ({', '.join(sorted(foreign))}); load the library that "
            "implements them with --custom-ops (custom_ops=[...] in Python)"
        )
