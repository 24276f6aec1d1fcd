"""Messages as tests and the command line give and see them: a request, an answer, and what came out at one side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hostabi.abi.codec import HeaderPairs

Text = str | bytes
HeadersLike = Mapping[str, Text] | Iterable[tuple[Text, Text]]


def to_bytes(text: Text) -> bytes:
    """Text as bytes: UTF-8, and bytes as they are."""
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text


def to_pairs(headers: HeadersLike) -> HeaderPairs:
    """Headers in any form as pairs of bytes, names in lower case."""
    items = headers.items() if isinstance(headers, Mapping) else headers
    return tuple(
        [
            (
                (name if type(name) is bytes else to_bytes(name)).lower(),
                value if type(value) is bytes else to_bytes(value),
            )
            for name, value in items
        ]
    )


@dataclass(frozen=True, slots=True)
class Request:
    """What the client sends. `chunks` are the pieces the body comes in; without them it comes in one."""

    method: str = "GET"
    path: str = "/"
    authority: str = "localhost"
    scheme: str = "http"
    headers: HeadersLike = ()
    body: Text = b""
    chunks: Sequence[Text] = ()
    trailers: HeadersLike = ()

    def header_pairs(self) -> HeaderPairs:
        """Pseudo-headers first, in Envoy's order; a `host` header takes the place of the authority."""
        pairs = to_pairs(self.headers)
        given = dict(reversed(pairs))
        host = given.get(b"host")
        pseudo = (
            (b":authority", host if host is not None else to_bytes(self.authority)),
            (b":path", to_bytes(self.path)),
            (b":method", to_bytes(self.method)),
            (b":scheme", to_bytes(self.scheme)),
        )
        own = [pair for pair in pseudo if pair[0] not in given]
        named = [pair for pair in pairs if pair[0].startswith(b":")]
        rest = [pair for pair in pairs if not pair[0].startswith(b":") and pair[0] != b"host"]
        return (*own, *named, *rest)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: the upstream's, or that to a filter's call. `failed` means there is none: the connection broke."""

    status: int = 200
    headers: HeadersLike = ()
    body: Text = b""
    chunks: Sequence[Text] = ()
    trailers: HeadersLike = ()
    failed: str = ""

    def header_pairs(self) -> HeaderPairs:
        """:status, then the headers."""
        pairs = to_pairs(self.headers)
        status = () if any(name == b":status" for name, _ in pairs) else ((b":status", b"%d" % self.status),)
        return (*status, *pairs)


def pieces(message: Request | Answer) -> list[bytes]:
    """The chunks of a message's body; none when it has no body."""
    if message.chunks:
        return [to_bytes(chunk) for chunk in message.chunks]
    return [to_bytes(message.body)] if message.body else []


@dataclass(slots=True)
class Message:
    """What came out at one side."""

    headers: HeaderPairs = ()
    body: bytes = b""
    trailers: HeaderPairs = ()
    complete: bool = False

    def get(self, name: str) -> str | None:
        """The first value of a header, as text."""
        wanted = name.lower().encode()
        return next((value.decode("utf-8", "replace") for key, value in self.headers if key == wanted), None)

    def get_all(self, name: str) -> list[str]:
        """Every value of a header, as text."""
        wanted = name.lower().encode()
        return [value.decode("utf-8", "replace") for key, value in self.headers if key == wanted]

    @property
    def status(self) -> int | None:
        """The number in :status."""
        text = self.get(":status")
        return int(text) if text is not None and text.isdigit() else None


HTTP1 = "HTTP/1.1"
HTTP2 = "HTTP/2"
_NO_BODY = (b"204", b"304")


def shown(pairs: HeaderPairs, protocol: str | None, body: bool) -> HeaderPairs:
    """A message's headers as filters are shown them, which is not quite how they stand on the wire (seen on Envoy).

    A request's transfer-encoding is the proxy's business. HTTP/2 may cut a cookie into several headers, and a proxy
    puts it together (RFC 9113, 8.2.3), behind the others.
    """
    if protocol == HTTP2:
        cookie = b"; ".join(value for name, value in pairs if name == b"cookie")
        rest = tuple(pair for pair in pairs if pair[0] != b"cookie")
        return (*rest, (b"cookie", cookie)) if cookie else pairs
    wire = framed(pairs, protocol, body)
    if any(name == b":status" for name, _ in pairs):
        return wire
    return tuple(pair for pair in wire if pair[0] != b"transfer-encoding")


def framed(pairs: HeaderPairs, protocol: str | None, body: bool) -> HeaderPairs:
    """A message's headers on the wire: HTTP/1.1 says how long the body is, or that it comes in chunks."""
    if protocol != HTTP1 or any(name == b"content-length" for name, _ in pairs):
        return pairs
    if body:
        return (*pairs, (b"transfer-encoding", b"chunked"))
    status = next((value for name, value in pairs if name == b":status"), None)
    if status is None or status in _NO_BODY or status.startswith(b"1"):
        return pairs
    return (*pairs, (b"content-length", b"0"))


def in_pieces(body: Sequence[bytes], end: bool, protocol: str | None) -> list[tuple[bytes, bool]]:
    """A body's chunks, each with whether it is the last; on HTTP/1.1 the end comes by itself, as Envoy shows it."""
    if protocol == HTTP1 and end and body:
        return [(chunk, False) for chunk in body if chunk] + [(b"", True)]
    return [(chunk, end and i + 1 == len(body)) for i, chunk in enumerate(body)]
