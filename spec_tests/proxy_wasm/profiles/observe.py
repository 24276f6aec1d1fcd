"""What a switch changes, seen from outside: each function runs a small filter and says what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from hostabi import (
    AbiVersion,
    CallFailed,
    GrpcClosed,
    GrpcTimedOut,
    Host,
    LoadError,
    Profile,
    RequestHeaders,
    Shutdown,
    Start,
    StartCall,
    Status,
    StreamEnd,
    Tick,
)
from hostabi.core.transcript import Called
from hostabi.testing import Exchange, FilterHost, FilterSession, Request
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.grpc_talk import Talk
from spec_tests.proxy_wasm.kit import call, callback, callbacks, expression
from spec_tests.proxy_wasm.start.test_allocators import BOTH, cells, host_with, status_of

ORDERS = Path(__file__).parents[1] / "scenarios" / "filters" / "orders.wasm"
Observer = Callable[[str, Profile], object]
ALL = 0xFFFFFFFF
GET = ((b":method", b"GET"), (b":path", b"/"), (b":authority", b"a"))
REPLY = (403, b"", b"", (), ALL)


def asks(name: str, *values: Any, **rest: Any) -> Observer:
    """The status of one host call, or that it was a trap."""

    def observe(engine: str, profile: Profile) -> object:
        got = call(engine, name, *values, host={"profile": profile, **rest.get("host", {})}, **without_host(rest))
        return "trap" if got.exchange.trap else got.status.name

    return observe


def without_host(rest: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in rest.items() if key != "host"}


def reads(name: str, *values: Any, **rest: Any) -> Observer:
    """What one host call puts out, or its status when that is not OK."""

    def observe(engine: str, profile: Profile) -> object:
        got = call(engine, name, *values, host={"profile": profile, **rest.get("host", {})}, **without_host(rest))
        return got.called.outputs if got.status is Status.OK else got.status.name

    return observe


def sends(pick: Callable[[Exchange], object], name: str, *values: Any, **rest: Any) -> Observer:
    """What comes of an exchange in which one host call is made."""

    def observe(engine: str, profile: Profile) -> object:
        return pick(call(engine, name, *values, host={"profile": profile}, **rest).exchange)

    return observe


def runs(
    pick: Callable[[Exchange], object], bodies: dict[str, str], data: dict[int, bytes] | None = None, **exchange: Any
) -> Observer:
    """What comes of an exchange through a filter of these callbacks."""

    def observe(engine: str, profile: Profile) -> object:
        host = FilterHost(small_filter(bodies, data=data), engine=engine, profile=profile)
        return pick(host.exchange(**exchange))

    return observe


def loads(**parts: Any) -> Observer:
    """The ABI version of a filter, or that it is refused."""

    def observe(engine: str, profile: Profile) -> object:
        try:
            return FilterHost(small_filter(**parts), engine=engine, profile=profile).exchange().abi
        except LoadError:
            return "refused"

    return observe


def result(name: str) -> Callable[[Exchange], object]:
    """The raw result of a function, or nothing if it was not called; for functions without a status too."""

    def pick(done: Exchange) -> object:
        made = [r for r in done.transcript if isinstance(r, Called) and r.function == name]
        return made[-1].result if made else None

    return pick


# --- pieces of filters

MARKERS = '(func (export "proxy_abi_version_0_1_0")) (func (export "proxy_abi_version_0_2_1"))'


def marker(name: str) -> str:
    return f'(func (export "{name}"))'


def start(body: str) -> str:
    return f'(func (export "_initialize") {body})'


DEFINE = f"(drop {expression('proxy_define_metric', [0, 0, 0])})"


# --- longer ones


def which_allocator(engine: str, profile: Profile) -> object:
    host = host_with(engine, BOTH, profile)
    status_of(host)
    return cells(host)[0]


def no_allocator(engine: str, profile: Profile) -> object:
    try:
        return status_of(host_with(engine, "", profile)).name
    except LoadError:
        return "refused"


def forbidden_in_allocator(engine: str, profile: Profile) -> object:
    body = f'(func (export "proxy_on_memory_allocate") (param i32) (result i32) {DEFINE} (i32.const 1000))'
    done = host_with(engine, body, profile).exchange(path="/a-path")
    return "trap" if done.trap else result("proxy_define_metric")(done)


def allocator_that_traps(engine: str, profile: Profile) -> object:
    """Whether the callback goes on to its log line; its status of the call, if it does; and the end of it."""
    body = '(func (export "malloc") (param i32) (result i32) unreachable)'
    said = "(drop (call $proxy_log (i32.const 2) (i32.const 0) (i32.const 1)))"
    read = expression("proxy_get_header_map_value", [0, 0, 5])
    text = small_filter(
        {"proxy_on_request_headers": callback("proxy_on_request_headers", read, said)},
        data={0: b":path"},
        allocator=body,
    )
    done = FilterHost(text, engine=engine, profile=profile).exchange()
    calls = [r.result for r in done.transcript if isinstance(r, Called)]
    return calls, done.status, done.trap.message.split(": ", 1)[1] if done.trap else None


def forbidden_at_start(engine: str, profile: Profile) -> object:
    try:
        host = FilterHost(small_filter(extra=start(DEFINE)), engine=engine, profile=profile)
    except LoadError:
        return "trap"
    return result("proxy_define_metric")(host.exchanger.take())


def start_functions(engine: str, profile: Profile) -> object:
    said = {i: bytes([letter]) for i, letter in enumerate(b"sim")}
    log = "(drop (call $proxy_log (i32.const 2) (i32.const {}) (i32.const 1)))"
    extra = (
        f'(func (export "_start") {log.format(0)}) (func (export "_initialize") {log.format(1)})'
        f'(func (export "main") (param i32 i32) (result i32) {log.format(2)} (i32.const 0))'
    )
    host = FilterHost(small_filter(extra=extra, data=said), engine=engine, profile=profile)
    return "".join(host.exchange().log_lines)


def proc_exit(engine: str, profile: Profile) -> object:
    body = "(call $proc_exit (i32.const 3)) (i32.const 0)"
    done = FilterHost(small_filter({"proxy_on_request_headers": body}), engine=engine, profile=profile).exchange()
    return "trap" if done.trap else done.log_lines


def poll(engine: str, profile: Profile) -> object:
    """One timer of 5 s: the number of events, and whether the clock has moved."""
    clock = "(drop (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const {})))"
    body = (
        f"{clock.format(2000)} (drop (call $poll_oneoff (i32.const 1000) (i32.const 1100) (i32.const 1)"
        f" (i32.const 1200))) {clock.format(2008)} (i32.const 0)"
    )
    timer = bytes(16) + bytes(8) + (5_000_000_000).to_bytes(8, "little") + bytes(16)
    text = small_filter({"proxy_on_request_headers": body}, data={1000: timer})
    host = FilterHost(text, engine=engine, profile=profile)
    host.exchange()
    memory = host.plugins[0].vm.guest.memory
    before, after = (int.from_bytes(memory.read(at, 8), "little") for at in (2000, 2008))
    return memory.read(1200, 1)[0], after - before > 1_000_000_000


def context_of_another_plugin(engine: str, profile: Profile) -> object:
    """Two plugins share a VM; the second's callback asks for the first's context."""
    text = small_filter({"proxy_on_tick": f"(drop {expression('proxy_set_effective_context', [1])})"})
    host = Host(engine=engine, profile=profile, record=True)
    plugins = [host.plugin(text) for _ in range(2)]
    for plugin in plugins:
        plugin.handle(Start())
    plugins[1].root.tick_period_ms = 1
    host.transcript.clear()
    plugins[1].handle(Tick(plugins[1].key))
    return next(Status(r.result or 0).name for r in host.transcript if isinstance(r, Called))


def end_of_a_stream(engine: str, profile: Profile) -> object:
    names = ("proxy_on_log", "proxy_on_done", "proxy_on_delete")
    return runs(lambda done: ends(done), {name: callback(name) for name in names})(engine, profile)


def ends(done: Exchange) -> list[str]:
    return [entry.partition("(")[0] for entry in callbacks(done.transcript)]


def done_false_on_a_stream(engine: str, profile: Profile) -> object:
    """What happens at the end, and what when the plugin's tick says that the stream is done."""
    bodies = {
        "proxy_on_log": "",
        "proxy_on_done": "(i32.const 0)",
        "proxy_on_delete": "",
        "proxy_on_tick": f"(drop {expression('proxy_set_effective_context', [2])})"
        f"(drop {expression('proxy_done', [])})",
    }
    host = FilterHost(small_filter(bodies), engine=engine, profile=profile)
    at_end = ends(host.exchange())
    host.plugins[0].root.tick_period_ms = 1
    host.chain.handle(Tick(host.plugins[0].key))
    return at_end, ends(host.exchanger.take())


