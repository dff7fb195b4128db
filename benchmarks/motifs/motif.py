"""A motif: a small graph in ONNX text, the constants it names, and its best exact rewrite."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import onnx
import onnx.parser
from ml_dtypes import bfloat16
from onnx import TensorProto, numpy_helper

Array = npt.NDArray[np.generic]

_DTYPES: dict[str, npt.DTypeLike] = {
    "float": np.float32,
    "float16": np.float16,
    "double": np.float64,
    "bfloat16": bfloat16,
}
_INTEGERS: dict[int, npt.DTypeLike] = {
    TensorProto.INT64: np.int64,
    TensorProto.INT32: np.int32,
    TensorProto.UINT8: np.uint8,
    TensorProto.INT8: np.int8,
    TensorProto.BOOL: np.bool_,
}
_NORM = re.compile(r"BN(<[^>]*>)?\(([^,()]+),\s*(\w+)\)")


@dataclass(frozen=True)
class Norm:
    """The four parameters of a batch norm, drawn at random.

    Attributes:
        channels: how many.
        signs: "positive", "mixed" or "zero" (one channel's gamma is 0) scales.
        shift: whether beta is free; if not, it is such that s x + t has t = 0.
        variance: a fixed value for the first channel.
        dtype: of gamma and beta; None for the motif's own.
        statistics: dtype of mean and variance; None for the motif's own.
    """

    channels: int
    signs: str = "mixed"
    shift: bool = True
    variance: float | None = None
    dtype: str | None = None
    statistics: str | None = None


Constant = Norm | Array | tuple[int, ...]
"""Parameters by the names x_s, x_b, x_m, x_v; an array as it is; or a shape, filled at random."""


@dataclass(frozen=True)
class Motif:
    """One graph of the side-by-side table.

    Attributes:
        name: in kebab-case.
        text: an ONNX graph; `BN(x, n)` stands for a BatchNormalization with the parameters n.
        constants: by name; see Constant.
        best: the operators of the best exact rewrite, in any order; alternatives behind a `|`.
        price: what has to be allowed for that, in bnfold's words; empty where it is free.
        opset, ir_version: of the model.
        dtype: of the random constants.
        functions: local functions in ONNX text, of the domain "local".
        sizes: extents for symbols of the inputs, beside those of `SIZES`.
        listed: initializers that are graph inputs too; "*" for all.
    """

    name: str
    text: str
    constants: Mapping[str, Constant]
    best: str
    price: str = ""
    opset: int = 18
    ir_version: int = 9
    dtype: str = "float"
    functions: str = ""
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    listed: Sequence[str] = ()

    def model(self) -> onnx.ModelProto:
        """The graph with its constants; always the same bytes."""
        body = _NORM.sub(r"BatchNormalization\1(\2, \3_s, \3_b, \3_m, \3_v)", self.text)
        functions = self.functions and f"\n{self.functions}"
        local = ', "local": 1' if self.functions else ""
        header = f'<ir_version: {self.ir_version}, opset_import: ["": {self.opset}{local}]>'
        model = onnx.parser.parse_model(f"{header} g {body}{functions}")
        generator = np.random.default_rng(zlib.crc32(self.name.encode()))
        for name, constant in self.constants.items():
            for tensor in _tensors(name, constant, self.dtype, generator):
                model.graph.initializer.append(tensor)
        for tensor in model.graph.initializer:
            if tensor.name in self.listed or "*" in self.listed:
                info = onnx.helper.make_tensor_value_info(
                    tensor.name, tensor.data_type, list(tensor.dims)
                )
                model.graph.input.append(info)
        return model

    def feeds(self) -> list[dict[str, Array]]:
        """Two sets of inputs; symbols differ between them."""
        model = self.model()
        stored = {tensor.name for tensor in model.graph.initializer}
        inputs = [i for i in model.graph.input if i.name not in stored]
        return [self._feed(inputs, turn) for turn in (0, 1)]

    def _feed(self, inputs: Sequence[onnx.ValueInfoProto], turn: int) -> dict[str, Array]:
        generator = np.random.default_rng(turn)
        sizes = SIZES | dict(self.sizes)
        feed: dict[str, Array] = {}
        for info in inputs:
            kind = info.type.tensor_type
            dims = kind.shape.dim if kind.HasField("shape") else UNKNOWN_RANK
            shape = [
                d if isinstance(d, int) else d.dim_value or sizes[d.dim_param][turn] for d in dims
            ]
            if kind.elem_type in _INTEGERS:
                values = np.full(shape, turn) if not shape else generator.integers(0, 4, shape)
                feed[info.name] = np.asarray(values, dtype=_INTEGERS[kind.elem_type])
                continue
            dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
            feed[info.name] = generator.standard_normal(shape).astype(dtype)
        return feed


SIZES: dict[str, tuple[int, int]] = {
    "N": (2, 3),
    "H": (9, 12),
    "W": (11, 8),
    "D": (6, 7),
    "L": (7, 5),
}
"""Extents of symbols, one for each set of inputs."""

UNKNOWN_RANK = (2, 4, 9, 9)
"""The shape fed where the graph states none."""


def _tensors(
    name: str, constant: Constant, dtype: str, generator: np.random.Generator
) -> list[TensorProto]:
    if isinstance(constant, tuple):
        fan = max(1, int(np.prod(constant[1:])))
        values = generator.standard_normal(constant) / np.sqrt(fan)
        return [numpy_helper.from_array(values.astype(_DTYPES[dtype]), name)]
    if not isinstance(constant, Norm):
        return [numpy_helper.from_array(np.asarray(constant), name)]
    return _norm(name, constant, dtype, generator)


def _norm(name: str, norm: Norm, dtype: str, generator: np.random.Generator) -> list[TensorProto]:
    count = norm.channels
    gamma = generator.uniform(0.5, 1.5, count)
    if norm.signs != "positive":
        gamma[1::2] *= -1
    if norm.signs == "zero":
        gamma[0] = 0
    beta, mean = generator.normal(size=count), generator.normal(size=count)
    variance = generator.uniform(0.5, 2, count)
    if norm.variance is not None:
        variance[0] = norm.variance
    if not norm.shift:
        beta, mean = np.zeros(count), np.zeros(count)
    own = _DTYPES[norm.dtype or dtype]
    statistics = _DTYPES[norm.statistics or dtype]
    return [
        numpy_helper.from_array(gamma.astype(own), f"{name}_s"),
        numpy_helper.from_array(beta.astype(own), f"{name}_b"),
        numpy_helper.from_array(mean.astype(statistics), f"{name}_m"),
        numpy_helper.from_array(variance.astype(statistics), f"{name}_v"),
    ]
