"""Names for a graph's outputs, from the structure of what the module returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def output_names(program: torch.export.ExportedProgram | None, count: int) -> list[str]:
    """`output` for one; the keys of a dictionary, the fields of a dataclass or a named tuple.

    What is nested has the names on its way: `out`, `features_0`, `features_1`. Results that have
    no name are `output_0`, `output_1`.

    Args:
        program: what the exporter captured, which knows the structure.
        count: how many outputs the graph has.
    """
    if program is not None:
        names = _names(program.call_spec.out_spec)
        if len(names) == count == len(set(names)):
            return names
    return ["output"] if count == 1 else [f"output_{place}" for place in range(count)]


def _names(spec: Any) -> list[str]:
    if spec is None:
        return []
    from torch.utils import _pytree as pytree

    answer = pytree.tree_unflatten(list(range(spec.num_leaves)), spec)
    leaves, _ = pytree.tree_flatten_with_path(answer)
    in_order = sorted((leaf, path) for path, leaf in leaves if leaf is not None)
    return [_name(path) for _, path in in_order]


def _name(path: tuple[Any, ...]) -> str:
    keys = [getattr(key, "key", getattr(key, "name", getattr(key, "idx", key))) for key in path]
    named = keys if keys and not isinstance(keys[0], int) else ["output", *keys]
    return "_".join(map(str, named))
