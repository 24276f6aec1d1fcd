"""Reading and writing guest memory (abi_reference 3.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostabi.abi.marshal import GuestMemoryError, check_range, read_u32, read_u64, write_u32, write_u64


class Memory:
    """Some bytes."""

    def __init__(self, size: int = 64) -> None:
        self.data = bytearray(size)

    @property
    def length(self) -> int:
        return len(self.data)

    def read(self, addr: int, n: int) -> bytes:
        check_range(self.length, addr, n)
        return bytes(self.data[addr : addr + n])

    def write(self, addr: int, data: bytes) -> None:
        check_range(self.length, addr, len(data))
        self.data[addr : addr + len(data)] = data


@given(st.integers(0, 1 << 33), st.integers(0, 1 << 33), st.integers(0, 1 << 33))
def test_a_range_is_in_memory_or_an_error(length: int, addr: int, n: int) -> None:
    if addr + n <= length:
        check_range(length, addr, n)
    else:
        with pytest.raises(GuestMemoryError):
            check_range(length, addr, n)


@given(st.integers(0, 60), st.integers(-(1 << 31), (1 << 32) - 1))
def test_numbers_of_32_bits(addr: int, value: int) -> None:
    memory = Memory()
    write_u32(memory, addr, value)
    assert read_u32(memory, addr) == value & 0xFFFFFFFF
    assert memory.data[addr] == value & 0xFF, "little-endian"


@given(st.integers(0, 56), st.integers(-(1 << 63), (1 << 64) - 1))
def test_numbers_of_64_bits(addr: int, value: int) -> None:
    memory = Memory()
    write_u64(memory, addr, value)
    assert read_u64(memory, addr) == value & 0xFFFFFFFFFFFFFFFF
    assert memory.data[addr] == value & 0xFF, "little-endian"
