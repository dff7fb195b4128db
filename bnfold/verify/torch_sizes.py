"""Sizes on which a torch module branches in Python: `if x.shape[0] > 4`.

An export has one side of it. torch's symbolic shapes tell where a size decided: a run with symbols
for open extents leaves guards, as 4 >= s or s % 8 != 0, under which it would be the same run. A
size that breaks one takes the other side, and is run in turn, as it may come to further guards.
Source: torch.fx.experimental.symbolic_shapes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch._dispatch.python import enable_python_dispatcher
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import (
    DimDynamic,
    ShapeEnv,
    StatelessSymbolicContext,
)

from bnfold.runtime.extents import Extent
from bnfold.runtime.sessions import RunError
from bnfold.runtime.signature import Array
from bnfold.torch_code.foreign import foreign_code, quiet
from bnfold.verify.torch_subject import TorchSubject, to_tensor

_RUNS = 4  # with symbols, at most
_MOST_SIZES = 8  # that are returned
_CANDIDATES = (*range(1, 66), 96, 97, 128, 129, 192, 256, 257, 320, 512, 513, 1000, 1024, 1025)

Sizes = dict[str, int]
"""By place, INPUT:AXIS."""


def sizes_of_other_sides(
    subject: TorchSubject, feeds: Sequence[Mapping[str, Array]], extents: Sequence[Extent]
) -> list[Sizes]:
    """Sizes of the open extents with which the module may run otherwise than on any of the sets.

    Raises:
        RunError: the module does not run with symbols.
    """
    fed = [{e.place: feed[e.input].shape[e.axis] for e in extents} for feed in feeds]
    start, found = fed[0], list[Sizes]()
    pending, seen = [start], [*fed]
    for _ in range(_RUNS):
        if not pending:
            break
        sizes = pending.pop(0)
        if sizes is not start:
            found.append(sizes)
        try:
            broken = list(_broken(subject, feeds[0], extents, sizes, fed))
        except RunError:
            if sizes is start:
                raise
            continue  # the other side does not run so: the sets will tell
        for other in broken:
            if other not in seen:
                seen.append(other)
                pending.append(other)
    return [*found, *pending][:_MOST_SIZES]


def _broken(
    subject: TorchSubject,
    feeds: Mapping[str, Array],
    extents: Sequence[Extent],
    sizes: Sizes,
    fed: Sequence[Sizes],
) -> Iterator[Sizes]:
    """For each guard of a run that nothing fed breaks the first sizes that do, if there are."""
    env, places = ShapeEnv(specialize_zero_one=False, duck_shape=False), dict[Any, Extent]()
    mode = FakeTensorMode(shape_env=env, allow_non_fake_inputs=True)
    tensors = _with_symbols(mode, feeds, extents, sizes, places)
    what, call = f"{subject.name}: it does not run with symbols", subject.caller()
    with enable_python_dispatcher(), mode, quiet(), foreign_code(what, RunError):
        call(tensors)
    values = {symbol: sizes[extent.place] for symbol, extent in places.items()}
    for guard in env.guards:
        if any(_is_broken(guard.expr, {s: x[e.place] for s, e in places.items()}) for x in fed):
            continue
        for symbol in sorted(guard.expr.free_symbols & places.keys(), key=str):
            size = _breaking(guard.expr, symbol, values)
            if size is not None:
                label = places[symbol].label
                yield {e.place: size if e.label == label else sizes[e.place] for e in extents}


def _with_symbols(
    mode: FakeTensorMode,
    feeds: Mapping[str, Array],
    extents: Sequence[Extent],
    sizes: Sizes,
    places: dict[Any, Extent],
) -> dict[str, torch.Tensor]:
    """Tensors without numbers, of these sizes; `places` gets the symbols of open extents."""
    tensors: dict[str, torch.Tensor] = {}
    for name, array in feeds.items():
        own = {extent.axis: extent for extent in extents if extent.input == name}
        shape = [sizes[own[i].place] if i in own else size for i, size in enumerate(array.shape)]
        like = torch.empty(shape, dtype=to_tensor(array).dtype)
        dynamic = [DimDynamic.DYNAMIC if i in own else DimDynamic.STATIC for i in range(array.ndim)]
        context: StatelessSymbolicContext[Any, Any] = StatelessSymbolicContext(dynamic)
        tensors[name] = mode.from_tensor(like, symbolic_context=context)
        symbols: Sequence[Any] = tensors[name].shape
        places.update({symbols[i].node.expr: extent for i, extent in own.items()})
    return tensors


def _breaking(guard: Any, symbol: Any, values: Mapping[Any, int]) -> int | None:
    sizes = (size for size in _CANDIDATES if _is_broken(guard, {**values, symbol: size}))
    return next(sizes, None)


def _is_broken(guard: Any, values: Mapping[Any, int]) -> bool:
    return bool(guard.subs(values) == False)  # noqa: E712 (a truth value of sympy's)
