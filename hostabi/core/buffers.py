"""Byte buffers and header maps that guests read and edit (abi_reference 8.6, 8.7)."""

from __future__ import annotations

from collections.abc import Iterable

from hostabi.abi.codec import HeaderPairs, Pair


def read_part(data: bytes | bytearray, start: int, most: int) -> bytes:
    """At most so many bytes from start; nothing when start lies beyond the end."""
    return bytes(data[start : start + most])


def edit(buffer: bytearray, start: int, size: int, data: bytes, *, drop_part: bool = True) -> bool:
    """Change a buffer as proxy_set_buffer_bytes does, in Envoy's five cases; False when the range has no meaning.

    start 0: the first `size` bytes are replaced, so 0 prepends and a large number replaces all; start at or beyond the
    end appends; anything between is refused. Without `drop_part`, replacing a part of it is refused too.
    """
    if start == 0:
        if not drop_part and 0 < size < len(buffer):
            return False
        buffer[:size] = data
        return True
    if start >= len(buffer):
        buffer += data
        return True
    return False


# Names that Envoy has a field for: a further value is joined to the first with a comma (all seen on Envoy 1.40).
_JOINED = b"""
cache-control connection content-encoding content-length content-type keep-alive proxy-connection proxy-status
transfer-encoding upgrade via x-envoy-attempt-count x-envoy-decorator-operation x-request-id
""".split()
JOINED_IN_REQUESTS = frozenset(
    _JOINED
    + b"""
accept accept-encoding access-control-request-headers access-control-request-method
access-control-request-private-network authorization cdn-loop expect grpc-accept-encoding grpc-timeout if-match
if-modified-since if-none-match if-range if-unmodified-since origin pragma referer te user-agent x-client-trace-id
x-envoy-downstream-service-cluster x-envoy-downstream-service-node x-envoy-external-address x-envoy-force-trace
x-envoy-internal x-envoy-ip-tags x-envoy-max-retries x-envoy-original-path x-envoy-retry-grpc-on x-envoy-retry-on
x-envoy-upstream-rq-timeout-ms x-forwarded-client-cert x-forwarded-for x-forwarded-host x-forwarded-port
x-forwarded-proto
""".split()
)
JOINED_IN_RESPONSES = frozenset(
    _JOINED
    + b"""
access-control-allow-credentials access-control-allow-headers access-control-allow-methods access-control-allow-origin
access-control-allow-private-network access-control-expose-headers access-control-max-age age date etag expires
grpc-message grpc-status last-modified location server vary x-envoy-ratelimited
""".split()
)
JOINED_IN_RESPONSE_TRAILERS = frozenset((b"grpc-message", b"grpc-status"))


def cut(buffer: bytearray, start: int, size: int, data: bytes) -> None:
    """Change a buffer as nginx's proxy_set_buffer_bytes does: cut at `start`, then at most `size` bytes of the data.

    (0, 0) prepends, and a size of 0 elsewhere means all of the data.
    """
    if start == 0 and size == 0 and data:
        buffer[:0] = data
        return
    buffer[start:] = data[: size or len(data)] if start else data[:size]


class HeaderMap:
    """Headers or trailers in order, names in lower case; duplicates are kept, or joined for the names in `joined`."""

    __slots__ = ("_joined", "_pairs")

    def __init__(self, pairs: Iterable[Pair] = (), joined: frozenset[bytes] = frozenset()) -> None:
        self._joined = joined
        self._pairs: list[Pair] = []
        self.assign(pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    @property
    def pairs(self) -> HeaderPairs:
        """All entries, in order."""
        return tuple(self._pairs)

    @property
    def byte_size(self) -> int:
        """Sum of the lengths of names and values: Envoy's size of a map."""
        return sum([len(name) + len(value) for name, value in self._pairs])

    def get(self, name: bytes) -> bytes | None:
        """The first value of this name."""
        wanted = name.lower()
        for key, value in self._pairs:
            if key == wanted:
                return value
        return None

    def all(self, name: bytes) -> list[bytes]:
        """Every value of this name."""
        wanted = name.lower()
        return [value for key, value in self._pairs if key == wanted]

    def add(self, name: bytes, value: bytes) -> None:
        """Append an entry, whether or not the name exists; or join it to the first one of this name."""
        name = name.lower()
        at = None
        if name in self._joined:
            at = next((i for i, (key, _) in enumerate(self._pairs) if key == name), None)
        if at is None:
            self._pairs.append((name, value))
        else:
            self._pairs[at] = (name, self._pairs[at][1] + b"," + value)

    def replace(self, name: bytes, value: bytes) -> None:
        """Leave one entry of this name, in the place of the first, with this value; append it when there is none."""
        wanted = name.lower()
        at = next((i for i, (key, _) in enumerate(self._pairs) if key == wanted), len(self._pairs))
        rest = [pair for pair in self._pairs[at + 1 :] if pair[0] != wanted]
        self._pairs[at:] = [(wanted, value), *rest]

    def remove(self, name: bytes) -> None:
        """Drop every entry of this name."""
        wanted = name.lower()
        self._pairs = [pair for pair in self._pairs if pair[0] != wanted]

    def assign(self, pairs: Iterable[Pair]) -> None:
        """Drop all entries, then add these in order."""
        self._pairs = found = [(name.lower(), value) for name, value in pairs]
        if not self._joined or len(dict(found)) == len(found):
            return  # there is nothing to join
        self._pairs = []
        for name, value in found:
            self.add(name, value)

    def assign_fields(self, pairs: Iterable[Pair]) -> None:
        """Drop all entries but pseudo-headers, then set these in order: what nginx does for set_pairs."""
        self._pairs = [pair for pair in self._pairs if pair[0].startswith(b":")]
        for name, value in pairs:
            if name.startswith(b":"):
                self.replace(name, value)
            else:
                self.add(name, value)
