"""A fault in one layer of ten is caught; a correct fold never is.

What verify is for stands or falls here, and each network is a second or more: those that are deep,
or like another one, are for `make test-all`, where many seeds are drawn too.
"""

from __future__ import annotations

import pytest

from benchmarks.factor.faults import FAULTS, folded, leaking_shift
from benchmarks.factor.networks import NETWORKS, plain, pre_activation
from bnfold.verify import verify

FIRST, MIDDLE, LAST = 0, 4, 9
QUICK = {
    "plain, 10 layers, float16", "large activations", "tiny variances", "dead channels",
    "batch norm after the activation", "ResNet with Softmax", "perceptron", "8 bits",
}  # fmt: skip
SOME = [MIDDLE, *(pytest.param(layer, marks=pytest.mark.slow) for layer in (FIRST, LAST))]


@pytest.fixture(scope="module")
def network():
    return plain(0)


@pytest.mark.parametrize("layer", SOME)
@pytest.mark.parametrize("fault", FAULTS)
def test_catches_a_fault_in_one_layer_of_ten(network, fault, layer):
    found = verify(network, FAULTS[fault](network, layer))
    assert found.verdict == "different"
    assert found.worst_ratio > 1.5 * found.factor


@pytest.mark.parametrize("layer", SOME)
def test_catches_a_shift_that_leaks_at_the_padded_border(layer):
    network = pre_activation(0)
    assert verify(network, leaking_shift(network, layer)).verdict == "different"


@pytest.mark.parametrize("fault", ["epsilon dropped", "one channel's weights off by 1e-3"])
def test_one_set_of_inputs_is_enough_to_catch_a_fault(network, fault):
    assert verify(network, FAULTS[fault](network, MIDDLE), samples=1).verdict == "different"


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in NETWORKS],
)
def test_never_calls_a_correct_fold_different(name):
    model = NETWORKS[name](3)
    found = verify(model, folded(model))
    assert found.verdict == "equivalent"
    assert found.worst_ratio < 0.8 * found.factor


@pytest.mark.parametrize("samples", [1, 2, 3])
def test_few_samples_raise_no_false_alarm(samples):
    model = NETWORKS["perceptron"](5)  # 1000 channels, each seen once or twice
    assert verify(model, folded(model), samples=samples).verdict == "equivalent"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4, 10))
@pytest.mark.parametrize("name", NETWORKS)
def test_never_calls_any_of_many_correct_folds_different(name, seed):
    model = NETWORKS[name](seed)
    assert verify(model, folded(model)).verdict == "equivalent"
