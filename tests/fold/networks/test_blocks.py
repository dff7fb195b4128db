"""Blocks of real architectures, exported by torch as a user would, folded, and run.

What an exporter writes is never quite what a test would: each block is worth its seconds for that.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from functools import cache

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import bnfold
from bnfold import model_io
from bnfold.fold import Ledger
from tests.fold.networks import blocks
from tests.fold.networks.onnx_text import fold, relative_error

ROUNDING = 3e-6  # of the folded constants to float32, over a few layers


@dataclass(frozen=True)
class Case:
    """A block, and how many of its batch norms stay.

    Attributes:
        block: the torch module.
        free: how many stay by default.
        priced: how many stay when every rewrite is allowed.
        operators: how many nodes the folded graph has by default at most; None to leave it open.
    """

    block: type[nn.Module]
    free: int
    priced: int = 0
    operators: int | None = None


QUICK = [Case(blocks.Attention, 0), Case(blocks.RepVgg, 0, operators=4)]
CASES = [
    Case(blocks.PitchLayer, 2),
    Case(blocks.Points, 0),
    Case(blocks.Shuffle, 0),
    Case(blocks.Dense, 3),
    Case(blocks.Decoder, 0),
    Case(blocks.SqueezeExcite, 0),
    Case(blocks.Inception, 0, operators=8),
]
ALL = [*QUICK, *(pytest.param(case, marks=pytest.mark.slow) for case in CASES)]


@cache
def exported(block: type[nn.Module]) -> onnx.ModelProto:
    """What torch's exporter makes of the block, with its batch norms."""
    module = blocks.trained_looking(block)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        example = torch.randn(2, *block.shape)  # type: ignore[attr-defined]
        result = bnfold.export(module, example, check=False)
        logging.disable(logging.NOTSET)
    return model_io.to_proto(result.model)


def folded(case: Case, *allow: str) -> tuple[onnx.ModelProto, Ledger]:
    return fold(exported(case.block), *allow)


def feed_of(model: onnx.ModelProto, batch: int) -> dict[str, np.ndarray]:
    dims = model.graph.input[0].type.tensor_type.shape.dim
    shape = (batch, *(d.dim_value for d in dims[1:]))
    values = np.random.default_rng(batch).standard_normal(shape).astype(np.float32)
    return {model.graph.input[0].name: values}


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.block.__name__)
def test_a_block_loses_the_batch_norms_that_it_can_lose(case: Case) -> None:
    """As many stay as the algebra says, by default and with all rewrites allowed."""
    model, ledger = folded(case)
    assert ledger.batch_norms_after == case.free, ledger.kept
    assert sum(node.op_type == "BatchNormalization" for node in model.graph.node) == case.free
    if case.operators is not None:
        assert len(model.graph.node) <= case.operators
    assert folded(case, "all")[1].batch_norms_after == case.priced


@pytest.mark.slow
@pytest.mark.parametrize("allow", [(), ("all",)], ids=["free", "priced"])
@pytest.mark.parametrize("case", ALL, ids=lambda case: case.block.__name__)
def test_a_folded_block_computes_the_same(case: Case, allow: tuple[str, ...]) -> None:
    """In float64, for another batch size than the exporter saw too."""
    original = exported(case.block)
    model, _ = folded(case, *allow)
    for batch in (2, 3):
        assert relative_error(original, model, feed_of(original, batch)) < ROUNDING
