"""Dimensions that hold in every run, found beside the graph: nothing is written into the model.

They follow from the declared inputs and the constants, through operators whose sizes are known to
be those of the run. What a model declares of inner values and outputs is a hint, and is not used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import onnx
import onnx_ir as ir

from bnfold.fold.facts.dictated_shapes import pin
from bnfold.fold.facts.inference_model import (
    MOST_SIZES,
    Inferable,
    bare_proto,
    dims_of_shape,
    own_names,
    values_of,
)
from bnfold.fold.facts.loop_states import assumed_of, counters_of, lost, states_of
from bnfold.fold.facts.node import contributed_op, input_of, is_op, op_of
from bnfold.fold.facts.operator_facts import SIZED_BY
from bnfold.fold.facts.size_rules import Constants, is_inferred, run_dims
from bnfold.fold.numbers.affine import Dims
from bnfold.runtime.domains import standard_opset
from bnfold.runtime.inference import NotInferredError, infer_shapes

_ROUNDS = 4  # of assumptions on what Loops carry
_PASSES = 24  # of inference: as many operators in a row, at most, as it is not asked about


Shapes = dict[ir.Value, Dims]
Dtypes = dict[ir.Value, ir.DataType]


def concrete_dims(
    model: ir.Model, known: Mapping[ir.Value, Dims], extent: int, constant: Constants
) -> dict[ir.Value, tuple[int, ...]]:
    """The shape of every value when each open dimension of the inputs is `extent`, the batch 2."""
    dims, _ = _inferred(model, known, constant, extent)
    return {
        value: tuple(d for d in shape if isinstance(d, int))
        for value, shape in dims.items()
        if all(isinstance(d, int) and d > 0 for d in shape)
    }


def infer(model: ir.Model, constant: Constants) -> tuple[Shapes, Dtypes]:
    """The dimensions of each value, and the element type where the model does not state it.

    A dimension is an int, the name of a symbol, or None where nothing is known. Two dimensions
    with one symbol are equal.
    """
    graphs = tuple(model.graphs())
    found = _given(model, graphs)
    dims, dtypes = _inferred(model, {}, constant)
    _settle(graphs, found, dims)
    if any(found.get(value) != dims_of_shape(value.shape) for value in model.graph.inputs):
        # weights told more of the inputs than they declare
        _settle(graphs, found, _inferred(model, found, constant)[0])
    return found, dtypes


def _settle(graphs: Sequence[ir.Graph], found: Shapes, dims: Mapping[ir.Value, Dims]) -> None:
    found.update(dims)
    for graph in graphs:
        pin(graph, found, is_main=graph is graphs[0])


def _given(model: ir.Model, graphs: Sequence[ir.Graph]) -> Shapes:
    """What the caller must keep to, and what is stored."""
    found: Shapes = {}
    fed = set(model.graph.inputs)
    for graph in graphs:
        for value in values_of(graph):
            tensor = None if value in fed and (model.ir_version or 0) >= 4 else value.const_value
            if tensor is None and value not in fed:
                continue
            dims = dims_of_shape(value.shape if tensor is None else tensor.shape)  # type: ignore[arg-type]
            if dims is not None:
                found[value] = dims
    return found


def _inferred(
    model: ir.Model,
    known: Mapping[ir.Value, Dims],
    constant: Constants,
    extent: int | None = None,
) -> tuple[Shapes, Dtypes]:
    """What inference finds; of what Loops carry too, where a turn gives back the shape it gets."""
    every = [node for graph in model.graphs() for node in graph]
    known = {**known, **counters_of(every)}
    first = _sound(model, every, known, constant, extent)
    states = list(states_of(every))
    assumed = {v: _named(dims) for v, dims in assumed_of(states, first[0]).items()}
    for _ in range(_ROUNDS if assumed else 0):
        found = _sound(model, every, {**known, **assumed}, constant, extent)
        broken = lost(states, assumed, found[0])
        if not broken:
            found[0].update(assumed)
            return found
        for value in broken:
            del assumed[value]
    return first


def _sound(
    model: ir.Model,
    every: Sequence[ir.Node],
    known: Mapping[ir.Value, Dims],
    constant: Constants,
    extent: int | None,
) -> tuple[Shapes, Dtypes]:
    """What inference finds; where it is not to be believed, our own sizes take its place.

    An Einsum is believed as long as of every one, in a graph where all are, our own size is that of
    inference: what it reads is then right, the first one being first.
    """
    opset = standard_opset(model.opset_imports)
    nodes = [node for node in every if not _is_believed(node, model, opset, constant)]
    doubted = [node for node in nodes if is_op(node, "Einsum")]
    if doubted:
        others = [node for node in nodes if not is_op(node, "Einsum")]
        found, types = _with_own(model, every, others, known, constant, extent)
        ours = (run_dims(node, found, constant, opset) for node in doubted)
        if all(
            found.get(node.outputs[0]) == dims for node, dims in zip(doubted, ours, strict=True)
        ):
            return found, types
    return _with_own(model, every, nodes, known, constant, extent)


def _with_own(
    model: ir.Model,
    every: Sequence[ir.Node],
    nodes: Sequence[ir.Node],
    known: Mapping[ir.Value, Dims],
    constant: Constants,
    extent: int | None,
) -> tuple[Shapes, Dtypes]:
    """What inference finds that is not asked about `nodes`, whose sizes are our own."""
    opset = standard_opset(model.opset_imports)
    names = own_names(tuple(model.graphs()))
    dtypes: Dtypes = {}
    if nodes and any(value.dtype is None for node in every for value in node.outputs):
        _, dtypes = _read(model, Inferable(names=names))
    kinds = {v: v.dtype or dtypes.get(v) for node in nodes for v in node.outputs}
    constants = _size_constants(every, constant)
    own: Shapes = {}
    for _ in range(_PASSES):
        left_out = {v: (kinds[v], own.get(v)) for node in nodes for v in node.outputs}
        found, types = _read(model, Inferable(known, extent, constants, left_out, names))
        found.update(own)
        more = {
            node.outputs[0]: run_dims(node, found, constant, opset)
            for node in nodes
            if node.outputs and node.op_identifier() not in model.functions
        }
        settled = {value: _named(dims) for value, dims in more.items() if dims is not None}
        typed = kinds | _contributed_kinds(more, kinds, types)
        if settled == own and typed == kinds:
            break
        own, kinds = settled, typed
    known_kinds = {value: kind for value, kind in kinds.items() if kind is not None}
    return found, types | dtypes | known_kinds  # no size changes an element type


def _contributed_kinds(
    made: Iterable[ir.Value], kinds: Mapping[ir.Value, ir.DataType | None], types: Dtypes
) -> dict[ir.Value, ir.DataType | None]:
    """Of what onnxruntime's own operators make, which inference does not know: that of `x`."""
    found: dict[ir.Value, ir.DataType | None] = {}
    for value in made:
        node = value.producer()
        if kinds.get(value) is None and node is not None and contributed_op(node):
            x = input_of(node, 0)
            found[value] = None if x is None else x.dtype or kinds.get(x) or types.get(x)
    return found


