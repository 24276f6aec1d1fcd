"""How Envoy writes what its private callbacks bring: addresses of a name, and statistics (abi_reference 11.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import pack


def encode_addresses(addresses: Sequence[tuple[str, int]]) -> bytes:
    """Addresses with the seconds they are valid: how many, all times, then all addresses, each with a NUL behind it."""
    times = b"".join(pack("<I", ttl) for _, ttl in addresses)
    return pack("<I", len(addresses)) + times + b"".join(with_port(text).encode() + b"\0" for text, _ in addresses)


def with_port(address: str) -> str:
    """An address as Envoy shows it: a port behind it, 0 for that of a name, and IPv6 in brackets."""
    if address.startswith("[") or address.count(":") == 1:
        return address
    return f"[{address}]:0" if ":" in address else f"{address}:0"


COUNTERS, GAUGES = 1, 2


def encode_statistics(counters: Iterable[tuple[bytes, int, int]], gauges: Iterable[tuple[bytes, int]]) -> bytes:
    """Counters as (name, value, added since the last time) and gauges as (name, value), a block of each.

    A block has its own size, kind and count in front; values lie at multiples of 8 from the start of the whole.
    """
    data = _block(0, COUNTERS, [(name, (value, added)) for name, value, added in counters])
    return data + _block(len(data), GAUGES, [(name, (value,)) for name, value in gauges])


def _block(start: int, kind: int, rows: Sequence[tuple[bytes, tuple[int, ...]]]) -> bytes:
    data = bytearray(12)
    for name, values in rows:
        data += pack("<I", len(name)) + name
        data += bytes(-(start + len(data)) % 8)
        data += b"".join(pack("<Q", value & 0xFFFFFFFFFFFFFFFF) for value in values)
    data[:12] = pack("<III", len(data), kind, len(rows))
    return bytes(data)
