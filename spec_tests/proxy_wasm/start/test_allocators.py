"""Allocators that fail in every way, and what is allowed within them (abi_reference 3.1, 12.8)."""

from __future__ import annotations

import pytest

from hostabi import AbiVersion, LoadError, Status
from hostabi.core.transcript import Called
from hostabi.testing import FilterHost
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.kit import callback, expression

READ = expression("proxy_get_header_map_value", [0, 0, 5])
PATH = "/a-path"
CELLS = (256, 264)
"""Where `expression` lets the two results go."""


def allocator(body: str, name: str = "proxy_on_memory_allocate") -> str:
    return f'(func (export "{name}") (param i32) (result i32) {body})'


def host_with(
    engine: str, allocators: str, profile: str = "default", abi: AbiVersion = AbiVersion.V0_2_1, extra: str = ""
) -> FilterHost:
    body = callback("proxy_on_request_headers", READ)
    text = small_filter(
        {"proxy_on_request_headers": body}, data={0: b":path"}, allocator=allocators, abi=abi, extra=extra, pages="1 3"
    )
    return FilterHost(text, engine=engine, profile=profile)


def status_of(host: FilterHost) -> Status:
    done = host.exchange(path=PATH)
    made = [r for r in done.transcript if isinstance(r, Called) and r.function == "proxy_get_header_map_value"]
    assert done.trap is None, done.trap
    return Status(made[0].result or 0)


def cells(host: FilterHost) -> tuple[int, bytes]:
    memory = host.plugins[0].vm.guest.memory
    ptr, size = (int.from_bytes(memory.read(at, 4), "little") for at in CELLS)
    return ptr, memory.read(ptr, size)


BOTH = allocator("(i32.const 1000)") + allocator("(i32.const 2000)", "malloc")


@pytest.mark.parametrize(
    ("allocators", "profile", "address"),
    [
        (allocator("(i32.const 1000)"), "default", 1000),
        (allocator("(i32.const 2000)", "malloc"), "default", 2000),
        (BOTH, "default", 1000),
        (BOTH, "spec", 1000),
        (BOTH, "envoy", 2000),
        (BOTH, "nginx", 2000),
        (allocator("(i32.const 1000)"), "envoy", 1000),
    ],
)
def test_which_allocator(engine: str, allocators: str, profile: str, address: int) -> None:
    host = host_with(engine, allocators, profile)
    assert status_of(host) is Status.OK
    assert cells(host) == (address, PATH.encode())


@pytest.mark.parametrize(
    "body",
    [
        "(i32.const 0)",
        "(i32.const 65536)",
        "(i32.const 65530)",
        "(i32.const -1)",
    ],
)
def test_an_allocator_with_nothing_in_range(engine: str, body: str) -> None:
    host = host_with(engine, allocator(body))
    assert status_of(host) is Status.INVALID_MEMORY_ACCESS
    assert cells(host) == (0, b""), "nothing is written"


def test_an_allocator_at_the_very_end_of_memory(engine: str) -> None:
    host = host_with(engine, allocator("(i32.sub (i32.const 65536) (local.get 0))"))
    assert status_of(host) is Status.OK
    assert cells(host)[1] == PATH.encode()


def test_no_allocator(engine: str) -> None:
    assert status_of(host_with(engine, "")) is Status.INVALID_MEMORY_ACCESS
    with pytest.raises(LoadError, match=r"Wasm module is missing malloc function\."):
        host_with(engine, "", "envoy")


def test_an_allocator_that_traps(engine: str) -> None:
    done = host_with(engine, allocator("unreachable")).exchange()
    assert done.trap and done.trap.message == "proxy_on_request_headers: unreachable"
    assert done.status == 503


def test_an_allocator_that_grows_memory(engine: str) -> None:
    """The result lies in the new page, so memory must be looked at anew after the call."""
    body = "(if (i32.lt_s (memory.grow (i32.const 1)) (i32.const 0)) (then unreachable)) (i32.const 65536)"
    host = host_with(engine, allocator(body))
    assert status_of(host) is Status.OK
    assert cells(host) == (65536, PATH.encode())
    assert host.plugins[0].vm.guest.memory.length == 2 * 65536


def test_an_allocator_that_logs(engine: str) -> None:
    body = "(drop (call $proxy_log (i32.const 4) (i32.const 0) (i32.const 5))) (i32.const 1000)"
    host = host_with(engine, allocator(body))
    assert status_of(host) is Status.OK


FORBIDDEN = f"(i32.store (i32.const 512) {expression('proxy_define_metric', [0, 0, 0])}) (i32.const 1000)"


def test_a_forbidden_call_in_an_allocator_fails(engine: str) -> None:
    host = host_with(engine, allocator(FORBIDDEN))
    assert status_of(host) is Status.OK
    assert host.plugins[0].vm.guest.memory.read(512, 4) == b"\x0a\0\0\0"


def test_a_forbidden_call_in_an_allocator_traps_in_envoy(engine: str) -> None:
    done = host_with(engine, allocator(FORBIDDEN), "envoy").exchange()
    assert done.trap and done.trap.message.endswith("restricted_callback: proxy_define_metric during allocation")


def test_higress_has_no_such_restriction(engine: str) -> None:
    host = host_with(engine, allocator(FORBIDDEN), abi=AbiVersion.V0_2_100)
    assert status_of(host) is Status.OK
    assert host.plugins[0].vm.guest.memory.read(512, 4) == b"\0\0\0\0"


def test_the_allocator_runs_in_no_context(engine: str) -> None:
    """current and effective context are put aside: a call that needs one fails even in Higress' freedom."""
    body = f"(i32.store (i32.const 512) {expression('proxy_set_tick_period_milliseconds', [5])}) (i32.const 1000)"
    host = host_with(engine, allocator(body), abi=AbiVersion.V0_2_100)
    assert status_of(host) is Status.OK
    assert host.plugins[0].vm.guest.memory.read(512, 4) == b"\x0a\0\0\0"


def test_exactly_the_size_is_asked_for(engine: str) -> None:
    body = "(i32.store (i32.const 512) (local.get 0)) (i32.const 1000)"
    host = host_with(engine, allocator(body))
    assert status_of(host) is Status.OK
    assert host.plugins[0].vm.guest.memory.read(512, 4) == len(PATH).to_bytes(4, "little")
