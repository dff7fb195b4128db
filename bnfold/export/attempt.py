"""One attempt at a clean graph, with as many dynamic dimensions as the network leaves."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import onnx_ir as ir

from bnfold.errors import ModelError, UsageError
from bnfold.export.capture import Exporter, capture
from bnfold.export.dimension_names import FixedDimension
from bnfold.export.dynamic import (
    AS_THE_EXAMPLES,
    Axes,
    Dynamic,
    dynamic_axes,
    runs_twice_as_wide,
    with_sizes_of_two,
)
from bnfold.export.inputs import ExampleInputs
from bnfold.export.outputs import output_names
from bnfold.export.prepare import Prepared
from bnfold.export.tidy import tidy
from bnfold.torch_code.modes import eval_mode
from bnfold.torch_code.spec import LoadedModule


@dataclass(frozen=True)
class Clean:
    """The graph, its dynamic dimensions, and what to know of it: what is fixed, and by whom."""

    model: ir.Model
    axes: Axes
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Attempt:
    """What is exported, and how."""

    loaded: LoadedModule
    prepared: Prepared
    examples: ExampleInputs
    opset: int
    exporter: Exporter

    def clean(self, dynamic: Dynamic | None) -> Clean:
        """The graph with these dimensions dynamic; by default, with as many as can be.

        Raises:
            UsageError: the network fixes one that was asked for.
            ModelError: the exporter fails.
        """
        axes = dynamic_axes(self.examples, dynamic, self.loaded.name)
        reasons: list[str] = []
        with eval_mode(self.prepared.module):
            while True:
                ready = self._ready(axes)
                if ready is None:
                    reasons.append(
                        f"the network does not run on more than {self.examples.described()}"
                    )
                    ready, axes = self.examples, [{} for _ in axes]
                model, fixed, told = self._tidied(ready, axes)
                reasons += map(str, fixed)
                if reasons and dynamic is not None:
                    raise UsageError(
                        f"{self.loaded.name} cannot have these dynamic dimensions: {reasons[0]}; "
                        f"{AS_THE_EXAMPLES}"
                    )
                for dimension in fixed:
                    axes[self.examples.names.index(dimension.input)].pop(dimension.axis)
                if not fixed or self.loaded.program is not None:
                    warnings = (*(f"not dynamic: {reason}" for reason in reasons), *told)
                    return Clean(model, axes, warnings)
                # Once more, without them: the exporter keeps a symbol in shapes where there is a
                # size, and that may be the two that we made of a one.

    def _ready(self, axes: Axes) -> ExampleInputs | None:
        """The examples as they show that sizes vary; None where the network takes none but these.

        Of what the network fixes, the newer exporter tells; a trace does not.
        """
        if self.loaded.program is not None:
            return self.examples
        module = self.prepared.module
        ready = with_sizes_of_two(module, self.examples, axes)
        is_known = ready is not self.examples or self.exporter != "torchscript"
        return ready if is_known or runs_twice_as_wide(module, self.examples, axes) else None

    def _tidied(
        self, inputs: ExampleInputs, axes: Axes
    ) -> tuple[ir.Model, list[FixedDimension], tuple[str, ...]]:
        model, fixed, told = self._captured(inputs, axes, self.exporter)
        if fixed and self.loaded.program is None and self.exporter != "torchscript":
            with suppress(ModelError):  # then they are fixed indeed
                return self._captured(inputs, axes, "dynamo", insist=True)
        return model, fixed, told

    def _captured(
        self, inputs: ExampleInputs, axes: Axes, exporter: Exporter, *, insist: bool = False
    ) -> tuple[ir.Model, list[FixedDimension], tuple[str, ...]]:
        captured = capture(
            self.loaded.program or self.prepared.module,
            inputs,
            axes,
            opset=self.opset,
            name=self.loaded.name,
            exporter=exporter,
            insist=insist,
        )
        model = captured.model
        if len(model.graph.inputs) == len(inputs.names):
            for value, name in zip(model.graph.inputs, inputs.names, strict=True):
                value.name = name
        fixed = tidy(
            model,
            dimensions=dict(zip(inputs.names, axes, strict=True)),
            sizes=captured.sizes,
            outputs=output_names(captured.program, len(model.graph.outputs)),
            parameters=self.prepared.module.state_dict().keys(),
        )
        return model, fixed, captured.told
