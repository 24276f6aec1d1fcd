"""Every host call of the registry: bad outputs, on the plugin itself, after the stream's end, while restricted.

Bad inputs, lengths of 0, the end of memory and enumerations out of range are in hostcalls/test_pointers.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from hostabi import LoadError, Status, Tick
from hostabi.abi.enums import AbiVersion
from hostabi.abi.hostcall import REGISTRY, HostCall, Phase
from hostabi.core.transcript import Called
from hostabi.testing import Exchange, FilterHost
from hostabi.testing.answers import answers
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.hostcalls.test_pointers import good, ids, wires
from spec_tests.proxy_wasm.kit import END_OF_MEMORY, callback

CALLS = list(REGISTRY.calls.values())
DATA = {1024: bytes(4)}
START = '(func (export "_initialize") {})'
ALLOCATOR = '(func (export "proxy_on_memory_allocate") (param i32) (result i32) {} (i32.const 4096))'


def made(exchange: Exchange, call: HostCall) -> list[Status]:
    return [Status(r.result or 0) for r in exchange.transcript if isinstance(r, Called) and r.function == call.name]


def text(call: HostCall, raw: list[int] | None = None) -> str:
    args = " ".join(f"({t}.const {v})" for t, v in zip(call.wasm_params(), raw or good(call), strict=True))
    return f"(drop (call ${call.name} {args}))"


def host(
    engine: str, bodies: dict[str, str], *, extra: str = "", allocator: str | None = None, **rest: Any
) -> FilterHost:
    own = {} if allocator is None else {"allocator": allocator}
    abi = rest.pop("abi", AbiVersion.V0_2_100)
    return FilterHost(small_filter(bodies, data=DATA, abi=abi, extra=extra, **own), engine=engine, **rest)


@pytest.mark.parametrize("call", [c for c in CALLS if c.outs], ids=ids)
def test_a_bad_output_is_never_written_and_never_fatal(engine: str, call: HostCall) -> None:
    """One cell after the other out of range: status 6, or the status that made the call put nothing out."""
    usual = made(host(engine, {"proxy_on_request_body": f"{text(call)} (i32.const 0)"}).exchange(body="b"), call)
    for at, wire in wires(call):
        for k in range(len(wire.wasm) if wire.name.startswith("OUT") else 0):
            raw = good(call)
            raw[at + k] = END_OF_MEMORY - 3
            done = host(engine, {"proxy_on_request_body": f"{text(call, raw)} (i32.const 0)"}).exchange(body="b")
            assert done.trap is None
            status = made(done, call)
            assert status in ([Status.INVALID_MEMORY_ACCESS], usual)
            if usual == [Status.OK]:
                assert status == [Status.INVALID_MEMORY_ACCESS]


NEEDS_A_STREAM = {
    **dict.fromkeys(("proxy_set_property",), Status.NOT_FOUND),
    **dict.fromkeys(
        (
            "proxy_get_header_map_value",
            "proxy_add_header_map_value",
            "proxy_replace_header_map_value",
            "proxy_remove_header_map_value",
            "proxy_set_header_map_pairs",
            "proxy_get_header_map_size",
            "proxy_set_buffer_bytes",
        ),
        Status.BAD_ARGUMENT,
    ),
}
"""What calls answer where there is no stream, if that is a refusal; all others do something or nothing, and are OK."""


@pytest.mark.parametrize("call", CALLS, ids=ids)
def test_on_the_plugin_itself(engine: str, call: HostCall) -> None:
    tick = host(engine, {"proxy_on_tick": text(call)})
    tick.plugins[0].root.tick_period_ms = 1

    tick.exchanger.take()
    tick.chain.handle(Tick(tick.plugins[0].key))
    done = tick.exchanger.take()
    assert tick.plugins[0].working
    (status,) = made(done, call)
    expected = NEEDS_A_STREAM.get(call.name)
    assert status is expected if expected else status in {Status.OK, *answers(call).statuses}


READ_ONLY_AT_THE_END = {
    **{name: status for name, status in NEEDS_A_STREAM.items() if "get" not in name},
    "proxy_set_property": Status.OK,
    "proxy_get_header_map_value": Status.NOT_FOUND,
    "proxy_get_header_map_size": Status.OK,
}


@pytest.mark.parametrize("during", ["proxy_on_log", "proxy_on_done", "proxy_on_delete"])
@pytest.mark.parametrize("call", CALLS, ids=ids)
def test_after_the_end_of_the_stream(engine: str, call: HostCall, during: str) -> None:
    """Maps can be read and nothing can be changed; what is asked of the stream has no effect."""
    result = " (i32.const 1)" if during == "proxy_on_done" else ""
    done = host(engine, {during: text(call) + result}).exchange(body="b", response_body="x")
    assert (done.trap, done.status, done.reset, done.local_response) == (None, 200, None, None)
    (status,) = made(done, call)
    expected = READ_ONLY_AT_THE_END.get(call.name)
    assert status is expected if expected else status in {Status.OK, *answers(call).statuses}


@pytest.mark.parametrize("call", CALLS, ids=ids)
def test_with_the_context_of_a_stream_that_is_over(engine: str, call: HostCall) -> None:
    """Its number is refused, so that the call acts on the plugin."""
    tick = host(engine, {"proxy_on_tick": f"(drop (call $proxy_set_effective_context (i32.const 2))) {text(call)}"})
    tick.exchange()

    tick.plugins[0].root.tick_period_ms = 1
    tick.chain.handle(Tick(tick.plugins[0].key))
    done = tick.exchanger.take()
    refused = next(r for r in done.transcript if isinstance(r, Called))
    assert refused.result == Status.BAD_ARGUMENT
    expected = NEEDS_A_STREAM.get(call.name)
    assert made(done, call)[-1] is expected or expected is None


@pytest.mark.parametrize("profile", ["default", "envoy"])
@pytest.mark.parametrize("call", CALLS, ids=ids)
def test_while_starting(engine: str, call: HostCall, profile: str) -> None:
    """Allowed, answered with a failure, or a trap: the registry says which, and the profile (abi_reference 12.8)."""
    version = max(call.versions - {AbiVersion.V0_2_100} or {AbiVersion.V0_2_100})
    if version is AbiVersion.V0_2_100 and profile == "envoy":
        return  # Envoy does not know it
    allowed = Phase.START in call.phases if profile == "default" else call.name == "proxy_log"
    make: dict[str, Any] = {"extra": START.format(text(call)), "profile": profile, "abi": version}
    if profile == "envoy" and not allowed:
        with pytest.raises(LoadError, match=f"restricted_callback: {call.name} during start-up"):
            host(engine, {}, **make)
        return
    (status,) = made(host(engine, {}, **make).exchanger.take(), call)
    assert status is (Status.OK if allowed else Status.INTERNAL_FAILURE)


READ = "(drop (call $proxy_get_buffer_bytes (i32.const 6) (i32.const 0) (i32.const 9) (i32.const 512) (i32.const 516)))"


@pytest.mark.parametrize("profile", ["default", "envoy"])
@pytest.mark.parametrize("call", CALLS, ids=ids)
def test_while_allocating(engine: str, call: HostCall, profile: str) -> None:
    version = max(call.versions - {AbiVersion.V0_2_100} or {AbiVersion.V0_2_0})
    if AbiVersion.V0_2_100 in call.versions and len(call.versions) == 1:
        return  # Higress allows everything there
    allowed = Phase.ALLOCATE in call.phases if profile == "default" else call.name == "proxy_log"
    once = f"(if (i32.eqz (i32.load (i32.const 600))) (then (i32.store (i32.const 600) (i32.const 1)) {text(call)}))"
    bodies = {"proxy_on_request_headers": callback("proxy_on_request_headers", READ)}
    made_host = host(
        engine, bodies, allocator=ALLOCATOR.format(once), profile=profile, abi=version, vm_config="something"
    )
    done = made_host.exchange()
    if profile == "envoy" and not allowed:
        assert done.trap and f"restricted_callback: {call.name} during allocation" in done.trap.message
        return
    assert done.trap is None
    status = made(done, call)[0]
    assert status is (Status.OK if allowed else Status.INTERNAL_FAILURE)
