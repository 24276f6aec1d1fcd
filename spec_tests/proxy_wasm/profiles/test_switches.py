"""Each switch of a profile, both ways: one row a switch, with what is seen for each of its values."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import pytest

from hostabi import AbiVersion, Profile
from hostabi.abi.hostcall import REGISTRY
from hostabi.core.policy import MISUSE, PROFILES, Restriction, profile
from hostabi.testing.profiles_page import SWITCHES, TOPICS
from spec_tests.proxy_wasm.kit import callback, expression
from spec_tests.proxy_wasm.profiles import observe as o
from spec_tests.proxy_wasm.profiles.observe import ALL, GET, REPLY, Observer


@dataclass(frozen=True)
class Row:
    """A switch, what is done to see it, and what is seen for each value."""

    switch: str
    observe: Observer
    seen: tuple[tuple[Any, object], ...]


def row(switch: str, observe: Observer, *seen: tuple[Any, object]) -> Row:
    return Row(switch, observe, seen)


def off_on(switch: str, observe: Observer, off: object, on: object) -> Row:
    return Row(switch, observe, ((False, off), (True, on)))


HEADERS = callback("proxy_on_request_headers")
READ_PATH = expression("proxy_get_header_map_value", [0, 0, 5])
PATH = {0: b":path"}
BODY: dict[str, Any] = {"during": "proxy_on_request_body", "body": "0123456789"}
COUNTER, GAUGE = 4, 5
DEFINE_GAUGE = expression("proxy_define_metric", [1, 0, 1])
STORE = expression("proxy_set_shared_data", [0, 1, 0, 1, 0])
TICK = expression("proxy_set_tick_period_milliseconds", [5])
POINTER = 0x7FFFFFFF


def headers_sent(done: Any) -> object:
    return None if done.request is None else {k.decode(): v.decode() for k, v in done.request.headers}


def pick_header(name: str) -> Any:
    return lambda done: done.request.get(name)


def status(done: Any) -> object:
    return "trap" if done.trap else done.status


def held(done: Any) -> object:
    return done.paused


HELD_BODY = o.runs(
    o.ends,
    {
        "proxy_on_request_headers": "(i32.const 1)",
        "proxy_on_request_body": "(i32.const 0)",
    },
    body="x",
)

ROWS = [
    # loading
    off_on("malloc_first", o.which_allocator, 1000, 2000),
    off_on("allocator_required", o.no_allocator, "INVALID_MEMORY_ACCESS", "refused"),
    off_on("first_marker_wins", o.loads(marker="", extra=o.MARKERS), "0.2.1", "0.1.0"),
    off_on("newer_versions", o.loads(marker="", extra=o.marker("proxy_abi_version_0_2_7")), "refused", "0.2.1"),
    off_on("higress_version", o.loads(abi=AbiVersion.V0_2_100), "refused", "0.2.100"),
    off_on("allow_unversioned", o.loads(marker=""), "refused", "0.2.1"),
    off_on(
        "strict_versions",
        o.loads(extra='(func (export "f") (drop (call $proxy_clear_route_cache)))'),
        "0.2.1",
        "refused",
    ),
    off_on("import_variants", o.short_variant, "refused", "0.2.1"),
    off_on("stubs", o.unknown_import, "refused", "0.2.1"),
    row(
        "absent_imports",
        o.loads(extra='(func (export "f") (drop (call $seed)))'),
        (frozenset(), "0.2.1"),
        (frozenset({"seed"}), "refused"),
    ),
    off_on("one_start_function", o.start_functions, "im", "s"),
    row(
        "start_restriction",
        o.forbidden_at_start,
        (Restriction.ANSWER, 10),
        (Restriction.TRAP, "trap"),
        (Restriction.NONE, 0),
    ),
    row(
        "allocator_restriction",
        o.forbidden_in_allocator,
        (Restriction.ANSWER, 10),
        (Restriction.TRAP, "trap"),
        (Restriction.NONE, 0),
    ),
    off_on(
        "allocator_trap_unwinds",
        o.allocator_that_traps,
        ([6, 0], 503, "malloc: unreachable"),
        ([], 503, "unreachable"),
    ),
    # WASI
    row(
        "random_bytes",
        o.runs(
            o.result("random_get"),
            {"proxy_on_request_headers": "(drop (call $random_get (i32.const 0) (i32.const 65000))) (i32.const 0)"},
        ),
        (None, 0),
        (100, 28),
    ),
    row(
        "wasi_errnos",
        o.runs(
            o.result("fd_close"),
            {"proxy_on_request_headers": "(drop (call $fd_close (i32.const 1))) (i32.const 0)"},
        ),
        ({}, 0),
        ({"fd_close": 8}, 8),
    ),
    row(
        "wasi_clocks",
        o.runs(
            o.result("clock_res_get"),
            {"proxy_on_request_headers": "(drop (call $clock_res_get (i32.const 2) (i32.const 0))) (i32.const 0)"},
        ),
        (4, 0),
        (2, 58),
    ),
    off_on("poll_reports_clocks", o.poll, (0, False), (1, True)),
    off_on("proc_exit_returns", o.proc_exit, "trap", ["proc_exit(3) goes on"]),
    # host calls at large
    off_on("misuse_traps", o.asks("proxy_log", 2, POINTER, 9), "INVALID_MEMORY_ACCESS", "trap"),
    row(
        "trapping_calls",
        o.runs(status, {"proxy_on_request_headers": callback("proxy_on_request_headers", "(call $proxy_done)")}),
        (frozenset(), 200),
        (frozenset({"proxy_done"}), "trap"),
    ),
    # configuration
    off_on(
        "plugin_configuration_always",
        o.asks("proxy_get_buffer_bytes", 7, 0, ALL, host={"config": "c"}),
        "NOT_FOUND",
        "OK",
    ),
    # contexts
    off_on("related_contexts_only", o.context_of_another_plugin, "OK", "BAD_ARGUMENT"),
    off_on("tick_on_root_only", o.asks("proxy_set_tick_period_milliseconds", 5), "OK", "BAD_ARGUMENT"),
    off_on("tick_set_once", o.asks("proxy_set_tick_period_milliseconds", 7, before=(TICK,)), "OK", "BAD_ARGUMENT"),
    off_on(
        "continue_needs_stream",
        o.asks("proxy_continue_stream", 0, during="proxy_on_configure"),
        "OK",
        "BAD_ARGUMENT",
    ),
    # maps
    off_on("malformed_map_is_empty", o.asks("proxy_set_header_map_pairs", 0, b"\1\0"), "PARSE_FAILURE", "OK"),
    off_on("absent_map_is_empty", o.asks("proxy_get_header_map_pairs", 2), "NOT_FOUND", "OK"),
    off_on(
        "only_stream_maps_have_size",
        o.asks("proxy_get_header_map_size", 0, during="proxy_on_log"),
        "OK",
        "BAD_ARGUMENT",
    ),
    off_on("map_size_is_serialized", o.reads("proxy_get_header_map_size", 0), (46,), (90,)),
    off_on(
        "set_pairs_keeps_pseudo",
        o.sends(headers_sent, "proxy_set_header_map_pairs", 0, ((b":path", b"/new"), (b"a", b"1"))),
        {":path": "/new", "a": "1"},
        {":authority": "localhost", ":path": "/new", ":method": "GET", ":scheme": "http", "a": "1"},
    ),
    row(
        "readonly_pseudo_headers",
        o.sends(pick_header(":scheme"), "proxy_replace_header_map_value", 0, b":scheme", b"ftp"),
        (frozenset(), "ftp"),
        (frozenset({b":scheme"}), "http"),
    ),
    off_on("reject_bad_header_bytes", o.asks("proxy_add_header_map_value", 0, b"k", b"a\r\nb"), "OK", "BAD_ARGUMENT"),
    off_on("continue_drops_maps", o.map_after_continue, "OK", "BAD_ARGUMENT"),
    off_on(
        "passed_maps_are_gone",
        o.asks("proxy_get_header_map_value", 0, b":path", during="proxy_on_response_headers"),
        "OK",
        "BAD_ARGUMENT",
    ),
    off_on(
        "joins_headers",
        o.runs(lambda done: done.request.get_all("via"), {}, headers=[("via", "a"), ("via", "b")]),
        ["a", "b"],
        ["a,b"],
    ),
    # buffers
    off_on("absent_body_is_empty", o.asks("proxy_get_buffer_bytes", 0, 0, ALL), "NOT_FOUND", "OK"),
    off_on("empty_body_is_not_written", o.reads("proxy_get_buffer_bytes", 0, 10, 1, **BODY), (b"",), ()),
    off_on("reject_range_overflow", o.asks("proxy_get_buffer_bytes", 0, 8, ALL - 1, **BODY), "OK", "BAD_ARGUMENT"),
    off_on("set_buffer_replaces_part", o.asks("proxy_set_buffer_bytes", 0, 0, 3, b"x", **BODY), "BAD_ARGUMENT", "OK"),
    off_on(
        "set_buffer_cuts",
        o.sends(lambda done: done.request.body, "proxy_set_buffer_bytes", 0, 4, 2, b"abc", **BODY),
        b"0123456789",
        b"0123ab",
    ),
    off_on("fix_content_length", o.content_length, "10", "3"),
    # streams
    off_on(
        "shows_trailers",
        o.runs(o.ends, {"proxy_on_request_trailers": "(i32.const 0)"}, body="x", trailers={"t": "1"}),
        [],
        ["on_request_trailers"],
    ),
    off_on("literal_stop_iteration", HELD_BODY, ["on_request_headers"], ["on_request_headers", "on_request_body"]),
    off_on("wide_actions", o.runs(status, {"proxy_on_request_headers": "(i32.const 2)"}), "trap", 200),
    off_on("response_headers_can_pause", o.runs(held, {"proxy_on_response_headers": "(i32.const 1)"}), False, True),
    off_on(
        "continue_before_action",
        o.sends(lambda done: done.request.body, "proxy_continue_stream", 0, result=1, body="x"),
        b"x",
        b"",
    ),
    off_on("upstream_can_continue", o.asks("proxy_continue_stream", 3), "UNIMPLEMENTED", "OK"),
    off_on(
        "log_before_done", o.end_of_a_stream, ["on_done", "on_log", "on_delete"], ["on_log", "on_done", "on_delete"]
    ),
    off_on(
        "stream_done_waits",
        o.done_false_on_a_stream,
        (["on_log", "on_done", "on_delete"], ["on_tick"]),
        (["on_log", "on_done"], ["on_tick", "on_delete"]),
    ),
    off_on(
        "create_context_at_log",
        o.stream_that_never_came,
        ["on_request_headers"],
        ["on_request_headers", "on_context_create", "on_log"],
    ),
    off_on(
        "header_end_of_stream_always_0",
        o.runs(lambda done: done.transcript[0].args[2][1], {"proxy_on_request_headers": "(i32.const 0)"}),
        1,
        0,
    ),
    off_on(
        "connection_buffer_is_shared",
        o.bytes_that_a_later_filter_holds,
        ["on_downstream_data(2, 2, 0)", "on_downstream_data(2, 3, 0)"],
        ["on_downstream_data(2, 2, 0)", "on_downstream_data(2, 5, 0)"],
    ),
    off_on(
        "upstream_close_at_end",
        o.upstream_that_goes,
        ["on_upstream_connection_close(2, 2)"],
        ["on_upstream_connection_close(2, 0)"],
    ),
    row("failure_status", o.failure, (503, 503), (500, 500)),
    # callouts
    off_on("call_timeout_is_504", o.timeout, "get 1", "get 0 504"),
    off_on("call_trailers_are_lost", o.call_trailers, ((b"t", b"1"),), ()),
    off_on("grpc_timeout_is_unavailable", o.grpc_timeout, 4, 14),
    off_on("grpc_message_is_raw", o.grpc_message, b"50%", b"50%25{via_upstream}"),
    off_on("grpc_failed_start_is_told", o.grpc_failed_start, [], ["on_grpc_close(1, 5, 14)"]),
    off_on("status_code_stays", o.status_after_failure, "status 0 0 ", "status 0 5 "),
    off_on("dispatch_status", o.dispatch_status, (0,), (0, b"timeout")),
    # local replies
    off_on("check_reply_status", o.asks("proxy_send_local_response", 99, *REPLY[1:]), "OK", "BAD_ARGUMENT"),
    off_on(
        "reply_needs_stream",
        o.asks("proxy_send_local_response", *REPLY, during="proxy_on_configure"),
        "OK",
        "BAD_ARGUMENT",
    ),
    off_on("second_reply_is_misuse", o.replies_twice, "OK", "BAD_ARGUMENT"),
    # properties, shared data, queues, metrics
    off_on("properties_as_text", o.reads("proxy_get_property", b"connection\0mtls"), (b"\0",), (b"false",)),
    off_on(
        "empty_path_status_is_bad_argument",
        o.asks("proxy_get_property", b""),
        "SERIALIZATION_FAILURE",
        "BAD_ARGUMENT",
    ),
    off_on("old_attribute_names", o.asks("proxy_get_property", b"route_name"), "NOT_FOUND", "OK"),
    off_on("only_host_properties_set", o.asks("proxy_set_property", b"my", b"v"), "OK", "BAD_ARGUMENT"),
    off_on(
        "cas_0_compares",
        o.asks("proxy_set_shared_data", b"k", b"v", 0, before=(STORE,), data={0: b"k"}),
        "OK",
        "CAS_MISMATCH",
    ),
    off_on("cas_needs_key", o.asks("proxy_set_shared_data", b"k", b"v", 7), "OK", "CAS_MISMATCH"),
    off_on("queue_wakes", o.wakes, ["on_request_headers"], ["on_request_headers", "on_queue_ready"]),
    off_on(
        "strict_metrics",
        o.asks("proxy_increment_metric", GAUGE, 1, before=(DEFINE_GAUGE,), data={0: b"g"}),
        "OK",
        "BAD_ARGUMENT",
    ),
]

CASES = [
    pytest.param(row, value, outcome, id=f"{row.switch}={i}")
    for row in ROWS
    for i, (value, outcome) in enumerate(row.seen)
]


@pytest.mark.parametrize(("row", "value", "outcome"), CASES)
def test_what_a_switch_does(engine: str, row: Row, value: Any, outcome: object) -> None:
    assert row.observe(engine, replace(Profile(), **{row.switch: value})) == outcome


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.switch)
def test_each_row_shows_a_difference(row: Row) -> None:
    seen = [outcome for _, outcome in row.seen]
    assert all(seen.count(outcome) == 1 for outcome in seen)
    assert row.seen[0][0] != row.seen[1][0]


def test_every_switch_has_a_row() -> None:
    switches = {field.name for field in fields(Profile)} - {"name"}
    assert sorted(row.switch for row in ROWS) == sorted(switches)
    assert set(SWITCHES) == switches


PLAIN = [row for row in ROWS if {value for value, _ in row.seen if isinstance(value, bool | int | Restriction)}]
NGINX_TRAPS = {"tick_on_root_only", "tick_set_once", "continue_needs_stream", "second_reply_is_misuse"} | {
    *("only_host_properties_set", "strict_metrics")
}
"""In nginx what these refuse is misuse."""
CANNOT_BE_SEEN = {
    "spec": {"stream_done_waits"},
    "nginx": {
        "allocator_trap_unwinds",
        *("stubs", "map_size_is_serialized", "call_timeout_is_504", "create_context_at_log", "stream_done_waits"),
        "only_stream_maps_have_size",
        *("set_buffer_replaces_part", "literal_stop_iteration", "response_headers_can_pause", "fix_content_length"),
        *("poll_reports_clocks", "upstream_can_continue", "reject_bad_header_bytes", "wasi_clocks", "queue_wakes"),
        *("related_contexts_only", "log_before_done", "dispatch_status", "status_code_stays"),
        *("grpc_timeout_is_unavailable", "grpc_message_is_raw", "grpc_failed_start_is_told"),
    },
}
"""Where other switches of the same profile are in the way of the row's filter."""


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("row", PLAIN, ids=lambda row: row.switch)
def test_a_profile_as_a_whole(name: str, row: Row) -> None:
    """What a row shows of a switch is what the whole profile shows, the others set as they are."""
    chosen = PROFILES[name]
    value = getattr(chosen, row.switch)
    known = dict(row.seen)
    if value not in known or row.switch in CANNOT_BE_SEEN.get(name, ()):
        return
    traps = name == "nginx" and value and row.switch in NGINX_TRAPS
    assert row.observe("native", chosen) == ("trap" if traps else known[value])


