"""Runs one operator in onnxruntime, optimisations off, to compare with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from bnfold.float64 import run_op
from tests.float64.drawn.runtime import run_in_runtime

Arrays = list[np.ndarray]
FLOATS = (np.float16, np.float32, np.float64)


Check = Callable[..., Arrays]


@pytest.fixture
def agrees() -> Check:
    """Asserts that an operator gives what onnxruntime gives, up to float32 rounding."""

    def check(
        op_type: str,
        inputs: Sequence[np.ndarray | None],
        attributes: Mapping[str, Any] | None = None,
        *,
        opset: int = 18,
        n_outputs: int = 1,
        domain: str = "",
        tolerance: float = 2e-6,
    ) -> Arrays:
        theirs = run_in_runtime(op_type, inputs, attributes or {}, opset, n_outputs, domain)
        ours = run_op(
            op_type, inputs, attributes or {}, opset=opset, n_outputs=n_outputs, domain=domain
        )
        assert len(ours) == len(theirs)
        for mine, their in zip(ours, theirs, strict=True):
            assert mine.shape == their.shape
            if their.dtype in FLOATS:
                assert mine.dtype == np.float64
                finite = np.abs(their[np.isfinite(their)])
                scale = float(finite.max()) if finite.size else 1.0
                np.testing.assert_allclose(
                    mine.astype(their.dtype), their, rtol=tolerance, atol=tolerance * scale
                )
            else:
                assert mine.dtype == their.dtype
                np.testing.assert_array_equal(mine, their)
        return ours

    return check


@pytest.fixture
def draw() -> Callable[..., np.ndarray]:
    """Float32 arrays of normal numbers, the same in every run."""
    generator = np.random.default_rng(20)

    def normal(*shape: int) -> np.ndarray:
        return generator.normal(size=shape).astype(np.float32)

    return normal
