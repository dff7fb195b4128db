"""What can be compared without running anything: inputs, outputs, opset, metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import onnx_ir as ir

from bnfold.errors import UsageError
from bnfold.runtime.signature import Dim, TensorSpec
from bnfold.verify.records import StructureRow

_MAPPING = "; map names that stand for each other with --map A=B (names={'A': 'B'} in Python)"


def compare_structure(a: ir.Model, b: ir.Model) -> list[StructureRow]:
    """Rows for opset, IR version, metadata and doc string; none of them is fatal."""
    return [
        _row("opset", _opsets(a), _opsets(b)),
        _row("ir version", str(a.ir_version), str(b.ir_version)),
        _row("metadata", _entries(a.metadata_props), _entries(b.metadata_props)),
        _row("doc string", a.doc_string or "", b.doc_string or ""),
        _row("graph name", a.graph.name or "", b.graph.name or ""),
    ]


def compare_inputs(a: Sequence[TensorSpec], b: Sequence[TensorSpec]) -> list[StructureRow]:
    """Rows for the inputs; a name that only one has, a dtype or a shape that differs is fatal."""
    ours, theirs = {s.name: s for s in a}, {s.name: s for s in b}
    rows = []
    if ours.keys() != theirs.keys():
        rows.append(_row("input names", _names(a), _names(b), is_fatal=True))
    for spec in a:
        other = theirs.get(spec.name)
        if other is not None:
            fatal = not _fit(spec, other)
            rows.append(_row(f"input {spec.name}", str(spec), str(other), is_fatal=fatal))
    return [*rows, _row("input order", _names(a), _names(b))]


def agreed_inputs(a: Sequence[TensorSpec], b: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    """The inputs of `a`, with the extents that only `b` fixes fixed too: what both take."""
    theirs = {spec.name: spec for spec in b}
    return tuple(_narrowed(spec, theirs[spec.name].dims) for spec in a)


def _narrowed(spec: TensorSpec, dims: Sequence[Dim] | None) -> TensorSpec:
    if dims is None:
        return spec
    if spec.dims is None:
        return replace(spec, dims=tuple(dims))
    pairs = zip(spec.dims, dims, strict=True)
    return replace(spec, dims=tuple(y if isinstance(y, int) else x for x, y in pairs))


def fixed_sizes(
    own: Sequence[TensorSpec], agreed: Sequence[TensorSpec], dims: Mapping[str, int]
) -> dict[str, int]:
    """The sizes, by place, of extents that are open in `own` and fixed in what both models take.

    Raises:
        UsageError: `dims`, the caller's sizes by name or place, has another size for one.
    """
    found = {}
    for ours, both in zip(own, agreed, strict=True):
        if ours.dims is None or both.dims is None:
            continue
        for axis, (dim, size) in enumerate(zip(ours.dims, both.dims, strict=True)):
            if isinstance(dim, int) or not isinstance(size, int):
                continue
            place = f"{ours.name}:{axis}"
            asked = dims.get(place, dims.get(dim or "", size))
            if asked != size:
                raise UsageError(f"{place} cannot be {asked}: the other model takes {size} only")
            found[place] = size
    return found


def compare_outputs(a: Sequence[TensorSpec], b: Sequence[TensorSpec]) -> list[StructureRow]:
    """Rows for the outputs; a name, an order, a dtype or a rank that differs is fatal."""
    theirs = {spec.name: spec for spec in b}
    is_moved = _names(a) != _names(b) and theirs.keys() == {spec.name for spec in a}
    what = "output order" if is_moved else "output names"
    rows = [_row(what, _names(a), _names(b), is_fatal=_names(a) != _names(b))]
    for spec in a:
        other = theirs.get(spec.name)
        if other is not None:
            fatal = not _fit(spec, other)
            rows.append(_row(f"output {spec.name}", str(spec), str(other), is_fatal=fatal))
    return rows


def difference_sentence(rows: Sequence[StructureRow]) -> str | None:
    """The first fatal difference in words, or None."""
    for row in rows:
        if row.is_fatal and not row.is_same:
            if row.what == "output order":
                return (
                    "the models return the same names in another order, and a caller may go by it: "
                    f"{row.original} in the original, {row.other} in the other"
                )
            advice = _MAPPING if row.what.endswith("names") else ""
            return (
                f"the models have different {row.what.split()[0]}s: {row.what}: {row.original} in "
                f"the original, {row.other} in the other{advice}"
            )
    return None


def _fit(a: TensorSpec, b: TensorSpec) -> bool:
    if a.dtype != b.dtype:
        return False
    if a.dims is None or b.dims is None:
        return True
    if len(a.dims) != len(b.dims):
        return False
    known = zip(a.dims, b.dims, strict=True)
    return all(x == y for x, y in known if isinstance(x, int) and isinstance(y, int))


def _row(what: str, original: str, other: str, *, is_fatal: bool = False) -> StructureRow:
    return StructureRow(what, original, other, original == other, is_fatal)


def _names(specs: Sequence[TensorSpec]) -> str:
    return ", ".join(spec.name for spec in specs) or "none"


def _opsets(model: ir.Model) -> str:
    return ", ".join(f"{domain or 'ai.onnx'} {v}" for domain, v in sorted(_imports(model)))


def _imports(model: ir.Model) -> list[tuple[str, int]]:
    return list(model.graph.opset_imports.items())


def _entries(properties: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(properties.items()))
