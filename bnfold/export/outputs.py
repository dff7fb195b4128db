"""Names for a graph's outputs, from the structure of what the module returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def output_names(program: torch.export.ExportedProgram | None, count: int) -> list[str]:
    """`output` for one, the keys for a dictionary, `output_0`, `output_1` for any other.

    Args:
        program: what the exporter captured, which knows the structure.
        count: how many outputs the graph has.
    """
    if program is not None:
        keys = _keys(program.call_spec.out_spec)
        if len(keys) == count:
            return keys
    return ["output"] if count == 1 else [f"output_{place}" for place in range(count)]


def _keys(spec: Any) -> list[str]:
    """The keys when a module returns a flat dictionary, else nothing."""
    if spec is None:
        return []
    from torch.utils import _pytree as pytree

    answer = pytree.tree_unflatten(list(range(spec.num_leaves)), spec)
    if not isinstance(answer, Mapping):
        return []
    leaves = [value for value in answer.values() if value is not None]
    flat = leaves == list(range(spec.num_leaves))
    return [str(key) for key, value in answer.items() if value is not None] if flat else []
