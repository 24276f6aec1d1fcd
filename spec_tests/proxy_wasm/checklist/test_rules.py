"""Rules of the host that are no one call's: restrictions, effective context, late callbacks, deferred actions."""

from __future__ import annotations

from typing import Any

import pytest

from hostabi import (
    CallResponse,
    Command,
    EmbedderError,
    ForeignCall,
    Host,
    LoadError,
    Plugin,
    QueueReady,
    RequestBody,
    RequestHeaders,
    RequestMetadata,
    ResetStream,
    Send,
    Start,
    Status,
    StreamEnd,
    Tick,
    Wake,
)
from hostabi.core.link import _ALLOCATE_WASI, _START_WASI
from hostabi.core.transcript import Called
from hostabi.hostcalls.wasi import SIGNATURES
from hostabi.testing import FilterHost
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.checklist.test_capabilities import OFFERED
from spec_tests.proxy_wasm.kit import callback, callbacks, expression

HEADERS = ((b":method", b"GET"), (b":path", b"/"))


def wasi_call(name: str) -> str:
    return f"(drop (call ${name} {' '.join(f'({t}.const 0)' for t in SIGNATURES[name][0])}))"


# --- what may be called while starting and allocating (12.8)

SIX = {"path_link", "path_symlink"}
"""Envoy has these with another number of parameters."""


@pytest.mark.parametrize("name", sorted(set(OFFERED) - SIX))
def test_wasi_during_start_up(engine: str, name: str) -> None:
    """All of it by default; on Envoy what its list names, and a trap else."""
    text = small_filter(extra=f'(func (export "_initialize") {wasi_call(name)})')
    FilterHost(text, engine=engine)
    if name in _START_WASI:
        FilterHost(text, engine=engine, profile="envoy")
        return
    with pytest.raises(LoadError, match=f"restricted_callback: {name} during start-up"):
        FilterHost(text, engine=engine, profile="envoy")


READ = "(drop (call $proxy_get_buffer_bytes (i32.const 6) (i32.const 0) (i32.const 9) (i32.const 512) (i32.const 516)))"


@pytest.mark.parametrize("name", sorted(set(OFFERED) - SIX))
def test_wasi_during_allocation(engine: str, name: str) -> None:
    allocator = f'(func (export "malloc") (param i32) (result i32) {wasi_call(name)} (i32.const 4096))'
    text = small_filter(
        {"proxy_on_request_headers": callback("proxy_on_request_headers", READ)},
        allocator=allocator,
        data={0: bytes(64)},
    )
    for profile in ("default", "envoy"):
        done = FilterHost(text, engine=engine, profile=profile, vm_config="x").exchange()
        trapped = done.trap is not None and f"restricted_callback: {name} during allocation" in done.trap.message
        assert trapped is (profile == "envoy" and name not in _ALLOCATE_WASI)


def test_emscripten_may_tell_that_memory_grew(engine: str) -> None:
    """A malloc that grows memory says so while the host allocates; Envoy 1.40 allows it at the start only (seen)."""
    tell = "(call $emscripten_notify_memory_growth (i32.const 0))"
    start = f'(func (export "_initialize") {tell})'
    read = {"proxy_on_request_headers": callback("proxy_on_request_headers", READ)}
    allocator = f'(func (export "malloc") (param i32) (result i32) {tell} (i32.const 4096))'
    text = small_filter(read, allocator=allocator, extra=start)
    for profile in ("default", "spec"):
        assert FilterHost(text, engine=engine, profile=profile, vm_config="x").exchange().trap is None
    done = FilterHost(text, engine=engine, profile="envoy", vm_config="x").exchange()
    assert done.trap and "restricted_callback: emscripten_notify_memory_growth during allocation" in done.trap.message


# --- effective context (5.4)

GET_ID = "(drop (call $proxy_set_effective_context (i32.load (i32.const 64))))"
READ_PATH = expression("proxy_get_header_map_value", [0, 0, 5])


