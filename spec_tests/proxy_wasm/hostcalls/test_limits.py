"""Every limit of a host has its answer (host_contract 2): one row a limit, with what is still fine and what is not."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from hostabi import Limits, LogLevel, Status
from hostabi.testing import FilterHost
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.kit import INPUTS, call, callback, expression

FINE = Status.OK
FULL = Status.INTERNAL_FAILURE
BAD = Status.BAD_ARGUMENT
HEADERS = ((b":method", b"GET"), (b":path", b"/"), (b":authority", b"a"))
TWO_NAMES = {"data": {INPUTS - 8: b"ab"}}


def first(name: str, *raw: int) -> dict[str, Any]:
    """The same call before the one that is looked at, with other numbers."""
    return {"before": (expression(name, list(raw)),), **TWO_NAMES}


DATA_A = first("proxy_set_shared_data", 1016, 1, 0, 0, 0)
QUEUE_A = first("proxy_register_shared_queue", 1016, 1)
STREAM = first("proxy_grpc_stream", 1016, 2, 1016, 1, 1016, 1, 0, 0)
BODY: dict[str, Any] = {"during": "proxy_on_request_body", "body": "x"}

#: Limit, its value, the call, its arguments, what else, what it answers.
ROWS: list[tuple[str, Any, str, tuple[Any, ...], dict[str, Any], Status]] = [
    ("header_pairs", 5, "proxy_add_header_map_value", (0, b"k", b"v"), {}, FINE),
    ("header_pairs", 4, "proxy_add_header_map_value", (0, b"k", b"v"), {}, BAD),
    ("header_bytes", 100, "proxy_replace_header_map_value", (0, b"k", b"v"), {}, FINE),
    ("header_bytes", 20, "proxy_replace_header_map_value", (0, b"k", b"v"), {}, BAD),
    ("shared_data_bytes", 4, "proxy_set_shared_data", (b"k", b"val", 0), {}, FINE),
    ("shared_data_bytes", 3, "proxy_set_shared_data", (b"k", b"val", 0), {}, FULL),
    ("shared_data_keys", 2, "proxy_set_shared_data", (b"k", b"v", 0), DATA_A, FINE),
    ("shared_data_keys", 1, "proxy_set_shared_data", (b"k", b"v", 0), DATA_A, FULL),
    ("queues", 2, "proxy_register_shared_queue", (b"q",), QUEUE_A, FINE),
    ("queues", 1, "proxy_register_shared_queue", (b"q",), QUEUE_A, FULL),
    ("queue_messages", 1, "proxy_enqueue_shared_queue", (1, b"m"), QUEUE_A, FINE),
    ("queue_messages", 0, "proxy_enqueue_shared_queue", (1, b"m"), QUEUE_A, FULL),
    ("queue_bytes", 3, "proxy_enqueue_shared_queue", (1, b"abc"), QUEUE_A, FINE),
    ("queue_bytes", 2, "proxy_enqueue_shared_queue", (1, b"abc"), QUEUE_A, FULL),
    ("metrics", 2, "proxy_define_metric", (0, b"m"), first("proxy_define_metric", 0, 1016, 1), FINE),
    ("metrics", 1, "proxy_define_metric", (0, b"m"), first("proxy_define_metric", 0, 1016, 1), FULL),
    ("metric_name_bytes", 3, "proxy_define_metric", (0, b"abc"), {}, FINE),
    ("metric_name_bytes", 2, "proxy_define_metric", (0, b"abc"), {}, FULL),
    ("outstanding_calls", 1, "proxy_http_call", (b"up", HEADERS, b"", (), 10), {}, FINE),
    ("outstanding_calls", 0, "proxy_http_call", (b"up", HEADERS, b"", (), 10), {}, FULL),
    ("call_body_bytes", 4, "proxy_http_call", (b"up", HEADERS, b"body", (), 10), {}, FINE),
    ("call_body_bytes", 3, "proxy_http_call", (b"up", HEADERS, b"body", (), 10), {}, FULL),
    ("grpc_message_bytes", 4, "proxy_grpc_call", (b"up", b"s", b"m", (), b"body", 10), {}, FINE),
    ("grpc_message_bytes", 3, "proxy_grpc_call", (b"up", b"s", b"m", (), b"body", 10), {}, FULL),
    ("grpc_message_bytes", 4, "proxy_grpc_send", (6, b"body", 0), STREAM, FINE),
    ("grpc_message_bytes", 3, "proxy_grpc_send", (6, b"body", 0), STREAM, BAD),
    ("grpc_queue_bytes", 4, "proxy_grpc_send", (6, b"body", 0), STREAM, FINE),
    ("grpc_queue_bytes", 3, "proxy_grpc_send", (6, b"body", 0), STREAM, BAD),
    ("body_buffer", 8, "proxy_set_buffer_bytes", (0, 0, 1, b"12345678"), BODY, FINE),
    ("body_buffer", 8, "proxy_set_buffer_bytes", (0, 0, 1, b"123456789"), BODY, BAD),
    ("filter_state_bytes", 4, "proxy_set_property", (b"a", b"bcd"), {}, FINE),
    ("filter_state_bytes", 3, "proxy_set_property", (b"a", b"bcd"), {}, BAD),
]  # fmt: skip

#: Limits that a status does not tell; the tests of these names are elsewhere or below.
ELSEWHERE = {
    "memory_pages": "core/test_host.py",
    "call_depth": "core/test_host.py",
    "fuel_per_call": "core/test_host.py",
    "deferred_actions": "core/test_host.py",
    "connection_buffer": "stream/test_connections.py",
    "random_bytes": "core/test_host.py",
    "foreign_argument_bytes": "hostcalls/test_foreign.py",
    "foreign_result_bytes": "hostcalls/test_callouts.py",
    "redis_services": "hostcalls/test_redis.py",
    "redis_response_bytes": "hostcalls/test_redis.py",
    "declared_properties": "hostcalls/test_foreign.py",
    "expressions": "hostcalls/test_expressions.py",
    "expression_bytes": "hostcalls/test_expressions.py",
    "expression_steps": "hostcalls/test_expressions.py",
    "log_lines_per_second": "hostcalls/test_log_and_time.py",
    "log_line_bytes": "below",
    "pairs": "abi/test_codec.py",
}


@pytest.mark.parametrize(("limit", "value", "name", "args", "more", "status"), ROWS)
def test_what_a_limit_answers(
    engine: str, limit: str, value: object, name: str, args: tuple[Any, ...], more: dict[str, Any], status: Status
) -> None:
    limits = replace(Limits(), **{limit: value})  # type: ignore[arg-type]
    assert call(engine, name, *args, host={"limits": limits}, **more).status is status


def test_every_limit_is_here() -> None:
    assert {row[0] for row in ROWS} | set(ELSEWHERE) == {one.name for one in fields(Limits)}


def test_a_log_line_is_cut(engine: str) -> None:
    said = expression("proxy_log", [int(LogLevel.INFO), 0, 10])
    text = small_filter(
        {"proxy_on_request_headers": callback("proxy_on_request_headers", said)}, data={0: b"0123456789"}
    )
    done = FilterHost(text, engine=engine, limits=Limits(log_line_bytes=4)).exchange()
    assert [log.message for log in done.logs] == [b"0123"]
