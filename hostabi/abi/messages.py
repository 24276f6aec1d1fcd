"""Messages of Protocol Buffers as tables: the ones that arguments and properties are made of, read and written.

`Message.decode` makes a `Proto` of bytes. Its fields have the values that CEL gives them, and so a property: wrappers
and Struct come out as what they hold, durations and times as ns.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeVar

from hostabi.abi import protobuf as wire
from hostabi.abi.codec import Duration, Encodable, NotSerializable, Timestamp, Uint
from hostabi.abi.protobuf import MOST_DEPTH, ProtobufError, WireType

Values = Mapping[str, object]


class Kind(Enum):
    """What a field holds; INT is for int32, int64 and enumerations."""

    BOOL = auto()
    INT = auto()
    UINT = auto()
    DOUBLE = auto()
    FLOAT = auto()
    STRING = auto()
    BYTES = auto()
    MESSAGE = auto()


_WIRES = {
    Kind.BOOL: WireType.VARINT,
    Kind.INT: WireType.VARINT,
    Kind.UINT: WireType.VARINT,
    Kind.DOUBLE: WireType.FIXED64,
    Kind.FLOAT: WireType.FIXED32,
}
_DEFAULTS: dict[Kind, object] = {
    Kind.BOOL: False,
    Kind.INT: 0,
    Kind.UINT: Uint(0),
    Kind.DOUBLE: 0.0,
    Kind.FLOAT: 0.0,
    Kind.STRING: "",
    Kind.BYTES: b"",
}


@dataclass(frozen=True, slots=True)
class Member:
    """A field of a kind of message; `keyed` is a map from strings, `repeated` a list, `of` the message it holds."""

    number: int
    name: str
    kind: Kind
    of: str = ""
    repeated: bool = False
    keyed: bool = False

    @property
    def message(self) -> Message:
        """The kind of message it holds."""
        return KNOWN[self.of]

    @property
    def absent(self) -> object:
        """What one value of it is when nothing is written."""
        return _held(self.message, {}) if self.kind is Kind.MESSAGE else _DEFAULTS[self.kind]


@dataclass(frozen=True, eq=False)
class Message:
    """A kind of message: its full name and its fields."""

    name: str
    members: tuple[Member, ...] = ()
    numbers: dict[int, Member] = field(init=False, repr=False)
    names: dict[str, Member] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "numbers", {one.number: one for one in self.members})
        object.__setattr__(self, "names", {one.name: one for one in self.members})

    def decode(self, data: bytes) -> Proto:
        """The message in these bytes; unknown fields are dropped. Raises ProtobufError."""
        return Proto(self, _decode(self, data, 0))

    def encode(self, values: Values) -> bytes:
        """A message of these values, fields by number, defaults left out. Raises NotSerializable."""
        unknown = next((name for name in values if name not in self.names), None)
        if unknown is not None:
            raise NotSerializable(f"{self.name} has no field {unknown!r}")
        return b"".join(_write(one, values[one.name]) for one in self.members if one.name in values)


@dataclass(frozen=True, eq=False)
class Proto(Encodable):
    """A message with values; messages within are mappings, so that tests and files can write them as data."""

    message: Message
    values: Values = field(default_factory=dict)

    def __getitem__(self, name: str) -> object:
        """A field as CEL sees it, its default when it is not there; KeyError when the message has none of this name."""
        one = self.message.names.get(name)
        if one is None:
            return self.values[name]
        value = self.values.get(name)
        if one.keyed:
            return {key: _seen(one, held) for key, held in value.items()} if isinstance(value, Mapping) else {}
        if one.repeated:
            return [_seen(one, held) for held in value] if isinstance(value, list | tuple) else []
        return _seen(one, one.absent if value is None else value)

    def encode(self) -> bytes:
        """The message as bytes. Raises NotSerializable."""
        return self.message.encode(self.values)


def as_seen(message: Message, value: object) -> object:
    """Data of a message as CEL sees it: what wrappers and Struct hold, ns of durations and times, else a Proto.

    Text, numbers and bytes in place of a message stay as they are.
    """
    if message in STRUCTS:
        return _struct_seen(value)
    if not isinstance(value, Mapping):
        return value
    if message is DURATION or message is TIMESTAMP:
        ns = _number(value, "seconds") * 1_000_000_000 + _number(value, "nanos")
        return Duration(ns) if message is DURATION else Timestamp(ns)
    if message in _WRAPPERS:
        (one,) = message.members
        return _seen(one, value.get("value", one.absent))
    return Proto(message, value)


def decode_seen(message: Message, data: bytes) -> object:
    """The message in these bytes as CEL sees it. Raises ProtobufError."""
    return as_seen(message, _held(message, _decode(message, data, 0)))


def _number(values: Values, name: str) -> int:
    value = values.get(name, 0)
    return value if isinstance(value, int) else 0


def _seen(one: Member, value: object) -> object:
    if one.kind is Kind.MESSAGE:
        return as_seen(one.message, value)
    if one.kind is Kind.UINT and isinstance(value, int):
        return Uint(value)
    if one.kind in (Kind.DOUBLE, Kind.FLOAT) and isinstance(value, int):
        return float(value)
    return value


def _struct_seen(value: object) -> object:
    match value:
        case bool():
            return value
        case int():
            return float(value)
        case Mapping():
            return {str(key): _struct_seen(held) for key, held in value.items()}
        case list() | tuple():
            return [_struct_seen(held) for held in value]
        case _:
            return value


# --- reading ---------------------------------------------------------------------------------------------------------


def _decode(message: Message, data: bytes, depth: int) -> dict[str, object]:
    if depth > MOST_DEPTH:
        raise ProtobufError(f"messages nested more than {MOST_DEPTH} deep")
    values: dict[str, object] = {}
    pieces: dict[str, list[bytes]] = {}
    for found in wire.read_fields(data):
        one = message.numbers.get(found.number)
        if one is None:
            continue
        packed = one.repeated and one.kind in _WIRES and found.wire is WireType.BYTES
        if not packed and found.wire is not _WIRES.get(one.kind, WireType.BYTES):
            continue  # a field of this number and another type is an unknown one
        if one.keyed:
            key, value = _entry(one, found.data(), depth + 1)
            _filled(values, one.name, dict)[key] = value
        elif packed:
            _filled(values, one.name, list).extend(_unpack(one, found.data()))
        elif one.repeated:
            _filled(values, one.name, list).append(_read(one, found, depth + 1))
        elif one.kind is Kind.MESSAGE:
            pieces.setdefault(one.name, []).append(found.data())
            values[one.name] = None
        else:
            values[one.name] = _read(one, found, depth + 1)
    for name, parts in pieces.items():  # a message in several pieces is their sum
        inner = message.names[name].message
        values[name] = _held(inner, _decode(inner, b"".join(parts), depth + 1))
    return values


_Filled = TypeVar("_Filled", list[object], dict[str, object])


def _filled(values: dict[str, object], name: str, kind: type[_Filled]) -> _Filled:
    """The list or mapping that is being filled with this field."""
    found = values.setdefault(name, kind())
    if not isinstance(found, kind):
        raise ProtobufError(name)
    return found


def _read(one: Member, found: wire.Field, depth: int) -> object:
    match one.kind:
        case Kind.BYTES:
            return found.data()
        case Kind.STRING:
            return found.text()
        case Kind.MESSAGE:
            return _held(one.message, _decode(one.message, found.data(), depth))
        case _:
            return _numeric(one.kind, found.value if isinstance(found.value, int) else 0)


def _numeric(kind: Kind, raw: int) -> object:
    match kind:
        case Kind.BOOL:
            return raw != 0
        case Kind.INT:
            return raw - (1 << 64) if raw >> 63 else raw
        case Kind.UINT:
            return Uint(raw)
        case _:
            pattern, size = ("<d", 8) if kind is Kind.DOUBLE else ("<f", 4)
            number: float = struct.unpack(pattern, raw.to_bytes(size, "little"))[0]
            return number


def _unpack(one: Member, data: bytes) -> Iterable[object]:
    """The numbers of a packed list."""
    size = {WireType.FIXED64: 8, WireType.FIXED32: 4}.get(_WIRES[one.kind], 0)
    at = 0
    while at < len(data):
        if size:
            raw, at = int.from_bytes(data[at : at + size], "little"), at + size
        else:
            raw, at = wire.read_varint(data, at)
        if at > len(data):
            raise ProtobufError(f"the list {one.name} is cut off")
        yield _numeric(one.kind, raw)


def _entry(one: Member, data: bytes, depth: int) -> tuple[str, object]:
    pair = Message("", (Member(1, "key", Kind.STRING), Member(2, "value", one.kind, one.of)))
    values = _decode(pair, data, depth)
    return str(values.get("key", "")), values.get("value", one.absent)


def _held(message: Message, values: dict[str, object]) -> object:
    """Struct, Value and ListValue are kept as what they hold, others as their fields."""
    if message is STRUCT:
        return values.get("fields", {})
    if message is LIST_VALUE:
        return values.get("values", [])
    if message is VALUE:
        return None if "null_value" in values else next(reversed(values.values()), None)
    return values


# --- writing ---------------------------------------------------------------------------------------------------------


def write_varint(value: int) -> bytes:
    """A number as a varint; a negative one as 64 bits in two's complement."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _write(one: Member, value: object) -> bytes:
    if one.keyed and isinstance(value, Mapping):
        key = Member(1, "key", Kind.STRING)
        content = Member(2, "value", one.kind, one.of)
        entries = (_write_one(key, name) + _write_one(content, held) for name, held in value.items())
        return b"".join(_counted(one.number, entry) for entry in entries)
    if one.repeated and isinstance(value, list | tuple):
        return b"".join(_write_one(one, held) for held in value)
    if one.keyed or one.repeated:
        raise NotSerializable(f"{value!r} cannot be the field {one.name}")
    if one.kind is not Kind.MESSAGE and value == _DEFAULTS[one.kind]:
        return b""
    return _write_one(one, value)