def two_plugins(engine: str, body: str) -> tuple[Host, list[Plugin]]:
    """Two plugins in one VM with a stream each: contexts 1 and 2, then 3 and 4; the body is that of a tick."""
    host = Host(engine=engine, record=True)
    text = small_filter({"proxy_on_tick": body, "proxy_on_request_headers": "(i32.const 4)"}, data={0: b":path"})
    plugins = [host.plugin(text) for _ in range(2)]
    for plugin in plugins:
        plugin.handle(Start())
        plugin.root.tick_period_ms = 1
    for stream, plugin in enumerate(plugins):
        plugin.handle(RequestHeaders(stream, HEADERS))
    return host, plugins


@pytest.mark.parametrize(("target", "status"), [(1, 0), (3, 0), (2, 2), (4, 2), (0, 2), (99, 2)])
def test_effective_context_only_between_related_contexts(engine: str, target: int, status: int) -> None:
    """The first plugin may act on itself and on its stream, and on nothing else."""
    host, (first, _) = two_plugins(engine, GET_ID)
    first.vm.guest.memory.write(64, target.to_bytes(4, "little"))
    host.transcript.clear()
    first.handle(Tick(first.key))
    assert [r.result for r in host.transcript if isinstance(r, Called)] == [status]


def test_effective_context_ends_with_the_callback(engine: str) -> None:
    """It is set in one tick, and the next one begins without."""
    read = f"(drop {READ_PATH})"
    host, (first, _) = two_plugins(
        engine, f"(if (i32.load (i32.const 64)) (then {GET_ID})) (i32.store (i32.const 64) (i32.const 0)) {read}"
    )
    first.vm.guest.memory.write(64, b"\3\0\0\0")
    host.transcript.clear()
    for _ in range(2):
        first.handle(Tick(first.key))
    reads = [r.result for r in host.transcript if isinstance(r, Called) and "value" in r.function]
    assert reads == [Status.OK, Status.BAD_ARGUMENT]


def test_effective_context_is_put_aside_while_allocating(engine: str) -> None:
    """The second read needs the allocator after the first did: both are of the stream."""
    host, (first, _) = two_plugins(engine, f"{GET_ID} (drop {READ_PATH}) (drop {READ_PATH})")
    first.vm.guest.memory.write(64, b"\3\0\0\0")
    host.transcript.clear()
    first.handle(Tick(first.key))
    assert [r.outputs for r in host.transcript if isinstance(r, Called)][1:] == [(b"/",)] * 2


# --- late callbacks (host_contract 1.9)


def test_nothing_reaches_a_stream_that_is_over(engine: str) -> None:
    names = ("proxy_on_request_body", "proxy_on_foreign_function", "proxy_on_request_metadata", "proxy_on_delete")
    host = FilterHost(small_filter({name: callback(name) for name in names}), engine=engine)
    plugin = host.plugins[0]
    host.chain.handle(RequestHeaders(1, HEADERS))
    host.chain.handle(StreamEnd(1))
    assert callbacks(host.exchanger.take().transcript) == ["on_delete(2)"]
    plugin.handle(ForeignCall(plugin.key, 1, stream=1))
    plugin.handle(RequestBody(1, b"x", True))
    plugin.handle(RequestMetadata(1, 1))
    plugin.handle(StreamEnd(1))
    assert host.exchanger.take().transcript == []
    for late in (RequestBody(1, b"x", True), RequestMetadata(1, 1), StreamEnd(1)):
        with pytest.raises(EmbedderError, match="there is no stream 1"):
            host.chain.handle(late)


def test_what_is_late_for_a_stream_goes_to_its_plugin(engine: str) -> None:
    host = FilterHost(small_filter({"proxy_on_http_call_response": "", "proxy_on_queue_ready": ""}), engine=engine)
    plugin = host.plugins[0]
    host.exchange()
    plugin.vm.state.calls[4] = plugin.root
    plugin.handle(CallResponse(plugin.key, 4, ((b":status", b"200"),)))
    plugin.handle(QueueReady(plugin.key, 1))
    assert callbacks(host.exchanger.take().transcript) == [
        "on_http_call_response(1, 4, 1, 0, 0)",
        "on_queue_ready(1, 1)",
    ]


