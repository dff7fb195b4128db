"""Changes a valid model the way an attacker or a broken exporter does: by its structure.

A mutant is still a message that protobuf reads. What is changed is drawn by where it stands in the
message: a field is dropped, doubled, swapped with one of its kind from elsewhere, or set to a value
that is known to hurt.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor as Field
from google.protobuf.message import Message

_NOT_UTF8 = "NOTUTF8!"  # stands for bytes that no Python string has, until it is serialized
_INTEGERS = (0, 1, -1, 2, 3, 7, 16, 63, 65, 255, 1 << 16, (1 << 31) - 1, -(1 << 31),
             1 << 33, (1 << 63) - 1, -(1 << 63))  # fmt: skip
_FLOATS = (0.0, -0.0, 1.0, -1.0, 1e-45, 1e38, float("inf"), float("-inf"), float("nan"))
_TEXTS = ("", _NOT_UTF8, "x", "y", "\x1b[31mred", "\u202egnp", "\x00", "a" * 100_000, "Conv", "own",
          "ai.onnx", "com.microsoft", "../../etc/passwd", "batch", "trips")  # fmt: skip
_OPERATORS = tuple(sorted({schema.name for schema in onnx.defs.get_all_schemas()}))

Mutation = Callable[[onnx.ModelProto, random.Random], None]


def mutant(seed: onnx.ModelProto, draw: random.Random) -> bytes:
    """The bytes of a model that differs from the seed in one to four places."""
    model = onnx.ModelProto()
    model.CopyFrom(seed)
    for _ in range(draw.choice((1, 1, 1, 2, 3, 4))):
        draw.choices(MUTATIONS, WEIGHTS)[0](model, draw)
    return model.SerializeToString().replace(_NOT_UTF8.encode(), b"\xff\xfe\xc0bad\x80\x9b")


def messages(message: Message) -> Iterator[Message]:
    """The message and all within it, in order."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in value if _is_repeated(field) else (value,):
                yield from messages(inner)


def _is_repeated(field: Field) -> bool:
    return bool(field.is_repeated)


def _one_of(model: onnx.ModelProto, draw: random.Random, kind: type[Message]) -> Any:
    found = [m for m in messages(model) if isinstance(m, kind)]
    return draw.choice(found) if found else None


def _any_field(model: onnx.ModelProto, draw: random.Random) -> tuple[Message, Field]:
    """A field of a message, both drawn evenly by kind, so that nodes do not crowd out the rest."""
    by_kind: dict[str, list[Message]] = {}
    for message in messages(model):
        by_kind.setdefault(message.DESCRIPTOR.name, []).append(message)
    message = draw.choice(by_kind[draw.choice(sorted(by_kind))])
    return message, draw.choice(list(message.DESCRIPTOR.fields))


def _value(field: Field, draw: random.Random) -> Any:
    if field.type in (Field.TYPE_STRING, Field.TYPE_BYTES):
        text = draw.choice(_TEXTS)
        if field.type == Field.TYPE_STRING:
            return text
        return draw.choice((text.encode(), bytes(draw.randrange(256) for _ in range(9))))
    if field.type in (Field.TYPE_FLOAT, Field.TYPE_DOUBLE):
        return draw.choice(_FLOATS)
    if field.type == Field.TYPE_ENUM:
        return draw.choice(list(field.enum_type.values_by_number))
    bits = 31 if field.type == Field.TYPE_INT32 else 63
    least = 0 if field.type == Field.TYPE_UINT64 else -(1 << bits)
    return draw.choice([n for n in _INTEGERS if least <= n < 1 << bits])


