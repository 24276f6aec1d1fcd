"""Integers in LEB128 (specification 5.2.2): readers over bytes with a position, writers to bytes.

A reader takes (data, pos, end) and gives (value, position behind it); `end` bounds what may be read. It raises
MalformedError with the ids of BODY_ERRORS and the offset of the integer's first byte.
"""

from __future__ import annotations

from interp.syntax.errors import MalformedError, Where, body_error


class CutError(MalformedError):
    """An integer that runs over the end of what may be read: `bits` wide, negative if it is signed."""

    def __init__(self, at: int, bits: int) -> None:
        super().__init__("unexpected end of section or function", Where(at), id="unexpected_end")
        self.at = at
        self.bits = bits


def read_on(data: bytes, error: CutError) -> MalformedError:
    """What is wrong with a cut integer for one who reads on, as the reference interpreter does within sections."""
    try:
        if error.bits < 0:
            read_signed(data, error.at, len(data), -error.bits)
        else:
            read_unsigned(data, error.at, len(data), error.bits)
    except MalformedError as longer:
        return longer
    return error


def read_u32(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """An unsigned integer of 32 bits."""
    if pos < end:
        byte = data[pos]
        if byte < 0x80:
            return byte, pos + 1
    return read_unsigned(data, pos, end, 32)


def read_unsigned(data: bytes, pos: int, end: int, bits: int) -> tuple[int, int]:
    """An unsigned integer of `bits` bits."""
    value = shift = 0
    at = pos
    while True:
        if pos >= end:
            raise CutError(at, bits)
        byte = data[pos]
        pos += 1
        left = bits - shift
        if left <= 7:  # the last byte there may be
            if byte >= 0x80:
                raise body_error("leb_too_long", at)
            if byte >> left:
                raise body_error("leb_too_large", at)
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, pos
        shift += 7


def read_signed(data: bytes, pos: int, end: int, bits: int) -> tuple[int, int]:
    """A signed integer of `bits` bits, as a Python int with its sign."""
    if pos < end:
        byte = data[pos]
        if byte < 0x80:
            return (byte - 0x80 if byte & 0x40 else byte), pos + 1
    value = shift = 0
    at = pos
    while True:
        if pos >= end:
            raise CutError(at, -bits)
        byte = data[pos]
        pos += 1
        left = bits - shift
        if left <= 7:
            if byte >= 0x80:
                raise body_error("leb_too_long", at)
            unused = (-1 << (left - 1)) & 0x7F
            if byte & unused not in (0, unused):
                raise body_error("leb_too_large", at)
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (value - (1 << shift) if byte & 0x40 else value), pos


def unsigned(value: int) -> bytes:
    """The shortest encoding of an integer that is not negative."""
    if value < 0x80:
        if value < 0:
            raise ValueError("a negative integer has no unsigned encoding")
        return bytes((value,))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed(value: int) -> bytes:
    """The shortest encoding of an integer with its sign."""
    out = bytearray()
    while not -0x40 <= value < 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)
