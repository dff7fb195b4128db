"""Local functions: not about themselves, not too deep, and not too large once written out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import onnx

from bnfold.errors import ModelError
from bnfold.model_io.gate.operator_counts import domain_of, is_standard
from bnfold.model_io.gate.text import quoted

_MOST_NODES = 1 << 16  # that calls may add, written out
_DEEPEST = 64  # functions that call one another

_Key = tuple[str, str, str]


def require_functions(model: onnx.ModelProto, opsets: Mapping[str, int]) -> None:
    """Returns where calls end, and runtimes agree on what is called.

    Raises:
        ModelError: A function calls itself, is another operator's namesake, or grows too large.
    """
    functions: dict[_Key, onnx.FunctionProto] = {}
    for function in model.functions:
        key = (domain_of(function.domain), function.name, function.overload)
        if key in functions:
            raise ModelError(f"two functions are called {quoted(function.name)}")
        if not key[0] and is_standard(function.name, opsets):
            raise ModelError(
                f"function {quoted(function.name)} is called as an operator of ONNX is; "
                "runtimes do not agree which of the two is meant"
            )
        functions[key] = function
    if functions:
        _require_bounded(model, functions)


def _require_bounded(model: onnx.ModelProto, functions: Mapping[_Key, onnx.FunctionProto]) -> None:
    bodies = {key: Counter(_operators(function.node)) for key, function in functions.items()}
    sizes: dict[_Key, int] = {}
    depths: dict[_Key, int] = {}
    for key in _callees_first(bodies):
        calls = {name: n for name, n in bodies[key].items() if name in functions}
        sizes[key] = bodies[key].total() + sum(n * sizes[name] for name, n in calls.items())
        depths[key] = 1 + max((depths[name] for name in calls), default=0)
        if depths[key] > _DEEPEST:
            raise ModelError(f"functions call one another more than {_DEEPEST} deep")
    added = sum(sizes.get(key, 0) for key in _operators(model.graph.node))
    if added > _MOST_NODES + len(model.graph.node):
        shown = f"{added:,}" if added < 10**12 else "over 10^12"
        raise ModelError(
            f"its functions, written out, would be {shown} nodes, over {_MOST_NODES:,}"
        )


def _callees_first(bodies: Mapping[_Key, Iterable[_Key]]) -> Iterator[_Key]:
    """The functions, each behind those that it calls; raises where one calls itself."""
    done: set[_Key] = set()
    for start in bodies:
        path: dict[_Key, Iterator[_Key]] = {}
        pending = [start]
        while pending:
            key = pending[-1]
            if key in done:
                pending.pop()
                continue
            calls = path.setdefault(key, iter(bodies[key]))
            inner = next((c for c in calls if c in bodies and c not in done), None)
            if inner is None:
                done.add(key)
                pending.pop()
                del path[key]
                yield key
            elif inner in path:
                raise ModelError(f"function {quoted(inner[1])} calls itself, maybe by others")
            else:
                pending.append(inner)


def _operators(nodes: Iterable[onnx.NodeProto]) -> Iterator[_Key]:
    """The operator of each node, those in subgraphs too."""
    for node in nodes:
        yield (domain_of(node.domain), node.op_type, node.overload)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _operators(attribute.g.node)
            for graph in attribute.graphs:
                yield from _operators(graph.node)
