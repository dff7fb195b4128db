"""A size that is taken for a fact is the size of the run: onnxruntime is asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import pytest

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.operator_facts import CONTROL_FLOW, INFERRED
from bnfold.fold.numbers.affine import Dims
from tests.fold.facts.drawn_operators import DRAWS, Drawn
from tests.fold.property.oracle import run_runtime
from tests.runtime_oracle import REFUSES, in_onnxruntime


def shapes_of_the_run(drawn: Drawn, model: onnx.ModelProto) -> list[tuple[int, ...]] | None:
    """What onnxruntime makes, its optimisations off; None where it does not run the model."""
    try:
        return [np.shape(y) for y in in_onnxruntime(model, drawn.feeds())]
    except REFUSES:
        return None


def wrong_sizes(drawn: Drawn, random: np.random.Generator) -> tuple[list[str], int]:
    """Dimensions that are believed and are not those of the run; and how many are right.

    The model is declared with some dimensions open, named by their size.
    """
    fixed = [[int(n) for n in shape] for shape in drawn.shapes]
    shapes = shapes_of_the_run(drawn, drawn.model([[*dims] for dims in fixed]))
    if shapes is None:
        return [], 0
    share = float(random.choice([0.0, 0.5]))
    open_dims = [[f"s{n}" if random.random() < share else n for n in dims] for dims in fixed]
    facts = Facts(ir.from_proto(drawn.model([[*dims] for dims in open_dims])))
    wrong, right = [], 0
    for value, shape in zip(facts.model.graph.outputs, shapes, strict=True):
        dims = facts.dims(value)
        if dims is None:
            continue
        believed = _numbers(dims)
        if len(believed) != len(shape) or any(
            b is not None and b != n for b, n in zip(believed, shape, strict=True)
        ):
            wrong.append(f"{drawn} gives {shape}, not {dims}")
        right += sum(b is not None for b in believed) if shape else 1
    return wrong, right


def _numbers(dims: Dims) -> list[int | None]:
    """Symbols of ours as the size that they are named by; those of inference are no numbers."""
    named = [d[1:] if isinstance(d, str) and d.startswith("s") else d for d in dims]
    return [int(d) if isinstance(d, int) or (d or "").isdigit() else None for d in named]  # type: ignore[arg-type]


def check(op: str, count: int, seed: int, opset: int | None = None) -> None:
    random = np.random.default_rng(seed)
    known = 0
    for _ in range(count):
        drawn = DRAWS[op](random)
        drawn = drawn if opset is None else replace(drawn, opset=opset)
        wrong, right = wrong_sizes(drawn, random)
        assert not wrong, wrong[0]
        known += right
    assert known > count / 2, "next to nothing is known: the test says nothing"


@pytest.mark.parametrize("op", DRAWS)
def test_a_known_size_is_that_of_the_run(op: str) -> None:
    check(op, 12, seed=0)


def test_of_an_older_slice_with_an_open_extent_the_size_is_not_believed() -> None:
    """Of opset 10 inference says that the extent stays, whatever is cut off."""
    check("Slice", 40, seed=2, opset=10)


def test_an_einsum_repeats_what_has_one_entry_along_a_letter() -> None:
    """Inference takes the extent of the operand that it meets first."""
    check("Einsum", 150, seed=4)


def test_every_operator_that_inference_is_believed_about_is_drawn() -> None:
    """Control flow has tests of its own, a Constant is what it is."""
    assert set(DRAWS) >= INFERRED - CONTROL_FLOW - {"Constant"}


@pytest.mark.slow
@pytest.mark.parametrize("op", DRAWS)
def test_a_known_size_is_that_of_the_run_in_many_draws(op: str) -> None:
    window = op in ("Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool", "Resize")
    check(op, 2_000 if window else 150, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("opset", [9, 10, 11, 13, 21])
@pytest.mark.parametrize("op", DRAWS)
def test_a_known_size_is_that_of_the_run_in_other_opsets(op: str, opset: int) -> None:
    """What a version of the operator does not take, onnxruntime refuses, and nothing is said."""
    random = np.random.default_rng(opset)
    for _ in range(40):
        wrong, _ = wrong_sizes(replace(DRAWS[op](random), opset=opset), random)
        assert not wrong, wrong[0]


def drawn_chain(random: np.random.Generator, count: int) -> onnx.ModelProto:
    """Pools, convolutions and resizes of images behind one another, all of them returned."""
    nodes, tensors, outputs = [], [], []
    shape, value = (1, 4, *(int(n) for n in random.integers(9, 40, 2))), "x"
    while len(nodes) < count:
        op = str(random.choice(["MaxPool", "AveragePool", "Conv", "Resize"]))
        drawn = DRAWS[op](random)
        if len(drawn.shapes[0]) != 4 or drawn.attributes.get("axes"):
            continue
        name, names = f"v{len(nodes)}", [value]
        for i, constant in enumerate(drawn.constants):
            if op == "Resize" and constant is not None and constant.dtype == np.int64:
                constant[:2] = shape[:2]
            names.append("" if constant is None else f"{name}c{i}")
            if constant is not None:
                tensors.append(onnx.numpy_helper.from_array(constant, names[-1]))
        attributes = {k: v for k, v in drawn.attributes.items() if k != "dilations" or op == "Conv"}
        nodes.append(onnx.helper.make_node(op, names, [name], **attributes))
        outputs.append(onnx.helper.make_tensor_value_info(name, 1, None))
        value = name
    inputs = [onnx.helper.make_tensor_value_info("x", 1, shape)]
    graph = onnx.helper.make_graph(nodes, "chain", inputs, outputs, tensors)
    opsets = [onnx.helper.make_opsetid("", 18)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)


def check_chains(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    ran = known = 0
    for _ in range(count):
        model = drawn_chain(random, 4)
        shape = tuple(d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim)
        made = run_runtime(model, {"x": np.ones(shape, np.float32)})
        if made is None:
            continue
        ran += 1
        facts = Facts(ir.from_proto(model))
        for value, y in zip(facts.model.graph.outputs, made, strict=True):
            dims = facts.dims(value) or ()
            assert all(d in (n, None) for d, n in zip(dims, y.shape, strict=False)), (model, dims)
            known += dims == y.shape
    assert ran > count / 20
    assert known > ran


def test_a_known_size_behind_others_is_that_of_the_run() -> None:
    check_chains(60, seed=0)


@pytest.mark.slow
def test_a_known_size_behind_others_is_that_of_the_run_in_many_draws() -> None:
    check_chains(2_000, seed=1)


def test_a_function_has_slices_of_its_own_version() -> None:
    """It imports opset 10, whatever the model around it does."""
    text = """<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
        g (float[N, W] x) => (float[N, P] y) { y = own.cut (x) }
        <domain: "own", opset_import: ["" : 10]> cut (a) => (b) {
            start = Constant<value = int64[1] {-2}> ()
            end = Constant<value = int64[1] {1000}> ()
            axis = Constant<value = int64[1] {1}> ()
            b = Slice (a, start, end, axis)
        }"""
    model = ir.from_proto(onnx.parser.parse_model(text))
    dims = Facts(model).dims(model.graph.outputs[0])
    assert dims is None or dims[1] != "W"
