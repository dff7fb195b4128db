"""A model ready to be timed: its inputs and outputs bound where it runs.

Like `bnfold.runtime.engine`, this file needs NumPy and onnxruntime alone: the process that measures
one model carries no more than that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bnfold.runtime import engine


class BoundModel:
    """A session with inputs and outputs bound on its device; calling it is one run."""

    def __init__(self, session: Any, feeds: Mapping[str, np.ndarray], *, device: str, name: str):
        """Binds, and runs once.

        Raises:
            engine.FailedError: the model does not run on these inputs.
        """
        self._name = name
        self._is_remote = device != "cpu"
        self._session = session
        self._binding = session.io_binding()
        # The binding holds only the device memory: keep what the OrtValues point to alive.
        self._values = {
            feed: engine.ort_value(np.asarray(array, order="C"), device)
            for feed, array in feeds.items()
        }
        for feed, value in self._values.items():
            self._binding.bind_ortvalue_input(feed, value)
        for output in session.get_outputs():
            self._binding.bind_output(output.name, device)
        self._run = session.run_with_iobinding
        with engine.failing_as(name):
            self()

    def __call__(self) -> None:
        """Runs the model once and returns when its outputs are there."""
        self._run(self._binding)
        if self._is_remote:
            self._binding.synchronize_outputs()

    def outputs(self) -> dict[str, list[Any]]:
        """What the last run computed, by output name."""
        names = [output.name for output in self._session.get_outputs()]
        values = self._binding.copy_outputs_to_cpu()
        return {name: value.tolist() for name, value in zip(names, values, strict=True)}