def stream_that_never_came(engine: str, profile: Profile) -> object:
    reply = expression("proxy_send_local_response", [403, 0, 0, 0, 0, 0, 0, ALL])
    first = small_filter({"proxy_on_request_headers": callback("proxy_on_request_headers", reply)})
    second = small_filter({"proxy_on_context_create": "", "proxy_on_log": ""})
    host = FilterHost(first, second, engine=engine, profile=profile)
    host.exchanger.take()
    return ends(host.exchange())


def failure(engine: str, profile: Profile) -> object:
    text = small_filter({"proxy_on_request_headers": "unreachable"})
    return FilterHost(text, engine=engine, profile=profile).exchange().status


def dispatch_status(engine: str, profile: Profile) -> object:
    """Of a call that times out: the number of headers that is told, and what :dispatch_status is."""
    read = expression("proxy_get_header_map_value", [6, 0, 16])
    text = small_filter(
        {"proxy_on_http_call_response": f"(drop {read})", "proxy_on_request_headers": "(i32.const 1)"},
        data={0: b":dispatch_status"},
    )
    host = FilterHost(text, engine=engine, profile=profile)
    plugin = host.plugins[0]
    plugin.vm.state.calls[4] = plugin.root
    plugin.handle(CallFailed(plugin.key, 4, "timeout"))
    entered, called = host.exchanger.take().transcript[:2]
    count = dict(entered.args)["num_headers"]  # type: ignore[attr-defined]
    return count, *called.outputs  # type: ignore[attr-defined]


