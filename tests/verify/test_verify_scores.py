"""What a decision or a squashing hides is compared too, matched by structure and not by name."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import bnfold
from tests.verify.graphs import parsed

RNG = np.random.default_rng(0)
WEIGHT = 30 * RNG.normal(size=(32, 10))
BIAS = RNG.normal(size=10)

TAILS = {
    "Softmax": "y = Softmax <axis = 1> ({z})",
    "Sigmoid": "y = Sigmoid ({z})",
    "Tanh behind a Reshape": "{r} = Reshape ({z}, shape)  y = Tanh ({r})",
    "Clip": "y = Clip ({z}, low, high)",
    "one part of a Concat": "{r} = Sigmoid ({z})  y = Concat <axis = 1> (x, {r})",
}


def network(tail: str, factor: float = 1.0, shift: float = 0.0, names: str = "zr"):
    """Logits of a standard deviation of 170, on which all but a few results are 0 or 1."""
    weight = WEIGHT.copy()
    weight[:, 3] *= factor
    text = f"{{z}} = Gemm (x, w, c)  {tail}".format(z=names[0], r=names[1])
    return parsed(
        f"g (float[N,32] x) => (float y) {{ {text} }}",
        w=weight,
        c=BIAS + shift,
        shape=np.array([0, 2, 5]),
        low=-1.0,
        high=1.0,
    )


@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
def test_a_class_whose_weights_are_off_is_found_though_the_output_is_saturated(tail):
    assert bnfold.verify(network(tail), network(tail, names="rz")).is_equivalent
    found = bnfold.verify(network(tail), network(tail, 1.001, names="rz"))
    assert found.verdict == "different"
    assert "what enters the" in found.reason


def test_what_a_softmax_does_not_see_is_no_difference():
    model = network(TAILS["Softmax"])
    assert bnfold.verify(model, network(TAILS["Softmax"], shift=7.0)).is_equivalent
    assert not bnfold.verify(network(TAILS["Sigmoid"]), network(TAILS["Sigmoid"], shift=7.0))


def test_where_one_graph_hides_more_than_the_other_there_is_no_pair():
    """Two ways to write one output: what the second Clip gets is another thing in each."""
    once = network(TAILS["Clip"])
    twice = network("{r} = Clip ({z}, low, high)  y = Clip ({r}, low, high)")
    for a, b in ((once, twice), (twice, once)):
        found = bnfold.verify(a, b)
        assert found.is_equivalent, found.reason


def test_levels_with_optimisations_run_the_graph_as_it_ships():
    found = bnfold.verify(network(TAILS["Softmax"]), network(TAILS["Softmax"]))
    assert [(row.name, row.level) for row in found.outputs if row.level == "all"] == [("y", "all")]


class _Classifier(torch.nn.Module):
    def __init__(self, tail: str):
        super().__init__()
        torch.manual_seed(0)
        self.linear, self.tail = torch.nn.Linear(16, 5), tail

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = 100 * self.linear(x)
        tails = {
            "softmax": lambda: logits.softmax(-1),
            "sigmoid": lambda: torch.sigmoid(logits),
            "decision": lambda: logits.softmax(-1).argmax(-1),
        }
        return tails[self.tail]()


@pytest.mark.parametrize("tail", ["softmax", "sigmoid", "decision"])
def test_what_a_torch_module_hides_is_compared_too(tail):
    module = _Classifier(tail).eval()
    weight = module.linear.weight.detach().numpy().T.copy()
    ends = {
        "softmax": "float[N,5] y) { z = Mul (h, k)  y = Softmax <axis = -1> (z) }",
        "sigmoid": "float[N,5] y) { z = Mul (h, k)  y = Sigmoid (z) }",
        "decision": "int64[N] y) { z = Mul (h, k)  s = Softmax <axis = 1> (z)  "
        "y = ArgMax <axis = -1, keepdims = 0> (s) }",
    }

    def graph(factor: float):
        text = f"g (float[N,16] x) => ({ends[tail]}".replace("{", "{ h = Gemm (x, w, c) ", 1)
        changed = weight * np.where(np.arange(5) == 3, factor, 1.0).astype(np.float32)
        return parsed(text, w=changed, c=module.linear.bias.detach().numpy(), k=100.0)

    assert bnfold.verify(module, graph(1.0)).is_equivalent
    assert bnfold.verify(module, graph(1.01)).verdict == "different"


def test_a_mask_of_infinities_and_one_of_very_large_numbers_hide_the_same():
    """Exporters write -inf, the least float32 or -1e4; behind the Softmax there is nothing left."""
    text = "g (float[N,16] x) => (float[N,16] y) { a = Add (x, m)  y = Softmax <axis = 1> (a) }"
    one, other, weak = (
        parsed(text, m=np.where(np.arange(16) % 4 == 1, least, 0.0))
        for least in (-np.inf, -1e4, -20)
    )
    assert bnfold.verify(one, other).is_equivalent
    assert bnfold.verify(other, one).is_equivalent
    assert bnfold.verify(one, weak).verdict == "different"
