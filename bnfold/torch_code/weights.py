"""Weights from a file into a module: names made to fit, the choice of a set told, misfits named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnfold.errors import ModelError, did_you_mean
from bnfold.torch_code.weight_files import read_weights

if TYPE_CHECKING:
    import torch

Tensors = dict[str, Any]

DEEPEST = 3  # dictionaries in dictionaries; checkpoints have one or two
SHOWN = 5
COUNTERS = (  # of use to trainers and profilers only
    *("num_batches_tracked", "n_averaged"),
    *("total_ops", "total_params"),
)


@dataclass(frozen=True)
class _Set:
    """Weights for one network, and where in the file: `model_ema`, `state_dict.student`."""

    key: str
    tensors: Tensors
    is_part: bool = False  # its names share a prefix that others beside them do not have


def load_weights(module: torch.nn.Module, path: Path, key: str | None = None) -> str | None:
    """The module has the weights of the file, each of them.

    A checkpoint may hold several sets, such as the trained weights and their running average. Where
    one of them fits the module, it is taken; where several do, the caller has to choose.

    Args:
        module: gets the weights.
        path: a `.safetensors` or `.pt` file.
        key: which set of a checkpoint, as a sentence of this function spells it.

    Returns:
        The key of the set that was taken out of a larger file, or None.

    Raises:
        ModelError: the file cannot be read, no set fits the module, or several do and differ.
    """
    own = module.state_dict()
    sets = list(_sets(read_weights(path), own))
    if not sets:
        raise ModelError(f"{path}: no dictionary of tensors in it")
    if key is not None:
        keys = [found.key for found in sets]
        if key not in keys:
            guess = did_you_mean(key, keys)
            raise ModelError(f"{path}: no weights under {key!r}{guess}; it has {_listed(keys)}")
        sets = [found for found in sets if found.key == key]
    fitting = [found for found in sets if not _misfit(found.tensors, own)]
    if not fitting:
        likest = max(sets, key=lambda found: len(own.keys() & found.tensors.keys()))
        raise ModelError(f"{path}: {_misfit(likest.tensors, own)}")
    chosen = fitting[0]
    is_one = all(_is_same(found.tensors, chosen.tensors, own) for found in fitting)
    if key is None and (chosen.is_part or not is_one):
        keys = [found.key or "the whole" for found in fitting]
        likeliest = next((key for key in keys if "ema" in key.lower()), keys[-1])
        raise ModelError(
            f"{path}: holds more than the weights of this network; {_listed(keys)} would fit: say "
            f"so with --weights-key {likeliest}"
        )
    module.load_state_dict(
        {name: value for name, value in chosen.tensors.items() if name in own}, strict=False
    )
    return chosen.key or None


def _sets(content: object, own: Iterable[str]) -> Iterator[_Set]:
    """Every set of tensors in a file that may be a network's, the outermost first."""
    known = set(own)
    wanted = [name for name in known if not _is_counter(name)]
    for key, tensors in _dictionaries(content, "", 0):
        named = {  # torch.compile puts its own word into the names
            name if name in known else name.replace("_orig_mod.", ""): value
            for name, value in tensors.items()
        }
        yield _Set(key, named)
        for prefix in sorted({prefix for name in named for prefix in _prefixes(name)}):
            if wanted and all(f"{prefix}.{name}" in named for name in wanted):
                inside = _under(named, prefix)
                others = [name for name in named if not name.startswith(f"{prefix}.")]
                yield _Set(_joined(key, prefix), inside, not all(map(_is_counter, others)))


def _dictionaries(content: object, key: str, depth: int) -> Iterator[tuple[str, Tensors]]:
    import torch

    if not isinstance(content, Mapping) or depth > DEEPEST:
        return
    tensors = {
        str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)
    }
    parts = [(name, value) for name, value in content.items() if isinstance(value, Mapping)]
    if tensors and not (parts and all(tensor.ndim == 0 for tensor in tensors.values())):
        yield key, tensors
    for name, value in parts:
        yield from _dictionaries(value, _joined(key, str(name)), depth + 1)


def _prefixes(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts)))


def _joined(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _under(tensors: Tensors, prefix: str) -> Tensors:
    return {
        name.removeprefix(f"{prefix}."): value
        for name, value in tensors.items()
        if name.startswith(f"{prefix}.")
    }


def _misfit(given: Tensors, own: Mapping[str, Any]) -> str | None:
    """Why these are no weights of the network with that state dict, or None where they are."""
    missing = [name for name in own if name not in given and not _is_counter(name)]
    unexpected = [name for name in given if name not in own and not _is_counter(name)]
    if missing or unexpected:
        parts = (("missing", missing), ("not expected", unexpected))
        said = "; ".join(f"{what}: {_listed(names)}" for what, names in parts if names)
        return f"these weights are for another network; {said}"
    misfits = [
        f"{name} is {list(given[name].shape)} in the file and {list(value.shape)} in the network"
        for name, value in own.items()
        if name in given and given[name].shape != value.shape
    ]
    return f"these weights do not fit; {_listed(misfits)}" if misfits else None


def _is_same(one: Tensors, other: Tensors, own: Iterable[str]) -> bool:
    return all(one[name].equal(other[name]) for name in own if not _is_counter(name))


def _is_counter(name: str) -> bool:
    return name.rpartition(".")[2] in COUNTERS


def _listed(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
