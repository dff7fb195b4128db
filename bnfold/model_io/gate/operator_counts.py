"""What an operator takes, as far as ONNX's schemas or the model's own functions say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import onnx

from bnfold.errors import ModelError

_ANY = (1 << 31) - 1
_NO_LONGER = frozenset(("consumed_inputs",))  # old files leave it out, though it was required


@dataclass(frozen=True)
class Operator:
    """Counts and attributes of an operator.

    Attributes:
        inputs, outputs: the least and the most that a node may have.
        needed: indices of inputs that may not be left out by an empty name.
        attributes: name to type, a number of AttributeProto.AttributeType.
        required: attributes that have no default.
    """

    inputs: tuple[int, int]
    outputs: tuple[int, int]
    needed: tuple[int, ...] = ()
    attributes: Mapping[str, int] = field(default_factory=dict)
    required: tuple[str, ...] = ()


class Operators:
    """The operators of one model by domain, name and version; each schema is read once."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._functions = {
            (domain_of(f.domain), f.name, f.overload): Operator(
                (0, len(f.input)), (0, len(f.output))
            )
            for f in model.functions
        }
        self._known: dict[tuple[str, str, int], Operator | None] = {}

    def get(self, node: onnx.NodeProto, opsets: Mapping[str, int]) -> Operator | None:
        """The operator that the node is; None where nobody says what it takes."""
        domain = domain_of(node.domain)
        function = self._functions.get((domain, node.op_type, node.overload))
        if function is not None:
            return function
        key = (domain, node.op_type, opsets[domain])
        if key not in self._known:
            self._known[key] = _schema(*key)
        return self._known[key]


def require_counts(node: onnx.NodeProto, operator: Operator, label: str) -> None:
    """Returns where the node has as many inputs, outputs and attributes as it must.

    Raises:
        ModelError: It has not.
    """
    for what, names, limits in (
        ("inputs", node.input, operator.inputs),
        ("outputs", node.output, operator.outputs),
    ):
        count = len(names)
        while count > limits[0] and not names[count - 1]:
            count -= 1  # left out at the end
        if not limits[0] <= count <= limits[1]:
            takes = _range(*limits)
            raise ModelError(f"{label} has {count} {what}; the operator has {takes}")
    for index in operator.needed:
        if index < len(node.input) and not node.input[index]:
            raise ModelError(f"{label} leaves out its input {index}, which the operator needs")
    names = [attribute.name for attribute in node.attribute]
    for name in operator.required:
        if name not in names:
            raise ModelError(f"{label} has no attribute {name!r}, which the operator needs")
    if len(set(names)) < len(names):
        raise ModelError(f"{label} has an attribute twice")


def domain_of(domain: str) -> str:
    """The domain; ONNX's own has two names."""
    return "" if domain == "ai.onnx" else domain


def is_standard(name: str, opsets: Mapping[str, int]) -> bool:
    """Whether ONNX has an operator of the name, at the version that the model imports."""
    return _schema("", name, opsets.get("", _ANY)) is not None


def _schema(domain: str, op_type: str, version: int) -> Operator | None:
    try:
        schema = onnx.defs.get_schema(op_type, version, domain)
    except onnx.defs.SchemaError:
        return None
    single = onnx.defs.OpSchema.FormalParameterOption.Single
    attributes = schema.attributes
    return Operator(
        (schema.min_input, schema.max_input),
        (schema.min_output, schema.max_output),
        tuple(i for i, formal in enumerate(schema.inputs) if formal.option == single),
        {
            name: int(attribute.type)  # type: ignore[call-overload]
            for name, attribute in attributes.items()
        },
        tuple(n for n, a in attributes.items() if a.required and n not in _NO_LONGER),
    )


def _range(least: int, most: int) -> str:
    if most >= _ANY:
        return f"{least} or more"
    return str(least) if least == most else f"{least} to {most}"
