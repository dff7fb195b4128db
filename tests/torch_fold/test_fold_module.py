"""A torch module's batch norms go into its own layers, and torch itself says it is the same.

Each test exports twice and verifies, as a fold inside torch does: with less it would not be tested.
"""

from __future__ import annotations

import copy
import json

import pytest

import bnfold
from bnfold.errors import ModelError, UsageError

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")
nn = torch.nn


def trained(module):
    """Statistics, scales and shifts as training leaves them, from a seed."""
    generator = torch.Generator().manual_seed(0)
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.running_mean.normal_(generator=generator)
            part.running_var.uniform_(0.5, 2, generator=generator)
            if part.affine:
                with torch.no_grad():
                    part.weight.normal_(generator=generator)
                    part.bias.normal_(generator=generator)
    return module.eval()


def assert_same(original, folded, *shape):
    """In float64, on random inputs, to the rounding of the folded weights."""
    x = torch.randn(3, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        wanted = copy.deepcopy(original).eval().double()(x)
        got = copy.deepcopy(folded).double()(x)
    assert (wanted - got).abs().max() <= 1e-6 * wanted.abs().max()


class Pre(nn.Module):
    """Behind, before and between; with and without biases."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.pre = nn.BatchNorm2d(8, affine=False)
        self.conv = nn.Conv2d(8, 4, 3, groups=2)
        self.up = nn.ConvTranspose2d(4, 6, 2, stride=2, groups=2)
        self.norm = nn.BatchNorm2d(6)
        self.fc, self.bn, self.head = (
            nn.Linear(6, 5),
            nn.BatchNorm1d(5),
            nn.Linear(5, 2, bias=False),
        )

    def forward(self, x):
        x = self.norm(self.up(self.conv(self.pre(self.stem(x)))))
        return self.head(self.bn(self.fc(x.mean((2, 3)))))


@pytest.fixture(scope="module")
def pre():
    """The module, and what became of it: made once for all tests that look at it."""
    module = trained(Pre()).train()
    return module, copy.deepcopy(module.state_dict()), bnfold.fold_module(module, (1, 3, 12, 12))


def test_batch_norms_go_into_the_layers_before_and_behind_them(pre):
    module, _, result = pre
    assert set(result.folded) == {"stem.1", "pre", "norm", "bn"}
    assert result.kept == ()
    assert not any(isinstance(p, nn.modules.batchnorm._BatchNorm) for p in result.module.modules())
    assert result.verification
    assert_same(module, result.module, 3, 12, 12)


def test_the_module_that_was_given_is_left_as_it_was(pre):
    module, before, result = pre
    assert module.training
    assert not result.module.training
    assert before.keys() == module.state_dict().keys()
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())


def test_what_stays_keeps_its_name_in_the_state_dict(pre):
    module, _, result = pre
    old, new = set(module.state_dict()), set(result.module.state_dict())
    assert new - old == set(result.new_keys) == {"stem.0.bias"}
    assert old - new == set(result.gone_keys)
    assert all(key.rpartition(".")[0] in result.folded for key in result.gone_keys)
    assert {"stem.0", "conv", "up", "fc"} >= set(result.changed) - {"head"}


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.last, self.end = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)

    def forward(self, x):
        x = self.conv(x)
        return self.end(self.last(self.bn(self.conv(torch.sigmoid(x)))))


class Act(nn.BatchNorm2d):
    """A batch norm that does more than to normalize, as some libraries have it."""

    def forward(self, x):
        return super().forward(x).relu()


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 3, 3, 3))
        self.bn = nn.BatchNorm2d(4)

    def forward(self, x):
        return torch.sigmoid(self.bn(torch.nn.functional.conv2d(x, self.weight)))


def shared():
    first, second = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
    second.weight = first.weight
    return nn.Sequential(first, nn.Sigmoid(), second, nn.BatchNorm2d(3), nn.Sigmoid())


def hooked():
    module = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Sigmoid())
    module[1].register_forward_hook(lambda part, x, y: y + 1)
    return module


@pytest.mark.parametrize(
    ("module", "folded", "kept"),
    [
        pytest.param(Twice(), {"bn", "end"}, {}, marks=pytest.mark.slow),
        (nn.Sequential(nn.Conv2d(3, 4, 1), Act(4)), set(), {"1": "is a Act, which may do more"}),
        (Functional(), set(), {"bn": "no Linear or Conv module's own"}),
        (shared(), set(), {"3": "shares its weight"}),
        (hooked(), set(), {"1": "has hooks"}),
        (nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU()), {"1"}, {}),
        pytest.param(
            nn.Sequential(nn.Sigmoid(), nn.BatchNorm2d(3), nn.Sigmoid()), set(), {"1": "Sigmoid"},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 1)), set(), {},
            marks=pytest.mark.slow,
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_told_by_name_stays_and_is_told(module, folded, kept):
    module = trained(module)
    result = bnfold.fold_module(module, (1, 3, 6, 6))
    assert set(result.folded) == folded
    assert {entry.name for entry in result.kept} == set(kept)
    for entry in result.kept:
        assert kept[entry.name] in entry.reason
    assert_same(module, result.module, 3, 6, 6)


class Turned(nn.Module):
    """A linear layer over the last axis of three, behind a batch norm over the middle one."""

    def __init__(self):
        super().__init__()
        self.bn, self.out = nn.BatchNorm1d(3), nn.Linear(3, 4)

    def forward(self, x):
        return self.out(self.bn(torch.tanh(x)).transpose(1, 2))


@pytest.mark.parametrize(
    "module",
    [
        pytest.param(
            nn.Sequential(nn.Conv1d(3, 4, 1), nn.BatchNorm1d(4), nn.Flatten(), nn.Linear(20, 7)),
            marks=pytest.mark.slow,
        ),
        Turned(),  # exported as a MatMul and an Add, which is the layer's own and no code
    ],
    ids=["flattened", "turned"],
)
def test_a_linear_layer_over_more_axes_is_told_too(module):
    module = trained(module)
    result = bnfold.fold_module(module, (1, 3, 5))
    assert len(result.folded) == 1
    assert_same(module, result.module, 3, 5)


class Scaled(nn.Module):
    """Arithmetic of the code behind a batch norm."""

    def __init__(self):
        super().__init__()
        self.bn, self.conv = nn.BatchNorm1d(3), nn.Conv1d(3, 4, 1)
        self.scale = nn.Parameter(torch.rand(3, 1))

    def forward(self, x):
        return self.conv(torch.tanh(self.bn(x) * self.scale))


def test_arithmetic_of_the_code_stays_and_is_named():
    (kept,) = bnfold.fold_module(trained(Scaled()), (1, 3, 5)).kept
    assert "Mul" in kept.reason and "it is code of the module, which stays" in kept.reason


@pytest.mark.slow
def test_a_batch_norm_may_be_left_alone_by_name():
    module = trained(Pre())
    result = bnfold.fold_module(module, (1, 3, 12, 12), skip="stem.1")
    assert [entry.name for entry in result.kept] == ["stem.1"]
    assert "pre" in result.folded
    assert_same(module, result.module, 3, 12, 12)
    with pytest.raises(UsageError, match="no part 'nobody'"):
        bnfold.fold_module(module, (1, 3, 12, 12), skip=["nobody"])


def test_the_result_shows_itself_in_a_line_and_as_json(pre):
    *_, result = pre
    assert repr(result) == "<FoldedModule 4 of 4 batch norms folded>"
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False)) == result.to_dict()


def test_a_module_in_bfloat16_is_told_what_to_do():
    module = trained(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))
    x = torch.randn(2, 3, 9, 9)
    with pytest.raises(ModelError, match=r"fold module\.float\(\), and convert that"):
        bnfold.fold_module(copy.deepcopy(module).bfloat16(), (x.bfloat16(),))
    folded = bnfold.fold_module(module, (x,)).module.bfloat16()
    assert {parameter.dtype for parameter in folded.parameters()} == {torch.bfloat16}
