"""Protocol Buffers: the reader of fields, and messages as tables (hostabi.abi.protobuf, hostabi.abi.messages)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostabi.abi.codec import Duration, NotSerializable, Timestamp, Uint
from hostabi.abi.messages import (
    DURATION,
    KNOWN,
    METADATA,
    NODE,
    STRUCT,
    TIMESTAMP,
    VALUE,
    Kind,
    Member,
    Message,
    Proto,
    as_seen,
    decode_seen,
    encode_data,
    write_varint,
)
from hostabi.abi.protobuf import MOST_DEPTH, MOST_FIELDS, ProtobufError, read_fields, read_varint

# What Envoy 1.40 gave for a route's metadata {"dyn": {"l": ["a"], "t": true, "k": "v", "n": 2}}.
SEEN = (
    b"\n8\n\x03dyn\x121\n\x0c\n\x01l\x12\x072\x05\n\x03\x1a\x01a\n\x07\n\x01t\x12\x02 \x01"
    b"\n\x08\n\x01k\x12\x03\x1a\x01v\n\x0e\n\x01n\x12\t\x11\x00\x00\x00\x00\x00\x00\x00@"
)
ALL = Message(
    "test.All",
    (
        Member(1, "flag", Kind.BOOL),
        Member(2, "int", Kind.INT),
        Member(3, "uint", Kind.UINT),
        Member(4, "double", Kind.DOUBLE),
        Member(5, "text", Kind.STRING),
        Member(6, "data", Kind.BYTES),
        Member(7, "many", Kind.INT, repeated=True),
        Member(8, "words", Kind.STRING, repeated=True),
        Member(9, "named", Kind.STRING, keyed=True),
        Member(10, "inner", Kind.MESSAGE, "google.protobuf.Duration"),
        Member(11, "float", Kind.FLOAT),
        Member(12, "doubles", Kind.DOUBLE, repeated=True),
    ),
)
I64 = st.integers(-(1 << 63), (1 << 63) - 1)
TEXT = st.text(max_size=5)
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "flag": st.booleans(),
        "int": I64,
        "uint": st.integers(0, (1 << 64) - 1),
        "double": st.floats(allow_nan=False),
        "float": st.floats(width=32, allow_nan=False),
        "text": TEXT,
        "data": st.binary(max_size=5),
        "many": st.lists(I64, max_size=4),
        "words": st.lists(TEXT, max_size=3),
        "named": st.dictionaries(TEXT, TEXT, max_size=3),
        "doubles": st.lists(st.floats(allow_nan=False), max_size=3),
        "inner": st.fixed_dictionaries({"seconds": I64}),
    },
)
STRUCTS = st.recursive(
    st.none() | st.booleans() | TEXT | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_what_is_written_is_read(values: dict[str, Any]) -> None:
    read = ALL.decode(ALL.encode(values))
    for one in ALL.members:
        wanted = Proto(ALL, values)[one.name]
        assert read[one.name] == wanted and type(read[one.name]) is type(wanted)


@given(STRUCTS)
def test_structs_hold_what_json_holds(value: object) -> None:
    data = encode_data(VALUE, value)
    assert decode_seen(VALUE, data) == value


@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    for message in (ALL, METADATA, NODE, *KNOWN.values()):
        try:
            message.decode(data).encode()
        except (ProtobufError, NotSerializable):
            pass


@given(st.integers(0, (1 << 64) - 1), st.binary(max_size=3))
def test_varints(value: int, rest: bytes) -> None:
    written = write_varint(value)
    assert read_varint(written + rest, 0) == (value, len(written))


def test_what_envoy_wrote() -> None:
    read = METADATA.decode(SEEN)
    assert read["filter_metadata"] == {"dyn": {"l": ["a"], "t": True, "k": "v", "n": 2.0}}
    assert read.encode() == SEEN
    assert METADATA.decode(b"\n\x05\n\x03abc").encode() == b"\n\x07\n\x03abc\x12\x00"


@pytest.mark.parametrize(
    "data",
    [
        b"\x80",
        b"\xff" * 11,
        b"\x00",
        b"\x0a\x05abc",
        b"\x09abc",
        b"\x0dab",
        b"\x0c",
        b"\x0b",
        b"\x0b\x14",
        b"\x07",
        b"\x2a\x01\xff",  # text that is not UTF-8
        b"\x3a\x01\x80",  # a packed list cut off within a number
        b"\x62\x03abc",
        b"\x0b" * (MOST_DEPTH + 1) + b"\x0c" * (MOST_DEPTH + 1),
        b"\x08\x00" * (MOST_FIELDS + 1),
    ],
)
def test_what_is_no_message(data: bytes) -> None:
    with pytest.raises(ProtobufError):
        ALL.decode(data)


def test_messages_nest_so_deep_and_no_deeper() -> None:
    def nested(depth: int) -> bytes:
        data = b""
        for _ in range(depth):
            held = b"\x0a" + write_varint(len(data)) + data  # ListValue.values
            data = b"\x32" + write_varint(len(held)) + held  # Value.list_value
        return data

    VALUE.decode(nested(MOST_DEPTH // 2))
    with pytest.raises(ProtobufError, match="deep"):
        VALUE.decode(nested(MOST_DEPTH // 2 + 1))


def test_fields_of_other_types_and_unknown_ones_are_passed_over() -> None:
    assert ALL.decode(b"\x0a\x01x" + b"\x28\x01" + b"\xa0\x06\x01" + b"\x10\x05").values == {"int": 5}
    assert [field.number for field in read_fields(b"\x0b\x10\x01\x0c\x10\x02")] == [1, 2]


def test_the_last_value_counts_and_messages_are_joined() -> None:
    assert ALL.decode(b"\x10\x01\x10\x02")["int"] == 2
    assert ALL.decode(b"\x52\x02\x08\x01" + b"\x52\x02\x10\x02")["inner"] == Duration(1_000_000_002)


@pytest.mark.parametrize(
    ("message", "values", "seen"),
    [
        (DURATION, {"seconds": 5}, Duration(5_000_000_000)),
        (TIMESTAMP, {"seconds": 1, "nanos": 2}, Timestamp(1_000_000_002)),
        (KNOWN["google.protobuf.Int64Value"], {"value": 5}, 5),
        (KNOWN["google.protobuf.UInt32Value"], {"value": 5}, Uint(5)),
        (KNOWN["google.protobuf.StringValue"], {}, ""),
        (STRUCT, {"a": 1}, {"a": 1.0}),
    ],
)
def test_messages_that_cel_takes_for_what_they_hold(message: Message, values: Any, seen: object) -> None:
    assert as_seen(message, values) == seen and type(as_seen(message, values)) is type(seen)


def test_fields_that_are_not_there_have_defaults() -> None:
    node = Proto(NODE)
    assert (node["id"], node["metadata"], node["client_features"], node["dynamic_parameters"]) == ("", {}, [], {})
    locality = node["locality"]
    assert isinstance(locality, Proto) and locality["zone"] == "" and locality.encode() == b""
    with pytest.raises(KeyError):
        node["none"]


@pytest.mark.parametrize(
    ("message", "values"),
    [
        (NODE, {"none": 1}),
        (NODE, {"id": 5}),
        (NODE, {"locality": "here"}),
        (NODE, {"client_features": "no list"}),
        (METADATA, {"filter_metadata": {"a": "no struct"}}),
        (STRUCT, {"fields": {"a": object()}}),
    ],
)
def test_values_that_a_message_cannot_have(message: Message, values: dict[str, object]) -> None:
    with pytest.raises(NotSerializable):
        message.encode(values)
