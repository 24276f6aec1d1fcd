"""Every host call with good and bad pointers; the cases come from the registry (abi_reference 3.1, 3.2, 14.3)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hostabi import Status
from hostabi.abi.enums import AbiVersion
from hostabi.abi.hostcall import REGISTRY, HostCall, Wire
from hostabi.testing import Exchange, FilterHost
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.kit import END_OF_MEMORY, callback

MASTER_TABLE = [
    "proxy_log",
    "proxy_get_log_level",
    "proxy_get_current_time_nanoseconds",
    "proxy_set_tick_period_milliseconds",
    "proxy_get_configuration",
    "proxy_get_status",
    "proxy_get_property",
    "proxy_set_property",
    "proxy_continue_request",
    "proxy_continue_response",
    "proxy_clear_route_cache",
    "proxy_continue_stream",
    "proxy_close_stream",
    "proxy_send_local_response",
    "proxy_get_header_map_pairs",
    "proxy_set_header_map_pairs",
    "proxy_get_header_map_value",
    "proxy_add_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_remove_header_map_value",
    "proxy_get_header_map_size",
    "proxy_get_buffer_bytes",
    "proxy_get_buffer_status",
    "proxy_set_buffer_bytes",
    "proxy_http_call",
    "proxy_grpc_call",
    "proxy_grpc_stream",
    "proxy_grpc_send",
    "proxy_grpc_close",
    "proxy_grpc_cancel",
    "proxy_get_shared_data",
    "proxy_set_shared_data",
    "proxy_register_shared_queue",
    "proxy_resolve_shared_queue",
    "proxy_enqueue_shared_queue",
    "proxy_dequeue_shared_queue",
    "proxy_define_metric",
    "proxy_increment_metric",
    "proxy_record_metric",
    "proxy_get_metric",
    "proxy_set_effective_context",
    "proxy_done",
    "proxy_call_foreign_function",
]
HIGRESS_AND_ENVOY = [
    "proxy_redis_init",
    "proxy_redis_call",
    "proxy_inject_encoded_data_to_filter_chain",
    "proxy_get_upstream_hosts",
    "proxy_set_upstream_override_host",
    "envoy_resolve_dns",
]

CALLS = list(REGISTRY.calls.values())
INPUT = {Wire.BYTES, Wire.LATE_BYTES, Wire.PAIRS}
TEXT = 1024
"""Where good inputs point to: an empty map, which any text may be, too."""
CELLS = 256


def test_every_row_of_the_master_table_is_registered() -> None:
    assert sorted(REGISTRY.calls) == sorted(MASTER_TABLE + HIGRESS_AND_ENVOY)


def wires(call: HostCall) -> Iterator[tuple[int, Wire]]:
    """Position of its first raw number, and wire, of each input and output."""
    at = 0
    for wire in (*(p.wire for p in call.params), *call.outs):
        yield at, wire
        at += len(wire.wasm)


def good(call: HostCall) -> list[int]:
    """Raw numbers with which the memory of the call is fine."""
    raw: list[int] = []
    for i, (_, wire) in enumerate(wires(call)):
        if wire in INPUT:
            raw += [TEXT, 4]
        elif wire.name.startswith("OUT"):
            raw += [CELLS + 8 * i + 4 * k for k in range(len(wire.wasm))]
        else:
            raw.append(0)
    return raw


def run(engine: str, call: HostCall, raw: list[int]) -> tuple[int, Exchange, FilterHost]:
    args = " ".join(f"({type}.const {value})" for type, value in zip(call.wasm_params(), raw, strict=True))
    body = callback("proxy_on_request_body", f"(call ${call.name} {args})")
    data = {TEXT: bytes(4), END_OF_MEMORY - 4: bytes(4)}
    host = FilterHost(small_filter({"proxy_on_request_body": body}, data=data, abi=AbiVersion.V0_2_100), engine=engine)
    done = host.exchange(body="body")
    made = [r for r in done.transcript if getattr(r, "function", "") == call.name]
    assert done.trap is None, done.trap
    assert len(made) == 1
    return made[0].result, done, host  # type: ignore[attr-defined]


def with_wire(*wanted: Wire) -> list[HostCall]:
    return [call for call in CALLS if any(wire in wanted for _, wire in wires(call))]


def ids(call: HostCall) -> str:
    return call.name


@pytest.mark.parametrize("call", with_wire(*INPUT), ids=ids)
def test_an_input_outside_of_memory(engine: str, call: HostCall) -> None:
    for at, wire in wires(call):
        if wire not in INPUT:
            continue
        for pointer, length in ((END_OF_MEMORY - 3, 4), (END_OF_MEMORY + 1, 0), (0xFFFFFFFF, 2), (0, 0xFFFFFFFF)):
            raw = good(call)
            raw[at : at + 2] = [pointer, length]
            status, _, _ = run(engine, call, raw)
            assert status == Status.INVALID_MEMORY_ACCESS, (pointer, length)


@pytest.mark.parametrize("call", with_wire(*INPUT), ids=ids)
def test_inputs_at_the_edges_of_memory_are_fine(engine: str, call: HostCall) -> None:
    """Empty with any pointer in range, and four bytes that end with the memory."""
    for at, wire in wires(call):
        if wire not in INPUT:
            continue
        for pointer, length in ((0, 0), (1, 0), (END_OF_MEMORY, 0), (END_OF_MEMORY - 4, 4)):
            raw = good(call)
            raw[at : at + 2] = [pointer, length]
            status, _, _ = run(engine, call, raw)
            assert status != Status.INVALID_MEMORY_ACCESS, (pointer, length)


@pytest.mark.parametrize("call", with_wire(Wire.ENUM), ids=ids)
@pytest.mark.parametrize("beyond", ["one", "far"])
def test_an_enumeration_goes_before_memory(engine: str, call: HostCall, beyond: str) -> None:
    raw = good(call)
    place = {param.name: at for param, (at, _) in zip(call.params, wires(call), strict=False)}
    for param in call.params:
        if param.enum is not None:
            raw[place[param.name]] = len(param.enum) if beyond == "one" else 0xFFFFFFFF
    for at, wire in wires(call):
        if wire in INPUT:
            raw[at : at + 2] = [0xFFFFFFFF, 0xFFFFFFFF]
    assert run(engine, call, raw)[0] == Status.BAD_ARGUMENT


WORKING_OUTPUT = {
    "proxy_get_log_level",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_configuration",
    "proxy_get_status",
    "proxy_get_header_map_pairs",
    "proxy_get_header_map_size",
    "proxy_get_buffer_bytes",
    "proxy_get_buffer_status",
    "proxy_register_shared_queue",
    "proxy_define_metric",
}


@pytest.mark.parametrize("name", sorted(WORKING_OUTPUT))
def test_an_output_outside_of_memory(engine: str, name: str) -> None:
    call = REGISTRY.calls[name]
    assert run(engine, call, good(call))[0] == Status.OK
    for at, wire in wires(call):
        if not wire.name.startswith("OUT"):
            continue
        for k in range(len(wire.wasm)):
            for pointer in (END_OF_MEMORY - 3, END_OF_MEMORY, 0xFFFFFFFF):
                raw = good(call)
                raw[at + k] = pointer
                assert run(engine, call, raw)[0] == Status.INVALID_MEMORY_ACCESS, (at, k, pointer)


@pytest.mark.parametrize("name", sorted(WORKING_OUTPUT - {"proxy_get_current_time_nanoseconds"}))
def test_outputs_at_the_end_of_memory_are_written(engine: str, name: str) -> None:
    call = REGISTRY.calls[name]
    for at, wire in wires(call):
        if wire.name.startswith("OUT"):
            raw = good(call)
            raw[at] = END_OF_MEMORY - 4
            assert run(engine, call, raw)[0] == Status.OK


def test_address_0_is_a_legal_cell(engine: str) -> None:
    call = REGISTRY.calls["proxy_get_buffer_status"]
    status, _, host = run(engine, call, [0, 0, 8])
    assert (status, host.plugins[0].vm.guest.memory.read(0, 4)) == (Status.OK, b"\4\0\0\0")


def test_an_empty_result_is_address_0_and_size_0(engine: str) -> None:
    """Both cells are written, and the allocator is never called with 0."""
    trap = '(func (export "proxy_on_memory_allocate") (param i32) (result i32) unreachable)'
    body = callback(
        "proxy_on_request_headers",
        "(call $proxy_get_buffer_bytes (i32.const 0) (i32.const 0) (i32.const 9) (i32.const 256) (i32.const 260))",
    )
    text = small_filter({"proxy_on_request_headers": body}, data={256: b"\xff" * 8}, allocator=trap)
    host = FilterHost(text, engine=engine)
    assert host.exchange().trap is None
    assert host.plugins[0].vm.guest.memory.read(256, 8) == bytes(8)