def timeout(engine: str, profile: Profile) -> object:
    wait = "request_headers: call auth / 1000\nrequest_headers: return 4\nhttp_call_response: get 6 :status"
    session = FilterSession(ORDERS, config=wait, profile=profile, engine=engine)
    session.request(Request())
    session.advance(1_000_000_000)
    return session.logs[0]


def replies_twice(engine: str, profile: Profile) -> object:
    first = expression("proxy_send_local_response", [401, 0, 0, 0, 0, 0, 0, ALL])
    return asks("proxy_send_local_response", *REPLY, before=(first,))(engine, profile)


def content_length(engine: str, profile: Profile) -> object:
    """Of a request whose headers are held while its body is replaced by three bytes."""
    return sends(
        lambda done: done.request and done.request.get("content-length"),
        "proxy_set_buffer_bytes",
        *(0, 0, ALL, b"abc"),
        during="proxy_on_request_body",
        body="0123456789",
        also={"proxy_on_request_headers": "(i32.const 1)"},
        headers={"content-length": "10"},
    )(engine, replace(profile, literal_stop_iteration=True))


def wakes(engine: str, profile: Profile) -> object:
    host = FilterHost(
        small_filter(
            {
                "proxy_on_request_headers": callback(
                    "proxy_on_request_headers",
                    expression("proxy_register_shared_queue", [0, 1]),
                    expression("proxy_enqueue_shared_queue", [1, 0, 1]),
                ),
                "proxy_on_queue_ready": "",
            },
            data={0: b"q"},
        ),
        engine=engine,
        profile=profile,
    )
    return ends(host.exchange())


def leaves_pending(engine: str, profile: Profile) -> object:
    """Whether a stream whose filter is not done outlives its end."""
    host = Host(engine=engine, profile=profile)
    plugin = host.plugin(small_filter({"proxy_on_done": "(i32.const 0)", "proxy_on_request_headers": "(i32.const 0)"}))
    chain = host.chain([plugin])
    chain.handle(Start())
    chain.handle(RequestHeaders(1, GET, True))
    chain.handle(StreamEnd(1))
    left = len(plugin.vm.state.contexts)
    chain.handle(Shutdown(plugin.key, force=True))
    return left, len(plugin.vm.state.contexts)


