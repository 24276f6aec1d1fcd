"""The host as a whole: events and commands, failures, limits, determinism, filters in Python (host_contract 1, 3)."""

from __future__ import annotations

import gc
import json
import weakref
from dataclasses import dataclass

import pytest

import hostabi
from hostabi import (
    CallResponse,
    EmbedderError,
    HostCalls,
    HostError,
    Limits,
    MapType,
    PluginConfig,
    PluginFailed,
    PluginGone,
    RequestBody,
    RequestHeaders,
    RequestMetadata,
    ResponseHeaders,
    Shutdown,
    Start,
    Status,
    StreamEnd,
    StreamType,
    Tick,
)
from hostabi.core.clock import Clock, Entropy
from hostabi.core.plugin import WasmGuest
from hostabi.core.transcript import Called
from hostabi.testing import Answer, FilterHost, exchange_data
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.kit import callback, callbacks, expression, lines

HEADERS = ((b":method", b"GET"), (b":path", b"/"))


# --- order of use


def test_a_plugin_is_started_once(engine: str) -> None:
    host = FilterHost(small_filter(), engine=engine)
    with pytest.raises(EmbedderError, match="has been started already"):
        host.chain.handle(Start())


def test_handle_is_never_entered_again() -> None:
    class Again:
        def __init__(self, host: HostCalls) -> None:
            pass

        def on_request_headers(self, context: int, count: int, end: bool) -> int:
            with pytest.raises(EmbedderError, match="one event at a time"):
                filter_host.chain.handle(StreamEnd(1))
            with pytest.raises(EmbedderError, match="one event at a time"):
                filter_host.plugins[0].handle(StreamEnd(1))
            return 0

    filter_host = FilterHost(Again)
    assert filter_host.exchange().trap is None


def test_events_for_what_does_not_exist() -> None:
    host = FilterHost(small_filter())
    for event in (RequestBody(5, b""), ResponseHeaders(5, ()), StreamEnd(5), RequestMetadata(5, 1), Tick("none")):
        with pytest.raises(EmbedderError, match="there is no"):
            host.chain.handle(event)
    with pytest.raises(EmbedderError, match="there is no plugin"):
        host.host.handle(Tick("none"))
    with pytest.raises(EmbedderError, match="came to"):
        host.plugins[0].handle(Tick("none"))


def test_a_stream_number_in_use() -> None:
    host = FilterHost(small_filter())
    host.chain.handle(RequestHeaders(5, HEADERS))
    with pytest.raises(EmbedderError, match="has begun already"):
        host.chain.handle(RequestHeaders(5, HEADERS))
    host.chain.handle(StreamEnd(5))
    host.chain.handle(RequestHeaders(5, HEADERS))


def test_a_plugin_of_another_host() -> None:
    with pytest.raises(EmbedderError, match="belongs to another host"):
        hostabi.Host().chain(FilterHost(small_filter()).plugins)


def test_a_vm_goes_with_its_last_plugin(engine: str) -> None:
    host = hostabi.Host(engine=engine)
    first, second = host.plugin(small_filter()), host.plugin(small_filter(), PluginConfig(name="other"))
    chain = host.chain([first, second])
    chain.handle(Start())
    vm = weakref.ref(first.vm)
    assert second.vm is first.vm
    host.handle(Shutdown(first.key))
    assert list(host.vms.values()) == [vm()] and list(host.plugins) == [second.key] and host.chains == [chain]
    host.handle(Shutdown(second.key))
    assert not host.vms and not host.plugins and not host.chains
    del first, second, chain
    gc.collect()
    assert vm() is None


def test_what_is_late_for_a_plugin_that_is_gone_reaches_no_other(engine: str) -> None:
    host = hostabi.Host(engine=engine)
    keys = []
    for _ in range(3):
        plugin = host.plugin(small_filter(), PluginConfig(name="one"))
        plugin.handle(Start())
        keys.append(plugin.key)
        host.handle(Shutdown(plugin.key))
        assert host.handle(Tick(plugin.key)) == [] == host.handle(Shutdown(plugin.key))
    assert keys == ["one", "one#2", "one#3"]


def test_filters_in_python_have_a_vm_each() -> None:
    class Plain:
        def __init__(self, host: HostCalls) -> None:
            pass

    host = hostabi.Host()
    gone = host.plugin(Plain)
    gone.handle(Start())
    stays = host.plugin(Plain)
    host.handle(Shutdown(gone.key))
    assert host.plugin(Plain).vm is not stays.vm
    assert len(host.vms) == 2


