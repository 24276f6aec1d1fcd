"""The end of a plugin: proxy_done later or without need, and shutdown while streams are open."""

from __future__ import annotations

import pytest

from hostabi import (
    EmbedderError,
    PluginGone,
    QueueReady,
    RequestBody,
    RequestHeaders,
    ResponseHeaders,
    Send,
    SendLocalReply,
    Shutdown,
    StreamEnd,
    Tick,
)
from hostabi.core.commands import Command
from hostabi.testing import FilterHost
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.kit import callback, callbacks, expression

HEADERS = ((b":method", b"GET"), (b":path", b"/"))
DONE = expression("proxy_done", [])
NAMES = ("proxy_on_log", "proxy_on_done", "proxy_on_delete", "proxy_on_request_body")
ENDS = {name: callback(name) for name in NAMES}


def names(host: FilterHost) -> list[str]:
    return callbacks(host.exchanger.take().transcript)


def sent(commands: list[Command]) -> list[str]:
    return [type(c.frame).__name__ for c in commands if isinstance(c, Send)]


def test_between_false_and_proxy_done_events_still_arrive(engine: str) -> None:
    text = small_filter(
        {
            "proxy_on_done": "(i32.const 0)",
            "proxy_on_queue_ready": "",
            "proxy_on_tick": f"(drop {DONE})",
            "proxy_on_delete": "",
        }
    )
    host = FilterHost(text, engine=engine)
    plugin = host.plugins[0]
    plugin.root.tick_period_ms = 1
    host.shutdown()
    assert host.chain.handle(Shutdown(plugin.key)) == [], "asked once"
    host.chain.handle(QueueReady(plugin.key, 1))
    assert not plugin.gone
    host.chain.handle(Tick(plugin.key))
    assert names(host) == ["on_queue_ready(1, 1)", "on_tick(1)", "on_delete(1)"]
    assert plugin.gone


def test_on_delete_comes_after_the_call_that_said_done(engine: str) -> None:
    """proxy_done is deferred, as everything that ends something is."""
    twice = f"(drop {DONE}) (drop {DONE})"
    text = small_filter({"proxy_on_done": "(i32.const 0)", "proxy_on_tick": twice, "proxy_on_delete": ""})
    host = FilterHost(text, engine=engine)
    host.plugins[0].root.tick_period_ms = 1
    host.shutdown()
    host.chain.handle(Tick(host.plugins[0].key))
    done = host.exchanger.take()
    assert callbacks(done.transcript) == ["on_tick(1)", "on_delete(1)"]
    assert [r.result for r in done.transcript if hasattr(r, "function")] == [0, 1], "the second finds nobody waiting"


def test_a_forced_end_does_not_wait_for_proxy_done(engine: str) -> None:
    host = FilterHost(small_filter({"proxy_on_done": "(i32.const 0)", "proxy_on_delete": ""}), engine=engine)
    host.shutdown()
    host.chain.handle(Shutdown(host.plugins[0].key, force=True))
    assert names(host) == ["on_delete(1)"] and host.plugins[0].gone


def test_shutdown_waits_for_streams(engine: str) -> None:
    host = FilterHost(small_filter(ENDS), engine=engine)
    plugin = host.plugins[0]
    for stream in (1, 2):
        host.chain.handle(RequestHeaders(stream, HEADERS))
    host.exchanger.take()
    assert host.chain.handle(Shutdown(plugin.key)) == []
    host.chain.handle(RequestBody(1, b"x", True))
    host.chain.handle(StreamEnd(1))
    assert names(host) == ["on_request_body(2, 1, 1)", "on_log(2)", "on_done(2)", "on_delete(2)"]
    commands = host.chain.handle(StreamEnd(2))
    assert names(host) == ["on_log(3)", "on_done(3)", "on_delete(3)", "on_done(1)", "on_delete(1)"]
    assert commands[-1] == PluginGone(plugin.key)


@pytest.mark.parametrize("fail_open", [False, True])
def test_forced_shutdown_with_streams(engine: str, fail_open: bool) -> None:
    """They go on without it, or are answered; nothing of them is told to a guest that has said goodbye."""
    host = FilterHost(small_filter(ENDS), engine=engine, fail_open=fail_open)
    plugin = host.plugins[0]
    host.chain.handle(RequestHeaders(1, HEADERS))
    host.exchanger.take()
    commands = host.chain.handle(Shutdown(plugin.key, force=True))
    assert names(host) == ["on_done(1)", "on_delete(1)"] and plugin.gone
    assert any(isinstance(c, SendLocalReply) for c in commands) is not fail_open
    assert sent(host.chain.handle(RequestBody(1, b"x", True))) == (["Body"] if fail_open else [])
    if fail_open:
        assert sent(host.chain.handle(ResponseHeaders(1, ((b":status", b"200"),), True))) == ["Headers"]
    host.chain.handle(StreamEnd(1))
    assert names(host) == [] and plugin.vm.state.contexts == {}


def test_a_plugin_that_is_gone_starts_nothing(engine: str) -> None:
    host = FilterHost(small_filter(ENDS), engine=engine)
    host.shutdown()
    plugin = host.plugins[0]
    assert plugin.handle(Tick(plugin.key)) == []
    with pytest.raises(EmbedderError):
        host.host.chain([plugin])