OLD = AbiVersion.V0_1_0


def bytes_that_a_later_filter_holds(engine: str, profile: Profile) -> object:
    """How many bytes the first of two filters is shown when the second holds what came before."""
    first, second = (small_filter({"proxy_on_downstream_data": f"(i32.const {n})"}) for n in (0, 1))
    session = FilterSession(first, second, engine=engine, profile=profile)
    session.connect()
    session.downstream_data(b"12")
    session.downstream_data(b"345")
    own = [record for record in session.transcript if record.plugin == session.chain.plugins[0].key]
    return [line for line in callbacks(own) if line.startswith("on_downstream_data")]


def upstream_that_goes(engine: str, profile: Profile) -> object:
    """Of which peer a filter hears when the upstream sends no more, and then is gone."""
    session = FilterSession(small_filter({"proxy_on_upstream_connection_close": ""}), engine=engine, profile=profile)
    session.connect()
    session.upstream_data(b"", end=True)
    session.abort_upstream()
    return [line for line in callbacks(session.transcript) if line.startswith("on_upstream_connection_close")]


def map_after_continue(engine: str, profile: Profile) -> object:
    """A map of the direction that was continued, in the same callback."""
    go = expression("proxy_continue_stream", [0])
    return asks("proxy_get_header_map_value", 0, b":path", before=(go,))(engine, profile)


def short_variant(engine: str, profile: Profile) -> object:
    """A gRPC call imported with 10 parameters."""
    return imports(f'(import "env" "proxy_grpc_call" (func (param {"i32 " * 10}) (result i32)))', engine, profile)


def unknown_import(engine: str, profile: Profile) -> object:
    return imports('(import "env" "new" (func (result i32)))', engine, profile)


def imports(text: str, engine: str, profile: Profile) -> object:
    whole = small_filter().replace("(module", f"(module {text}", 1)
    try:
        return FilterHost(whole, engine=engine, profile=profile).exchange().abi
    except LoadError:
        return "refused"


def grpc_close(engine: str, profile: Profile, how: type[GrpcClosed] | type[GrpcTimedOut]) -> Called:
    """What a filter asks for in proxy_on_grpc_close of a call that fails so: proxy_get_status."""
    talk = Talk(engine, "request_headers: unary up a.B/c 100 x\ngrpc_close: status\n", profile=profile)
    talk.begin()
    talk.give(GrpcTimedOut(talk.key, 5) if how is GrpcTimedOut else GrpcClosed(talk.key, 5, 5, b"50%25"))
    made = [one for one in talk.filter_host.host.transcript if isinstance(one, Called)]
    return next(one for one in made if one.function == "proxy_get_status")


def call_trailers(engine: str, profile: Profile) -> object:
    """The trailers that an HTTP call of a filter goes out with."""
    headers = ((b":method", b"GET"), (b":path", b"/"), (b":authority", b"a"))
    made = call(engine, "proxy_http_call", b"up", headers, b"", ((b"t", b"1"),), 10, host={"profile": profile})
    (one,) = made.exchange.calls
    assert isinstance(one, StartCall)
    return one.trailers


def grpc_timeout(engine: str, profile: Profile) -> object:
    """The code of a unary call that times out."""
    return grpc_close(engine, profile, GrpcTimedOut).outputs[0]


def grpc_message(engine: str, profile: Profile) -> object:
    """The message of a status that was percent-encoded."""
    return grpc_close(engine, profile, GrpcClosed).outputs[1]


def grpc_failed_start(engine: str, profile: Profile) -> object:
    """What comes of a call to a cluster that is not there."""
    talk = Talk(engine, "request_headers: unary envoy:other a.B/c 100 x", profile=profile, upstreams=frozenset({"up"}))
    talk.begin()
    return talk.callbacks()


def status_after_failure(engine: str, profile: Profile) -> object:
    """proxy_get_status in a callback after the one of a failure."""
    talk = Talk(engine, "request_headers/1: unary up a.B/c 100 x\nrequest_headers/2: status\n", profile=profile)
    talk.begin()
    talk.give(GrpcClosed(talk.key, 5, 5, b"no"))
    talk.begin()
    return talk.take()[-1]