# --- topics


def test_every_topic_has_switches_or_a_reason() -> None:
    for topic in TOPICS:
        assert topic.switches or topic.reason, topic.name
        assert set(topic.switches) <= set(SWITCHES), topic.name
    assert len({(topic.name, topic.where) for topic in TOPICS}) == len(TOPICS)


def test_every_switch_has_a_topic() -> None:
    assert {name for topic in TOPICS for name in topic.switches} == set(SWITCHES)


def test_the_table_of_differences_is_complete() -> None:
    """As many topics as abi_reference 13 has rows."""
    assert len([topic for topic in TOPICS if topic.where == "13"]) == 21


# --- misuse in nginx


def test_misuse_names_calls() -> None:
    assert set(MISUSE) <= set(REGISTRY.calls)
    assert PROFILES["nginx"].trapping_calls <= set(REGISTRY.calls)


@pytest.mark.parametrize(
    ("name", "values", "more"),
    [
        ("proxy_set_buffer_bytes", (0, 0, 0, b"x"), {}),
        ("proxy_add_header_map_value", (2, b"a", b"b"), {}),
        ("proxy_get_metric", (4,), {}),
        ("proxy_record_metric", (4, 1), {}),
        ("proxy_increment_metric", (4, 1), {}),
        ("proxy_enqueue_shared_queue", (9, b"m"), {}),
        ("proxy_dequeue_shared_queue", (9,), {}),
        ("proxy_call_foreign_function", (b"nobody", b""), {}),
        ("proxy_http_call", (b"up", (), b"", (), 10), {}),
        ("proxy_http_call", (b"up", GET, b"", (), ALL), {}),
    ],
)
def test_misuse_traps_in_nginx(engine: str, name: str, values: tuple[Any, ...], more: dict[str, Any]) -> None:
    assert o.asks(name, *values, **more)(engine, PROFILES["nginx"]) == "trap"
    assert o.asks(name, *values, **more)(engine, profile("nginx", misuse_traps=False)) != "trap"