# --- deferred actions (host_contract 1.4)

REGISTER = [expression("proxy_register_shared_queue", [i, 1]) for i in range(3)]
SEND = [expression("proxy_enqueue_shared_queue", [i + 1, 0, 1]) for i in range(3)]
CONTINUE = expression("proxy_continue_stream", [0])
CLOSE = expression("proxy_close_stream", [0])


def headers_commands(engine: str, *statements: str, **rest: Any) -> list[Command]:
    body = callback("proxy_on_request_headers", *statements, result=rest.pop("result", 0))
    text = small_filter({"proxy_on_request_headers": body, **rest}, data={0: b"abc"})
    host = FilterHost(text, engine=engine)
    return host.plugins[0].handle(RequestHeaders(1, HEADERS, True))


def test_deferred_actions_run_in_order(engine: str) -> None:
    """Queues are woken in the order of the calls, and not in that of their numbers."""
    found = headers_commands(engine, *REGISTER, SEND[2], SEND[0], SEND[1])
    assert [c.queue for c in found if isinstance(c, Wake)] == [3, 1, 2]


@pytest.mark.parametrize("close_first", [False, True])
def test_a_continue_and_a_close_run_in_order(engine: str, close_first: bool) -> None:
    """What was let go before the close has left; after it nothing leaves."""
    calls = (CLOSE, CONTINUE) if close_first else (CONTINUE, CLOSE)
    found = headers_commands(engine, *calls, result=4)
    names = [type(c).__name__ for c in found if isinstance(c, Send | ResetStream)]
    assert names == (["ResetStream"] if close_first else ["Send", "ResetStream"])


def test_an_action_may_call_the_guest_which_defers_more(engine: str) -> None:
    """A continue shows the waiting body to the filter, whose callback wakes a queue."""
    bodies = {
        "proxy_on_request_headers": callback("proxy_on_request_headers", *REGISTER[:1], result=4),
        "proxy_on_request_body": callback("proxy_on_request_body", SEND[0]),
        "proxy_on_tick": f"(drop {expression('proxy_set_effective_context', [2])}) (drop {CONTINUE})",
    }
    host = FilterHost(small_filter(bodies, data={0: b"a"}), engine=engine)
    host.plugins[0].root.tick_period_ms = 1
    host.chain.handle(RequestHeaders(1, HEADERS))
    host.chain.handle(RequestBody(1, b"x", True))
    found = host.chain.handle(Tick(host.plugins[0].key))
    assert [type(c).__name__ for c in found if isinstance(c, Send | Wake)] == ["Wake", "Send", "Send"]


def test_a_trap_empties_the_queue(engine: str) -> None:
    found = headers_commands(engine, REGISTER[0], SEND[0], CLOSE, "unreachable")
    assert not any(isinstance(c, Wake | ResetStream) for c in found)


def test_at_most_1000_deferred_actions_in_an_event(engine: str) -> None:
    """Counted over all callbacks of the event, not in each."""
    to_stream = f"(drop {expression('proxy_set_effective_context', [2])})"
    loop = (
        "(local $i i32) (loop (drop (call $proxy_continue_stream (i32.const 1)))"
        " (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const {}))))"
    )
    for more, fails in ((300, False), (301, True)):
        bodies = {
            "proxy_on_request_headers": f"{loop.format(699)} (drop {CONTINUE}) (i32.const 4)",
            "proxy_on_request_body": f"{loop.format(more)} (i32.const 0)",
            "proxy_on_tick": loop.replace("(loop", f"{to_stream} (loop", 1).format(699) + f"(drop {CONTINUE})",
        }
        host = FilterHost(small_filter(bodies), engine=engine)
        host.plugins[0].root.tick_period_ms = 1
        host.chain.handle(RequestHeaders(1, HEADERS))
        host.chain.handle(RequestBody(1, b"x", True))
        host.chain.handle(Tick(host.plugins[0].key))
        assert bool(host.plugins[0].failure) is fails, host.plugins[0].failure