def _write_one(one: Member, value: object) -> bytes:
    number = one.number
    match one.kind, value:
        case (Kind.MESSAGE, _):
            return _counted(number, encode_data(one.message, value))
        case (Kind.STRING, str()):
            return _counted(number, value.encode("utf-8", "surrogateescape"))
        case (Kind.STRING | Kind.BYTES, bytes()):
            return _counted(number, value)
        case (Kind.DOUBLE, int() | float()):
            return write_varint(number << 3 | WireType.FIXED64) + struct.pack("<d", value)
        case (Kind.FLOAT, int() | float()):
            return write_varint(number << 3 | WireType.FIXED32) + struct.pack("<f", value)
        case (Kind.BOOL | Kind.INT | Kind.UINT, int()):
            return write_varint(number << 3 | WireType.VARINT) + write_varint(value)
        case _:
            raise NotSerializable(f"{value!r} cannot be the field {one.name}")


def _counted(number: int, data: bytes) -> bytes:
    return write_varint(number << 3 | WireType.BYTES) + write_varint(len(data)) + data


def encode_data(message: Message, value: object) -> bytes:
    """Data of a message as its bytes. Raises NotSerializable."""
    if isinstance(value, Proto):
        return value.encode()
    if message is VALUE:
        return _encode_value(value)
    if message is LIST_VALUE and isinstance(value, list | tuple):
        return message.encode({"values": value})
    if message is STRUCT and isinstance(value, Mapping):
        return message.encode({"fields": value})
    if isinstance(value, Mapping):
        return message.encode(value)
    raise NotSerializable(f"{value!r} is no {message.name}")


