"""The tables of abi_reference 8.7, cell by cell, for a body that comes in chunks and for one that is held."""

from __future__ import annotations

from typing import Any

import pytest

from hostabi import Status
from hostabi.testing import Exchange, FilterHost
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.kit import callback, expression

ALL = 0xFFFFFFFF
SIDES = {"request": 0, "response": 1}
CHUNKS = ["01234", "56789"]
DATA = {1000: b"ab"}


def run(engine: str, side: str, shape: str, call: str, profile: str = "default") -> tuple[Exchange, list[Any]]:
    """Two chunks of five bytes; the call is made in the second callback, which sees five or all ten of them."""
    # The first callback holds its chunk (1) or passes it (0); the second passes everything.
    first = 1 if shape == "buffered" else 0
    name = f"proxy_on_{side}_body"
    body = (
        f"(if (i32.load (i32.const 0)) (then (drop {call}) (return (i32.const 0))))"
        f"(i32.store (i32.const 0) (i32.const 1)) (i32.const {first})"
    )
    host = FilterHost(small_filter({name: body}, data=DATA), engine=engine, profile=profile)
    given: dict[str, Any] = {"chunks": CHUNKS} if side == "request" else {"response_chunks": CHUNKS}
    done = host.exchange(**given)
    assert done.trap is None
    return done, [r for r in done.transcript if hasattr(r, "function")]


def sent(done: Exchange, side: str) -> bytes:
    message = done.request if side == "request" else done.response
    assert message is not None
    return message.body


SEEN = {"chunked": b"56789", "buffered": b"0123456789"}
BEFORE = {"chunked": b"01234", "buffered": b""}
PLACES = pytest.mark.parametrize(("side", "shape"), [(a, b) for a in SIDES for b in SEEN])


@PLACES
@pytest.mark.parametrize(
    ("start", "most"),
    [(0, ALL), (0, 5), (0, 2), (2, 2), (2, ALL), (3, 0), (5, 1), (10, 1), (11, 1), (ALL, ALL), (1, ALL)],
)
def test_reading(engine: str, side: str, shape: str, start: int, most: int) -> None:
    read = expression("proxy_get_buffer_bytes", [SIDES[side], start, most])
    _, (made,) = run(engine, side, shape, read)
    assert (made.result, made.outputs) == (Status.OK, (SEEN[shape][start : start + most],))


@PLACES
def test_status(engine: str, side: str, shape: str) -> None:
    _, (made,) = run(engine, side, shape, expression("proxy_get_buffer_status", [SIDES[side]]))
    assert made.outputs == (len(SEEN[shape]), 0)


@PLACES
@pytest.mark.parametrize(
    ("start", "size", "length", "effect"),
    [
        ("0", "0", 2, lambda old, n: b"ab" + old),
        ("0", "3", 2, lambda old, n: b"ab" + old[3:]),
        ("0", "3", 0, lambda old, n: old[3:]),
        ("0", "n", 2, lambda old, n: b"ab"),
        ("0", "max", 2, lambda old, n: b"ab"),
        ("0", "max", 0, lambda old, n: b""),
        ("n", "0", 2, lambda old, n: old + b"ab"),
        ("n", "7", 2, lambda old, n: old + b"ab"),
        ("beyond", "0", 2, lambda old, n: old + b"ab"),
        ("max", "max", 2, lambda old, n: old + b"ab"),
        ("1", "0", 2, None),
        ("1", "max", 2, None),
        ("last", "1", 0, None),
    ],
    ids=lambda value: str(value) if isinstance(value, str | int) else "",
)
def test_writing(engine: str, side: str, shape: str, start: str, size: str, length: int, effect: Any) -> None:
    old = SEEN[shape]
    numbers = {"n": len(old), "max": ALL, "beyond": len(old) + 1, "last": len(old) - 1}
    raw = [SIDES[side], *(numbers.get(text) if text in numbers else int(text) for text in (start, size)), 1000, length]
    done, (made,) = run(engine, side, shape, expression("proxy_set_buffer_bytes", raw))  # type: ignore[arg-type]
    assert made.result == (Status.BAD_ARGUMENT if effect is None else Status.OK)
    assert sent(done, side) == BEFORE[shape] + (old if effect is None else effect(old, len(old)))


@PLACES
@pytest.mark.parametrize(("start", "most"), [(ALL, 2), (2, ALL - 1)])
def test_a_range_that_overflows(engine: str, side: str, shape: str, start: int, most: int) -> None:
    read = expression("proxy_get_buffer_bytes", [SIDES[side], start, most])
    _, (made,) = run(engine, side, shape, read)
    assert (made.result, made.outputs) == (Status.OK, (SEEN[shape][start : start + most],))
    _, (made,) = run(engine, side, shape, read, "spec")
    assert made.result == Status.BAD_ARGUMENT


@pytest.mark.parametrize("kind", range(10))
def test_which_buffers_can_be_had_in_a_body_callback(engine: str, kind: int) -> None:
    """Type by type, in the callback of a request's body: status and content of a read."""
    expected: dict[int, tuple[Status, bytes | None]] = {
        0: (Status.OK, b"x"),
        4: (Status.NOT_FOUND, None),
        6: (Status.OK, b"vm"),
        7: (Status.OK, b"plugin"),
        9: (Status.BAD_ARGUMENT, None),
    }
    body = callback("proxy_on_request_body", expression("proxy_get_buffer_bytes", [kind, 0, ALL]))
    host = FilterHost(small_filter({"proxy_on_request_body": body}), engine=engine, config="plugin", vm_config="vm")
    (made,) = [r for r in host.exchange(body="x").transcript if hasattr(r, "function")]
    status, content = expected.get(kind, (Status.OK, b""))
    assert (made.result, made.outputs) == (status, () if content is None else (content,))  # type: ignore[attr-defined]
