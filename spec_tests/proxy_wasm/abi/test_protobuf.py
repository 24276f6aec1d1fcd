"""The reader of protobuf fields, against protobuf's own; and what gRPC's statuses and servers are read from."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostabi.abi.grpc import GrpcService, GrpcStatus, percent_decode, percent_encode, read_service, status_of_http
from hostabi.abi.protobuf import MOST_DEPTH, Field, ProtobufError, WireType, read_fields

VARINTS = st.integers(0, (1 << 64) - 1)


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def written(fields: list[Field]) -> bytes:
    out = b""
    for field in fields:
        out += varint(field.number << 3 | field.wire)
        if isinstance(field.value, bytes):
            out += varint(len(field.value)) * (field.wire is WireType.BYTES) + field.value
            out += varint(field.number << 3 | WireType.GROUP_END) * (field.wire is WireType.GROUP)
        else:
            size = {WireType.FIXED32: 4, WireType.FIXED64: 8}.get(field.wire)
            out += field.value.to_bytes(size, "little") if size else varint(field.value)
    return out


NUMBERS = st.integers(1, (1 << 29) - 1)
PLAIN = st.one_of(
    st.builds(Field, NUMBERS, st.just(WireType.VARINT), VARINTS),
    st.builds(Field, NUMBERS, st.just(WireType.FIXED32), st.integers(0, (1 << 32) - 1)),
    st.builds(Field, NUMBERS, st.just(WireType.FIXED64), VARINTS),
    st.builds(Field, NUMBERS, st.just(WireType.BYTES), st.binary(max_size=20)),
)
FIELDS = st.recursive(
    st.lists(PLAIN, max_size=5),
    lambda inner: st.lists(
        st.one_of(PLAIN, st.builds(lambda n, f: Field(n, WireType.GROUP, written(f)), NUMBERS, inner)), max_size=5
    ),
    max_leaves=10,
)


@given(FIELDS)
def test_what_was_written_is_read(fields: list[Field]) -> None:
    assert read_fields(written(fields)) == fields


@given(st.one_of(FIELDS.map(written), st.binary(max_size=30)), st.integers(0, 40), st.integers(0, 255))
def test_it_agrees_with_protobuf(data: bytes, at: int, byte: int) -> None:
    """The same bytes are a message, with the same fields; but a field 0, refused in C++, passes in Python."""
    empty_pb2 = pytest.importorskip("google.protobuf.empty_pb2")
    message = pytest.importorskip("google.protobuf.message")
    unknown_fields = pytest.importorskip("google.protobuf.unknown_fields")
    if at < len(data):
        data = data[:at] + bytes([byte]) + data[at + 1 :]
    try:
        theirs: Any = unknown_fields.UnknownFieldSet(empty_pb2.Empty.FromString(data))
    except message.DecodeError:
        with pytest.raises(ProtobufError):
            read_fields(data)
        return
    try:
        mine = read_fields(data)
    except ProtobufError as error:
        assert str(error) == "a field of number 0"
        return
    assert [(one.number, one.wire) for one in mine] == [(one.field_number, one.wire_type) for one in theirs]
    for one, other in zip(mine, theirs, strict=True):
        if one.wire is not WireType.GROUP:
            assert one.value == other.data


@pytest.mark.parametrize(
    "data",
    [
        b"\x00",  # field 0
        b"\x0e",  # wire type 6
        b"\x0c",  # a group that ends
        b"\x0b",  # a group that does not
        b"\x0b\x14",  # another group's end
        b"\x0a\x02x",  # too short
        b"\x0d\x01\x02\x03",
        b"\x09\x01",
        b"\x08",
        b"\x08" + b"\xff" * 10 + b"\x01",
        b"\xff\xff\xff\xff\xff\x01",  # a tag of six bytes
        b"\x0b" * (MOST_DEPTH + 1) + b"\x0c" * (MOST_DEPTH + 1),
    ],
)
def test_what_is_no_message(data: bytes) -> None:
    with pytest.raises(ProtobufError):
        read_fields(data)


def test_groups_nest_as_deep_as_protobuf_lets_them() -> None:
    assert len(read_fields(b"\x0b" * MOST_DEPTH + b"\x0c" * MOST_DEPTH)) == 1


def test_fields_of_the_wrong_kind() -> None:
    with pytest.raises(ProtobufError, match="holds no bytes"):
        Field(1, WireType.VARINT, 5).data()
    with pytest.raises(ProtobufError, match="no UTF-8"):
        Field(1, WireType.BYTES, b"\xff").text()


def test_servers_are_read() -> None:
    assert read_service(b"") is None
    assert read_service(b"\x0a\x00") == GrpcService("")
    assert read_service(b"\x12\x03\x0a\x01a\x12\x03\x12\x01b") == GrpcService("a", True)
    merged = b"\x0a\x03\x0a\x01a\x0a\x03\x12\x01b"  # one message in two pieces
    assert read_service(merged) == GrpcService("a", False, "b")


@given(st.binary(max_size=30))
def test_messages_of_statuses_survive(text: bytes) -> None:
    encoded = percent_encode(text)
    assert percent_decode(encoded) == text
    assert all(0x20 <= byte <= 0x7E for byte in encoded)


def test_percent_signs() -> None:
    assert percent_encode("café 50%".encode()) == b"caf%C3%A9 50%25"
    assert percent_decode(b"%41%4x%") == b"A%4x%"


def test_http_statuses() -> None:
    assert [status_of_http(status) for status in (400, 401, 404, 503, 418)] == [
        GrpcStatus.INTERNAL,
        GrpcStatus.UNAUTHENTICATED,
        GrpcStatus.UNIMPLEMENTED,
        GrpcStatus.UNAVAILABLE,
        GrpcStatus.UNKNOWN,
    ]
