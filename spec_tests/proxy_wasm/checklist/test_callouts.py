"""Answers to calls: after the stream's death, after the VM's, at once, late, cancelled; and tokens."""

from __future__ import annotations

import pytest

from hostabi import CallResponse, EmbedderError, Plugin, RequestHeaders, Shutdown, StartCall, StreamEnd, Tick
from hostabi.abi.codec import encode_pairs
from hostabi.testing import FilterHost, FilterSession, Outcome, Request
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.kit import callback, callbacks, expression

HEADERS = ((b":method", b"POST"), (b":path", b"/"), (b":authority", b"a"))
BLOB = encode_pairs(HEADERS)
DATA = {0: b"up", 100: BLOB}
CALL = expression("proxy_http_call", [0, 2, 100, len(BLOB), 0, 0, 0, 0, 1000])
TO_STREAM = expression("proxy_set_effective_context", [2])
RESUME = expression("proxy_continue_stream", [0])
STATUS = expression("proxy_get_status", [])
CALLER = {"proxy_on_request_headers": callback("proxy_on_request_headers", CALL, result=4)}
ANSWER = ((b":status", b"200"),)


def start(engine: str, answered: str) -> tuple[FilterHost, Plugin]:
    """A filter with a call under way, its stream open."""
    host = FilterHost(small_filter({**CALLER, "proxy_on_http_call_response": answered}, data=DATA), engine=engine)
    host.chain.handle(RequestHeaders(1, HEADERS, True))
    host.exchanger.take()
    return host, host.plugins[0]


def test_after_the_streams_death(engine: str) -> None:
    """It goes to the plugin, and the stream's number is refused."""
    host, plugin = start(engine, f"(drop {TO_STREAM})")
    host.chain.handle(StreamEnd(1))
    host.exchanger.take()
    host.chain.handle(CallResponse(plugin.key, 4, ANSWER))
    done = host.exchanger.take()
    assert callbacks(done.transcript) == ["on_http_call_response(1, 4, 1, 0, 0)"]
    assert [r.result for r in done.transcript if hasattr(r, "function")] == [2]


def test_after_the_vms_death(engine: str) -> None:
    host, plugin = start(engine, "unreachable")
    host.chain.handle(RequestHeaders(2, HEADERS, True))
    assert list(plugin.vm.state.calls) == [4, 8]
    plugin.handle(CallResponse(plugin.key, 4, ANSWER))
    assert plugin.failure == "unreachable"
    host.exchanger.take()
    assert plugin.handle(CallResponse(plugin.key, 8, ANSWER)) == []
    assert host.exchanger.take().transcript == [] and plugin.vm.state.calls == {}


def test_after_the_plugins_end(engine: str) -> None:
    host, plugin = start(engine, "unreachable")
    host.chain.handle(StreamEnd(1))
    host.chain.handle(Shutdown(plugin.key))
    assert plugin.gone
    assert plugin.handle(CallResponse(plugin.key, 4, ANSWER)) == []


def test_an_answer_is_never_given_within_the_call(engine: str) -> None:
    """An embedder that has the answer at once cannot give it before the event is over; afterwards it can."""
    host, plugin = start(engine, f"(drop {TO_STREAM}) (drop {RESUME})")
    tried: list[str] = []
    plugin.vm.state.emit = lambda command: tried.append(_try(plugin))  # type: ignore[method-assign]
    plugin.root.tick_period_ms = 1
    plugin.handle(Tick(plugin.key))
    assert tried == ["a VM handles one event at a time, and one is under way"]
    del plugin.vm.state.emit  # type: ignore[attr-defined]
    sent = host.chain.handle(CallResponse(plugin.key, 4, ANSWER))
    assert [type(c).__name__ for c in sent] == ["Send"]


def _try(plugin: Plugin) -> str:
    try:
        plugin.handle(CallResponse(plugin.key, 4, ANSWER))
    except EmbedderError as error:
        return str(error)
    return "given"


@pytest.mark.parametrize("token", [4, 8, 0, 0xFFFFFFFF])
def test_a_token_is_good_for_one_answer(engine: str, token: int) -> None:
    host, plugin = start(engine, "")
    host.chain.handle(CallResponse(plugin.key, token, ANSWER))
    first = callbacks(host.exchanger.take().transcript)
    host.chain.handle(CallResponse(plugin.key, token, ANSWER))
    assert first == (["on_http_call_response(1, 4, 1, 0, 0)"] if token == 4 else [])
    assert host.exchanger.take().transcript == []


def test_tokens_are_not_used_again(engine: str) -> None:
    host, plugin = start(engine, "")
    seen = []
    for stream in range(2, 5):
        host.chain.handle(CallResponse(plugin.key, 4 * (stream - 1), ANSWER))
        commands = host.chain.handle(RequestHeaders(stream, HEADERS, True))
        seen += [c.token for c in commands if isinstance(c, StartCall)]
    assert seen == [8, 12, 16]


def test_a_call_that_times_out(engine: str) -> None:
    """As in Envoy it has a response of status 504, so its status says nothing."""
    session = FilterSession(
        small_filter({**CALLER, "proxy_on_http_call_response": f"(drop {STATUS})"}, data=DATA), engine=engine
    )
    session.request(Request())
    session.advance(999_000_000)
    assert len(session.waiting) == 1
    session.advance(2_000_000)
    made = [r for r in session.transcript if getattr(r, "function", "") == "proxy_get_status"]
    assert made[0].outputs == (0, b"")  # type: ignore[attr-defined]
    assert callbacks(session.transcript)[-1].startswith("on_http_call_response(1, 4, 3,")


def test_a_call_that_is_reset(engine: str) -> None:
    session = FilterSession(
        small_filter({**CALLER, "proxy_on_http_call_response": f"(drop {STATUS})"}, data=DATA), engine=engine
    )
    session.request(Request())
    session.callout("up", Outcome.RESET)
    made = [r for r in session.transcript if getattr(r, "function", "") == "proxy_get_status"]
    assert made[0].outputs == (11, b"reset")  # type: ignore[attr-defined]
    assert callbacks(session.transcript)[-1] == "on_http_call_response(1, 4, 0, 0, 0)"
