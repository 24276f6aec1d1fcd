"""Actions that are no frame's: metadata, and numbers of callbacks that answer yes or no; the others are transcripts."""

from __future__ import annotations

import pytest

from hostabi import Host, PluginConfig, RequestBody, RequestHeaders, RequestMetadata, Send, Start, StreamEnd
from hostabi.testing import FilterHost
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.kit import callback, callbacks, expression

HEADERS = ((b":method", b"GET"), (b":path", b"/"))


@pytest.mark.parametrize("action", [0, 1, 4, 5, -1])
def test_metadata_always_goes_on(engine: str, action: int) -> None:
    host = Host(engine=engine)
    text = small_filter({"proxy_on_request_metadata": f"(i32.const {action})"})
    chain = host.chain([host.plugin(text, PluginConfig(name="f"))])
    chain.handle(Start())
    chain.handle(RequestHeaders(1, HEADERS))
    chain.handle(RequestMetadata(1, 3))
    sent = chain.handle(RequestBody(1, b"x", True))
    assert [c.frame.data for c in sent if isinstance(c, Send)] == [b"x"]  # type: ignore[union-attr]
    chain.handle(StreamEnd(1))


@pytest.mark.parametrize(("answer", "fine"), [(0, False), (1, True), (2, True), (-1, True)])
@pytest.mark.parametrize("name", ["proxy_on_vm_start", "proxy_on_configure"])
def test_any_number_but_0_is_true(engine: str, name: str, answer: int, fine: bool) -> None:
    host = FilterHost(small_filter({name: f"(i32.const {answer})"}), engine=engine)
    assert (host.plugins[0].refusal is None) is fine


@pytest.mark.parametrize(("answer", "gone"), [(0, False), (1, True), (7, True), (-1, True)])
def test_any_number_but_0_agrees_to_be_done(engine: str, answer: int, gone: bool) -> None:
    host = FilterHost(small_filter({"proxy_on_done": f"(i32.const {answer})"}), engine=engine)
    host.shutdown()
    assert host.plugins[0].gone is gone


@pytest.mark.parametrize("answer", [0, 1, -1])
def test_a_stream_ends_whatever_on_done_says(engine: str, answer: int) -> None:
    text = small_filter({"proxy_on_done": f"(i32.const {answer})", "proxy_on_delete": ""})
    assert callbacks(FilterHost(text, engine=engine).exchange().transcript) == ["on_done(2)", "on_delete(2)"]


RESUME = expression("proxy_continue_stream", [0])
TO_STREAM = expression("proxy_set_effective_context", [2])


@pytest.mark.parametrize("twice", [False, True])
def test_resume_from_a_tick(engine: str, twice: bool) -> None:
    """The stream waits for the tick; a second continue is harmless."""
    more = f"(drop {RESUME})" if twice else ""
    text = small_filter(
        {
            "proxy_on_request_headers": callback(
                "proxy_on_request_headers", expression("proxy_set_tick_period_milliseconds", [50]), result=4
            ),
            "proxy_on_request_body": "(i32.const 0)",
            "proxy_on_tick": f"(drop {TO_STREAM}) (drop {RESUME}) {more}",
        }
    )
    done = FilterHost(text, engine=engine).exchange(body="x")
    assert (done.paused, done.status) == (False, 200)
    assert callbacks(done.transcript)[:3] == ["on_request_headers(2, 4, 0)", "on_tick(1)", "on_request_body(2, 1, 1)"]


def test_resume_of_the_wrong_direction_from_a_tick(engine: str) -> None:
    wrong = expression("proxy_continue_stream", [1])
    text = small_filter(
        {
            "proxy_on_request_headers": callback(
                "proxy_on_request_headers", expression("proxy_set_tick_period_milliseconds", [50]), result=4
            ),
            "proxy_on_tick": f"(drop {TO_STREAM}) (drop {wrong})",
        }
    )
    assert FilterHost(text, engine=engine).exchange(body="x").paused
