"""Example inputs for a module, from whatever a caller has: tensors, arrays, shapes, names."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bnfold.errors import DataError, UsageError
from bnfold.model_io import require_file
from bnfold.runtime.arrays import MOST_NUMBERS
from bnfold.torch_code.foreign import foreign_code, quiet

if TYPE_CHECKING:
    import torch

SEED = 0


@dataclass(frozen=True)
class ExampleInputs:
    """Arguments of a module's `forward`, by position and by name.

    Attributes:
        args: by position; tensors, or nested tuples, lists and dictionaries of them.
        kwargs: by name.
        names: of the tensors in them, in the order in which the ONNX graph lists its inputs.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    names: tuple[str, ...] = ()

    def leaves(self) -> list[torch.Tensor]:
        """The tensors, in the order of `names`."""
        import torch
        from torch.utils import _pytree as pytree

        leaves = pytree.tree_leaves((self.args, self.kwargs))
        return [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]

    def with_leaves(self, tensors: Sequence[torch.Tensor]) -> ExampleInputs:
        """The same arguments with other tensors in place of these."""
        import torch
        from torch.utils import _pytree as pytree

        leaves, spec = pytree.tree_flatten((self.args, self.kwargs))
        fresh = iter(tensors)
        filled = [next(fresh) if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
        args, kwargs = pytree.tree_unflatten(filled, spec)
        return ExampleInputs(args, kwargs, self.names)

    def run(self, module: torch.nn.Module) -> Any:
        """What the module answers to these inputs, without gradients."""
        import torch

        with torch.no_grad():
            return module(*self.args, **self.kwargs)

    def described(self) -> str:
        """Names and shapes, for a sentence: `image [1, 3, 8, 8], mask [1, 4]`."""
        return ", ".join(
            f"{name} {list(leaf.shape)}"
            for name, leaf in zip(self.names, self.leaves(), strict=True)
        )


def parse_inputs(texts: Sequence[str]) -> Any:
    """What `example_inputs` takes: by name; the value alone where only that was given; or None.

    Raises:
        UsageError: a text has no form of `parse_input`, or one of several has no name.
        DataError: a file is missing or is no array.
    """
    found = list(map(parse_input, texts))
    if len(found) == 1 and not found[0][0]:
        return found[0][1]
    for text, (name, _) in zip(texts, found, strict=True):
        if not name:
            raise UsageError(f"--input {text}: of several inputs each needs its name: NAME:{text}")
    return dict(found) or None


def parse_input(text: str) -> tuple[str, tuple[int, ...] | np.ndarray[Any, Any]]:
    """`NAME:1,3,224,224` as a name and a shape, `NAME:F.npy` as a name and the array in the file.

    The name may be left out, and is empty then.

    Raises:
        UsageError: the text has neither form.
        DataError: the file is missing or is no array.
    """
    name, colon, value = text.partition(":") if ":" in text else ("", "", text)
    if not value or (colon and not name):
        raise UsageError(f"--input {text}: give NAME:1,3,224,224 or NAME:FILE.npy")
    if value.endswith(".npy"):
        return name, _read_array(Path(value))
    sizes = value.replace("x", ",").split(",")
    if not all(size.strip().isdecimal() for size in sizes):
        raise UsageError(f"--input {text}: {value!r} is no shape; give sizes such as 1,3,224,224")
    return name, tuple(int(size) for size in sizes)


def _read_array(path: Path) -> np.ndarray[Any, Any]:
    require_file(path)
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path}: not a .npy array ({error})") from error
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: holds several arrays; --input takes one .npy array")
    return array