def test_metadata(engine: str) -> None:
    text = small_filter({"proxy_on_request_metadata": callback("proxy_on_request_metadata")})
    host = FilterHost(text, engine=engine)
    host.chain.handle(RequestHeaders(5, HEADERS))
    host.chain.handle(RequestMetadata(5, 3))
    assert callbacks(host.exchanger.take().transcript) == ["on_request_metadata(2, 3)"]


def test_a_plugin_that_answers_passes_nothing_on(engine: str) -> None:
    """The result of the callback is forced to a stop, whatever the filter returned."""
    reply = expression("proxy_send_local_response", [403, 0, 0, 0, 0, 0, 0, 0xFFFFFFFF])
    host = FilterHost(
        small_filter({"proxy_on_request_headers": callback("proxy_on_request_headers", reply)}), engine=engine
    )
    commands = host.plugins[0].handle(RequestHeaders(5, HEADERS, True))
    assert [type(c).__name__ for c in commands] == ["SendLocalReply"]


# --- contexts


def test_contexts_count_up_from_1_plugins_and_streams_together(engine: str) -> None:
    text = small_filter({"proxy_on_context_create": "", "proxy_on_delete": ""})
    host = FilterHost(text, text, engine=engine)
    host.exchange()
    done = host.exchange()
    assert callbacks(done.transcript) == [
        "on_context_create(5, 1)",
        "on_context_create(6, 2)",
        "on_delete(5)",
        "on_delete(6)",
    ]


def test_a_stream_that_never_came_to_a_filter_is_logged_there(engine: str) -> None:
    """As in Envoy: the context is created for the access log."""
    reply = expression("proxy_send_local_response", [403, 0, 0, 0, 0, 0, 0, 0xFFFFFFFF])
    first = small_filter({"proxy_on_request_headers": callback("proxy_on_request_headers", reply)})
    second = small_filter({"proxy_on_context_create": "", "proxy_on_log": "", "proxy_on_delete": ""})
    done = FilterHost(first, second, engine=engine).exchange()
    assert [c for c in callbacks(done.transcript) if "request" not in c][-3:] == [
        "on_context_create(2, 1)",
        "on_log(2)",
        "on_delete(2)",
    ]


# --- failures

TRAPPING = {"proxy_on_request_headers": "(call $inner) (i32.const 0)"}
INNER = (
    "(func $inner (drop (call $proxy_log (i32.const 2) (i32.const 0) (i32.const 3)))"
    " (drop (call $proxy_get_header_map_size (i32.const 0) (i32.const 64))) unreachable)"
)


def test_the_report_of_a_trap(engine: str) -> None:
    done = FilterHost(small_filter(TRAPPING, extra=INNER, data={0: b"abc"}), engine=engine).exchange()
    assert done.trap
    report = done.trap.report.splitlines()
    assert report[0] == "Function: proxy_on_request_headers failed: unreachable"
    assert report[1] == "Proxy-Wasm plugin in-VM backtrace:"
    assert [line.split()[2] for line in report[2:4]] == ["inner", "proxy_on_request_headers"]
    assert report[4:] == [
        "Last host calls, newest last:",
        "  proxy_log(level=INFO, message='abc') = 0",
        "  proxy_get_header_map_size(map=HTTP_REQUEST_HEADERS) = 0 46",
    ]
    assert [line.split()[0] for line in done.trap.backtrace] == ["#0", "#1"]


def test_nothing_is_called_after_a_trap(engine: str) -> None:
    names = ("proxy_on_log", "proxy_on_done", "proxy_on_delete", "proxy_on_tick", "proxy_on_queue_ready")
    text = small_filter({**TRAPPING, **{name: callback(name) for name in names}}, extra=INNER)
    host = FilterHost(text, engine=engine)
    first = host.exchange()
    assert [type(r).__name__ for r in first.transcript].count("Broke") == 1
    key = host.plugins[0].key
    host.chain.handle(Tick(key))
    host.chain.handle(CallResponse(key, 4, ()))
    second = host.exchange()
    assert (second.transcript, second.status, second.trap) == ([], 503, None)
    gone = host.chain.handle(Shutdown(key))
    assert gone == [PluginGone(key)]


