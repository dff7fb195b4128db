"""A torch module as the original: run in its own precision, in a copy rounded again, in float64."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from bnfold.errors import ModelError
from bnfold.float64 import UnsupportedOperatorError
from bnfold.runtime.engine import Setting
from bnfold.runtime.sessions import RunError
from bnfold.runtime.signature import Array, TensorSpec, is_exact_dtype, numpy_dtype
from bnfold.torch_code.copying import copy_of
from bnfold.torch_code.foreign import foreign_code, quiet
from bnfold.torch_code.modes import flat_outputs, in_float64
from bnfold.verify.coverage import Reached
from bnfold.verify.neighbour import Neighbour
from bnfold.verify.noise import TURNS, rounded_again
from bnfold.verify.scores import Score
from bnfold.verify.subject import FAR_BELOW

if TYPE_CHECKING:
    import torch

    from bnfold.verify.torch_decisions import Made, Turn
    from bnfold.verify.torch_ends import Calls
    from bnfold.verify.torch_jitter import Jitter
    from bnfold.verify.torch_scores import CallPath, Watch


class TorchSubject:
    """A module in eval mode, its results matched with an ONNX model's by order.

    So are its arguments, unless the names of the ONNX inputs are those of `forward`'s parameters.
    """

    method = "torch float64 reference of the original"

    def __init__(
        self,
        module: torch.nn.Module,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
        name: str,
    ) -> None:
        """Copies the module: the caller's own keeps its mode.

        Raises:
            ModelError: it cannot be copied.
        """
        self.name = name
        self.outputs = tuple(outputs)
        self._inputs = [spec.name for spec in inputs]
        with foreign_code(f"{name}: the module cannot be copied", ModelError):
            self._module = copy_of(module).cpu()
        with suppress(NotImplementedError):  # an exported program has no modes
            self._module.eval()
        self.reached = Reached()
        self._double: torch.nn.Module | None = None
        self._shown: dict[int, int | None] = {}
        self._given: tuple[Turn, ...] = ()

    def ways(self, feeds: Mapping[str, Array]) -> list[tuple[CallPath, torch.Tensor]]:
        """What stands behind each result, see `torch_scores`.

        Raises:
            RunError: the module does not run so, though it may run as it is.
        """
        watch, leaves = self._runner(self._module).watched(feeds)
        return [watch.behind(leaf) for leaf in leaves]

    def calls(self, feeds: Mapping[str, Array]) -> Calls:
        """The calls that have ends or sides, and Casts, see `torch_ends`.

        Raises:
            RunError: the module does not run so, though it may run as it is.
        """
        from bnfold.verify.torch_ends import Calls

        calls = Calls(self.reached)
        with calls:
            self._runner(self._module).run(feeds)
        return calls

    def caller(self) -> Callable[[Mapping[str, torch.Tensor]], object]:
        """What calls a copy of the module with tensors of any kind, and lets its errors through.

        A copy, as a module may keep what it was called with; made here, as a mode that makes up
        tensors makes none of real ones.
        """
        import torch

        module = copy_of(self._module)

        def call(tensors: Mapping[str, torch.Tensor]) -> object:
            args, named = arguments_of(module, tensors)
            with torch.no_grad():
                return module(*args, **named)

        return call

    def decided(self, feeds: Mapping[str, Array]) -> list[Made]:
        """The calls that decide, see `torch_decisions`.

        Raises:
            RunError: the module does not run so, though it may run as it is.
        """
        from bnfold.verify.torch_decisions import Deciding

        deciding = Deciding()
        with deciding:
            self._runner(self._module).run(feeds)
        return deciding.made

    def given(self, turns: Sequence[Turn], told: Sequence[TensorSpec]) -> TorchSubject:
        """The module that is fed what is decided, as `fed 0` and so on, and returns `told` too."""
        found = copy.copy(self)
        found._given, found.outputs, found._double = tuple(turns), (*self.outputs, *told), None
        found.reached = Reached()
        return found

    def show(self, scores: Mapping[int, Score]) -> None:
        """From now on these scores, by the index of the result, are returned after the results."""
        self._shown = {index: score.classes for index, score in scores.items()}
        specs = [TensorSpec(s.name, str(s.dtype.numpy()), None) for s in scores.values()]
        self.outputs = (*self.outputs, *specs)

    def open(self, setting: Setting, neighbour: Neighbour | None = None) -> _TorchRunner:
        """The module itself, whatever the setting, or a neighbour of it."""
        del setting
        if neighbour is None:
            return self._runner(self._module)
        moved = self._runner(_neighbour(self._module, neighbour.seed, neighbour.strength))
        if neighbour.is_jittered:
            moved.jitter(neighbour.seed[-1], neighbour.strength)
        return moved

    def reference(self, feeds: Mapping[str, Array]) -> list[Array]:
        """The outputs of the module in double precision; what its calls come by is `reached`.

        Raises:
            UnsupportedOperatorError: the module does not run so, or rounds to a narrower dtype.
        """
        if self._double is None:
            self._double = copy_of(self._module).double()
        runner = self._runner(self._double)
        wide = {name: _widened(array) for name, array in feeds.items()}
        what = f"{self.name} does not run in float64"
        try:
            with self._watched():
                leaves = in_float64(lambda: runner.leaves(wide), what, RunError)
        except RunError as error:
            raise UnsupportedOperatorError(str(error)) from error
        results = [to_array(leaf) for leaf in leaves]
        for spec, result in zip(self.outputs, results, strict=True):
            if not is_exact_dtype(result.dtype) and result.dtype != np.float64:
                raise UnsupportedOperatorError(
                    f"{self.name} computes {spec.name!r} in {result.dtype} also in double precision"
                )
        return results

    def is_random(self, feeds: Mapping[str, Array]) -> bool:
        """Whether it answers otherwise when it is asked again."""
        first, again = (self._runner(self._module).run(feeds) for _ in range(2))
        return not all(map(_is_same, first, again))

    def _watched(self) -> AbstractContextManager[object]:
        if not self.reached.watched:
            return nullcontext()
        from bnfold.verify.torch_ends import Calls

        return Calls(self.reached)

    def _runner(self, module: torch.nn.Module) -> _TorchRunner:
        told = sum(1 + len(turn.operands) for turn in self._given)
        count = len(self.outputs) - len(self._shown) - told
        return _TorchRunner(module, self._inputs, count, self._shown, self._given, self.name)


class _TorchRunner:
    def __init__(
        self,
        module: Any,
        inputs: Sequence[str],
        count: int,
        shown: Mapping[int, int | None],
        given: Sequence[Turn],
        name: str,
    ) -> None:
        self._module, self._inputs, self._name = module, inputs, name
        self._count, self._shown, self._given = count, shown, given
        self._jitter: Jitter | None = None

    def jitter(self, seed: int, strength: int) -> None:
        """From now on what operators get is moved by so many roundings."""
        from bnfold.verify.torch_jitter import Jitter

        weights = [*self._module.parameters(), *self._module.buffers()]
        self._jitter = Jitter(weights, seed, strength)

    def run(self, feeds: Mapping[str, Array]) -> list[Array]:
        if self._jitter is not None:
            with suppress(RunError), self._jitter:  # there is code that cannot be watched
                return [to_array(leaf) for leaf in self.leaves(feeds)]
        return [to_array(leaf) for leaf in self.leaves(feeds)]

    def leaves(self, feeds: Mapping[str, Array]) -> list[torch.Tensor]:
        """The results, the scores that are shown, and what is decided where that is given."""
        if not self._given:
            return self._returned(feeds)
        from bnfold.verify.torch_decisions import Deciding

        fed = {turn.turn: to_tensor(feeds[f"fed {i}"]) for i, turn in enumerate(self._given)}
        deciding = Deciding(fed)
        with deciding:
            returned = self._returned(feeds)
        return [*returned, *deciding.told(self._given)]

    def _returned(self, feeds: Mapping[str, Array]) -> list[torch.Tensor]:
        if not self._shown:
            return self._results(feeds)
        watch, results = self.watched(feeds)
        scores = ((watch.behind(results[i])[1], axis) for i, axis in self._shown.items())
        return [*results, *(u if a is None else _below_largest(u, a) for u, a in scores)]

    def watched(self, feeds: Mapping[str, Array]) -> tuple[Watch, list[torch.Tensor]]:
        """The results, and what was watched on the way to them."""
        from bnfold.verify.torch_scores import Watch

        watch = Watch()
        with watch:
            return watch, self._results(feeds)

    def _results(self, feeds: Mapping[str, Array]) -> list[torch.Tensor]:
        import torch

        tensors = {name: to_tensor(feeds[name]) for name in self._inputs}
        with torch.no_grad(), quiet(), foreign_code(f"{self._name}: it does not run", RunError):
            args, named = arguments_of(self._module, tensors)
            result = self._module(*args, **named)
        leaves = flat_outputs(result)
        if len(leaves) != self._count:
            raise ModelError(
                f"the models have different outputs: {self._name} returns {len(leaves)} tensors, "
                f"the ONNX model {self._count}"
            )
        return leaves


def _below_largest(scores: torch.Tensor, axis: int) -> torch.Tensor:
    return (scores - scores.amax(axis, keepdim=True)).clamp(min=FAR_BELOW)


def to_tensor(array: Array) -> torch.Tensor:
    """The values as a tensor of the same dtype."""
    import torch

    if array.dtype.name == "bfloat16":
        return torch.from_numpy(np.array(array).view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(np.array(array))


def to_array(tensor: torch.Tensor) -> Array:
    """The values as an array of the same dtype."""
    import torch

    tensor = tensor.detach().cpu().resolve_conj()
    if tensor.dtype is torch.bfloat16:
        bits: Array = tensor.contiguous().view(torch.int16).numpy()
        return bits.view(numpy_dtype("bfloat16"))
    array: Array = tensor.numpy()
    return array


def arguments_of(
    module: torch.nn.Module, tensors: Mapping[str, torch.Tensor]
) -> tuple[list[object], dict[str, object]]:
    """How `forward` is called with the inputs of an ONNX model: by names that agree, or in order.

    An argument that is a list or a dict of tensors is fed by the inputs NAME_0, NAME_1 or NAME_KEY,
    as exporters call them; where no name agrees, a single argument takes several inputs as a list.
    """
    parameters = inspect.signature(module.forward).parameters.values()
    plain = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    needed = [p.name for p in plain if p.default is p.empty]
    named: dict[str, object] = {}
    left = dict(tensors)
    for parameter in plain:
        if parameter.name in left:
            named[parameter.name] = left.pop(parameter.name)
    for name in [p.name for p in plain if p.name not in named]:
        parts = {key.removeprefix(f"{name}_"): key for key in left if key.startswith(f"{name}_")}
        if parts:
            named[name] = _collected({part: left.pop(key) for part, key in parts.items()})
    if any(p.kind is p.VAR_KEYWORD for p in parameters) and set(needed) <= set(named):
        return [], named | left
    if tensors and not left and set(needed) <= set(named):
        return [], named
    takes_many = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    if len(plain) == 1 and len(tensors) > 1 and not takes_many:
        return [list(tensors.values())], {}
    return list(tensors.values()), {}


def _collected(parts: Mapping[str, torch.Tensor]) -> object:
    """A list where the parts are numbered, in the order of their numbers; else a dict."""
    if all(part.isdigit() for part in parts):
        return [parts[part] for part in sorted(parts, key=int)]
    return dict(parts)


def _neighbour(module: torch.nn.Module, noise: tuple[int, ...], strength: int) -> torch.nn.Module:
    import torch

    *run, copy = noise
    rng = np.random.default_rng((*run, copy // TURNS))
    moved = copy_of(module)
    with torch.no_grad():
        for tensor in (*moved.parameters(), *moved.buffers()):
            if tensor.is_floating_point():
                rounded = rounded_again(
                    np.atleast_1d(to_array(tensor)), rng, copy % TURNS, strength
                )
                tensor.copy_(to_tensor(rounded).reshape(tensor.shape))
    return moved


def _widened(array: Array) -> Array:
    return array if is_exact_dtype(array.dtype) else array.astype(np.float64)


def _is_same(a: Array, b: Array) -> bool:
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