def example_inputs(module: torch.nn.Module, given: Any, name: str) -> ExampleInputs:
    """Example inputs for the module, from what the caller gave.

    Args:
        module: the network; floating-point inputs get the dtype of its parameters.
        given: one tensor, array or shape; a tuple or list of them in the order of `forward`; a
            mapping from the names of `forward`'s parameters to them; or a function that gives one
            of these. A shape is a tuple of integers; its values are drawn from a fixed seed.
        name: what to call the network in a sentence.

    Raises:
        UsageError: nothing was given, or a name that `forward` does not have.
    """
    if callable(given):
        with foreign_code(f"{name}: example_inputs failed", DataError), quiet():
            given = given()
    if given is None:
        names = forward_names(module)
        wanted = ", ".join(names) or "..."
        example = f"{names[0] if names else 'NAME'}:1,3,224,224"
        more = " and so on" if len(names) > 1 else ""
        raise UsageError(
            f"{name}: the shapes of its inputs ({wanted}) are not known; give --input "
            f"{example}{more}, or put an example_inputs beside the factory"
        )
    _refuse_unknown(module, given, name)
    dtype = floating_dtype(module)
    if isinstance(given, Mapping):
        args, kwargs = _by_name(module, {key: _leaf(value, dtype) for key, value in given.items()})
    elif isinstance(given, (tuple, list)) and not _is_shape(given):
        pair = len(given) == 2 and isinstance(given[0], tuple) and isinstance(given[1], dict)
        args, kwargs = _leaf(given, dtype) if pair else (_leaf(tuple(given), dtype), {})
    else:
        args, kwargs = (_leaf(given, dtype),), {}
    try:
        bound = inspect.signature(module.forward).bind(*args, **kwargs)
    except TypeError as error:
        wanted = ", ".join(forward_names(module)) or "none"
        raise UsageError(f"{name}: {error}; its inputs are {wanted}") from error
    named = dict(bound.arguments)
    if isinstance(given, Mapping) and len(args) == len(given):  # forward(*args): the caller's names
        named = dict(zip(given, args, strict=True))
    return ExampleInputs(bound.args, bound.kwargs, _leaf_names(_flat_keywords(module, named)))


def _flat_keywords(module: torch.nn.Module, named: Mapping[str, Any]) -> dict[str, Any]:
    """What `**kwargs` takes stands by its own name: `image` and not `kwargs_image`."""
    parameters = inspect.signature(module.forward).parameters
    flat: dict[str, Any] = {}
    for name, value in named.items():
        is_keywords = name in parameters and parameters[name].kind is inspect.Parameter.VAR_KEYWORD
        flat |= value if is_keywords else {name: value}
    return flat


def _leaf_names(named: Mapping[str, Any]) -> tuple[str, ...]:
    """`x` for a tensor, `xs_0`, `xs_1` for those in a list, `batch_image` for one in a mapping."""
    import torch
    from torch.utils import _pytree as pytree

    leaves, _ = pytree.tree_flatten_with_path(dict(named))
    return tuple(
        "_".join(str(getattr(key, "key", getattr(key, "idx", key))) for key in path)
        for path, leaf in leaves
        if isinstance(leaf, torch.Tensor)
    )


def _refuse_unknown(module: torch.nn.Module, given: Any, name: str) -> None:
    parameters = inspect.signature(module.forward).parameters.values()
    if not isinstance(given, Mapping) or any(
        parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        for parameter in parameters
    ):
        return
    known = [parameter.name for parameter in parameters]
    unknown = [str(key) for key in given if key not in known]
    if unknown:
        raise UsageError(
            f"{name} has no input {unknown[0]!r}; its inputs are {', '.join(known) or 'none'}"
        )


def forward_names(module: torch.nn.Module) -> list[str]:
    """The parameters that `forward` needs, by name; empty when it takes any number."""
    return [
        parameter.name
        for parameter in inspect.signature(module.forward).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]


def floating_dtype(module: torch.nn.Module) -> torch.dtype:
    """The dtype of the module's first floating-point parameter or buffer; else float32."""
    import torch

    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_floating_point():
            return tensor.dtype
    return torch.float32


def _by_name(
    module: torch.nn.Module, given: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    parameters = inspect.signature(module.forward).parameters.values()
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return tuple(given.values()), {}  # their names are the caller's own
    return (), given


def _is_shape(value: object) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) > 0
        and all(isinstance(size, int) and not isinstance(size, bool) for size in value)
    )


def _leaf(value: Any, dtype: torch.dtype) -> Any:
    import torch

    if isinstance(value, np.ndarray):
        value = torch.from_numpy(np.array(value, order="C"))
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        return value.to(dtype) if value.is_floating_point() else value
    if _is_shape(value):
        count = math.prod(value)
        if count > MOST_NUMBERS:
            raise UsageError(f"an input of shape {list(value)} would take {count:,} numbers")
        generator = torch.Generator().manual_seed(SEED)
        return torch.randn(value, generator=generator).to(dtype)
    if isinstance(value, (tuple, list)):
        return type(value)(_leaf(item, dtype) for item in value)
    if isinstance(value, Mapping):
        return {key: _leaf(item, dtype) for key, item in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value  # becomes part of the graph
    raise UsageError(f"an input of type {type(value).__name__} is neither a tensor nor a shape")