def set_a_field(model: onnx.ModelProto, draw: random.Random) -> None:
    """Any field of any message gets a value that hurts, or one more item."""
    message, field = _any_field(model, draw)
    if field.message_type is not None:
        value = getattr(message, field.name)
        if _is_repeated(field):
            value.add()
        else:
            value.SetInParent()
    elif _is_repeated(field):
        items = getattr(message, field.name)
        if items and draw.random() < 0.7:
            items[draw.randrange(len(items))] = _value(field, draw)
        else:
            items.append(_value(field, draw))
    else:
        setattr(message, field.name, _value(field, draw))


def drop_a_field(model: onnx.ModelProto, draw: random.Random) -> None:
    """A field that is filled goes, or one of its items."""
    message = draw.choice(list(messages(model)))
    filled = message.ListFields()
    if not filled:
        return
    field, value = draw.choice(filled)
    if _is_repeated(field) and draw.random() < 0.7:
        del value[draw.randrange(len(value))]
    else:
        message.ClearField(field.name)


def double_an_item(model: onnx.ModelProto, draw: random.Random) -> None:
    """An item of a list stands there twice, or the list is turned round."""
    message = draw.choice(list(messages(model)))
    lists = [value for field, value in message.ListFields() if _is_repeated(field)]
    if not lists:
        return
    items = draw.choice(lists)
    if draw.random() < 0.3:
        items.reverse()
    elif hasattr(items, "add"):
        items.add().CopyFrom(draw.choice(items))
    else:
        items.append(draw.choice(items))


def swap_two_messages(model: onnx.ModelProto, draw: random.Random) -> None:
    """A message takes the place of another one of its kind."""
    one = draw.choice(list(messages(model)))
    other = _one_of(model, draw, type(one))
    copy = type(one)()
    copy.CopyFrom(other)
    one.CopyFrom(copy)


def rename_an_operator(model: onnx.ModelProto, draw: random.Random) -> None:
    """A node is another operator of ONNX, its inputs and attributes as they were."""
    node = _one_of(model, draw, onnx.NodeProto)
    if node is not None:
        node.op_type = draw.choice(_OPERATORS)


def rewire(model: onnx.ModelProto, draw: random.Random) -> None:
    """A node reads or writes another value, more of them, or none."""
    node = _one_of(model, draw, onnx.NodeProto)
    if node is None:
        return
    names = [n for other in messages(model) if isinstance(other, onnx.NodeProto) for n in
             (*other.input, *other.output)] or ["x"]  # fmt: skip
    ends = node.input if draw.random() < 0.8 else node.output
    match draw.randrange(4):
        case 0 if ends:
            ends[draw.randrange(len(ends))] = draw.choice((*names, ""))
        case 1:
            ends.append(draw.choice(names))
        case 2 if ends:
            del ends[-1]
        case _:
            del ends[:]


def retype_an_attribute(model: onnx.ModelProto, draw: random.Random) -> None:
    """An attribute has a value of another kind, states another type, or refers elsewhere."""
    attribute = _one_of(model, draw, onnx.AttributeProto)
    if attribute is None:
        return
    name = attribute.name
    values = (3, 0.5, "text", b"\xff", [1, 2, 3], [0.5], ["a", "b"], -1, [], 1 << 40)
    match draw.randrange(5):
        case 0:
            attribute.type = draw.randrange(15)
        case 1:
            attribute.ClearField("type")
        case 2:
            attribute.ref_attr_name = draw.choice(("times", "alpha", ""))
        case 3:
            tensor = _one_of(model, draw, onnx.TensorProto) or onnx.TensorProto()
            attribute.CopyFrom(onnx.AttributeProto(name=name, type=onnx.AttributeProto.TENSOR))
            attribute.t.CopyFrom(tensor)
        case _:
            value = draw.choice(values)
            kind = onnx.AttributeProto.INTS if value == [] else None
            attribute.CopyFrom(onnx.helper.make_attribute(name, value, attr_type=kind))


