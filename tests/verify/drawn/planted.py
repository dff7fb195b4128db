"""A fault planted in one weight of a drawn network, and how far off it is, told without bnfold.

The reference evaluator of onnx runs both in float64, and onnxruntime the original in its own type:

    times = |B - A| / |a - A|       root mean squares over inputs, relative to the output's own
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnxruntime
from onnx.reference import ReferenceEvaluator

from tests.verify.drawn.network import Network
from tests.verify.drawn.row_forms import Array, Rng

_SETS, _BATCH = 3, 4


def planted(network: Network, forms: Sequence[int], rng: Rng) -> Network:
    """The network with an element, a channel or all of one weight off by 1e-5 to 1e-1 of it."""
    places = [
        (block, name)
        for block, form in enumerate(forms)
        for name, array in network.blocks[block][form].weights.items()
        if array.dtype.kind == "f"
    ]
    if not places:
        return network
    block, name = places[rng.integers(len(places))]
    weight = np.array(network.blocks[block][forms[block]].weights[name], np.float64)
    part = _part(weight, rng)
    usual = np.sqrt(np.mean(np.square(weight))) or 1.0
    size = 10.0 ** rng.uniform(-5, -1) * rng.choice([-1, 1])
    weight[part] += size * (weight[part] if rng.random() < 0.7 else usual)
    return network.with_weights(block, forms[block], {name: weight})


def _part(weight: Array, rng: Rng) -> tuple[object, ...]:
    """Where it is off: one number, one slice along an axis, or everywhere."""
    kind = rng.integers(3)
    if kind == 2 or not weight.ndim:
        return (...,)
    place = [int(rng.integers(extent)) for extent in weight.shape]
    if kind == 0:
        return tuple(place)
    axis = int(rng.integers(weight.ndim))
    return (*[slice(None)] * axis, place[axis])


def times_off(network: Network, forms: Sequence[int], other: Network, its: Sequence[int]) -> float:
    """How many of the original's own rounding errors the other network is off."""
    right, wrong = (
        ReferenceEvaluator(replace(net, is_known=True).model(chosen, dtype="float64"))
        for net, chosen in ((network, forms), (other, its))
    )
    model = replace(network, is_known=True).model(forms)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    rng, own, off = np.random.default_rng(0), [], []
    for _ in range(_SETS):
        x = rng.normal(size=(_BATCH, *network.shape)).astype(network.dtype)
        run = session.run(None, {"x": x})[0].astype(np.float64)
        exact, its_exact = (
            each.run(None, {"x": x.astype(np.float64)})[0] for each in (right, wrong)
        )
        scale = np.sqrt(np.mean(np.square(exact))) or 1.0
        own.append(np.mean(np.square((run - exact) / scale)))
        off.append(np.mean(np.square((its_exact - exact) / scale)))
    floor = 0.5 * float(np.finfo(network.dtype).eps)
    return float(np.sqrt(np.mean(off)) / max(np.sqrt(np.mean(own)), floor))
