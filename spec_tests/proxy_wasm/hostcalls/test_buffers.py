"""Buffers, cell by cell of the tables in abi_reference 8.7."""

from __future__ import annotations

from typing import Any

import pytest

from hostabi import BufferType, ForeignCall, Limits, Status
from hostabi.abi.enums import AbiVersion
from hostabi.testing import Answer, FilterHost
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.kit import call, callback, expression

REQUEST, RESPONSE = BufferType.HTTP_REQUEST_BODY, BufferType.HTTP_RESPONSE_BODY
ALL = 0xFFFFFFFF
BODY: dict[str, Any] = {"during": "proxy_on_request_body", "body": "0123456789"}


# --- reading


@pytest.mark.parametrize(
    ("start", "most", "read"),
    [
        (0, ALL, b"0123456789"),
        (0, 10, b"0123456789"),
        (0, 3, b"012"),
        (8, 5, b"89"),
        (3, 0, b""),
        (10, 1, b""),
        (11, 1, b""),
        (ALL, ALL, b""),
    ],
)
def test_read(engine: str, start: int, most: int, read: bytes) -> None:
    got = call(engine, "proxy_get_buffer_bytes", REQUEST, start, most, **BODY)
    assert (got.status, got.output) == (Status.OK, read)


def test_read_response_body(engine: str) -> None:
    got = call(
        engine, "proxy_get_buffer_bytes", RESPONSE, 0, ALL, during="proxy_on_response_body", response_body="resp"
    )
    assert got.output == b"resp"


def test_read_with_overflow_in_the_specification(engine: str) -> None:
    got = call(engine, "proxy_get_buffer_bytes", REQUEST, 8, ALL - 1, host={"profile": "spec"}, **BODY)
    assert got.status is Status.BAD_ARGUMENT


@pytest.mark.parametrize("kind", [9, 10, ALL])
def test_a_buffer_type_out_of_range(engine: str, kind: int) -> None:
    assert call(engine, "proxy_get_buffer_bytes", kind, 0, ALL, **BODY).status is Status.BAD_ARGUMENT
    assert call(engine, "proxy_get_buffer_status", kind, **BODY).status is Status.BAD_ARGUMENT
    assert call(engine, "proxy_set_buffer_bytes", kind, 0, 0, b"", **BODY).status is Status.BAD_ARGUMENT


def test_buffer_9_exists_in_0_2_100(engine: str) -> None:
    got = call(engine, "proxy_get_buffer_bytes", 9, 0, ALL, abi=AbiVersion.V0_2_100, **BODY)
    assert got.status is Status.NOT_FOUND


@pytest.mark.parametrize("kind", [2, 3, 5, 8])
def test_a_buffer_that_reads_as_empty_where_it_does_not_exist(engine: str, kind: int) -> None:
    """Seen on Envoy 1.40; the specification says NOT_FOUND."""
    got = call(engine, "proxy_get_buffer_bytes", kind, 0, ALL, **BODY)
    assert (got.status, got.output) == (Status.OK, b"")
    assert call(engine, "proxy_get_buffer_status", kind, **BODY).called.outputs == (0, 0)
    assert call(engine, "proxy_set_buffer_bytes", kind, 0, 0, b"x", **BODY).status is Status.BAD_ARGUMENT
    spec = {"profile": "spec"}
    assert call(engine, "proxy_get_buffer_bytes", kind, 0, ALL, host=spec, **BODY).status is Status.NOT_FOUND
    assert call(engine, "proxy_set_buffer_bytes", kind, 0, 0, b"x", host=spec, **BODY).status is Status.NOT_FOUND


def test_a_callout_body_that_does_not_exist(engine: str) -> None:
    kind = BufferType.HTTP_CALL_RESPONSE_BODY
    assert call(engine, "proxy_get_buffer_bytes", kind, 0, ALL, **BODY).status is Status.NOT_FOUND
    assert call(engine, "proxy_get_buffer_status", kind, **BODY).status is Status.NOT_FOUND
    assert call(engine, "proxy_set_buffer_bytes", kind, 0, 0, b"x", **BODY).status is Status.NOT_FOUND


def test_a_body_that_is_not_there_yet(engine: str) -> None:
    got = call(engine, "proxy_get_buffer_bytes", REQUEST, 0, ALL, body="x")
    assert (got.status, got.output) == (Status.OK, b"")
    got = call(engine, "proxy_get_buffer_bytes", REQUEST, 0, ALL, during="proxy_on_configure")
    assert (got.status, got.output) == (Status.OK, b""), "on the plugin itself too, as in Envoy"
    got = call(engine, "proxy_get_buffer_bytes", REQUEST, 0, ALL, body="x", host={"profile": "spec"})
    assert got.status is Status.NOT_FOUND


def test_status(engine: str) -> None:
    assert call(engine, "proxy_get_buffer_status", REQUEST, **BODY).called.outputs == (10, 0)


@pytest.mark.parametrize(
    ("kind", "text"), [(BufferType.VM_CONFIGURATION, b"vm"), (BufferType.PLUGIN_CONFIGURATION, b"plugin")]
)
@pytest.mark.parametrize("during", ["proxy_on_vm_start", "proxy_on_configure", "proxy_on_request_headers"])
def test_configuration(engine: str, kind: BufferType, text: bytes, during: str) -> None:
    host = {"config": "plugin", "vm_config": "vm"}
    assert call(engine, "proxy_get_buffer_bytes", kind, 0, ALL, during=during, host=host).output == text
    assert call(engine, "proxy_get_buffer_status", kind, during=during, host=host).called.outputs == (len(text), 0)
    assert call(engine, "proxy_set_buffer_bytes", kind, 0, 0, b"x", host=host).status is Status.BAD_ARGUMENT


