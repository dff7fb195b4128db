"""The protobuf wire format, as far as it takes to lift large tensors out of a model and back.

A message is a run of fields: a tag `number << 3 | type`, then a varint (type 0), 8 bytes (1), a
length and that many bytes (2), or 4 bytes (5). Repeated fields keep their order; fields of
different numbers may come in any.
Source: https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

Buffer = bytes | mmap.mmap

_VARINT, _EIGHT_BYTES, LENGTH_DELIMITED, _FOUR_BYTES = 0, 1, 2, 5

# Where tensors hide: message -> field number -> message. Numbers are those of onnx.proto.
GRAPH, INITIALIZER = 7, 5  # in ModelProto, and in GraphProto
_NESTED: Mapping[str, Mapping[int, str]] = {
    "Model": {GRAPH: "Graph", 25: "Function"},
    "Graph": {1: "Node", INITIALIZER: "Tensor"},
    "Function": {7: "Node"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph"},
}
RAW_DATA = 9  # in TensorProto
_DEEPEST = 100  # messages within messages, as many as protobuf reads


class MalformedError(Exception):
    """The bytes are no message; `truncated` if they only end too early."""

    def __init__(self, truncated: bool) -> None:
        super().__init__("the message is cut short" if truncated else "not a message")
        self.truncated = truncated


class Blob(NamedTuple):
    """Bytes that exist elsewhere: `length` of them, known by a key."""

    length: int
    key: int


class Field(NamedTuple):
    """One field; its bytes are begin:end, of which the content is content:end."""

    number: int
    type: int
    begin: int
    content: int
    end: int


Chunk = bytes | Blob
Rewrite = Callable[[Buffer, int, int], list[Chunk] | None]


def fields(data: Buffer, begin: int, end: int) -> Iterator[Field]:
    """The fields of the message that lies at begin:end.

    Raises:
        MalformedError: It is none.
    """
    at = begin
    while at < end:
        tag, content = _varint(data, at, end)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise MalformedError(truncated=False)
        if kind == LENGTH_DELIMITED:
            length, content = _varint(data, content, end)
            stop = content + length
        elif kind == _VARINT:
            stop = _varint(data, content, end)[1]
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            stop = content + (8 if kind == _EIGHT_BYTES else 4)
        else:
            raise MalformedError(truncated=False)
        if stop > end:
            raise MalformedError(truncated=True)
        yield Field(number, kind, at, content, stop)
        at = stop


def _varint(data: Buffer, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise MalformedError(truncated=at >= end)


def varint(value: int) -> bytes:
    """A number as the wire has it."""
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def header(number: int, length: int) -> bytes:
    """What precedes the content of a length-delimited field."""
    return varint(number << 3 | LENGTH_DELIMITED) + varint(length)


def size(chunks: list[Chunk]) -> int:
    """The length of a message in pieces."""
    return sum(c.length if isinstance(c, Blob) else len(c) for c in chunks)


def rewrite_tensors(
    data: Buffer, wanted: Callable[[Buffer, int, int], bool], rewrite: Rewrite
) -> list[Chunk]:
    """A ModelProto with some of its TensorProtos rewritten, in pieces.

    Args:
        data: the serialized ModelProto.
        wanted: whether anything at begin:end may need rewriting; the rest is copied unread.
        rewrite: the new content of the TensorProto at begin:end, or None to keep it.

    Raises:
        MalformedError: It is none, or too deep for protobuf.
    """

    def visit(kind: str, begin: int, end: int, depth: int) -> list[Chunk]:
        if depth > _DEEPEST:
            raise MalformedError(truncated=False)
        chunks: list[Chunk] = []
        kept = begin  # data[kept:...] is copied with the next change, or at the end
        for field in fields(data, begin, end):
            inner = _NESTED[kind].get(field.number)
            if inner is None or not wanted(data, field.content, field.end):
                continue
            if inner == "Tensor":
                content = rewrite(data, field.content, field.end)
            else:
                content = visit(inner, field.content, field.end, depth + 1)
            if content is not None:
                chunks += [data[kept : field.begin], header(field.number, size(content)), *content]
                kept = field.end
        return [*chunks, data[kept:end]]

    return visit("Model", 0, len(data), 0)
