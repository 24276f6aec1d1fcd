"""A local reply from each callback: what the client gets; twice; with Continue returned; with a trap right after."""

from __future__ import annotations

from typing import Any

import pytest

from hostabi import CallResponse, ForeignCall, QueueReady, Tick
from hostabi.testing import Answer, Exchange, FilterHost, FilterSession, Request
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.kit import callback, expression, feed

NO_GRPC = 0xFFFFFFFF
REPLY = expression("proxy_send_local_response", [418, 0, 0, 0, 0, 0, 0, NO_GRPC])
OTHER = expression("proxy_send_local_response", [500, 0, 0, 0, 0, 0, 0, NO_GRPC])
TO_STREAM = expression("proxy_set_effective_context", [2])
WHOLE: dict[str, Any] = {
    "body": "b",
    "trailers": {"t": "1"},
    "response_body": "r",
    "response_trailers": {"t": "1"},
}
STREAM = {
    "proxy_on_request_headers": 418,
    "proxy_on_request_body": 418,
    "proxy_on_request_trailers": 418,
    "proxy_on_response_headers": 418,
    "proxy_on_response_body": "reset",  # the headers have left
    "proxy_on_response_trailers": "reset",
}


def outcome(done: Exchange) -> object:
    return "reset" if done.reset is not None else done.status


@pytest.mark.parametrize("action", [0, 1])
@pytest.mark.parametrize("during", STREAM)
def test_from_a_callback_of_the_stream(engine: str, during: str, action: int) -> None:
    """The action that is returned does not matter."""
    text = small_filter({during: callback(during, REPLY, result=action)})
    done = FilterHost(text, engine=engine).exchange(**WHOLE)
    assert (done.trap, outcome(done)) == (None, STREAM[during])


@pytest.mark.parametrize("during", STREAM)
def test_twice(engine: str, during: str) -> None:
    """The first counts."""
    text = small_filter({during: callback(during, REPLY, OTHER)})
    assert outcome(FilterHost(text, engine=engine).exchange(**WHOLE)) == STREAM[during]


@pytest.mark.parametrize("during", STREAM)
def test_then_a_continue_of_both_directions(engine: str, during: str) -> None:
    go = [expression("proxy_continue_stream", [way]) for way in (0, 1)]
    text = small_filter({during: callback(during, REPLY, *go)})
    assert outcome(FilterHost(text, engine=engine).exchange(**WHOLE)) == STREAM[during]


@pytest.mark.parametrize("fail_open", [False, True])
@pytest.mark.parametrize("during", STREAM)
def test_with_a_trap_right_after(engine: str, during: str, fail_open: bool) -> None:
    """The reply was deferred and is lost; what the client gets is the failure's, or the stream unfiltered."""
    text = small_filter({during: callback(during, REPLY, "unreachable")})
    done = FilterHost(text, engine=engine, fail_open=fail_open).exchange(**WHOLE)
    assert done.trap
    assert outcome(done) == (200 if fail_open else 503 if STREAM[during] == 418 else "reset")


PLUGIN = {
    "proxy_on_tick": lambda key: Tick(key),
    "proxy_on_queue_ready": lambda key: QueueReady(key, 1),
    "proxy_on_http_call_response": lambda key: CallResponse(key, 4, ((b":status", b"200"),)),
    "proxy_on_foreign_function": lambda key: ForeignCall(key, 1, stream=1),
}


@pytest.mark.parametrize("phase", ["request", "response"])
@pytest.mark.parametrize("during", PLUGIN)
def test_from_a_callback_of_the_plugin(engine: str, during: str, phase: str) -> None:
    """With the stream as effective context, while one of its directions is held."""
    text = small_filter(
        {
            f"proxy_on_{phase}_headers": callback(f"proxy_on_{phase}_headers", result=4),
            during: f"(drop {TO_STREAM}) (drop {REPLY})",
        }
    )
    session = FilterSession(text, engine=engine)
    plugin = session.chain.plugins[0]
    plugin.root.tick_period_ms = 1
    plugin.vm.state.calls[4] = plugin.root
    session.request(Request())
    if phase == "response":
        session.upstream(Answer(200))
    feed(session, PLUGIN[during](plugin.key))
    stream = session.stream()
    assert stream.response is not None and (stream.response.status, stream.ended) == (418, True)


@pytest.mark.parametrize(
    "during", ["proxy_on_context_create", "proxy_on_vm_start", "proxy_on_configure", "proxy_on_log", "proxy_on_delete"]
)
def test_from_a_callback_without_a_stream_to_answer(engine: str, during: str) -> None:
    text = small_filter({during: callback(during, f"(if (i32.eq (local.get 0) (i32.const 1)) (then (drop {REPLY})))")})
    if during in ("proxy_on_log", "proxy_on_delete"):
        text = small_filter({during: callback(during, REPLY)})
    done = FilterHost(text, engine=engine).exchange()
    assert (done.trap, done.status, done.local_response) == (None, 200, None)


def test_when_the_context_is_created(engine: str) -> None:
    """The stream is answered before its first callback is run."""
    body = f"(if (i32.eq (local.get 0) (i32.const 2)) (then (drop {REPLY})))"
    done = FilterHost(small_filter({"proxy_on_context_create": body}), engine=engine).exchange()
    assert (done.status, done.request) == (418, None)
