"""RESP, the protocol of Redis, as far as the ABI needs it: where values end, how many commands a query holds.

Filters send queries in it and read answers in it themselves; a host must know only their borders. Versions 2 and 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hostabi.abi.codec import CodecError

MOST_DEPTH = 32
MOST_BYTES = 64 << 20
_LINES = frozenset(b"+-:_#,(")
_BULKS = frozenset(b"$=!")
_LISTS = {**dict.fromkeys(b"*~>", 1), ord("%"): 2}


class RespError(CodecError):
    """Bytes that are no RESP, or are more than the limits allow."""


class ErrorReply(str):
    """An error, as an answer of Redis."""


class StatusReply(str):
    """A status such as OK, as an answer of Redis."""


def value_end(data: bytes | bytearray, at: int = 0) -> int | None:
    """Where the value that begins at `at` ends; None when it is not all there yet. Raises RespError."""
    depths = [1]
    while depths:
        depths[-1] -= 1
        line = data.find(b"\r\n", at, at + (1 << 16))
        if line < 0:
            if len(data) - at > 1 << 16:
                raise RespError("a line of RESP does not end")
            return None
        kind = data[at]
        text = bytes(data[at + 1 : line])
        at = line + 2
        if kind in _BULKS:
            size = _count(text)
            if size >= 0:
                if at + size + 2 > len(data):
                    return None
                if data[at + size : at + size + 2] != b"\r\n":
                    raise RespError("a text in RESP does not end where it says")
                at += size + 2
        elif kind in _LISTS:
            held = _count(text) * _LISTS[kind]
            if held > 0:
                depths.append(held)
                if len(depths) > MOST_DEPTH:
                    raise RespError(f"lists in RESP nested more than {MOST_DEPTH} deep")
        elif kind not in _LINES:
            raise RespError(f"{chr(kind)!r} begins no value of RESP")
        while depths and not depths[-1]:
            depths.pop()
    return at


def _count(text: bytes) -> int:
    if not text.removeprefix(b"-").isdigit() or len(text) > 10 or int(text) < -1 or int(text) > MOST_BYTES:
        raise RespError(f"{text[:20]!r} is no length in RESP")
    return int(text)


def count_commands(query: bytes) -> int:
    """How many commands a query holds, each a list of texts; RespError unless it is whole commands, one at least."""
    at = found = 0
    while at < len(query):
        if query[at : at + 1] != b"*":
            raise RespError("a command in RESP is a list")
        end = value_end(query, at)
        if end is None:
            raise RespError("the query is cut off")
        at = end
        found += 1
    if not found:
        raise RespError("the query is empty")
    return found


def encode_command(*words: bytes) -> bytes:
    """A command as Redis takes it."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def read_command(query: bytes) -> tuple[bytes, ...]:
    """The words of the first command of a query that `count_commands` has accepted."""
    line, _, rest = query.partition(b"\r\n")
    words = []
    for _ in range(_count(line[1:])):
        head, _, rest = rest.partition(b"\r\n")
        size = max(0, _count(head[1:])) if head[:1] == b"$" else 0
        words.append(rest[:size] if head[:1] == b"$" else head[1:])
        rest = rest[size + 2 :] if head[:1] == b"$" else rest
    return tuple(words)


def encode_reply(value: object) -> bytes:
    """An answer: texts and bytes as bulk strings, numbers, None, lists; mappings as lists of keys and values.

    Raises RespError for anything else. StatusReply and ErrorReply are what their names say.
    """
    match value:
        case None:
            return b"$-1\r\n"
        case ErrorReply() | StatusReply():
            sign = b"-" if isinstance(value, ErrorReply) else b"+"
            return sign + " ".join(value.split()).encode("utf-8", "surrogateescape") + b"\r\n"
        case bool() | int():
            return b":%d\r\n" % value
        case float():
            return encode_reply(repr(value))
        case str():
            return encode_reply(value.encode("utf-8", "surrogateescape"))
        case bytes():
            return b"$%d\r\n%b\r\n" % (len(value), value)
        case Mapping():
            return encode_reply([part for pair in value.items() for part in pair])
        case Sequence():
            return b"*%d\r\n" % len(value) + b"".join(encode_reply(one) for one in value)
        case _:
            raise RespError(f"{value!r} is no answer of Redis")