@pytest.mark.parametrize("name", ["proxy_on_log", "proxy_on_done", "proxy_on_delete"])
@pytest.mark.parametrize("fail_open", [True, False])
def test_a_trap_at_the_end_of_a_stream_changes_nothing_of_it(engine: str, name: str, fail_open: bool) -> None:
    text = small_filter({name: "unreachable"})
    done = FilterHost(text, text, engine=engine, fail_open=fail_open, vm_id=name).exchange(response_body="x")
    assert done.trap and done.trap.message == f"{name}: unreachable"
    assert (done.status, done.local_response, done.reset) == (200, None, None)


def test_a_plugin_that_fails_while_it_is_deleted(engine: str) -> None:
    host = FilterHost(small_filter({"proxy_on_delete": "unreachable"}), engine=engine)
    assert [type(c).__name__ for c in host.shutdown().commands] == ["Log", "PluginFailed", "PluginGone"]
    assert host.plugins[0].vm.on_failure == []


@pytest.mark.parametrize("fail_open", [True, False])
def test_plugins_of_one_vm_fail_together(engine: str, fail_open: bool) -> None:
    host = hostabi.Host(engine=engine)
    text = small_filter(
        {"proxy_on_tick": "unreachable", "proxy_on_request_headers": callback("proxy_on_request_headers", result=4)}
    )
    a, b = (host.plugin(text, PluginConfig(name=name, fail_open=fail_open)) for name in "ab")
    chain = host.chain([a, b])
    chain.handle(Start())
    chain.handle(RequestHeaders(1, HEADERS, True))
    a.root.tick_period_ms = 1
    commands = chain.handle(Tick("a"))
    assert [c.plugin for c in commands if isinstance(c, PluginFailed)] == ["a", "b"]
    sent = [c for c in commands if isinstance(c, hostabi.Send)]
    assert (sent[0].way.value, len(sent)) == (("request", 1) if fail_open else ("response", 1))


def test_a_new_plugin_of_a_failed_vm_has_a_new_one(engine: str) -> None:
    text = small_filter(TRAPPING, extra=INNER)
    host = hostabi.Host(engine=engine)
    first, second = host.plugin(text), host.plugin(text)
    assert first.vm is second.vm
    first.handle(Start())
    first.handle(RequestHeaders(1, HEADERS, True))
    third = host.plugin(text)
    assert second.vm.failure and third.vm is not first.vm and third.working
    assert third.vm.state.entropy.take(8) != Entropy(host.seed, third.vm.state.key).take(8)


def test_fuel_is_a_limit(engine: str) -> None:
    text = small_filter({"proxy_on_request_headers": "(loop (br 0)) (i32.const 0)"})
    done = FilterHost(text, engine=engine, limits=Limits(fuel_per_call=10_000)).exchange()
    assert done.trap and done.trap.message == "proxy_on_request_headers: all fuel consumed"
    assert done.status == 503
    assert done.fuel == 10_000


def test_fuel_has_a_limit_unless_it_is_taken_away(engine: str) -> None:
    def left(limits: Limits | None) -> int | None:
        host = FilterHost(small_filter({"proxy_on_request_headers": "(i32.const 0)"}), engine=engine, limits=limits)
        host.exchange()
        guest = host.plugins[0].vm.guest
        assert isinstance(guest, WasmGuest)
        return guest.store.fuel

    assert left(None) == 999_999_999
    assert left(Limits(fuel_per_call=None)) is None


def test_a_deadline_ends_a_call_as_a_trap_does(engine: str) -> None:
    text = small_filter({"proxy_on_request_headers": "(loop (br 0)) (i32.const 0)"})
    host = FilterHost(text, engine=engine)
    guest = host.plugins[0].vm.guest
    assert isinstance(guest, WasmGuest)
    guest.store.deadline = 0.0
    done = host.exchange()
    assert done.trap and done.trap.message == "proxy_on_request_headers: deadline passed"
    assert len(done.trap.backtrace) == 1
    assert done.status == 503


def test_recursion_is_a_trap(engine: str) -> None:
    text = small_filter({"proxy_on_request_headers": "(call $deep) (i32.const 0)"}, extra="(func $deep (call $deep))")
    done = FilterHost(text, engine=engine, limits=Limits(call_depth=100)).exchange()
    assert done.trap and done.trap.message == "proxy_on_request_headers: call stack exhausted"


