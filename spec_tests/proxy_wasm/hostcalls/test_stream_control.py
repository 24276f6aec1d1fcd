"""Continue, close, local responses, effective context and done (abi_reference 7.4, 7.6, 8.4, 8.5, 8.14)."""

from __future__ import annotations

import pytest

from hostabi import Status
from hostabi.abi.enums import AbiVersion
from hostabi.testing import FilterHost
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.kit import call, callback, callbacks, expression

NO_GRPC = 0xFFFFFFFF
REPLY = (403, b"no way", b"denied", ((b"X-Y", b"z"), (b":status", b"200")), NO_GRPC)


@pytest.mark.parametrize(("name", "kind"), [("proxy_continue_stream", 4), ("proxy_close_stream", 0xFFFFFFFF)])
def test_a_stream_type_out_of_range(engine: str, name: str, kind: int) -> None:
    assert call(engine, name, kind).status is Status.BAD_ARGUMENT


@pytest.mark.parametrize(
    ("kind", "status"), [(0, Status.OK), (1, Status.OK), (2, Status.OK), (3, Status.UNIMPLEMENTED)]
)
def test_continue_when_nothing_is_paused(engine: str, kind: int, status: Status) -> None:
    got = call(engine, "proxy_continue_stream", kind)
    assert (got.status, got.exchange.status) == (status, 200)


@pytest.mark.parametrize(("profile", "body"), [("default", b""), ("envoy", b""), ("spec", b"x"), ("nginx", b"x")])
def test_continue_in_the_callback_that_pauses(engine: str, profile: str, body: bytes) -> None:
    """On Envoy the continue comes first: the headers go, and the pause holds the body."""
    got = call(engine, "proxy_continue_stream", 0, result=1, body="x", host={"profile": profile})
    assert got.exchange.request and got.exchange.request.body == body
    assert got.exchange.paused is not bool(body)


@pytest.mark.parametrize("name", ["proxy_continue_request", "proxy_continue_response"])
def test_continue_of_0_1_0(engine: str, name: str) -> None:
    during = "proxy_on_request_headers" if name.endswith("request") else "proxy_on_response_headers"
    got = call(engine, name, during=during, abi=AbiVersion.V0_1_0, result=1, host={"profile": "spec"})
    assert (got.status, got.exchange.status) == (Status.OK, 200)


def test_clear_route_cache_of_0_1_0(engine: str) -> None:
    got = call(engine, "proxy_clear_route_cache", abi=AbiVersion.V0_1_0)
    assert [type(c).__name__ for c in got.exchange.commands].count("ClearRouteCache") == 1


@pytest.mark.parametrize("kind", [0, 1])
def test_close_resets_the_stream(engine: str, kind: int) -> None:
    got = call(engine, "proxy_close_stream", kind)
    assert (got.status, got.exchange.reset, got.exchange.response) == (Status.OK, "closed by the filter", None)


def test_calls_on_the_plugin_itself_are_ok(engine: str) -> None:
    for name, values in (
        ("proxy_continue_stream", (0,)),
        ("proxy_close_stream", (0,)),
        (("proxy_send_local_response"), REPLY),
    ):
        got = call(engine, name, *values, during="proxy_on_configure")
        assert (got.status, got.exchange.status) == (Status.OK, 200)


def test_local_response(engine: str) -> None:
    got = call(engine, "proxy_send_local_response", *REPLY)
    done = got.exchange
    assert got.status is Status.OK
    assert done.request is None
    assert done.response and done.response.headers == (
        (b":status", b"403"),
        (b"x-y", b"z"),
        (b"content-length", b"6"),
        (b"content-type", b"text/plain"),
    )
    assert done.response.body == b"denied"
    assert done.local_response and (done.local_response.status, done.local_response.details) == (403, "no_way")


@pytest.mark.parametrize(
    "during",
    ["proxy_on_request_headers", "proxy_on_request_body", "proxy_on_request_trailers", "proxy_on_response_headers"],
)
def test_local_response_from(engine: str, during: str) -> None:
    got = call(
        engine, "proxy_send_local_response", *REPLY, during=during, body="x", trailers={"t": "1"}, response_body="y"
    )
    assert got.exchange.status == 403
    assert got.exchange.response and got.exchange.response.body == b"denied"


def test_local_response_after_the_response_began_is_a_reset(engine: str) -> None:
    got = call(engine, "proxy_send_local_response", *REPLY, during="proxy_on_response_body", response_chunks=["a", "b"])
    assert (got.status, got.exchange.reset) == (Status.OK, "no_way")


def test_only_the_first_local_response_counts(engine: str) -> None:
    second = call(
        engine,
        "proxy_send_local_response",
        *(500, b"", b"", (), NO_GRPC),
        before=(expression("proxy_send_local_response", [401, 0, 0, 0, 0, 0, 0, NO_GRPC]),),
    )
    assert (second.status, second.exchange.status) == (Status.OK, 401)


