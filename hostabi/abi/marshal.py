"""Guest memory as the ABI uses it: checked reads and writes of bytes and little-endian numbers (ABI 3.1, 3.2)."""

from __future__ import annotations

from typing import Protocol


class GuestMemoryError(Exception):
    """A pointer and length that do not lie within the guest's memory: status 6, or errno 21 in WASI."""


class GuestMemory(Protocol):
    """The linear memory of a guest at this moment; ask the environment for it again after every guest call.

    `read` and `write` raise GuestMemoryError when `addr + n > length`, computed without wrapping. Length 0 is fine at
    any address up to and including `length`.
    """

    @property
    def length(self) -> int:
        """Size in bytes."""

    def read(self, addr: int, n: int) -> bytes:
        """n bytes at addr, as a copy."""

    def write(self, addr: int, data: bytes) -> None:
        """Store data at addr."""


class NoMemory:
    """The memory of a guest that has none."""

    length = 0

    def read(self, addr: int, n: int) -> bytes:
        """Always raises."""
        raise GuestMemoryError("the guest has no memory")

    def write(self, addr: int, data: bytes) -> None:
        """Always raises."""
        raise GuestMemoryError("the guest has no memory")


def check_range(length: int, addr: int, n: int) -> None:
    """Raise GuestMemoryError unless n bytes at addr lie within a memory of this length."""
    if addr < 0 or n < 0 or addr + n > length:
        raise GuestMemoryError(f"{n} bytes at {addr:#x} are outside of a memory of {length} bytes")


def read_u32(memory: GuestMemory, addr: int) -> int:
    """The unsigned 32-bit number at addr, which need not be aligned."""
    return int.from_bytes(memory.read(addr, 4), "little")


def read_u64(memory: GuestMemory, addr: int) -> int:
    """The unsigned 64-bit number at addr, which need not be aligned."""
    return int.from_bytes(memory.read(addr, 8), "little")


def write_u32(memory: GuestMemory, addr: int, value: int) -> None:
    """Store a number as 4 bytes; negative ones in two's complement."""
    memory.write(addr, (value & 0xFFFFFFFF).to_bytes(4, "little"))


def write_u64(memory: GuestMemory, addr: int, value: int) -> None:
    """Store a number as 8 bytes; negative ones in two's complement."""
    memory.write(addr, (value & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little"))
