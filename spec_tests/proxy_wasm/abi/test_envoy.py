"""What Envoy's private callbacks bring, byte by byte, and read back as a guest reads it."""

from __future__ import annotations

from struct import unpack_from

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostabi.abi.envoy import COUNTERS, GAUGES, encode_addresses, encode_statistics, with_port

U64 = st.integers(0, 2**64 - 1)
NAMES = st.binary(max_size=20)


def test_addresses_as_envoy_gave_them() -> None:
    """Seen on Envoy 1.40, for `localhost` and for 127.0.0.1; and for a name that nobody knows."""
    assert encode_addresses([("::1", 0)]) == bytes.fromhex("01000000 00000000") + b"[::1]:0\0"
    assert encode_addresses([("127.0.0.1", 0)]) == bytes.fromhex("01000000 00000000") + b"127.0.0.1:0\0"
    assert encode_addresses([]) == bytes(4)
    assert encode_addresses([("1.2.3.4", 5), ("::", 6)])[4:12] == bytes.fromhex("05000000 06000000")


@pytest.mark.parametrize(
    ("given", "shown"),
    [("1.2.3.4", "1.2.3.4:0"), ("1.2.3.4:53", "1.2.3.4:53"), ("fe80::1", "[fe80::1]:0"), ("[::1]:53", "[::1]:53")],
)
def test_an_address_has_a_port(given: str, shown: str) -> None:
    assert with_port(given) == shown


def test_statistics_byte_by_byte() -> None:
    data = encode_statistics([(b"abc", 7, 2)], [(b"gauge", 1)])
    counter = bytes.fromhex("28000000 01000000 01000000 03000000") + b"abc" + bytes(5)
    gauge = bytes.fromhex("20000000 02000000 01000000 05000000") + b"gauge" + bytes(3)
    values = [n.to_bytes(8, "little") for n in (7, 2, 1)]
    assert data == counter + values[0] + values[1] + gauge + values[2]


@given(st.lists(st.tuples(NAMES, U64, U64), max_size=4), st.lists(st.tuples(NAMES, U64), max_size=4))
def test_statistics_read_back(counters: list[tuple[bytes, int, int]], gauges: list[tuple[bytes, int]]) -> None:
    data = encode_statistics(counters, gauges)
    found: dict[int, list[tuple[object, ...]]] = {}
    at = 0
    while at < len(data):
        size, kind, count = unpack_from("<III", data, at)
        rows, place = [], at + 12
        for _ in range(count):
            (length,) = unpack_from("<I", data, place)
            name = data[place + 4 : place + 4 + length]
            place = (place + 4 + length + 7) & ~7
            numbers = unpack_from("<QQ" if kind == COUNTERS else "<Q", data, place)
            place += 8 * len(numbers)
            rows.append((name, *numbers))
        assert place == at + size
        found[kind] = rows
        at += size
    assert found == {COUNTERS: counters, GAUGES: gauges}
