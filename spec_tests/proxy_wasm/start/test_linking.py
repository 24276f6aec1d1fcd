"""Linking by the imported type, stubs and refusals (host_contract 2; abi_reference 4.1, 9.2, 11.5)."""

from __future__ import annotations

from time import monotonic
from typing import Any

import pytest

import interp
from hostabi import LoadError
from hostabi.core.transcript import Called, Noted
from hostabi.testing import FilterHost

ALLOCATE = '(func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))'


def module(
    imports: str, body: str, marker: str = "proxy_abi_version_0_2_1", memory: str = '(memory (export "memory") 1)'
) -> str:
    return (
        f'(module {imports} {memory} (func (export "{marker}")) {ALLOCATE}'
        f'(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {body} (i32.const 0)))'
    )


def run(engine: str, imports: str, body: str, **rest: Any) -> tuple[FilterHost, list[Called]]:
    host = FilterHost(module(imports, body, **rest), engine=engine)
    done = host.exchange()
    assert done.trap is None, done.trap
    return host, [r for r in done.transcript if isinstance(r, Called)]


def stored(host: FilterHost) -> int:
    return int.from_bytes(host.plugins[0].vm.guest.memory.read(0, 4), "little")


ZEROS = "(i32.const 0)"


def test_filters_may_use_the_standard_and_no_more_unless_asked(engine: str) -> None:
    tail = '(func $log (import "env" "proxy_set_tick_period_milliseconds") (param i32) (result i32))'
    own = '(func $go (result i32) (return_call $log (i32.const 5)))'
    _, made = run(engine, tail, f"(i32.store {ZEROS} (call $go))", memory=f'(memory (export "memory") 1) {own}')
    assert [call.function for call in made] == ["proxy_set_tick_period_milliseconds"]
    with pytest.raises(interp.UnsupportedError, match="needs the feature tail-call, which is off"):
        FilterHost(module(tail, "", memory=f'(memory (export "memory") 1) {own}'), features="2.0")
    waiting = "(drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 3_000_000_000_000)))"
    memory = '(memory (export "memory") 1 1 shared)'
    began = monotonic()  # time passes at once for a filter
    assert FilterHost(module("", waiting, memory=memory), engine=engine, features="threads").exchange().trap is None
    assert monotonic() - began < 60
    shared = module("", "", memory='(memory (export "memory") 1 1 shared)')
    with pytest.raises(LoadError, match=r"(?s)wants threads: needs the feature threads, .*-pthread"):
        FilterHost(shared)


@pytest.mark.parametrize(
    ("name", "params", "status"),
    [
        ("proxy_grpc_call", 12, 4),
        ("proxy_grpc_call", 10, 4),
        ("proxy_grpc_stream", 9, 4),
        ("proxy_grpc_stream", 7, 4),
    ],
)
def test_arity_variants(engine: str, name: str, params: int, status: int) -> None:
    imports = f'(import "env" "{name}" (func $f (param {"i32 " * params}) (result i32)))'
    host, made = run(engine, imports, f"(i32.store {ZEROS} (call $f {ZEROS * params}))")
    assert stored(host) == status
    assert dict(made[0].args)["initial_metadata"] == ()


def test_the_short_variant_is_refused_where_the_set_is_strict() -> None:
    imports = f'(import "env" "proxy_grpc_call" (func $f (param {"i32 " * 10}) (result i32)))'
    with pytest.raises(LoadError, match=r"proxy_grpc_call .* type mismatch"):
        FilterHost(module(imports, ""), profile="envoy")


def test_a_status_nobody_wants(engine: str) -> None:
    imports = '(import "env" "proxy_continue_request" (func $f))'
    _, made = run(engine, imports, "(call $f)", marker="proxy_abi_version_0_2_1")
    assert (made[0].function, made[0].result) == ("proxy_continue_request", 0)


def test_duplicate_imports(engine: str) -> None:
    one = '(import "env" "proxy_get_current_time_nanoseconds" (func {} (param i32) (result i32)))'
    _, made = run(
        engine, one.format("$a") + one.format("$b"), "(drop (call $a (i32.const 0))) (drop (call $b (i32.const 0)))"
    )
    assert [m.result for m in made] == [0, 0]


def test_one_wasi_name_twice_with_two_types(engine: str) -> None:
    imports = (
        '(import "wasi_snapshot_preview1" "sched_yield" (func $a (result i32)))'
        '(import "wasi_snapshot_preview1" "sched_yield" (func $b (param i32) (result i32)))'
    )
    _, made = run(engine, imports, "(drop (call $a)) (drop (call $b (i32.const 1)))")
    assert [m.result for m in made] == [0, 52]