@pytest.mark.parametrize(("name", "values"), [("proxy_log", (6, b"x")), ("proxy_get_buffer_bytes", (9, 0, 1))])
def test_an_enumeration_out_of_range_is_no_misuse(engine: str, name: str, values: tuple[Any, ...]) -> None:
    assert o.asks(name, *values)(engine, PROFILES["nginx"]) == "BAD_ARGUMENT"


def test_misuse_in_python() -> None:
    """A filter in Python is ended by the same answers."""
    from hostabi import HostCalls
    from hostabi.testing import FilterHost

    class Asks:
        def __init__(self, host: HostCalls) -> None:
            self.host = host

        def on_request_headers(self, context: int, count: int, end: bool) -> None:
            self.host.get_metric(4)

    done = FilterHost(Asks, profile="nginx").exchange()
    assert done.trap and "proxy_get_metric: there is no metric 4" in done.trap.message


def test_a_variable_of_nginx_can_be_read_back(engine: str) -> None:
    put = expression("proxy_set_property", [0, 6, 0, 3])
    got = o.reads("proxy_get_property", b"ngx\0var", before=(put,), data={0: b"ngx\0var"})(engine, PROFILES["nginx"])
    assert got == "NOT_FOUND", "another name"
    put = expression("proxy_set_property", [0, 7, 0, 3])
    got = o.reads("proxy_get_property", b"ngx\0var", before=(put,), data={0: b"ngx\0var"})(engine, PROFILES["nginx"])
    assert got == (b"ngx",)