def test_the_filter_sees_its_own_reply(engine: str) -> None:
    got = call(
        engine,
        "proxy_send_local_response",
        *REPLY,
        also={
            "proxy_on_response_headers": callback("proxy_on_response_headers"),
            "proxy_on_response_body": callback("proxy_on_response_body"),
        },
    )
    assert callbacks(got.exchange.transcript) == [
        "on_request_headers(2, 4, 1)",
        "on_response_headers(2, 4, 0)",
        "on_response_body(2, 6, 1)",
    ]


def test_local_response_without_a_body(engine: str) -> None:
    got = call(engine, "proxy_send_local_response", 204, b"", b"", (), NO_GRPC)
    assert got.exchange.response and got.exchange.response.headers == ((b":status", b"204"),)


def test_local_response_to_head_has_no_body(engine: str) -> None:
    got = call(engine, "proxy_send_local_response", *REPLY, method="HEAD")
    assert got.exchange.response and (got.exchange.response.body, got.exchange.response.get("content-length")) == (
        b"",
        "6",
    )


@pytest.mark.parametrize(("status", "given", "grpc"), [(403, NO_GRPC, b"7"), (403, 5, b"5"), (418, NO_GRPC, b"2")])
def test_local_response_to_a_grpc_client(engine: str, status: int, given: int, grpc: bytes) -> None:
    got = call(
        engine,
        "proxy_send_local_response",
        *(status, b"", b"why", (), given),
        headers={"content-type": "application/grpc"},
    )
    assert got.exchange.response and got.exchange.response.headers == (
        (b":status", b"200"),
        (b"content-type", b"application/grpc"),
        (b"grpc-status", grpc),
        (b"grpc-message", b"why"),
    )


@pytest.mark.parametrize("status", [0, 199, 600])
def test_status_out_of_range(engine: str, status: int) -> None:
    reply = (status, b"", b"", (), NO_GRPC)
    assert call(engine, "proxy_send_local_response", *reply).status is Status.OK
    spec = call(engine, "proxy_send_local_response", *reply, host={"profile": "spec"})
    assert (spec.status, spec.exchange.status) == (Status.BAD_ARGUMENT, 200)


def test_local_response_then_a_trap(engine: str) -> None:
    got = call(engine, "proxy_send_local_response", *REPLY, after=("unreachable",))
    assert got.exchange.trap and got.exchange.trap.message == "proxy_on_request_headers: unreachable"
    assert got.exchange.status == 503, "the reply was deferred, and a trap empties the queue"


# --- maps after continue


@pytest.mark.parametrize(
    ("profile", "at_once", "later"),
    [
        ("default", Status.BAD_ARGUMENT, Status.OK),
        ("envoy", Status.BAD_ARGUMENT, Status.BAD_ARGUMENT),
        ("spec", Status.OK, Status.OK),
    ],
)
def test_continue_drops_the_maps_of_its_direction(engine: str, profile: str, at_once: Status, later: Status) -> None:
    """As in Envoy; by default they are back in the next callback of the stream."""
    read = expression("proxy_get_header_map_value", [0, 0, 5])
    got = call(
        engine,
        "proxy_continue_stream",
        0,
        after=(read,),
        also={"proxy_on_response_headers": callback("proxy_on_response_headers", read)},
        data={0: b":path"},
        host={"profile": profile},
    )
    made = [r for r in got.exchange.transcript if getattr(r, "function", "") == "proxy_get_header_map_value"]
    assert [r.result for r in made] == [at_once, later]


# --- contexts


def test_effective_context(engine: str) -> None:
    get = expression("proxy_get_header_map_value", [0, 0, 5])
    ok = call(engine, "proxy_set_effective_context", 1, after=(get,), data={0: b":path"})
    assert ok.status is Status.OK
    made = [r for r in ok.exchange.transcript if getattr(r, "function", "") == "proxy_get_header_map_value"]
    assert made[0].result == Status.BAD_ARGUMENT, "the plugin's own context has no headers"
    assert call(engine, "proxy_set_effective_context", 99).status is Status.BAD_ARGUMENT


def test_done_when_nobody_waits(engine: str) -> None:
    assert call(engine, "proxy_done").status is Status.NOT_FOUND


def test_done_later(engine: str) -> None:
    text = small_filter(
        {
            "proxy_on_configure": callback("proxy_on_configure", expression("proxy_set_tick_period_milliseconds", [5])),
            "proxy_on_done": callback("proxy_on_done", result=0),
            "proxy_on_tick": f"(drop {expression('proxy_done', [])})",
            "proxy_on_delete": "",
        }
    )
    host = FilterHost(text, engine=engine)
    assert callbacks(host.shutdown().transcript)[-1] == "on_done(1)"
    assert not host.plugins[0].gone
    host.tick()
    done = host.exchanger.take()
    assert callbacks(done.transcript) == ["on_tick(1)", "on_delete(1)"]
    assert host.plugins[0].gone
    assert type(done.commands[-1]).__name__ == "PluginGone"


def test_done_at_once(engine: str) -> None:
    host = FilterHost(small_filter({"proxy_on_done": callback("proxy_on_done"), "proxy_on_delete": ""}), engine=engine)
    assert callbacks(host.shutdown().transcript) == ["on_done(1)", "on_delete(1)"]
