"""Attributes: of the type that they state, that the operator has, and with nothing beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import onnx

from bnfold.errors import ModelError
from bnfold.model_io.gate.operator_counts import Operator
from bnfold.model_io.gate.tensors import require_tensor
from bnfold.model_io.gate.text import quoted, require_text
from bnfold.model_io.gate.types import require_type

_Kind = onnx.AttributeProto
_FIELDS: Mapping[int, str] = {
    _Kind.FLOAT: "f",
    _Kind.INT: "i",
    _Kind.STRING: "s",
    _Kind.TENSOR: "t",
    _Kind.GRAPH: "g",
    _Kind.TYPE_PROTO: "tp",
    _Kind.FLOATS: "floats",
    _Kind.INTS: "ints",
    _Kind.STRINGS: "strings",
    _Kind.TENSORS: "tensors",
    _Kind.GRAPHS: "graphs",
    _Kind.TYPE_PROTOS: "type_protos",
}
_TYPES = {field: kind for kind, field in _FIELDS.items()}
_MESSAGES = ("t", "g", "tp")  # a number that is 0 may be left out by whoever wrote the file


def require_attribute(
    attribute: onnx.AttributeProto, operator: Operator | None, label: str, *, in_function: bool
) -> None:
    """Returns where the attribute is what it says and what the operator takes.

    What an old file leaves untyped gets the type of the field that is filled.

    Args:
        attribute: of a node, or the default of a function.
        operator: whose it is, if that is known.
        label: of the node.
        in_function: whether it may refer to an attribute of a function.

    Raises:
        ModelError: It is not; graphs in it are left to the caller.
    """
    where = f"{label}: attribute {quoted(attribute.name)}"
    names = (attribute.name, attribute.ref_attr_name, attribute.doc_string)
    require_text(where, "its name or documentation", *names)
    if not attribute.name:
        raise ModelError(f"{label}: an attribute has no name")
    filled = [field.name for field, _ in attribute.ListFields() if field.name in _TYPES]
    if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
        raise ModelError(f"{label}: sparse tensors would be lost; store the tensor dense")
    if attribute.type not in (_Kind.UNDEFINED, *_FIELDS):
        raise ModelError(f"{where} has the unknown type {attribute.type}")
    if attribute.ref_attr_name:
        if not in_function:
            raise ModelError(f"{where} refers to a function's attribute, outside any function")
        if filled:
            raise ModelError(f"{where} has a value and refers to another one")
        if attribute.type in (_Kind.GRAPH, _Kind.GRAPHS):
            raise ModelError(f"{where} refers to a graph, which is not supported")
        if attribute.type != _Kind.UNDEFINED:
            _require_kind(attribute, operator, where)
        return
    if attribute.type == _Kind.UNDEFINED:
        if len(filled) != 1:
            raise ModelError(f"{where} has no type")
        attribute.type = _TYPES[filled[0]]  # type: ignore[assignment]
    own = _FIELDS.get(attribute.type)
    if any(field != own for field in filled) or (own in _MESSAGES and own not in filled):
        found = " and ".join(filled) or "nothing"
        raise ModelError(f"{where} is of type {_name(attribute.type)} and holds {found}")
    is_known = _require_kind(attribute, operator, where)
    _require_content(attribute, where, is_known=is_known)


def _require_kind(attribute: onnx.AttributeProto, operator: Operator | None, where: str) -> bool:
    """Whether the operator has the attribute; raises where it takes another type."""
    expected = None if operator is None else operator.attributes.get(attribute.name)
    if expected not in (None, attribute.type):
        raise ModelError(
            f"{where} is of type {_name(attribute.type)}; the operator takes {_name(expected)}"
        )
    return expected is not None


def _require_content(attribute: onnx.AttributeProto, where: str, *, is_known: bool) -> None:
    for tensor in attribute.tensors:
        require_tensor(tensor, where, may_be_external=False)
    for type_proto in attribute.type_protos:
        require_type(type_proto, where)
    if attribute.type == _Kind.TENSOR:
        require_tensor(attribute.t, where)
    elif attribute.type == _Kind.TYPE_PROTO:
        require_type(attribute.tp, where)
    elif attribute.type == _Kind.STRINGS or (is_known and attribute.type == _Kind.STRING):
        for text in attribute.strings or [attribute.s]:
            try:
                text.decode()
            except UnicodeDecodeError as error:
                raise ModelError(f"{where}: {quoted(text)} is not UTF-8 text") from error


def graphs_of(attribute: onnx.AttributeProto) -> Iterator[onnx.GraphProto]:
    """The graphs that the attribute holds."""
    if attribute.type == _Kind.GRAPH and attribute.HasField("g"):
        yield attribute.g
    yield from attribute.graphs


def _name(kind: int | None) -> str:
    return str(_Kind.AttributeType.Name(kind))
