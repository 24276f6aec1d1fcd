"""The encodings of the ABI against abi_reference 3, and as properties."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostabi.abi.codec import (
    CodecError,
    Duration,
    NotSerializable,
    PairsLimits,
    Timestamp,
    Uint,
    decode_pairs,
    encode_as_text,
    encode_pairs,
    encode_value,
    join_path,
    pairs_size,
    split_path,
)

PAIRS = st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=20)), max_size=20).map(tuple)
EXAMPLE = bytes.fromhex("02000000 01000000 01000000 01000000 02000000 61 00 31 00 62 00 32 32 00")


def test_the_example_of_the_reference() -> None:
    pairs = ((b"a", b"1"), (b"b", b"22"))
    assert encode_pairs(pairs) == EXAMPLE
    assert decode_pairs(EXAMPLE) == pairs


@given(PAIRS)
def test_pairs_come_back(pairs: tuple[tuple[bytes, bytes], ...]) -> None:
    data = encode_pairs(pairs)
    assert decode_pairs(data) == pairs
    assert len(data) == pairs_size(pairs)


@given(st.binary(max_size=200))
def test_any_bytes_are_pairs_or_an_error(data: bytes) -> None:
    try:
        pairs = decode_pairs(data)
    except CodecError:
        return
    assert encode_pairs(pairs) == data or (pairs == () and data in (b"", b"\0"))


@given(PAIRS.filter(bool), st.data())
def test_a_map_that_is_cut_is_an_error(pairs: tuple[tuple[bytes, bytes], ...], data: st.DataObject) -> None:
    whole = encode_pairs(pairs)
    cut = data.draw(st.integers(2, len(whole) - 1))
    with pytest.raises(CodecError):
        decode_pairs(whole[:cut])


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\0\0"])
def test_the_forms_of_the_empty_map(data: bytes) -> None:
    assert decode_pairs(data) == ()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (EXAMPLE + b"\0", "do not add up"),
        (EXAMPLE[:-1] + b"x", "does not end with NUL"),
        (b"\1\0", "shorter than its count"),
        (struct.pack("<I", 3), "shorter than its table"),
        (struct.pack("<III", 1, 0xFFFFFFFF, 0xFFFFFFFF) + b"\0\0", "do not add up"),
        (struct.pack("<I", 0xFFFFFFFF), "the limit is 1024"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, reason: str) -> None:
    with pytest.raises(CodecError, match=reason):
        decode_pairs(data)


def test_limits_of_a_map() -> None:
    assert len(decode_pairs(encode_pairs([(b"a", b"b")] * 1024))) == 1024
    with pytest.raises(CodecError, match="1025 pairs"):
        decode_pairs(encode_pairs([(b"a", b"b")] * 1025))
    big = encode_pairs([(b"a", bytes((1 << 20) - 15))])
    assert len(big) == 1 << 20
    assert decode_pairs(big)[0][0] == b"a"
    with pytest.raises(CodecError, match="the limit is 1048576"):
        decode_pairs(encode_pairs([(b"a", bytes((1 << 20) - 14))]))
    with pytest.raises(CodecError, match="the limit is 10"):
        decode_pairs(EXAMPLE, PairsLimits(max_bytes=10))


@pytest.mark.parametrize(
    ("data", "segments"),
    [
        (b"", ()),
        (b"a", (b"a",)),
        (b"a\0b", (b"a", b"b")),
        (b"a\0b\0", (b"a", b"b")),
        (b"\0", (b"",)),
        (b"a\0\0b", (b"a", b"", b"b")),
    ],
)
def test_paths(data: bytes, segments: tuple[bytes, ...]) -> None:
    assert split_path(data) == segments


@given(st.lists(st.binary(max_size=8).map(lambda b: b.replace(b"\0", b"")), max_size=6).map(tuple))
def test_paths_come_back(segments: tuple[bytes, ...]) -> None:
    assert split_path(join_path(segments)) == segments
    if segments:
        assert split_path(b"".join(s + b"\0" for s in segments)) == segments, "the way of the C++ SDK"


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("text", b"text"),
        ("é", b"\xc3\xa9"),
        (b"\xff\0", b"\xff\0"),
        (True, b"\1"),
        (False, b"\0"),
        (1, b"\1" + bytes(7)),
        (-1, b"\xff" * 8),
        (Uint(2**64 - 1), b"\xff" * 8),
        (Timestamp(256), b"\0\1" + bytes(6)),
        (Duration(1), b"\1" + bytes(7)),
        (1.5, struct.pack("<d", 1.5)),
        ({b"a": True}, encode_pairs([(b"a", b"\1")])),
        ([b"x", 1], encode_pairs([(b"x", b""), (b"\1" + bytes(7), b"")])),
        ({}, bytes(4)),
    ],
)
def test_property_values(value: object, encoded: bytes) -> None:
    assert encode_value(value) == encoded


@pytest.mark.parametrize("value", [None, object(), 1 << 63, -(1 << 63) - 1, Uint(-1), Uint(1 << 64), [None]])
def test_values_without_an_encoding(value: object) -> None:
    with pytest.raises(NotSerializable):
        encode_value(value)


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_integers_are_eight_bytes(value: int) -> None:
    assert int.from_bytes(encode_value(value), "little", signed=True) == value


@given(st.integers(0, (1 << 64) - 1))
def test_unsigned_integers_are_eight_bytes(value: int) -> None:
    assert int.from_bytes(encode_value(Uint(value)), "little") == value


@given(st.floats(allow_nan=False))
def test_floats_are_eight_bytes(value: float) -> None:
    assert struct.unpack("<d", encode_value(value)) == (value,)


@given(st.dictionaries(st.binary(max_size=5), st.one_of(st.binary(max_size=5), st.booleans()), max_size=5))
def test_maps_hold_encoded_values(value: dict[bytes, bytes | bool]) -> None:
    assert decode_pairs(encode_value(value)) == tuple((k, encode_value(v)) for k, v in value.items())


@pytest.mark.parametrize(
    ("value", "text"), [(12, b"12"), (True, b"true"), (False, b"false"), ("a", b"a"), (Uint(7), b"7"), (b"\0", b"\0")]
)
def test_values_as_nginx_gives_them(value: object, text: bytes) -> None:
    assert encode_as_text(value) == text
