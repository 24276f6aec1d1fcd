"""Functions that toolchains import beside the ABI: emscripten's and AssemblyScript's (abi_reference 9.3, 9.4)."""

from __future__ import annotations

import struct

from hostabi import LogLevel
from hostabi.testing import FilterHost
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.kit import callback

MESSAGE = struct.pack("<I", 8) + "oops".encode("utf-16-le")
FILE = struct.pack("<I", 8) + "a.ts".encode("utf-16-le")


def test_abort_logs_and_traps(engine: str) -> None:
    body = "(call $abort (i32.const 100) (i32.const 200) (i32.const 3) (i32.const 7)) (i32.const 0)"
    text = small_filter({"proxy_on_request_headers": body}, data={96: MESSAGE, 196: FILE})
    done = FilterHost(text, engine=engine).exchange()
    assert (done.logs[0].level, done.logs[0].message) == (LogLevel.CRITICAL, b"oops at a.ts:3:7")
    assert done.trap and done.trap.message == "proxy_on_request_headers: abort: oops at a.ts:3:7"
    assert done.status == 503


def test_abort_with_pointers_outside_of_memory(engine: str) -> None:
    body = "(call $abort (i32.const -1) (i32.const 2) (i32.const 3) (i32.const 7)) (i32.const 0)"
    done = FilterHost(small_filter({"proxy_on_request_headers": body}), engine=engine).exchange()
    assert done.trap and "(text outside of memory) at (text outside of memory):3:7" in done.trap.message


def test_trace(engine: str) -> None:
    numbers = "(f64.const 1.5) (f64.const 2) (f64.const 3) (f64.const 4) (f64.const 5)"
    body = f"(call $trace (i32.const 100) (i32.const 2) {numbers}) (i32.const 0)"
    done = FilterHost(small_filter({"proxy_on_request_headers": body}, data={96: MESSAGE}), engine=engine).exchange()
    assert done.log_lines == ["trace: oops 1.5 2"]


def test_seed_comes_from_the_injected_entropy(engine: str) -> None:
    body = "(f64.store (i32.const 0) (call $seed)) (i32.const 0)"

    def seed(number: int) -> bytes:
        host = FilterHost(small_filter({"proxy_on_request_headers": body}), engine=engine, seed=number)
        host.exchange()
        return host.plugins[0].vm.guest.memory.read(0, 8)

    assert seed(1) == seed(1) != seed(2)


def test_emscripten(engine: str) -> None:
    body = callback(
        "proxy_on_request_headers",
        "(i32.store (i32.const 0) (i32.add (call $pthread_equal (i32.const 5) (i32.const 5))"
        " (i32.mul (i32.const 10) (call $pthread_equal (i32.const 5) (i32.const 6)))))",
        "(call_indirect (param i32) (i32.const 0) (i32.const 0))",
    )
    table = "(table 1 funcref) (elem (i32.const 0) $emscripten_notify_memory_growth)"
    host = FilterHost(small_filter({"proxy_on_request_headers": body}, extra=table), engine=engine)
    assert host.exchange().trap is None
    assert host.plugins[0].vm.guest.memory.read(0, 4) == b"\1\0\0\0"


def emscripten(engine: str, *statements: str) -> FilterHost:
    body = callback("proxy_on_request_headers", *statements)
    return FilterHost(small_filter({"proxy_on_request_headers": body}, data={100: b"abcd"}), engine=engine)


def test_emscripten_copies_through_the_host(engine: str) -> None:
    host = emscripten(
        engine,
        "(block (call $emscripten_memcpy_js (i32.const 200) (i32.const 100) (i32.const 4)))",
        "(i32.store (i32.const 0) (call $emscripten_memcpy_big (i32.const 300) (i32.const 100) (i32.const 2)))",
    )
    assert host.exchange().trap is None
    memory = host.plugins[0].vm.guest.memory
    assert (memory.read(200, 4), memory.read(300, 2), memory.read(0, 4)) == (b"abcd", b"ab", b"\x2c\1\0\0")


def test_a_copy_out_of_range_is_a_trap(engine: str) -> None:
    out = "(i32.store (i32.const 0) (call $emscripten_memcpy_big (i32.const -4) (i32.const 0) (i32.const 8)))"
    done = emscripten(engine, out).exchange()
    assert done.trap and "outside of a memory" in done.trap.message


def test_no_memory_comes_from_outside(engine: str) -> None:
    host = emscripten(engine, "(i32.store (i32.const 0) (call $emscripten_resize_heap (i32.const 1000)))")
    host.exchange()
    assert host.plugins[0].vm.guest.memory.read(0, 4) == bytes(4)
