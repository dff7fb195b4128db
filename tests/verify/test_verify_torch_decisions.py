"""Decisions inside of a torch module: what rounding turns in its export, and what it does not."""

from __future__ import annotations

import numpy as np
import onnx.parser
import pytest
import torch
from onnx import numpy_helper
from torch import nn

import bnfold

GRAPHS = {
    "a row of a table": "i = ArgMax <axis = 1, keepdims = 0> (n)  y = Gather (table, i)",
    "a mask": "q = Greater (n, c)  m = Cast <to = 10> (q)  y = Conv (m, d)",
    "signs": "m = Sign (n)  y = Conv (m, d)",
}


class Deciding(nn.Module):
    """A convolution in float16, a decision, and what is made of it."""

    def __init__(self, kind):
        super().__init__()
        torch.manual_seed(3)
        self.kind = kind
        self.conv, self.table = nn.Conv2d(3, 16, 3, padding=1), nn.Embedding(16, 8)
        self.behind = nn.Conv2d(16, 8, 1, bias=False)
        self.half().eval()

    def forward(self, x):
        h = self.conv(x)
        if self.kind == "a row of a table":
            return self.table(h.argmax(1))
        return self.behind((h > 0.25).to(h.dtype) if self.kind == "a mask" else torch.sign(h))


def graph(kind, *, off=1.0):
    """The same as ONNX; `off` multiplies the weights behind the decision."""
    module, body = Deciding(kind), GRAPHS[kind]
    shape = "N,16,16,8" if kind == "a row of a table" else "N,8,16,16"
    model = onnx.parser.parse_model(f"""<ir_version: 9, opset_import: ["" : 17]>
        g (float16[N,3,16,16] x) => (float16[{shape}] y) {{
            n = Conv <pads = [1,1,1,1]> (x, w, b) {body}
        }}""")
    stored = {"w": module.conv.weight, "b": module.conv.bias}
    stored |= {"table": module.table.weight * off, "d": module.behind.weight * off}
    arrays = {name: tensor.detach().numpy() for name, tensor in stored.items()}
    for name, array in {**arrays, "c": np.array(0.25, np.float16)}.items():
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    return model


@pytest.mark.parametrize("kind", GRAPHS)
def test_decisions_that_another_runtime_turns_are_no_difference(kind):
    found = bnfold.verify(Deciding(kind), graph(kind))
    assert found.is_equivalent, found.reason


@pytest.mark.parametrize("kind", GRAPHS)
def test_a_fault_behind_decisions_of_a_module_is_found(kind):
    assert bnfold.verify(Deciding(kind), graph(kind, off=1.05)).verdict == "different"