def test_memory_is_a_limit(engine: str) -> None:
    grow = "(i32.store (i32.const 0) (memory.grow (i32.const 2))) (i32.store (i32.const 4) (memory.grow (i32.const 1)))"
    host = FilterHost(
        small_filter({"proxy_on_request_headers": f"{grow} (i32.const 0)"}),
        engine=engine,
        limits=Limits(memory_pages=3),
    )
    host.exchange()
    assert host.plugins[0].vm.guest.memory.read(0, 8) == b"\1\0\0\0\xff\xff\xff\xff"


def test_too_many_deferred_actions(engine: str) -> None:
    many = (
        "(local $i i32) (loop (drop (call $proxy_continue_stream (i32.const 0)))"
        " (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const {}))))"
        " (i32.const 0)"
    )
    fine = FilterHost(small_filter({"proxy_on_request_headers": many.format(1000)}), engine=engine).exchange()
    assert fine.trap is None
    done = FilterHost(small_filter({"proxy_on_request_headers": many.format(1001)}), engine=engine).exchange()
    assert done.trap and done.trap.message.endswith("more than 1000 deferred actions in one event")


# --- determinism

RANDOM = (
    "(drop (call $random_get (i32.const 0) (i32.const 16)))"
    "(drop (call $proxy_log (i32.const 2) (i32.const 0) (i32.const 16)))"
    "(drop (call $proxy_get_current_time_nanoseconds (i32.const 0)))"
    "(drop (call $proxy_log (i32.const 2) (i32.const 0) (i32.const 8)))"
    "(i32.const 0)"
)


@pytest.mark.parametrize(
    ("profile", "n", "result"),
    [("default", 1 << 20, 0), ("default", (1 << 20) + 1, 28), ("envoy", 1 << 16, 0), ("envoy", (1 << 16) + 1, 28)],
)
def test_how_much_random_get_gives(engine: str, profile: str, n: int, result: int) -> None:
    body = f"(drop (call $random_get (i32.const 0) (i32.const {n}))) (i32.const 0)"
    host = FilterHost(small_filter({"proxy_on_request_headers": body}, pages="17"), engine=engine, profile=profile)
    called = [one for one in host.exchange().transcript if isinstance(one, Called)]
    assert [(one.function, one.result) for one in called] == [("random_get", result)]


def run_random(engine: str, seed: int, clock: float = 5.5) -> tuple[list[str], dict[str, object]]:
    done = FilterHost(
        small_filter({"proxy_on_request_headers": RANDOM}), engine=engine, seed=seed, clock=clock
    ).exchange()
    data = exchange_data(done)
    del data["engine"]
    return lines(done.transcript), data


def test_the_same_seed_and_clock_give_the_same_run(engine: str) -> None:
    assert run_random(engine, 1) == run_random("reference", 1)
    assert run_random(engine, 1) != run_random(engine, 2)
    assert run_random(engine, 1) != run_random(engine, 1, 6.5)


def test_entropy_is_one_stream_cut_anywhere() -> None:
    whole = Entropy(b"seed", "vm").take(100)
    parts = Entropy(b"seed", "vm")
    assert b"".join(parts.take(n) for n in (0, 1, 31, 32, 33, 3)) == whole
    assert Entropy(b"seed", "other").take(100) != whole
    assert Entropy(b"seed", "vm", 1).take(100) != whole
    assert Entropy(b"see", "dvm").take(100) != whole


def test_the_clock_never_goes_back() -> None:
    clock = Clock()
    clock.begin(1_000_000)
    assert [clock.read(), clock.read()] == [1_001_000, 1_002_000]
    clock.sleep(5_000_000)
    clock.begin(2_000_000)
    assert clock.read() == 6_003_000
    clock.begin(9_000_000)
    assert (clock.read(), clock.read_monotonic()) == (9_001_000, 8_002_000)


def test_the_data_of_an_exchange_has_stable_keys(engine: str) -> None:
    data = exchange_data(FilterHost(small_filter(), engine=engine).exchange(body=b"\xff", response_body="ok"))
    assert list(data) == [
        *("abi", "engine", "request", "response", "local_response", "logs", "calls", "fuel", "trap", "reset", "paused")
    ]
    assert data["engine"] == engine
    request = data["request"]
    assert isinstance(request, dict)
    assert list(request) == ["headers", "body_base64", "trailers"] and request["body_base64"] == "/w=="
    json.dumps(data)


# --- the exchange