@pytest.mark.parametrize(
    ("imported", "call", "answer"),
    [
        ('"env" "unknown" (func $f (param i32) (result i32))', "(i32.store (i32.const 0) (call $f (i32.const 1)))", 12),
        ('"env" "unknown" (func $f (result i64))', "(i64.store (i32.const 0) (call $f))", 0),
        ('"env" "unknown" (func $f (result f64))', "(f64.store (i32.const 0) (call $f))", 0),
        ('"env" "unknown" (func $f (param f32))', "(call $f (f32.const 1))", 0),
        ('"wasi_snapshot_preview1" "new" (func $f (result i32))', "(i32.store (i32.const 0) (call $f))", 52),
        ('"wasi_other" "fd_write" (func $f (result i32))', "(i32.store (i32.const 0) (call $f))", 52),
        (
            '"wasi_unstable" "path_link" (func $f (param i32) (result i32))',
            "(i32.store (i32.const 0) (call $f (i32.const 0)))",
            52,
        ),
    ],
)
def test_stubs(engine: str, imported: str, call: str, answer: int) -> None:
    host, _ = run(engine, f"(import {imported})", call)
    assert stored(host) == answer


@pytest.mark.parametrize(
    ("imports", "reason"),
    [
        ('(import "other" "f" (func))', r"other\.f \(\) -> \(\) cannot be linked: unknown module"),
        (
            '(import "env" "proxy_log" (func (param i32) (result i32)))',
            "type mismatch, the host has .i32, i32, i32. -> .i32.",
        ),
        ('(import "env" "proxy_log" (func (param i32 i32 i32) (result i64)))', "type mismatch"),
        ('(import "env" "proxy_get_buffer" (func (result i32)))', "abandoned vNEXT draft"),
        ('(import "env" "g" (global i32))', r"env\.g cannot be linked: an imported global"),
    ],
)
def test_refusals(imports: str, reason: str) -> None:
    with pytest.raises(LoadError, match=reason):
        FilterHost(module(imports, ""))


@pytest.mark.parametrize(
    "imports",
    [
        '(import "env" "unknown" (func (result i32)))',
        '(import "wasi_snapshot_preview1" "unknown" (func (result i32)))',
        '(import "env" "proxy_get_configuration" (func (param i32 i32) (result i32)))',
        '(import "env" "proxy_redis_init" (func (param i32 i32 i32 i32 i32 i32 i32) (result i32)))',
    ],
)
def test_envoy_has_a_strict_set_of_imports(imports: str) -> None:
    FilterHost(module(imports, ""))
    with pytest.raises(LoadError, match="cannot be linked"):
        FilterHost(module(imports, ""), profile="envoy")


@pytest.mark.parametrize(
    ("imports", "memory"),
    [
        ('(import "wasi" "thread-spawn" (func (param i32) (result i32)))', '(memory (export "memory") 1)'),
        ('(import "env" "memory" (memory 1 2 shared))', '(export "memory" (memory 0))'),
        ("", '(memory (export "memory") 1) (func (drop (i32.atomic.load (i32.const 0))))'),
        ("", '(memory (export "memory") 1 1 shared)'),
    ],
)
def test_a_filter_that_wants_threads_is_told_so(imports: str, memory: str) -> None:
    with pytest.raises(LoadError, match="no threads on any Proxy-Wasm host; build it without -pthread"):
        FilterHost(module(imports, "", memory=memory))


def test_exports_of_the_draft_are_named() -> None:
    own = '(memory (export "memory") 1) (func (export "proxy_on_http_request_headers") (result i32) (i32.const 0))'
    records = FilterHost(module("", "", memory=own)).exchange().transcript
    notes = [one.message for one in records if isinstance(one, Noted)]
    assert any("abandoned vNEXT draft" in note and "proxy_on_http_request_headers" in note for note in notes)


def test_every_refused_import_is_named() -> None:
    imports = '(import "a" "f" (func)) (import "b" "g" (func))'
    with pytest.raises(LoadError) as caught:
        FilterHost(module(imports, ""))
    assert [reason.split(" ")[1] for reason in caught.value.reasons] == ["a.f", "b.g"]


def test_memory_and_table_may_be_imported(engine: str) -> None:
    imports = '(import "env" "memory" (memory 2 5)) (import "env" "table" (table 3 funcref))'
    host, made = run(
        engine,
        imports + '(import "env" "proxy_get_current_time_nanoseconds" (func $t (param i32) (result i32)))',
        "(drop (call $t (i32.const 131064)))",
        memory='(export "memory" (memory 0))',
    )
    assert made[0].result == 0
    assert host.plugins[0].vm.guest.memory.length == 2 * 65536


def test_a_filter_without_memory(engine: str) -> None:
    imports = '(import "env" "proxy_log" (func $f (param i32 i32 i32) (result i32)))'
    _, made = run(engine, imports, "(drop (call $f (i32.const 2) (i32.const 0) (i32.const 0)))", memory="")
    assert made[0].result == 6
