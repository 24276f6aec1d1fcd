"""HTTP calls, and foreign functions (abi_reference 8.8, 8.10)."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from hostabi import CallFailed, CallResponse, HostError, Limits, RequestHeaders, StartCall, Status, StreamEnd
from hostabi.abi.codec import encode_pairs
from hostabi.testing import Answer, FilterHost
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.kit import call, callback, callbacks, expression

HEADERS = ((b":method", b"POST"), (b":path", b"/"), (b":authority", b"a"))
CALL: tuple[Any, ...] = ("proxy_http_call", b"up", HEADERS, b"body", ((b"t", b"1"),), 1000)


def test_http_call(engine: str) -> None:
    got = call(
        engine, *CALL, also={"proxy_on_http_call_response": ""}, host={"calls": {"up": Answer(201, {"H": "1"}, "ok")}}
    )
    assert (got.status, got.output) == (Status.OK, 4)
    assert got.exchange.calls == [
        StartCall("plugin", 4, "up", (*HEADERS, (b"content-length", b"4")), b"body", ((b"t", b"1"),), 1000)
    ]
    assert callbacks(got.exchange.transcript)[1] == "on_http_call_response(1, 4, 2, 2, 0)"


def test_a_call_that_fails(engine: str) -> None:
    got = call(engine, *CALL, also={"proxy_on_http_call_response": ""})
    assert callbacks(got.exchange.transcript)[1] == "on_http_call_response(1, 4, 0, 0, 0)"


def test_tokens_count_up_by_four(engine: str) -> None:
    again = f"(drop {expression('proxy_http_call', [1024, 2, 1027, *_rest()])})"
    got = call(engine, *CALL, after=(again, again))
    assert [c.token for c in got.exchange.calls] == [4, 8, 12]


def _rest() -> list[int]:
    pairs = len(encode_pairs(HEADERS))
    return [pairs, 0, 0, 0, 0, 1000]


@pytest.mark.parametrize(
    ("upstream", "headers", "timeout", "status"),
    [
        (b"other", HEADERS, 1000, Status.BAD_ARGUMENT),
        (b"up", HEADERS[1:], 1000, Status.BAD_ARGUMENT),
        (b"up", HEADERS[:2], 1000, Status.BAD_ARGUMENT),
        (b"up", (), 1000, Status.BAD_ARGUMENT),
        (b"up", HEADERS, 0xFFFFFFFF, Status.BAD_ARGUMENT),
        (b"up", HEADERS, 0, Status.OK),
    ],
)
def test_calls_that_cannot_be_made(engine: str, upstream: bytes, headers: Any, timeout: int, status: Status) -> None:
    got = call(engine, "proxy_http_call", upstream, headers, b"", (), timeout, host={"upstreams": frozenset({"up"})})
    assert (got.status, len(got.exchange.calls)) == (status, int(status is Status.OK))


def test_the_limit_of_calls(engine: str) -> None:
    got = call(engine, *CALL, host={"limits": Limits(outstanding_calls=0)})
    assert (got.status, got.exchange.calls) == (Status.INTERNAL_FAILURE, [])


def test_the_token_cell_is_tried_before_the_call(engine: str) -> None:
    got = call(engine, *CALL, 65533)
    assert (got.status, got.exchange.calls) == (Status.INVALID_MEMORY_ACCESS, [])


def test_a_late_answer_goes_to_the_plugin_and_an_unknown_token_nowhere(engine: str) -> None:
    """The stream is gone, the answer comes to the root; a token that nobody holds is never delivered."""
    raw = [0, 2, 8, len(encode_pairs(HEADERS)), 0, 0, 0, 0, 1000]
    text = small_filter(
        {
            "proxy_on_request_headers": callback("proxy_on_request_headers", expression("proxy_http_call", raw)),
            "proxy_on_http_call_response": "",
        },
        data={0: b"up", 8: encode_pairs(HEADERS)},
    )
    host = FilterHost(text, engine=engine)
    key = host.plugins[0].key
    host.chain.handle(RequestHeaders(77, ((b":path", b"/"),), True))
    host.chain.handle(StreamEnd(77))
    host.exchanger.take()
    host.chain.handle(CallResponse(key, 8, ()))
    host.chain.handle(CallFailed(key, 4))
    host.chain.handle(CallFailed(key, 4))
    assert callbacks(host.exchanger.take().transcript) == ["on_http_call_response(1, 4, 0, 0, 0)"]


def test_maps_of_an_answer(engine: str) -> None:
    read = (
        f"(drop {expression('proxy_get_header_map_pairs', [6])}) (drop {expression('proxy_get_header_map_pairs', [7])})"
    )
    write = f"(drop {expression('proxy_add_header_map_value', [6, 0, 1, 0, 1])})"
    got = call(
        engine,
        *CALL,
        also={"proxy_on_http_call_response": read + write},
        host={"calls": {"up": Answer(200, {"A": "b"}, trailers={"T": "1"})}},
    )
    made = [r for r in got.exchange.transcript if "header_map" in getattr(r, "function", "")]
    assert [r.outputs for r in made[:2]] == [(((b":status", b"200"), (b"a", b"b")),), (((b"t", b"1"),),)]
    assert made[2].result == Status.BAD_ARGUMENT


# --- foreign functions


def test_an_unknown_foreign_function(engine: str) -> None:
    assert call(engine, "proxy_call_foreign_function", b"none", b"").status is Status.NOT_FOUND


def test_compress_and_uncompress(engine: str) -> None:
    got = call(engine, "proxy_call_foreign_function", b"compress", b"hello" * 20)
    assert isinstance(got.output, bytes)
    assert zlib.decompress(got.output) == b"hello" * 20
    got = call(engine, "proxy_call_foreign_function", b"uncompress", zlib.compress(b"hello"))
    assert got.output == b"hello"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"junk", Status.SERIALIZATION_FAILURE),
        (zlib.compress(b"hello" * 100)[:-6], Status.SERIALIZATION_FAILURE),
        (zlib.compress(bytes(2000)), Status.INTERNAL_FAILURE),
    ],
)
def test_uncompress_what_it_cannot(engine: str, data: bytes, status: Status) -> None:
    limits = {"limits": Limits(foreign_result_bytes=1000)}
    assert call(engine, "proxy_call_foreign_function", b"uncompress", data, host=limits).status is status


def test_clear_route_cache(engine: str) -> None:
    got = call(engine, "proxy_call_foreign_function", b"clear_route_cache", b"")
    assert (got.status, got.output) == (Status.OK, b"")
    assert "ClearRouteCache" in [type(c).__name__ for c in got.exchange.commands]


def test_own_foreign_functions(engine: str) -> None:
    def echo(vm: object, data: bytes) -> bytes:
        if not data:
            raise HostError(Status.PARSE_FAILURE, "nothing to echo", outputs=b"why")
        return data

    host = {"foreign": {"echo": echo}}
    assert call(engine, "proxy_call_foreign_function", b"echo", b"abc", host=host).output == b"abc"
    failed = call(engine, "proxy_call_foreign_function", b"echo", b"", host=host)
    assert (failed.status, failed.output) == (Status.PARSE_FAILURE, b"why"), "outputs come with a bad status too"


@pytest.mark.parametrize(("ptr", "size"), [(0, 0), (256, 0), (0, 256)])
def test_outputs_that_are_not_wanted(engine: str, ptr: int, size: int) -> None:
    raw = [1024, 8, 1033, 5, ptr, size]
    name = "proxy_call_foreign_function"
    text = small_filter(
        {"proxy_on_request_headers": callback("proxy_on_request_headers", expression(name, raw))},
        data={0: b"\xaa" * 8, 256: b"\xaa" * 8, 1024: b"compress\0hello"},
    )
    host = FilterHost(text, engine=engine)
    made = [r for r in host.exchange().transcript if getattr(r, "function", "") == name]
    assert made[0].result == Status.OK  # type: ignore[attr-defined]
    memory = host.plugins[0].vm.guest.memory
    assert memory.read(0, 8) == b"\xaa" * 8, "address 0 means: not wanted"
    assert (memory.read(256, 4) == b"\xaa" * 4) is (ptr == size == 0)


def test_plugins_start_in_order(engine: str) -> None:
    host = FilterHost(small_filter(), small_filter(), engine=engine)
    assert [p.key for p in host.plugins] == ["plugin", "plugin#2"]
    assert host.plugins[0].vm is host.plugins[1].vm, "the same code and vm_id: one VM"