def _encode_value(value: object) -> bytes:
    number = {name: one.number for name, one in VALUE.names.items()}
    match value:
        case None:
            return write_varint(number["null_value"] << 3) + b"\0"
        case bool():
            return _write_one(VALUE.names["bool_value"], value)
        case int() | float():
            return _write_one(VALUE.names["number_value"], value)
        case str():
            return _write_one(VALUE.names["string_value"], value)
        case Mapping():
            return _counted(number["struct_value"], encode_data(STRUCT, value))
        case list() | tuple():
            return _counted(number["list_value"], encode_data(LIST_VALUE, value))
        case _:
            raise NotSerializable(f"{value!r} is nothing that a Struct can hold")


# --- the messages ----------------------------------------------------------------------------------------------------

KNOWN: dict[str, Message] = {}
"""Kinds of message by full name."""


def _known(name: str, *members: Member) -> Message:
    KNOWN[name] = Message(name, members)
    return KNOWN[name]


VALUE = _known(
    "google.protobuf.Value",
    Member(1, "null_value", Kind.INT),
    Member(2, "number_value", Kind.DOUBLE),
    Member(3, "string_value", Kind.STRING),
    Member(4, "bool_value", Kind.BOOL),
    Member(5, "struct_value", Kind.MESSAGE, "google.protobuf.Struct"),
    Member(6, "list_value", Kind.MESSAGE, "google.protobuf.ListValue"),
)
STRUCT = _known("google.protobuf.Struct", Member(1, "fields", Kind.MESSAGE, VALUE.name, keyed=True))
LIST_VALUE = _known("google.protobuf.ListValue", Member(1, "values", Kind.MESSAGE, VALUE.name, repeated=True))
STRUCTS = (VALUE, STRUCT, LIST_VALUE)
DURATION = _known("google.protobuf.Duration", Member(1, "seconds", Kind.INT), Member(2, "nanos", Kind.INT))
TIMESTAMP = _known("google.protobuf.Timestamp", *DURATION.members)
ANY = _known("google.protobuf.Any", Member(1, "type_url", Kind.STRING), Member(2, "value", Kind.BYTES))
_WRAPPERS = tuple(
    _known(f"google.protobuf.{name}Value", Member(1, "value", kind))
    for name, kind in {
        "Bool": Kind.BOOL,
        "Int32": Kind.INT,
        "Int64": Kind.INT,
        "UInt32": Kind.UINT,
        "UInt64": Kind.UINT,
        "Float": Kind.FLOAT,
        "Double": Kind.DOUBLE,
        "String": Kind.STRING,
        "Bytes": Kind.BYTES,
    }.items()
)
METADATA = _known(
    "envoy.config.core.v3.Metadata",
    Member(1, "filter_metadata", Kind.MESSAGE, STRUCT.name, keyed=True),
    Member(2, "typed_filter_metadata", Kind.MESSAGE, ANY.name, keyed=True),
)
LOCALITY = _known(
    "envoy.config.core.v3.Locality",
    Member(1, "region", Kind.STRING),
    Member(2, "zone", Kind.STRING),
    Member(3, "sub_zone", Kind.STRING),
)
_SEMANTIC_VERSION = _known(
    "envoy.type.v3.SemanticVersion",
    Member(1, "major_number", Kind.UINT),
    Member(2, "minor_number", Kind.UINT),
    Member(3, "patch", Kind.UINT),
)
_BUILD_VERSION = _known(
    "envoy.config.core.v3.BuildVersion",
    Member(1, "version", Kind.MESSAGE, _SEMANTIC_VERSION.name),
    Member(2, "metadata", Kind.MESSAGE, STRUCT.name),
)
NODE = _known(
    "envoy.config.core.v3.Node",
    Member(1, "id", Kind.STRING),
    Member(2, "cluster", Kind.STRING),
    Member(3, "metadata", Kind.MESSAGE, STRUCT.name),
    Member(4, "locality", Kind.MESSAGE, LOCALITY.name),
    Member(6, "user_agent_name", Kind.STRING),
    Member(7, "user_agent_version", Kind.STRING),
    Member(8, "user_agent_build_version", Kind.MESSAGE, _BUILD_VERSION.name),
    Member(10, "client_features", Kind.STRING, repeated=True),
    Member(12, "dynamic_parameters", Kind.MESSAGE, "xds.core.v3.ContextParams", keyed=True),
)
_known("xds.core.v3.ContextParams", Member(1, "params", Kind.STRING, keyed=True))
