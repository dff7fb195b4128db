"""Runs one operator in onnxruntime, optimisations off, to compare with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from bnfold.float64 import run_op

Arrays = list[np.ndarray]
FLOATS = (np.float16, np.float32, np.float64)


def run_in_runtime(
    op_type: str,
    inputs: Sequence[np.ndarray | None],
    attributes: Mapping[str, Any],
    opset: int,
    n_outputs: int,
    domain: str,
) -> Arrays:
    names = [f"x{i}" if x is not None else "" for i, x in enumerate(inputs)]
    outputs = [f"y{i}" for i in range(n_outputs)]
    node = onnx.helper.make_node(op_type, names, outputs, domain=domain, **attributes)
    infos = [
        onnx.helper.make_tensor_value_info(
            name, onnx.helper.np_dtype_to_tensor_dtype(x.dtype), x.shape
        )
        for name, x in zip(names, inputs, strict=True)
        if x is not None
    ]
    graph = onnx.helper.make_graph(
        [node], "g", infos, [onnx.ValueInfoProto(name=name) for name in outputs]
    )
    opsets = [onnx.helper.make_opsetid(domain, opset if not domain else 1)]
    if domain:
        opsets.append(onnx.helper.make_opsetid("", opset))
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feeds = {name: x for name, x in zip(names, inputs, strict=True) if x is not None}
    return session.run(None, feeds)


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
