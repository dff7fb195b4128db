"""Fresh names: unique in every scope of the model, and the same for the same model."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir


class Names:
    """The names that a model uses, and new ones beside them."""

    def __init__(self, model: ir.Model) -> None:
        self._taken = set(_all_names(model))
        self._counts: dict[str, int] = {}  # of each base, the first that may be free

    def fresh(self, base: str) -> str:
        """`base`, or `base_1`, `base_2`, ... where that is taken; taken from now on."""
        count = self._counts.get(base, 0)
        name = f"{base}_{count}" if count else base
        while name in self._taken:
            count += 1
            name = f"{base}_{count}"
        self._counts[base] = count
        self._taken.add(name)
        return name

    def release(self, name: str) -> None:
        """The name is free again."""
        self._taken.discard(name)
        self._counts.clear()


def _all_names(model: ir.Model) -> Iterator[str]:
    for graph in model.graphs():
        for value in (*graph.inputs, *graph.initializers.values()):
            yield value.name or ""
        for node in graph:
            yield node.name or ""
            for value in node.outputs:
                yield value.name or ""
    for function in model.functions.values():
        for node in function:
            for value in node.outputs:
                yield value.name or ""
