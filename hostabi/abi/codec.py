"""Encodings of the ABI: header maps, property paths and property values (abi_reference 3.3, 3.4, 3.6)."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Pair = tuple[bytes, bytes]
HeaderPairs = tuple[Pair, ...]


class CodecError(ValueError):
    """Bytes that are not an encoding of what was expected, or are more than the limits allow."""


class NotSerializable(ValueError):
    """A value that the ABI has no encoding for; a host call answers SERIALIZATION_FAILURE."""


@dataclass(frozen=True, slots=True)
class PairsLimits:
    """How much a guest may put into one serialised map; Envoy's numbers by default (abi_reference 12.10)."""

    max_bytes: int = 1 << 20
    max_pairs: int = 1024


ENVOY_PAIRS = PairsLimits()


# --- header maps ---------------------------------------------------------------------------------------------------


def pairs_size(pairs: Sequence[Pair]) -> int:
    """Bytes that `encode_pairs` makes of these pairs."""
    return 4 + sum(10 + len(name) + len(value) for name, value in pairs)


def encode_pairs(pairs: Sequence[Pair]) -> bytes:
    """Serialise a map: count, all lengths, then each name and value closed by a NUL (abi_reference 3.3)."""
    head = struct.pack(f"<{1 + 2 * len(pairs)}I", len(pairs), *[len(part) for pair in pairs for part in pair])
    return head + b"".join([part + b"\0" for pair in pairs for part in pair])


def decode_pairs(data: bytes, limits: PairsLimits = ENVOY_PAIRS) -> HeaderPairs:
    """Read a serialised map; no bytes, or one NUL, are the empty map.

    Raises CodecError for a wrong length, a missing terminator, trailing bytes, or more than the limits.
    """
    if data in (b"", b"\0"):
        return ()
    if len(data) > limits.max_bytes:
        raise CodecError(f"a map of {len(data)} bytes, the limit is {limits.max_bytes}")
    if len(data) < 4:
        raise CodecError("a map shorter than its count")
    count = int.from_bytes(data[:4], "little")
    if count > limits.max_pairs:
        raise CodecError(f"a map of {count} pairs, the limit is {limits.max_pairs}")
    at = 4 + 8 * count
    if at > len(data):
        raise CodecError("a map shorter than its table of lengths")
    lengths = struct.unpack_from(f"<{2 * count}I", data, 4)
    if at + sum(lengths) + 2 * count != len(data):
        raise CodecError("the lengths in a map do not add up to its size")
    parts = []
    for n in lengths:
        if data[at + n] != 0:
            raise CodecError("a name or value in a map does not end with NUL")
        parts.append(data[at : at + n])
        at += n + 1
    return tuple(zip(parts[0::2], parts[1::2], strict=True))


# --- property paths ------------------------------------------------------------------------------------------------


def split_path(data: bytes) -> tuple[bytes, ...]:
    """The segments of a property path: split at NUL, one empty one at the end ignored; no bytes give none."""
    if not data:
        return ()
    segments = data.split(b"\0")
    if segments[-1] == b"":
        segments.pop()
    return tuple(segments)


def join_path(segments: Iterable[bytes]) -> bytes:
    """A property path as Rust and Go send it: joined by NUL, none at the end.

    A last empty segment is marked by one closing NUL, since it would be lost otherwise.
    """
    parts = tuple(segments)
    joined = b"\0".join(parts)
    return joined + b"\0" if parts and parts[-1] == b"" else joined


# --- property values -----------------------------------------------------------------------------------------------


class Timestamp(int):
    """Nanoseconds since 1970, a property value of its own kind (encoded as i64)."""


class Duration(int):
    """Nanoseconds, a property value of its own kind (encoded as i64)."""


class Uint(int):
    """An unsigned number (encoded as u64)."""


class Encodable(ABC):
    """A property value that knows its own encoding, such as a message of Protocol Buffers."""

    @abstractmethod
    def encode(self) -> bytes:
        """Its bytes. Raises NotSerializable."""


PropertyValue = object
"""bytes, str, bool, int, Timestamp, Duration, Uint, float, Encodable, or a mapping or sequence of these; None cannot be
sent."""


def encode_value(value: object) -> bytes:
    """A property value as Envoy gives it to guests (abi_reference 3.6).

    bytes and str as they are, bool one byte, int and its kinds 8 bytes little-endian, float 8 bytes IEEE, messages as
    their bytes, mappings and lists as serialised maps with their parts encoded by the same rules.
    Raises NotSerializable for None, for unknown kinds and for numbers that do not fit 64 bits.
    """
    match value:
        case bytes():
            return value
        case bytearray() | memoryview():
            return bytes(value)
        case str():
            return value.encode("utf-8", "surrogateescape")
        case bool():
            return b"\1" if value else b"\0"
        case int():
            return _encode_int(value)
        case float():
            return struct.pack("<d", value)
        case Encodable():
            return value.encode()
        case Mapping():
            return encode_pairs([(encode_value(k), encode_value(v)) for k, v in value.items()])
        case Sequence():
            return encode_pairs([(encode_value(v), b"") for v in value])
        case _:
            raise NotSerializable(f"a property cannot be a {type(value).__name__}")


def _encode_int(value: int) -> bytes:
    low = 0 if isinstance(value, Uint) else -(1 << 63)
    high = 1 << 64 if isinstance(value, Uint) else 1 << 63
    if not low <= value < high:
        raise NotSerializable(f"{int(value)} does not fit 64 bits")
    return (value & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little")


def encode_as_text(value: object) -> bytes:
    """A property value as nginx gives it to guests: numbers in decimal, "true" and "false" (abi_reference 10.3)."""
    match value:
        case bool():
            return b"true" if value else b"false"
        case int() | float():
            return str(int(value) if isinstance(value, int) else value).encode()
        case _:
            return encode_value(value)


# --- header names and values ---------------------------------------------------------------------------------------


def has_forbidden_bytes(text: bytes) -> bool:
    """Whether a header name or value holds CR, LF or NUL."""
    return b"\r" in text or b"\n" in text or b"\0" in text
