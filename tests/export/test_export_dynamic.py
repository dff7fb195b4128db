"""Which dimensions of an exported graph vary."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import bnfold
from bnfold.errors import UsageError


def shapes(result: bnfold.export.ExportResult) -> dict[str, list[int | str]]:
    record = result.to_dict()
    return {value["name"]: value["shape"] for value in record["inputs"] + record["outputs"]}


class Two(nn.Module):
    def forward(self, p: torch.Tensor, q: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return p + 1, q * 2


def test_inputs_that_share_a_batch_share_its_name(exported):
    assert shapes(exported("named")) == {
        "left": ["batch", 3],
        "right": ["batch", 3],
        "sum": ["batch", 3],
        "difference": ["batch", 3],
    }


def test_inputs_that_need_not_share_a_batch_have_names_of_their_own():
    assert shapes(bnfold.export(Two(), [(2, 3), (2, 4)])) == {
        "p": ["batch", 3],
        "q": ["q_0", 4],
        "output_0": ["batch", 3],
        "output_1": ["q_0", 4],
    }


def test_named_dimensions_are_dynamic_and_no_others(network, run):
    module = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2))
    dynamic = {"input": {2: "height", 3: "width"}}
    result = bnfold.export(module, (1, 1, 8, 8), dynamic=dynamic)
    assert shapes(result) == {
        "input": [1, 1, "height", "width"],
        "output": [1, 2, "height", "width"],
    }
    (answer,) = run(result.model, torch.ones(1, 1, 5, 11).numpy())
    assert answer.shape == (1, 2, 5, 11)


def test_nothing_is_dynamic_when_nothing_is_asked_for(network):
    module, inputs = network("tokens")
    assert shapes(bnfold.export(module, inputs, dynamic={})) == {
        "x": [1, 7, 5],
        "output": [1, 7, 6],
    }


def test_a_network_for_one_batch_size_is_exported_for_that_with_a_warning():
    module = nn.Sequential(nn.Flatten(0), nn.Linear(6, 3))
    result = bnfold.export(module, (1, 6))
    assert shapes(result) == {"input": [1, 6], "output": [3]}
    assert "not dynamic: the network does not run on more than input [1, 6]" in result.warnings
    assert result.check is not None


def test_a_batch_that_the_network_fixes_is_told():
    class Fixed(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.ones(2, 3) if x.shape[0] == 2 else x

    result = bnfold.export(Fixed(), (2, 3))
    assert shapes(result) == {"x": [2, 3], "output": [2, 3]}
    assert result.warnings == ("not dynamic: dimension 0 of x is fixed by the network",)


def test_a_branch_on_the_batch_size_is_exported_for_the_size_that_was_given():
    class Branching(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + 1 if x.shape[0] == 1 else x - 1 if x.shape[0] == 2 else x

    result = bnfold.export(Branching(), (1, 3))
    assert [node.op_type for node in result.model.graph] == ["Add"]
    assert shapes(result)["x"] == [1, 3]


@pytest.mark.parametrize(
    ("dynamic", "sentence"),
    [
        ({"image": {0: "batch"}}, "has no input 'image' to make dynamic; its inputs are input"),
        ({"input": {2: "height"}}, "input input has no dimension 2"),
        ({"input": {0: "batch"}}, "does not run on more than"),
    ],
)
def test_impossible_dynamic_dimensions_are_refused(dynamic, sentence):
    module = nn.Sequential(nn.Flatten(0), nn.Linear(6, 3))
    with pytest.raises(UsageError, match=sentence):
        bnfold.export(module, (1, 6), dynamic=dynamic)


class Stateful(nn.Module):
    """Its weights are for two rows, which a trace does not notice."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.rows = nn.BatchNorm1d(4), nn.Parameter(torch.randn(2, 5, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.bmm(self.norm(x), self.rows)


class Looped(nn.Module):
    """A loop over the rows: a trace has as many as the examples."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.norm(row[None]) for row in x])


@pytest.mark.parametrize(
    "exporter", [pytest.param("dynamo", marks=pytest.mark.slow), "torchscript"]
)
@pytest.mark.parametrize("module", [Stateful(), Looped()], ids=["state", "loop"])
def test_a_batch_that_is_fixed_inside_is_not_called_dynamic(module, exporter):
    result = bnfold.export(module, (2, 4, 5), exporter=exporter)
    assert [end.shape for end in result.inputs] == [(2, 4, 5)]
    assert result.warnings[0].startswith("not dynamic: ")
    assert result.check is not None
    with pytest.raises(bnfold.errors.BnfoldError, match=r"--dynamic none \(dynamic=\{\} in Python"):
        bnfold.export(module, (2, 4, 5), exporter=exporter, dynamic={"x": {0: "batch"}})


def test_where_the_optimiser_fails_on_a_dynamic_batch_the_sizes_are_those_of_the_examples():
    """A ghost batch norm: the number of chunks follows from the batch."""

    class Ghost(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(6)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([self.norm(part) for part in x.chunk(int(x.shape[0] / 2), 0)])

    result = bnfold.export(Ghost(), (4, 6))
    assert [end.shape for end in result.inputs] == [(4, 6)]
    assert result.warnings[0].startswith("not dynamic: ")
    assert bnfold.fold(result.model).ledger.batch_norms_before == 2
