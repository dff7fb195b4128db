"""Networks drawn at random, whose blocks can each be written in several forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx
import onnx.parser
from onnx import numpy_helper

from tests.verify.drawn.map_forms import EXTENTS, MAPS, flattened
from tests.verify.drawn.row_forms import ROWS, Array, Block, Form, Forms, Rng

_WORDS = {"float16": "float16", "float32": "float", "float64": "double"}
_MOST = 4


@dataclass(frozen=True)
class Network:
    """Blocks in a row, each with its forms.

    Attributes:
        shape: of the input, behind the batch.
        blocks: the forms of each.
        dtype: of weights and activations.
        is_known: whether `verify` has a float64 reference for it; else an operator that its
            evaluator does not know ends it.
    """

    shape: tuple[int, ...]
    blocks: tuple[Forms, ...]
    dtype: str
    is_known: bool = True

    def model(self, chosen: Sequence[int], *, dtype: str = "") -> onnx.ModelProto:
        """The network with each block in the form of this index."""
        lines, weights = [], {}
        for i, (forms, index) in enumerate(zip(self.blocks, chosen, strict=True)):
            names = {"x": f"h{i}" if i else "x", "y": f"h{i + 1}", "p": f"b{i}_"}
            lines.append(forms[index].text.format(**names))
            weights |= {f"b{i}_{name}": array for name, array in forms[index].weights.items()}
        return self._parsed("\n".join(lines), weights, dtype or self.dtype)

    def with_weights(self, block: int, form: int, weights: Mapping[str, Array]) -> Network:
        """The network with other weights in one form of one block."""
        forms = list(self.blocks[block])
        forms[form] = Form(forms[form].text, {**forms[form].weights, **weights})
        blocks = (*self.blocks[:block], forms, *self.blocks[block + 1 :])
        return replace(self, blocks=blocks)

    def _parsed(self, lines: str, weights: Mapping[str, Array], dtype: str) -> onnx.ModelProto:
        word, shape = _WORDS[dtype], ",".join(map(str, self.shape))
        text = f"g ({word}[N,{shape}] x) => ({word} h{len(self.blocks)}) {{ {lines} }}"
        model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]>\n{text}')
        for name, array in weights.items():
            typed = array.astype(dtype) if array.dtype.kind == "f" else array
            model.graph.initializer.append(numpy_helper.from_array(np.array(typed), name))
        model.graph.output[0].type.tensor_type.ClearField("shape")
        if not self.is_known:
            model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
            last = model.graph.output[0].name
            half = {"domain": "com.microsoft", "alpha": 0.0}
            model.graph.node.append(onnx.helper.make_node("QuickGelu", [last], ["y"], **half))
            model.graph.output[0].name = "y"
        return model

    def drawn_forms(self, rng: Rng) -> list[int]:
        """One form for each block."""
        return [int(rng.integers(len(forms))) for forms in self.blocks]


def drawn_network(seed: int, dtype: str = "float32", *, is_known: bool = True) -> Network:
    """One of very many: over maps, over rows, or rows behind the means of maps."""
    rng = np.random.default_rng(seed)
    blocks: list[Forms] = []
    has_maps = rng.random() < 0.5
    c = int(rng.integers(1, 9)) if has_maps else int(rng.integers(4, 257))
    shape = (c, *EXTENTS) if has_maps else (c,)
    if has_maps:
        c = _extend(blocks, MAPS, c, rng)
    if has_maps and rng.random() < 0.5:
        blocks.append(flattened(rng, c))
        has_maps = False
    if not has_maps:
        _extend(blocks, ROWS, c, rng)
    return Network(shape, tuple(blocks), dtype, is_known)


def _extend(blocks: list[Forms], kinds: Sequence[Block], channels: int, rng: Rng) -> int:
    for _ in range(rng.integers(1, _MOST)):
        forms, channels = kinds[rng.integers(len(kinds))](rng, channels)
        blocks.append(forms)
    return channels