def is_made_up(extent: int | str | None) -> bool:
    """Whether it is a symbol that inference makes up, which means nothing to the next one."""
    return isinstance(extent, str) and extent.startswith("unk__")


def _named(dims: Dims) -> Dims:
    return tuple(None if is_made_up(extent) else extent for extent in dims)


def _is_believed(node: ir.Node, model: ir.Model, opset: int, constant: Constants) -> bool:
    """Whether inference knows the sizes of the node, or of the function that it calls.

    A function may import another version of the standard operators than `opset`, which holds here.
    """
    function = model.functions.get(node.op_identifier()) if model.functions else None
    if function is None:
        return is_inferred(node, opset, constant)
    inner = standard_opset(function.opset_imports)
    return all(_is_believed(one, model, inner, constant) for one in function.all_nodes())


def _size_constants(
    nodes: Iterable[ir.Node], constant: Constants
) -> dict[ir.Value, onnx.TensorProto]:
    """Constants that decide sizes and are computed by nodes: inference does not compute them."""
    found: dict[ir.Value, onnx.TensorProto] = {}
    for node in nodes:
        if not is_op(node, *SIZED_BY):
            continue
        for index in SIZED_BY[op_of(node)]:
            value = node.inputs[index] if index < len(node.inputs) else None
            producer = None if value is None else value.producer()
            if value is None or producer is None or is_op(producer, "Constant"):
                continue
            array = constant(value) if len(producer.outputs) == 1 else None
            if array is not None and array.dtype.kind in "iu" and array.size <= MOST_SIZES:
                found[value] = onnx.numpy_helper.from_array(array, value.name or "")
    return found


def _read(model: ir.Model, told: Inferable) -> tuple[Shapes, Dtypes]:
    """What `onnx.shape_inference` finds; no type where the model states it."""
    shapes: Shapes = {}
    dtypes: Dtypes = {}
    for value, tensor in _types(model, told):
        if tensor.HasField("shape"):
            shapes[value] = tuple(_dim(d) for d in tensor.shape.dim)
        if value.dtype is None and tensor.elem_type:
            dtypes[value] = ir.DataType(tensor.elem_type)
    return shapes, dtypes


def _types(model: ir.Model, told: Inferable) -> Iterator[tuple[ir.Value, onnx.TypeProto.Tensor]]:
    """Each value that is not stored, with what onnx infers of its type."""
    try:
        proto = infer_shapes(bare_proto(model, told))
    except NotInferredError:
        return  # only less is known: rules that need a shape refuse
    named = {info.name: info.type.tensor_type for info in _named_types(proto.graph)}
    for value in dict.fromkeys(value for graph in model.graphs() for value in values_of(graph)):
        name = told.name_of(value)
        if value.const_value is None and name in named:
            yield value, named[name]


def _named_types(graph: onnx.GraphProto) -> Iterator[onnx.ValueInfoProto]:
    """Every tensor with its type, through nested graphs; names are unique across scopes."""
    for info in (*graph.input, *graph.value_info, *graph.output):
        if info.type.HasField("tensor_type"):
            yield info
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _named_types(attribute.g)


def _dim(dim: onnx.TensorShapeProto.Dimension) -> int | str | None:
    if dim.HasField("dim_value"):
        return dim.dim_value if dim.dim_value >= 0 else None
    return dim.dim_param or None