def change_a_tensor(model: onnx.ModelProto, draw: random.Random) -> None:
    """A tensor has another shape, dtype or content, or says that it is elsewhere."""
    tensor = _one_of(model, draw, onnx.TensorProto)
    if tensor is None:
        return
    match draw.randrange(8):
        case 0:
            tensor.dims[:] = [1] * draw.choice((0, 1, 2, 64, 65, 1000))
        case 1:
            tensor.dims[:] = [draw.choice((0, 1, 2, 1 << 31, (1 << 63) - 1, -1)) for _ in range(3)]
        case 2:
            tensor.data_type = draw.randrange(30)
        case 3:
            count = 1
            for extent in tensor.dims:
                count *= min(max(extent, 0), 64)
            kind = draw.choice(("float_data", "int32_data", "int64_data", "double_data"))
            if draw.random() < 0.7:
                tensor.ClearField("raw_data")
            getattr(tensor, kind).extend([draw.choice((0, 1, 300))] * min(count, 4096))
        case 4:
            tensor.data_location = onnx.TensorProto.EXTERNAL
            for key in ("location", "offset", "length"):
                value = draw.choice(("a.data", "../a", "-1", "x", "1" * 30, "0", "4"))
                tensor.external_data.add(key=key, value=value)
        case 5:
            values = [draw.choice((-1, 0, 1, 5, 100, 1 << 40)) for _ in range(draw.randrange(5))]
            tensor.CopyFrom(onnx.helper.make_tensor(tensor.name, 7, [len(values)], values))
        case 6:
            values = [draw.choice(_FLOATS) for _ in range(draw.randrange(5))]
            tensor.CopyFrom(onnx.helper.make_tensor(tensor.name, 1, [len(values)], values))
        case _:
            tensor.CopyFrom(onnx.helper.make_tensor(tensor.name, 8, [1], [b"text"]))


def change_a_shape(model: onnx.ModelProto, draw: random.Random) -> None:
    """A declared type has other axes, another dtype or is something else than a tensor."""
    kind = _one_of(model, draw, onnx.TypeProto)
    if kind is None:
        return
    match draw.randrange(5):
        case 0:
            del kind.tensor_type.shape.dim[:]
        case 1:
            for _ in range(draw.choice((1, 2, 65))):
                kind.tensor_type.shape.dim.add(dim_value=draw.choice(_INTEGERS))
        case 2:
            kind.tensor_type.elem_type = draw.randrange(30)
        case 3:
            for dim in kind.tensor_type.shape.dim:
                dim.dim_value = draw.choice(_INTEGERS)
        case _:
            kind.sequence_type.elem_type.tensor_type.elem_type = 1


def add_a_function(model: onnx.ModelProto, draw: random.Random) -> None:
    """A function that calls others or itself, or has the name of an operator; somebody calls it."""
    called = draw.choice(("Conv", "Relu", "twice", "f", "g", "BatchNormalization"))
    domain = draw.choice(("own", "own", ""))
    function = model.functions.add(name=draw.choice(("f", "g", called)), domain=domain)
    function.input[:] = ["a", "b"][: draw.randrange(3)]
    function.output[:] = ["c", "d"][: draw.randrange(3)]
    function.opset_import.add(domain="", version=draw.choice((1, 13, 18, 21)))
    function.opset_import.add(domain="own", version=1)
    for output in function.output:
        function.node.add(op_type=called, domain=domain, input=function.input, output=[output])
    if not any(entry.domain == "own" for entry in model.opset_import):
        model.opset_import.add(domain="own", version=1)
    node = _one_of(model, draw, onnx.NodeProto)
    if node is not None and draw.random() < 0.8:
        node.op_type, node.domain = function.name, domain


MUTATIONS: tuple[Mutation, ...] = (
    set_a_field,
    drop_a_field,
    double_an_item,
    swap_two_messages,
    rename_an_operator,
    rewire,
    retype_an_attribute,
    change_a_tensor,
    change_a_shape,
    add_a_function,
)
WEIGHTS = (4, 2, 1, 2, 2, 3, 3, 4, 2, 1)
