"""The capability list: every import and every callback, allowed and not (abi_reference 12.5)."""

from __future__ import annotations

import pytest

from hostabi import Host, LogLevel, PluginConfig, Status
from hostabi.abi.callbacks import CALLBACKS
from hostabi.abi.enums import AbiVersion
from hostabi.abi.hostcall import REGISTRY, HostCall
from hostabi.core.transcript import Called, Entered
from hostabi.hostcalls.wasi import SIGNATURES, offered
from hostabi.testing import FilterHost
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.hostcalls.test_pointers import good, ids
from spec_tests.proxy_wasm.kit import callback, callbacks, expression

HEADERS = "proxy_on_request_headers"
OFFERED = sorted({name for _, name in offered()} - {"proc_exit"})


def call_text(call: HostCall) -> str:
    args = " ".join(f"({t}.const {v})" for t, v in zip(call.wasm_params(), good(call), strict=True))
    return callback(HEADERS, f"(call ${call.name} {args})")


@pytest.mark.parametrize("call", REGISTRY.calls.values(), ids=ids)
def test_a_host_call(engine: str, call: HostCall) -> None:
    text = small_filter({HEADERS: call_text(call)}, data={1024: bytes(4)}, abi=AbiVersion.V0_2_100)
    free = FilterHost(text, engine=engine, allowed_capabilities=[HEADERS, call.name]).exchange()
    done = FilterHost(text, engine=engine, allowed_capabilities=[HEADERS]).exchange()
    (made,) = [r for r in done.transcript if isinstance(r, Called)]
    assert made.result == Status.INTERNAL_FAILURE and done.trap is None and done.status == 200
    said = f"Attempted call to restricted proxy-wasm capability: {call.name}"
    assert [(log.level, log.message.decode()) for log in done.logs] == [(LogLevel.ERROR, said)]
    assert said not in free.log_lines


@pytest.mark.parametrize("name", OFFERED)
def test_a_function_of_wasi(engine: str, name: str) -> None:
    params, _ = SIGNATURES[name]
    args = " ".join(f"({t}.const 0)" for t in params)
    text = small_filter({HEADERS: callback(HEADERS, f"(call ${name} {args})")})
    done = FilterHost(text, engine=engine, allowed_capabilities=[HEADERS]).exchange()
    (made,) = [r for r in done.transcript if isinstance(r, Called)]
    assert made.result == 76
    assert f"Attempted call to restricted WASI capability: {name}" in done.log_lines
    free = FilterHost(text, engine=engine, allowed_capabilities=[HEADERS, name]).exchange()
    assert [r.result for r in free.transcript if isinstance(r, Called)] != [76]


def test_proc_exit_returns_when_it_is_not_allowed(engine: str) -> None:
    """It has no errno to answer, so the guest goes on."""
    text = small_filter({HEADERS: "(call $proc_exit (i32.const 3)) (i32.const 0)"})
    assert FilterHost(text, engine=engine, allowed_capabilities=[HEADERS]).exchange().status == 200
    assert FilterHost(text, engine=engine, allowed_capabilities=[HEADERS, "proc_exit"]).exchange().status == 503


OF_A_STREAM = [
    f"proxy_on_{side}_{kind}" for side in ("request", "response") for kind in ("headers", "body", "trailers")
]
AT_BOTH_ENDS = ["proxy_on_context_create", "proxy_on_vm_start", "proxy_on_configure"]
AT_BOTH_ENDS += ["proxy_on_log", "proxy_on_done", "proxy_on_delete"]


def entered(engine: str, name: str, allowed: list[str]) -> set[str]:
    text = small_filter({one: callback(one) for one in (*OF_A_STREAM, *AT_BOTH_ENDS)})
    host = FilterHost(text, engine=engine, allowed_capabilities=allowed)
    done = host.exchange(body="b", trailers={"t": "1"}, response_body="r", response_trailers={"t": "1"})
    records = [*done.transcript, *host.shutdown().transcript]
    assert done.trap is None and done.status == 200
    return {r.callback for r in records if isinstance(r, Entered)}


@pytest.mark.parametrize("name", [*OF_A_STREAM, *AT_BOTH_ENDS])
def test_a_callback(engine: str, name: str) -> None:
    """What is not allowed is as if it were not exported."""
    everything = {*OF_A_STREAM, *AT_BOTH_ENDS}
    assert entered(engine, name, sorted(everything)) == everything
    assert entered(engine, name, sorted(everything - {name})) == everything - {name}
    assert entered(engine, name, [name]) == {name}


@pytest.mark.parametrize("name", sorted(set(CALLBACKS) - {*OF_A_STREAM, *AT_BOTH_ENDS}))
def test_the_other_callbacks(engine: str, name: str) -> None:
    """Called as the VM calls them: with the plugin's context."""
    text = small_filter({name: callback(name)}, abi=AbiVersion.V0_2_100)
    for allowed, count in (([], 1), ([name], 1), (["proxy_log"], 0)):
        host = FilterHost(text, engine=engine, allowed_capabilities=allowed)
        host.exchanger.take()
        plugin = host.plugins[0]
        plugin.vm.call(name, plugin.root, *[0] * (len(CALLBACKS[name].params) - 1))
        assert len(callbacks(host.exchanger.take().transcript)) == count, allowed


def test_what_is_never_restricted(engine: str) -> None:
    """Allocator, start functions and emscripten's helpers."""
    read = expression("proxy_get_header_map_value", [0, 0, 5])
    text = small_filter(
        {HEADERS: callback(HEADERS, read, "(call $pthread_equal (i32.const 1) (i32.const 1))")},
        data={0: b":path"},
        extra='(func (export "_initialize") (i32.store (i32.const 64) (i32.const 7)))',
    )
    host = FilterHost(text, engine=engine, allowed_capabilities=[HEADERS, "proxy_get_header_map_value"])
    done = host.exchange(path="/x")
    made = [r for r in done.transcript if isinstance(r, Called)]
    assert (made[0].outputs, made[1].result) == ((b"/x",), 1)
    assert host.plugins[0].vm.guest.memory.read(64, 1) == b"\7"


def test_a_list_without_context_create_is_warned_of() -> None:
    host = FilterHost(small_filter(), allowed_capabilities=["proxy_log"])
    notes = [r.message for r in host.exchanger.take().transcript if hasattr(r, "message")]
    assert notes == ["proxy_on_context_create is not allowed: most SDKs fail on contexts that they do not know"]


def test_other_capabilities_mean_another_vm() -> None:
    host, text = Host(), small_filter()
    vms = [
        host.plugin(text, PluginConfig(allowed_capabilities=frozenset(names))).vm
        for names in ((), ("proxy_log",), ("proxy_log",), ())
    ]
    assert vms[0] is vms[3] is not vms[1] and vms[1] is vms[2]
