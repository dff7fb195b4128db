"""A torch module as the original: run in its own precision, in a copy rounded again, in float64."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bnfold.errors import ModelError
from bnfold.export.foreign import foreign_code
from bnfold.float64 import UnsupportedOperatorError
from bnfold.runtime.engine import Setting
from bnfold.runtime.sessions import RunError
from bnfold.runtime.signature import Array, TensorSpec
from bnfold.verify.noise import rounded_again

if TYPE_CHECKING:
    import torch


class TorchSubject:
    """A module in eval mode, its arguments and results matched with an ONNX model's by order."""

    method = "torch float64 reference of the original"
    has_steps = False

    def __init__(
        self,
        module: torch.nn.Module,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
        name: str,
    ) -> None:
        self.name = name
        self.outputs = tuple(outputs)
        self._inputs = [spec.name for spec in inputs]
        self._module = copy.deepcopy(module).eval()  # the caller's mode stays
        self._double: torch.nn.Module | None = None

    def open(self, setting: Setting, noise: tuple[int, ...] | None = None) -> _TorchRunner:
        """The module itself, whatever the setting, or a neighbour of it."""
        del setting
        module = self._module if noise is None else _neighbour(self._module, noise)
        return _TorchRunner(module, self._inputs, self.outputs, self.name)

    def reference(self, feeds: Mapping[str, Array]) -> list[Array]:
        """The outputs of the module in double precision.

        Raises:
            UnsupportedOperatorError: the module rounds to a narrower dtype by itself.
        """
        if self._double is None:
            self._double = copy.deepcopy(self._module).double()
        wide = {name: _widened(array) for name, array in feeds.items()}
        results = _TorchRunner(self._double, self._inputs, self.outputs, self.name).run(wide)
        for spec, result in zip(self.outputs, results, strict=True):
            if result.dtype.kind == "f" and result.dtype != np.float64:
                raise UnsupportedOperatorError(
                    f"{self.name} computes {spec.name!r} in {result.dtype} also in double precision"
                )
        return results


class _TorchRunner:
    def __init__(
        self, module: Any, inputs: Sequence[str], outputs: Sequence[TensorSpec], name: str
    ) -> None:
        self._module, self._inputs, self._outputs, self._name = module, inputs, outputs, name

    def run(self, feeds: Mapping[str, Array]) -> list[Array]:
        import torch
        from torch.utils import _pytree

        arguments = [torch.from_numpy(np.array(feeds[name])) for name in self._inputs]
        with torch.no_grad(), foreign_code(f"{self._name}: it does not run", RunError):
            result = self._module(*arguments)
        tensors = [leaf for leaf in _pytree.tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        if len(tensors) != len(self._outputs):
            raise ModelError(
                f"the models have different outputs: {self._name} returns {len(tensors)} tensors, "
                f"the ONNX model {len(self._outputs)}"
            )
        return [tensor.detach().cpu().numpy() for tensor in tensors]


def _neighbour(module: torch.nn.Module, noise: tuple[int, ...]) -> torch.nn.Module:
    import torch

    rng = np.random.default_rng(noise)
    moved = copy.deepcopy(module)
    with torch.no_grad():
        for tensor in (*moved.parameters(), *moved.buffers()):
            if tensor.is_floating_point() and tensor.dtype != torch.bfloat16:
                rounded = rounded_again(np.atleast_1d(tensor.cpu().numpy()), rng)
                tensor.copy_(torch.from_numpy(rounded).reshape(tensor.shape))
    return moved


def _widened(array: Array) -> Array:
    return array.astype(np.float64) if array.dtype.kind == "f" else array
