"""BatchNormalization for onnx's reference: its own takes the batch's statistics up to opset 13."""

from __future__ import annotations

import numpy as np
from onnx.reference.op_run import OpRun

from tests.fold.property.builder import Array


class BatchNormalization(OpRun):  # type: ignore[misc]
    """`gamma * (x - mean) / sqrt(var + epsilon) + beta`, as the operator says of inference."""

    op_domain = ""

    def _run(
        self,
        x: Array,
        gamma: Array,
        beta: Array,
        mean: Array,
        var: Array,
        epsilon: float = 1e-5,
        momentum: float = 0.9,
        spatial: int = 1,
        training_mode: int = 0,
    ) -> tuple[Array]:
        if training_mode or not spatial:
            raise NotImplementedError
        del momentum
        laid = [v.astype(np.float64).reshape(-1, *[1] * (x.ndim - 2)) for v in (gamma, mean, var)]
        scale, center, spread = laid
        y = scale * (x.astype(np.float64) - center) / np.sqrt(spread + epsilon)
        return ((y + beta.astype(np.float64).reshape(scale.shape)).astype(x.dtype),)
