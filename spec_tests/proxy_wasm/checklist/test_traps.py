"""A trap in each callback, under each failure policy; those of frames are in stream/transcripts/traps.txt."""

from __future__ import annotations

from typing import Any

import pytest

from hostabi import CallResponse, ForeignCall, QueueReady, RequestMetadata, ResponseMetadata, Shutdown, Tick
from hostabi.abi.callbacks import CALLBACKS
from hostabi.testing import FilterSession, Request
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.kit import callback, feed

FRAMES = {f"proxy_on_{side}_{kind}" for side in ("request", "response") for kind in ("headers", "body", "trailers")}
AT_START = {"proxy_on_context_create", "proxy_on_vm_start", "proxy_on_configure"}
AT_END = {"proxy_on_log", "proxy_on_done", "proxy_on_delete"}
EVENTS: dict[str, Any] = {
    "proxy_on_tick": lambda key: Tick(key),
    "proxy_on_queue_ready": lambda key: QueueReady(key, 1),
    "proxy_on_http_call_response": lambda key: CallResponse(key, 4, ((b":status", b"200"),)),
    "proxy_on_foreign_function": lambda key: ForeignCall(key, 1, stream=1),
    "proxy_on_request_metadata": lambda key: RequestMetadata(1, 1),
    "proxy_on_response_metadata": lambda key: ResponseMetadata(1, 1),
}
POLICIES = pytest.mark.parametrize("fail_open", [False, True])


def session_with(engine: str, name: str, fail_open: bool) -> FilterSession:
    """A filter that holds requests and traps in a callback."""
    bodies = {name: "unreachable"}
    if name != "proxy_on_request_headers":
        bodies["proxy_on_request_headers"] = callback("proxy_on_request_headers", result=4)
    return FilterSession(small_filter(bodies), engine=engine, fail_open=fail_open)


@POLICIES
@pytest.mark.parametrize("name", sorted(EVENTS))
def test_while_a_stream_is_held(engine: str, name: str, fail_open: bool) -> None:
    """Open: the stream goes on unfiltered; closed: 503. And later streams do the same."""
    session = session_with(engine, name, fail_open)
    plugin = session.chain.plugins[0]
    plugin.root.tick_period_ms = 1
    plugin.vm.state.calls[4] = plugin.root
    session.request(Request(body="b"))
    assert session.stream().request is None
    feed(session, EVENTS[name](plugin.key))
    assert plugin.failure == "unreachable"
    session.request(Request(), "later")
    for stream in (session.stream(), session.stream("later")):
        if fail_open:
            assert stream.request is not None and stream.request.complete
        else:
            assert stream.request is None and stream.response is not None and stream.response.status == 503


@POLICIES
@pytest.mark.parametrize("name", sorted(AT_START))
def test_at_the_start(engine: str, name: str, fail_open: bool) -> None:
    session = session_with(engine, name, fail_open)
    assert session.chain.plugins[0].failure == "unreachable"
    session.request(Request())
    stream = session.stream()
    assert (stream.request is not None) is fail_open
    assert fail_open or (stream.response is not None and stream.response.status == 503)


@POLICIES
def test_when_a_stream_is_created(engine: str, fail_open: bool) -> None:
    body = "(if (i32.eq (local.get 0) (i32.const 2)) (then unreachable))"
    session = FilterSession(small_filter({"proxy_on_context_create": body}), engine=engine, fail_open=fail_open)
    session.request(Request(body="b"))
    stream = session.stream()
    assert (stream.request is not None and stream.request.complete) is fail_open
    assert fail_open or (stream.response is not None and stream.response.status == 503)


@POLICIES
@pytest.mark.parametrize("name", ["proxy_on_done", "proxy_on_delete"])
def test_when_the_plugin_goes(engine: str, name: str, fail_open: bool) -> None:
    """It is gone all the same."""
    session = session_with(engine, name, fail_open)
    plugin = session.chain.plugins[0]
    feed(session, Shutdown(plugin.key))
    if not plugin.gone:  # a trap in on_done: the next try does not ask
        feed(session, Shutdown(plugin.key))
    assert plugin.gone


NEVER_CALLED = {"proxy_validate_configuration"}
"""Envoy does not call it either (abi_reference 5.2)."""


def test_every_callback_has_a_place_here() -> None:
    parts = ("grpc", "redis", "stream", "connection", "dns", "stats")
    elsewhere = {name for name in CALLBACKS if any(part in name for part in parts)}
    assert set(CALLBACKS) - elsewhere == FRAMES | AT_START | AT_END | set(EVENTS) | NEVER_CALLED
