"""What stands in local functions and in bodies of loops is looked for as in the graph itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import bnfold

Layer = tuple[list[onnx.NodeProto], dict[str, object], onnx.ValueInfoProto]
"""Nodes that make `y`, the constants that they read, and what is fed."""

RNG = np.random.default_rng(1)
WEIGHT = RNG.normal(size=(6, 8)).astype(np.float32)
ONWARD = RNG.normal(size=(8, 4)).astype(np.float32)
TABLE = RNG.normal(size=(200, 8)).astype(np.float32)
ALL = 1 << 60


def op(kind: str, inputs: str, output: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(kind, inputs.split(), [output], **attributes)


def fed(name: str, *dims: str | int, dtype: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, dims)


def bound(high: float) -> Layer:
    nodes = [op("MatMul", "x w", "h"), op("Clip", "h low high", "y")]
    return nodes, {"w": WEIGHT, "low": 0.0, "high": high}, fed("x", "n", 6)


def condition(threshold: float) -> Layer:
    nodes = [
        op("Mul", "x x", "q"),
        op("Greater", "q t", "above"),
        op("Where", "above x q", "y"),
    ]
    return nodes, {"t": threshold}, fed("x", "n", 3)


def part(end: int) -> Layer:
    nodes = [
        op("Slice", "x zero end two", "q"),
        op("ReduceMean", "q", "y", axes=[2], keepdims=0),
    ]
    return nodes, {"zero": [0], "end": [end], "two": [2]}, fed("x", "n", 3, "l")


def unit(weight: float) -> Layer:
    bias, onward = np.zeros(8), ONWARD.copy()
    bias[3], onward[3] = -14.0, onward[3] * weight
    nodes = [
        op("MatMul", "x w", "h"),
        op("Add", "h b", "i"),
        op("Relu", "i", "r"),
        op("MatMul", "r onward", "y"),
    ]
    return nodes, {"w": WEIGHT, "b": bias, "onward": onward}, fed("x", "n", 6)


def row(weight: float) -> Layer:
    table = TABLE.copy()
    table[150] *= weight
    return (
        [op("Gather", "t ids", "y")],
        {"t": table},
        fed("ids", "n", "s", dtype=TensorProto.INT64),
    )


FAULTS = [(bound, 80.0, 90.0), (condition, 100.0, 200.0), (part, ALL, 500), (unit, 1.0, 1.3)]
FAULTS += [(row, 1.0, 1.1)]


def stored(constants: dict[str, object]) -> list[onnx.TensorProto]:
    found = []
    for name, value in constants.items():
        array = np.asarray(value)
        array = array.astype(np.float32) if array.dtype == np.float64 else array
        found.append(numpy_helper.from_array(array, name))
    return found


def model(
    nodes: list[onnx.NodeProto],
    constants: dict[str, object],
    *inputs: onnx.ValueInfoProto,
    functions: tuple[onnx.FunctionProto, ...] = (),
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        list(inputs),
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
        stored(constants),
    )
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8, functions=functions)


def in_function(layer: Layer, opset: int = 17) -> onnx.ModelProto:
    nodes, constants, given = layer
    names = [given.name, *constants]
    versions = [helper.make_opsetid("", opset)]
    function = helper.make_function("local", "Layer", names, ["y"], nodes, versions)
    call = helper.make_node("Layer", names, ["out"], domain="local")
    return model([call], constants, given, functions=(function,))


def in_nested_functions(layer: Layer) -> onnx.ModelProto:
    nodes, constants, given = layer
    names = [given.name, *constants]
    versions = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    inner = helper.make_function("local", "Layer", names, ["y"], nodes, versions)
    calls = [helper.make_node("Layer", names, ["y"], domain="local")]
    outer = helper.make_function("local", "Outer", names, ["y"], calls, versions)
    call = helper.make_node("Outer", names, ["out"], domain="local")
    return model([call], constants, given, functions=(inner, outer))


def in_loop(layer: Layer) -> onnx.ModelProto:
    nodes, constants, given = layer
    body = helper.make_graph(
        [op("Identity", "going", "still"), *nodes],
        "body",
        [fed("turn", dtype=TensorProto.INT64), fed("going", dtype=TensorProto.BOOL)],
        [fed("still", dtype=TensorProto.BOOL), helper.make_tensor_value_info("y", 1, None)],
    )
    loop = helper.make_node("Loop", ["once", ""], ["rows"], body=body)
    taken = op("Gather", "rows first", "out", axis=0)
    return model([loop, taken], {**constants, "once": 1, "first": 0}, given)


def in_scan(layer: Layer) -> onnx.ModelProto:
    """The layer for each element of a first axis."""
    nodes, constants, given = layer
    dims = [d.dim_param or d.dim_value for d in given.type.tensor_type.shape.dim]
    body = helper.make_graph(
        nodes,
        "body",
        [fed(given.name, *dims, dtype=given.type.tensor_type.elem_type)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    scan = helper.make_node("Scan", ["whole"], ["out"], body=body, num_scan_inputs=1)
    whole = fed("whole", "t", *dims, dtype=given.type.tensor_type.elem_type)
    return model([scan], constants, whole)


Place = Callable[[Layer], onnx.ModelProto]


PLACES = [in_function, in_nested_functions, in_loop, in_scan]
LONG = (in_scan, part, ALL, 500)  # its sets of 501 columns take seconds


@pytest.mark.parametrize(
    ("place", "layer", "ours", "theirs"),
    [
        pytest.param(*case, marks=pytest.mark.slow if case == LONG else ())
        for place in PLACES
        for case in ((place, *fault) for fault in FAULTS)
    ],
)
def test_a_fault_is_found_in_a_function_and_in_a_body(place: Place, layer, ours, theirs):
    assert bnfold.verify(place(layer(ours)), place(layer(theirs))).verdict == "different"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("layer", "ours"), [fault[:2] for fault in FAULTS])
def test_a_model_with_a_function_or_a_body_is_equivalent_to_itself(layer, ours, place: Place):
    assert bnfold.verify(place(layer(ours)), place(layer(ours))).verdict == "equivalent"


@pytest.mark.parametrize(("layer", "ours", "theirs"), FAULTS)
def test_a_function_is_compared_with_what_it_holds(layer, ours, theirs):
    """One model calls it, and in the other it was inlined."""
    original = in_function(layer(ours))
    inlined = onnx.inliner.inline_local_functions(original)
    assert bnfold.verify(original, inlined).verdict == "equivalent"
    assert bnfold.verify(inlined, in_function(layer(theirs))).verdict == "different"


def test_what_cannot_be_looked_into_is_named():
    """A function of another opset stays as it is, so nothing is known of its bound of 80."""
    old, new = (in_function(bound(high), opset=13) for high in (80.0, 90.0))
    found = bnfold.verify(old, new)
    assert found.is_equivalent
    assert "what is in the local function 'Layer' is not known" in found.reason
    assert "pass each bound" not in found.evidence


def test_a_function_that_nothing_calls_is_not_named():
    layer = bound(80.0)
    called, old = in_function(layer), in_function(layer, opset=13).functions[0]
    old.name = "Unused"
    called.functions.append(old)
    assert "local function" not in bnfold.verify(called, called).reason


def test_a_unit_in_a_body_that_never_wakes_is_named():
    def model_of(bias: float) -> onnx.ModelProto:
        nodes, constants, given = unit(1.0)
        low = np.asarray(constants["b"]).copy()
        low[3] = bias
        return in_loop((nodes, {**constants, "b": low}, given))

    found = bnfold.verify(model_of(-1e9), model_of(-1e9))
    assert found.is_equivalent
    assert "1 unit of 1 activation were off throughout" in found.evidence


def counting(number: int, kind: str = "Less", fixed: int | None = None) -> onnx.ModelProto:
    """A loop that adds 1 to x from a turn on; how often it turns is fed, or an extent of x."""
    body = helper.make_graph(
        [
            op(kind, "number turn" if kind.startswith("Less") else "turn number", "late"),
            op("Cast", "late", "one", to=TensorProto.FLOAT),
            op("Mul", "state decay", "less"),
            op("Add", "less one", "next"),
            op("Identity", "going", "still"),
        ],
        "body",
        [
            fed("turn", dtype=TensorProto.INT64),
            fed("going", dtype=TensorProto.BOOL),
            fed("state", "n", 3),
        ],
        [fed("still", dtype=TensorProto.BOOL), fed("next", "n", 3)],
        stored({"number": number}),
    )
    loop = helper.make_node("Loop", ["turns", "", "x"], ["out"], body=body)
    constants: dict[str, object] = {"decay": 0.9}
    if fixed is not None:
        return model([loop], {**constants, "turns": fixed}, fed("x", "n", 3))
    turns = fed("turns", dtype=TensorProto.INT64)
    return model([loop], constants, turns, fed("x", "n", 3))


@pytest.mark.parametrize(("ours", "theirs"), [(10, 11), (20, 25), (100, 120), (30, 31)])
@pytest.mark.parametrize("kind", ["Less", "LessOrEqual", "GreaterOrEqual"])
def test_a_loop_turns_as_often_as_one_of_the_models_counts(ours, theirs, kind):
    assert bnfold.verify(counting(ours, kind), counting(theirs, kind)).verdict == "different"


def test_a_turn_that_a_loop_never_comes_to_is_named():
    found = bnfold.verify(counting(50, fixed=7), counting(60, fixed=7))
    assert found.is_equivalent
    assert "what lies between 50 and 60 in Less of 'turn' was never met" in found.reason


def test_bodies_whose_values_have_one_name_are_told_apart():
    """Both branches of an If call their sum `h`; only one of them has a bound at 1e9."""

    def branch(name: str, high: float) -> onnx.GraphProto:
        nodes = [op("Add", "x x", "h"), op("Clip", f"h low {high}", "z")]
        nodes[1].input[2] = "high"
        return helper.make_graph(
            nodes, name, [], [fed("z", "n", 3)], stored({"low": -1.0, "high": high})
        )

    choose = helper.make_node(
        "If", ["q"], ["out"], then_branch=branch("a", 1.0), else_branch=branch("b", 1e9)
    )
    given = model([choose], {}, fed("q", dtype=TensorProto.BOOL), fed("x", "n", 3))
    sides = bnfold.verify(given, given).coverage.sides
    assert len(sides) == 1
    assert "upper bound of Clip" in sides[0]