def test_plugin_configuration_in_envoy_is_there_while_configuring_only(engine: str) -> None:
    host = {"config": "plugin", "profile": "envoy"}
    kind = BufferType.PLUGIN_CONFIGURATION
    during = call(engine, "proxy_get_buffer_bytes", kind, 0, ALL, during="proxy_on_configure", host=host)
    assert during.output == b"plugin"
    before = call(engine, "proxy_get_buffer_bytes", kind, 0, ALL, during="proxy_on_vm_start", host=host)
    assert before.status is Status.NOT_FOUND
    assert call(engine, "proxy_get_buffer_bytes", kind, 0, ALL, host=host).status is Status.NOT_FOUND


def test_callout_body(engine: str) -> None:
    read = f"(drop {expression('proxy_get_buffer_bytes', [BufferType.HTTP_CALL_RESPONSE_BODY, 0, ALL])})"
    write = f"(drop {expression('proxy_set_buffer_bytes', [BufferType.HTTP_CALL_RESPONSE_BODY, 0, 0, 0, 1])})"
    got = call(
        engine,
        "proxy_http_call",
        b"up",
        ((b":method", b"GET"), (b":path", b"/"), (b":authority", b"a")),
        b"",
        (),
        1000,
        also={"proxy_on_http_call_response": read + write},
        host={"calls": {"up": Answer(body="answer")}},
    )
    made = {r.function: r for r in got.exchange.transcript if hasattr(r, "function")}
    assert made["proxy_get_buffer_bytes"].outputs == (b"answer",)
    assert made["proxy_set_buffer_bytes"].result == Status.BAD_ARGUMENT


def test_foreign_arguments(engine: str) -> None:
    read = f"(drop {expression('proxy_get_buffer_bytes', [BufferType.FOREIGN_FUNCTION_ARGUMENTS, 0, ALL])})"
    host = FilterHost(small_filter({"proxy_on_foreign_function": read}), engine=engine)
    host.chain.handle(ForeignCall(host.plugins[0].key, 7, b"args"))
    entered, called, _ = host.exchanger.take().transcript
    assert [value for _, value in entered.args] == [1, 7, 4]  # type: ignore[attr-defined]
    assert called.outputs == (b"args",)  # type: ignore[attr-defined]


# --- writing


@pytest.mark.parametrize(
    ("start", "size", "data", "status", "sent"),
    [
        (0, 0, b"ab", Status.OK, b"ab0123456789"),
        (0, 4, b"ab", Status.OK, b"ab456789"),
        (0, 10, b"ab", Status.OK, b"ab"),
        (0, ALL, b"ab", Status.OK, b"ab"),
        (0, ALL, b"", Status.OK, b""),
        (10, 0, b"ab", Status.OK, b"0123456789ab"),
        (10, ALL, b"ab", Status.OK, b"0123456789ab"),
        (ALL, 5, b"ab", Status.OK, b"0123456789ab"),
        (1, 0, b"ab", Status.BAD_ARGUMENT, b"0123456789"),
        (9, ALL, b"ab", Status.BAD_ARGUMENT, b"0123456789"),
    ],
)
@pytest.mark.parametrize("side", ["request", "response"])
def test_write(engine: str, side: str, start: int, size: int, data: bytes, status: Status, sent: bytes) -> None:
    got = call(
        engine,
        "proxy_set_buffer_bytes",
        REQUEST if side == "request" else RESPONSE,
        start,
        size,
        data,
        during=f"proxy_on_{side}_body",
        body="0123456789",
        response_body="0123456789",
    )
    message = getattr(got.exchange, side)
    assert (got.status, message.body, message.complete) == (status, sent, True)


def test_write_while_the_body_is_buffered(engine: str) -> None:
    """The idiom: Pause until the end of the stream, then rewrite everything."""
    body = callback(
        "proxy_on_request_body",
        "(if (i32.eqz (local.get 2)) (then (return (i32.const 1))))",
        expression("proxy_set_buffer_bytes", [REQUEST, 0, ALL, 0, 3]),
    )
    host = FilterHost(small_filter({"proxy_on_request_body": body}, data={0: b"new"}), engine=engine)
    done = host.exchange(chunks=["aa", "bb", "cc"])
    assert done.request and done.request.body == b"new"


def test_write_without_a_body(engine: str) -> None:
    assert call(engine, "proxy_set_buffer_bytes", REQUEST, 0, 0, b"x", body="y").status is Status.BAD_ARGUMENT
    got = call(engine, "proxy_set_buffer_bytes", REQUEST, 0, 0, b"x", body="y", host={"profile": "spec"})
    assert got.status is Status.NOT_FOUND


def test_a_missing_buffer_comes_before_bad_memory(engine: str) -> None:
    got = call(engine, "proxy_set_buffer_bytes", RESPONSE, 0, 0, 0xFFFFFFF0, 100, **BODY)
    assert got.status is Status.BAD_ARGUMENT
    got = call(engine, "proxy_set_buffer_bytes", REQUEST, 0, 0, 0xFFFFFFF0, 100, **BODY)
    assert got.status is Status.INVALID_MEMORY_ACCESS


def test_a_write_over_the_limit(engine: str) -> None:
    host = {"limits": Limits(body_buffer=12)}
    assert call(engine, "proxy_set_buffer_bytes", REQUEST, 10, 0, b"ab", host=host, **BODY).status is Status.OK
    got = call(engine, "proxy_set_buffer_bytes", REQUEST, 10, 0, b"abc", host=host, **BODY)
    assert got.status is Status.BAD_ARGUMENT
    got = call(engine, "proxy_set_buffer_bytes", REQUEST, 0, ALL, b"x" * 12, host=host, **BODY)
    assert got.exchange.request and got.exchange.request.body == b"x" * 12
