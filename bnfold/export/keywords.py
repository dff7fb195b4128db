"""A `forward(**kwargs)` made explicit for as long as torch's exporter looks at it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bnfold.export.inputs import ExampleInputs

if TYPE_CHECKING:
    import torch


@contextmanager
def explicit_keywords(module: torch.nn.Module, inputs: ExampleInputs) -> Iterator[None]:
    """`forward` has a parameter for each keyword of the inputs that it takes as `**kwargs`.

    torch's exporter has no way to say which dimensions of a tensor in `**kwargs` are dynamic.
    """
    signature = inspect.signature(module.forward)
    extra = [key for key in inputs.kwargs if key not in signature.parameters]
    if not extra:
        yield
        return
    original = module.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **kwargs)

    named = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    added = [inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY) for key in extra]
    forward.__signature__ = signature.replace(parameters=[*named, *added])  # type: ignore[attr-defined]
    before = vars(module).get("forward")
    module.forward = forward
    try:
        yield
    finally:
        if before is None:
            del module.forward
        else:
            module.forward = before
