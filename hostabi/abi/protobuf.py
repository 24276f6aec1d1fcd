"""Protocol buffers, as far as the ABI needs them: the fields of a message, without knowing its type.

Bytes come from guests, so everything is bounded: a varint has at most ten bytes, a message at most so many fields, and
groups nest a hundred deep, which is where protobuf's own readers stop.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

MOST_DEPTH = 100
MOST_FIELDS = 100_000


class ProtobufError(ValueError):
    """Bytes that are no message; or a field of the wrong kind."""


class WireType(IntEnum):
    """How a field is written."""

    VARINT = 0
    FIXED64 = 1
    BYTES = 2
    GROUP = 3
    GROUP_END = 4
    FIXED32 = 5


@dataclass(frozen=True, slots=True)
class Field:
    """One field: a number for VARINT, FIXED32 and FIXED64; bytes for BYTES, and for GROUP those between its tags."""

    number: int
    wire: WireType
    value: int | bytes

    def data(self) -> bytes:
        """The bytes of a field that has some; ProtobufError for another one."""
        if self.wire is not WireType.BYTES or not isinstance(self.value, bytes):
            raise ProtobufError(f"field {self.number} holds no bytes")
        return self.value

    def text(self) -> str:
        """The text of a field that has some; ProtobufError for another one, or bytes that are not UTF-8."""
        try:
            return self.data().decode()
        except UnicodeDecodeError as error:
            raise ProtobufError(f"field {self.number} holds no UTF-8") from error


def read_fields(data: bytes) -> list[Field]:
    """The fields of a message in order, repeated and unknown ones too. Raises ProtobufError."""
    found: list[Field] = []
    at = 0
    while at < len(data):
        number, wire, at = _tag(data, at)
        if wire is WireType.GROUP_END:
            raise ProtobufError(f"the group {number} ends here and did not begin")
        value, at = _value(data, at, number, wire, 0)
        found.append(Field(number, wire, value))
        if len(found) > MOST_FIELDS:
            raise ProtobufError(f"a message of more than {MOST_FIELDS} fields")
    return found


def read_varint(data: bytes, at: int, most: int = 10) -> tuple[int, int]:
    """A varint of at most so many bytes, and where it ends. Raises ProtobufError."""
    value = 0
    for i in range(most):
        if at + i >= len(data):
            raise ProtobufError("the message ends within a number")
        byte = data[at + i]
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at + i + 1
    raise ProtobufError(f"a number of more than {most} bytes")


def _tag(data: bytes, at: int) -> tuple[int, WireType, int]:
    tag, at = read_varint(data, at, 5)
    number, wire = tag >> 3, tag & 7
    if not number:
        raise ProtobufError("a field of number 0")
    if number >= 1 << 29 or wire not in list(WireType):
        raise ProtobufError(f"the tag {tag} is none")
    return number, WireType(wire), at


def _value(data: bytes, at: int, number: int, wire: WireType, depth: int) -> tuple[int | bytes, int]:
    if wire is WireType.VARINT:
        return read_varint(data, at)
    if wire is WireType.GROUP:
        end, after = _group_end(data, at, number, depth + 1)
        return data[at:end], after
    if wire is WireType.BYTES:
        size, at = read_varint(data, at)
        chunk = data[at : at + size]
        if len(chunk) < size:
            raise ProtobufError(f"field {number} is longer than the message")
        return chunk, at + size
    size = 8 if wire is WireType.FIXED64 else 4
    chunk = data[at : at + size]
    if len(chunk) < size:
        raise ProtobufError(f"field {number} is longer than the message")
    return int.from_bytes(chunk, "little"), at + size


def _group_end(data: bytes, at: int, number: int, depth: int) -> tuple[int, int]:
    """Where the closing tag of a group begins, and where it ends."""
    if depth > MOST_DEPTH:
        raise ProtobufError(f"groups nested more than {MOST_DEPTH} deep")
    while at < len(data):
        begins = at
        inner, wire, at = _tag(data, at)
        if wire is WireType.GROUP_END:
            if inner != number:
                raise ProtobufError(f"the group {inner} ends within the group {number}")
            return begins, at
        _, at = _value(data, at, inner, wire, depth)
    raise ProtobufError(f"the group {number} does not end")