def test_an_exchange_that_stays_paused(engine: str) -> None:
    text = small_filter({"proxy_on_request_headers": callback("proxy_on_request_headers", result=4)})
    done = FilterHost(text, engine=engine).exchange()
    assert (done.paused, done.request, done.response) == (True, None, None)


def test_an_exchange_that_waits_for_a_tick(engine: str) -> None:
    text = small_filter(
        {
            "proxy_on_request_headers": callback(
                "proxy_on_request_headers", expression("proxy_set_tick_period_milliseconds", [50]), result=4
            ),
            "proxy_on_tick": "(drop (call $proxy_set_effective_context (i32.const 2)))"
            "(drop (call $proxy_continue_stream (i32.const 0)))",
        }
    )
    done = FilterHost(text, engine=engine).exchange(body="x")
    assert (done.paused, done.status) == (False, 200)


def test_pseudo_headers_come_first_and_names_are_lower_case() -> None:
    done = FilterHost(small_filter()).exchange("PUT", "/p", headers=[("X-A", "1"), ("Host", "h"), (":scheme", "https")])
    assert done.request and done.request.headers == (
        (b":authority", b"h"),
        (b":path", b"/p"),
        (b":method", b"PUT"),
        (b":scheme", b"https"),
        (b"x-a", b"1"),
    )


# --- filters in Python


@dataclass
class Gate:
    """Asks another service before a request goes on."""

    host: HostCalls
    stream: int = 0

    def on_request_headers(self, context: int, count: int, end: bool) -> int:
        self.stream = context
        call = ((b":method", b"GET"), (b":path", b"/ask"), (b":authority", b"gate"))
        self.host.http_call(b"gate", call, b"", (), 1000)
        return 4

    def on_http_call_response(self, root: int, token: int, headers: int, body: int, trailers: int) -> None:
        status = self.host.get_header_map_value(MapType.HTTP_CALL_RESPONSE_HEADERS, b":status")
        self.host.set_effective_context(self.stream)
        if status == b"200":
            self.host.continue_stream(StreamType.HTTP_REQUEST)
        else:
            self.host.send_local_response(403, b"", b"no", (), 0xFFFFFFFF)


@pytest.mark.parametrize(("answer", "status"), [(200, 200), (500, 403)])
def test_a_gate_in_python(answer: int, status: int) -> None:
    assert FilterHost(Gate, calls={"gate": Answer(answer)}).exchange().status == status


def test_a_status_is_an_exception_in_python() -> None:
    caught: list[Status] = []

    class Reads:
        def __init__(self, host: HostCalls) -> None:
            self.host = host

        def on_request_headers(self, context: int, count: int, end: bool) -> None:
            try:
                self.host.get_header_map_value(MapType.HTTP_REQUEST_HEADERS, b"none")
            except HostError as error:
                caught.append(error.status)

    FilterHost(Reads).exchange()
    assert caught == [Status.NOT_FOUND]


def test_an_exception_in_python_is_a_trap() -> None:
    class Breaks:
        def __init__(self, host: HostCalls) -> None:
            self.host = host

        def on_request_headers(self, context: int, count: int, end: bool) -> int:
            return self.nested()

        def nested(self) -> int:
            raise LookupError("lost")

    done = FilterHost(Breaks).exchange()
    assert done.trap and done.trap.message == "proxy_on_request_headers: LookupError: lost"
    assert [line.split()[0] for line in done.trap.backtrace] == ["nested", "on_request_headers"]
    assert done.status == 503


def test_python_and_wasm_in_one_chain(engine: str) -> None:
    class Adds:
        def __init__(self, host: HostCalls) -> None:
            self.host = host

        def on_request_headers(self, context: int, count: int, end: bool) -> None:
            self.host.add_header_map_value(MapType.HTTP_REQUEST_HEADERS, b"from", b"python")

    wasm = small_filter(
        {
            "proxy_on_request_headers": callback(
                "proxy_on_request_headers", expression("proxy_get_header_map_value", [0, 0, 4])
            )
        },
        data={0: b"from"},
    )
    done = FilterHost(Adds, wasm, engine=engine).exchange()
    read = [r for r in done.transcript if getattr(r, "function", "") == "proxy_get_header_map_value"]
    assert read[0].outputs == (b"python",)  # type: ignore[attr-defined]


def test_the_public_names() -> None:
    assert len(hostabi.__all__) == len(set(hostabi.__all__))
    for name in hostabi.__all__:
        assert getattr(hostabi, name).__doc__, name
