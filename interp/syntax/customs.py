"""What the custom sections that we know are written in: small integers, and a reader that stops where they break."""

from __future__ import annotations


def u32(value: int) -> bytes:
    """An unsigned number in LEB128."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class BrokenError(Exception):
    """The contents end or are no longer what they should be; what was read until then counts."""


class Reader:
    """A cursor over the contents; everything raises BrokenError at the end of the bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.pos = 0

    @property
    def done(self) -> bool:
        """Whether nothing is left."""
        return self.pos >= len(self.data)

    def byte(self) -> int:
        """The next byte."""
        if self.done:
            raise BrokenError
        self.pos += 1
        return self.data[self.pos - 1]

    def u32(self) -> int:
        """The next number."""
        value = 0
        for shift in range(0, 35, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise BrokenError

    def part(self, size: int) -> Reader:
        """The next bytes by themselves, as many of them as there are."""
        start = self.pos
        self.pos += size
        return Reader(self.data[start : self.pos])

    def name(self) -> str:
        """The next name; bytes that are not UTF-8 are replaced."""
        size = self.u32()
        if size > len(self.data) - self.pos:
            raise BrokenError
        self.pos += size
        return self.data[self.pos - size : self.pos].decode("utf-8", "replace")

    def name_map(self, out: dict[int, str]) -> None:
        """The next map of indices to names."""
        for _ in range(self.u32()):
            index = self.u32()
            out[index] = self.name()