# --- longer looks


def test_a_stream_that_waits_for_done_goes_with_its_plugin(engine: str) -> None:
    assert o.leaves_pending(engine, profile("default", stream_done_waits=True)) == (2, 0)
    assert o.leaves_pending(engine, Profile()) == (1, 0)


def test_trailers_pass_where_they_are_not_shown(engine: str) -> None:
    """They end a body that the filter holds; neither can be read or changed."""
    chosen = profile("default", shows_trailers=False)
    bodies = {"proxy_on_request_body": "(i32.const 1)", "proxy_on_request_trailers": "unreachable"}
    done = o.runs(lambda done: done, bodies, body="x", trailers={"t": "1"})(engine, chosen)
    assert done.trap is None and done.request.trailers == ((b"t", b"1"),) and done.request.body == b"x"  # type: ignore[attr-defined]
    log = o.asks("proxy_get_header_map_value", 1, b"t", during="proxy_on_response_headers", trailers={"t": "1"})
    assert log(engine, chosen) == "BAD_ARGUMENT"
    assert log(engine, Profile()) == "OK"


@pytest.mark.parametrize(
    ("start", "size", "data", "body"),
    [
        (0, 0, b"ab", b"ab0123456789"),
        (0, 3, b"abcdef", b"abc"),
        (0, ALL, b"ab", b"ab"),
        (4, 0, b"ab", b"0123ab"),
        (4, 1, b"ab", b"0123a"),
        (10, 5, b"ab", b"0123456789ab"),
        (0, 0, b"", b""),
    ],
)
def test_the_cuts_of_nginx(engine: str, start: int, size: int, data: bytes, body: bytes) -> None:
    seen = o.sends(lambda done: done.request.body, "proxy_set_buffer_bytes", 0, start, size, data, **BODY)
    assert seen(engine, PROFILES["nginx"]) == body


def test_content_length_of_an_unfinished_body_is_left_out(engine: str) -> None:
    seen = o.sends(
        pick_header("content-length"),
        "proxy_set_buffer_bytes",
        *(0, 0, ALL, b"abc"),
        during="proxy_on_request_body",
        chunks=["0123", "4"],
        also={"proxy_on_request_headers": "(i32.const 1)"},
        headers={"content-length": "5"},
    )
    assert seen(engine, profile("nginx", literal_stop_iteration=True)) is None
    assert seen(engine, profile("default", literal_stop_iteration=True)) == "5"
