"""A model ready to be timed: its inputs and outputs bound where it runs.

Some models give an output of another shape than they declare: a batch of 2 where the file says 1.
onnxruntime lets that pass when it makes the output itself, and refuses it when it writes into the
one of the run before. Their outputs are bound anew for each run.

A CUDA graph is launched with the addresses that it was captured with: the outputs of a first run,
which is not captured, are bound as they are, and stay.

Like `bnfold.runtime.engine`, this file needs NumPy and onnxruntime alone: the process that measures
one model carries no more than that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bnfold.runtime import engine


class BoundModel:
    """A session with inputs and outputs bound on its device; calling it is one run."""

    def __init__(
        self,
        session: Any,
        feeds: Mapping[str, np.ndarray],
        *,
        device: str,
        name: str,
        is_graph: bool = False,
    ):
        """Binds, and runs twice: the second run finds the outputs of the first one bound.

        Raises:
            engine.FailedError: the model does not run on these inputs.
        """
        self._is_remote = device != "cpu"
        self._binding = session.io_binding()
        # The binding holds only the device memory: keep what the OrtValues point to alive.
        self._values = {
            feed: engine.ort_value(np.asarray(array, order="C"), device)
            for feed, array in feeds.items()
        }
        for feed, value in self._values.items():
            self._binding.bind_ortvalue_input(feed, value)
        self._device = device
        self._names = [output.name for output in session.get_outputs()]
        self._run = session.run_with_iobinding
        self.is_bound_anew = False
        self._bind_outputs()
        with engine.failing_as(name):
            if is_graph:
                self._run(self._binding, engine.uncaptured())
                self._keep_outputs()
                self()  # captured
                self()
                return
            self()
            try:
                self()
            except engine.runtime_errors():
                self.is_bound_anew = True
                self()

    def __call__(self) -> None:
        """Runs the model once and returns when its outputs are there."""
        if self.is_bound_anew:
            self._binding.clear_binding_outputs()
            self._bind_outputs()
        self._run(self._binding)
        if self._is_remote:
            self._binding.synchronize_outputs()

    def _keep_outputs(self) -> None:
        """The outputs lie from now on where they lie now."""
        self._kept = self._binding.get_outputs()
        self._binding.clear_binding_outputs()
        for name, value in zip(self._names, self._kept, strict=True):
            self._binding.bind_ortvalue_output(name, value)

    def outputs(self) -> dict[str, list[Any]]:
        """What the last run computed, by output name."""
        values = self._binding.copy_outputs_to_cpu()
        return {name: value.tolist() for name, value in zip(self._names, values, strict=True)}

    def _bind_outputs(self) -> None:
        for name in self._names:
            self._binding.bind_output(name, self._device)


def bind_alike(models: Sequence[Any]) -> None:
    """Where one of the models needs its outputs bound anew, all do it, and pay for it alike."""
    is_anew = any(model.is_bound_anew for model in models)
    for model in models:
        model.is_bound_anew = is_anew
