"""Weights go from a file into a module, or one sentence says what does not fit."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from bnfold.errors import ModelError
from bnfold.export import load_module


def build() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


@pytest.fixture
def trained() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        name: torch.rand(value.shape, generator=generator) if value.is_floating_point() else value
        for name, value in build().state_dict().items()
    }


def prefixed(prefix: str) -> Callable[[dict[str, torch.Tensor]], Any]:
    return lambda state: {prefix + name: value for name, value in state.items()}


WRAPPED: dict[str, Callable[[dict[str, torch.Tensor]], Any]] = {
    "plain": lambda state: state,
    "state_dict": lambda state: {"epoch": 3, "step": torch.tensor(7), "state_dict": state},
    "model": lambda state: {"model": state, "optimizer": {"lr": 0.1}},
    "nested": lambda state: {"model": {"state_dict": state}},
    "parallel": prefixed("module."),
    "compiled": prefixed("_orig_mod."),
    "both": prefixed("_orig_mod.module."),
    "average alone": lambda state: {"ema": state},
    "generator": lambda state: {"generator": state, "discriminator": {"0.weight": torch.ones(1)}},
    "with a trainer's arguments": lambda state: {"model": state, "args": Namespace(lr=1)},
    "lightning": lambda state: {"state_dict": prefixed("model.")(state), "version": "2"},
    "averaged model": lambda state: {"n_averaged": torch.tensor(3), **prefixed("module.")(state)},
    "profiled": lambda state: {
        **state,
        "0.total_ops": torch.zeros(1),
        "total_params": torch.ones(1),
    },
    "average equal to the weights": lambda state: {"model": state, "model_ema": dict(state)},
    "compiled part": lambda state: {
        name.replace("1.", "1._orig_mod.", 1): value for name, value in state.items()
    },
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED.keys())
def test_takes_a_torch_file_as_training_code_writes_it(tmp_path, trained, wrap):
    torch.save(wrap(trained), tmp_path / "w.pt")
    module = load_module(build(), tmp_path / "w.pt").module
    assert all(torch.equal(value, trained[name]) for name, value in module.state_dict().items())


SEVERAL: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "average": (lambda raw, good: {"model": raw, "model_ema": good}, "model_ema"),
    "nested": (lambda raw, good: {"a": {"net": raw}, "b": {"net": good}}, "b.net"),
    "prefixes": (
        lambda raw, good: prefixed("student.")(raw) | prefixed("teacher.")(good),
        "teacher",
    ),
    "beside it": (lambda raw, good: {**raw, **prefixed("teacher.")(good)}, "teacher"),
}


@pytest.mark.parametrize(("wrap", "key"), SEVERAL.values(), ids=SEVERAL.keys())
def test_of_several_sets_of_weights_the_caller_chooses(tmp_path, trained, wrap, key):
    """Raw weights and their average fit alike; which of them is deployed is not ours to guess."""
    raw = {name: torch.zeros_like(value) for name, value in trained.items()}
    torch.save(wrap(raw, trained), tmp_path / "w.pt")
    with pytest.raises(ModelError, match=f"--weights-key {key}"):
        load_module(build(), tmp_path / "w.pt")
    loaded = load_module(build(), tmp_path / "w.pt", weights_key=key)
    assert torch.equal(loaded.module[0].weight, trained["0.weight"])
    assert key in loaded.notes[0]


def test_a_part_of_another_network_is_not_taken_for_this_one(tmp_path):
    """The first layer of a larger network has the names and shapes of one that stands alone."""
    torch.save(nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2)).state_dict(), tmp_path / "w.pt")
    with pytest.raises(ModelError, match="more than the weights of this network"):
        load_module(nn.Linear(3, 2), tmp_path / "w.pt")


def test_a_key_that_is_not_there_is_answered_with_those_that_are(tmp_path, trained):
    torch.save({"model": trained}, tmp_path / "w.pt")
    with pytest.raises(ModelError, match=r"no weights under 'modle'.*model"):
        load_module(build(), tmp_path / "w.pt", weights_key="modle")


def test_takes_safetensors_and_leaves_the_callers_module_alone(tmp_path, trained):
    save_file(trained, tmp_path / "w.safetensors")
    own = build()
    before = {name: value.clone() for name, value in own.state_dict().items()}
    module = load_module(own, tmp_path / "w.safetensors").module
    assert torch.equal(module[0].weight, trained["0.weight"])
    assert all(torch.equal(value, before[name]) for name, value in own.state_dict().items())


def test_does_not_miss_the_counter_that_only_training_needs(tmp_path, trained):
    del trained["1.num_batches_tracked"]
    torch.save(trained, tmp_path / "w.pt")
    load_module(build(), tmp_path / "w.pt")


def test_keeps_a_prefix_that_the_module_itself_has(tmp_path):
    module = nn.Sequential()
    module.add_module("module", nn.Linear(3, 2))
    torch.save(module.state_dict(), tmp_path / "w.pt")
    load_module(module, tmp_path / "w.pt")


def test_names_missing_and_unexpected_weights(tmp_path, trained):
    trained["2.weight"] = trained.pop("1.weight")
    torch.save(trained, tmp_path / "w.pt")
    with pytest.raises(ModelError, match=r"missing: 1\.weight; not expected: 2\.weight"):
        load_module(build(), tmp_path / "w.pt")


def test_names_shapes_that_do_not_fit(tmp_path, trained):
    trained["0.weight"] = torch.zeros(4, 3)
    torch.save(trained, tmp_path / "w.pt")
    sentence = r"0\.weight is \[4, 3\] in the file and \[2, 3\] in the network"
    with pytest.raises(ModelError, match=sentence):
        load_module(build(), tmp_path / "w.pt")


def test_lists_a_few_names_of_many(tmp_path):
    torch.save({f"layer{i}": torch.zeros(1) for i in range(9)}, tmp_path / "w.pt")
    with pytest.raises(ModelError, match="layer0, layer1, layer2, layer3, layer4 and 4 more"):
        load_module(build(), tmp_path / "w.pt")


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("executed"),))


def test_executes_nothing_that_is_in_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Evil()}, "w.pt")
    with pytest.raises(ModelError, match="never unpickles"):
        load_module(build(), "w.pt")
    assert not Path("executed").exists()


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"garbage that is no file of weights", None])
def test_says_what_is_wrong_with_a_file_that_cannot_be_read(tmp_path, suffix, content):
    path = tmp_path / f"w{suffix}"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        load_module(build(), path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_truncated_file_is_one_sentence(tmp_path, trained):
    torch.save(trained, tmp_path / "w.pt")
    content = (tmp_path / "w.pt").read_bytes()
    (tmp_path / "w.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match="cannot be read as torch weights"):
        load_module(build(), tmp_path / "w.pt")


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, {"state_dict": {}}, 5])
def test_a_file_without_tensors_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(ModelError, match="no dictionary of tensors"):
        load_module(build(), tmp_path / "w.pt")
