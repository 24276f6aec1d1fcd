"""The profile `envoy` against real Envoy where no request is needed: what is loaded, and what calls answer."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import interp
from hostabi import AbiVersion, LoadError
from hostabi.core.transcript import Called
from hostabi.hostcalls.wasi import SIGNATURES
from hostabi.oracle.config import WasmFilter, cluster, listener
from hostabi.oracle.envoy import Envoy, missing
from hostabi.testing import FilterHost
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.kit import callback, expression

LOG = "(drop (call $proxy_log (i32.const 4) (i32.const 0) (i32.const 0)))"
READ = "(drop (call $proxy_get_buffer_bytes (i32.const 7) (i32.const 0) (i32.const 9) (i32.const 64) (i32.const 68)))"
EXPORT = '(func (export "f") {})'
INITIALIZE = '(func (export "_initialize") {})'
MALLOC = '(func (export "malloc") (param i32) (result i32) {} (i32.const 4096))'
OLD_FIRST = '(func (export "proxy_abi_version_0_1_0")) (func (export "proxy_abi_version_0_2_1"))'
CONFIGURE = "proxy_on_configure"


def configure(*statements: str, **rest: object) -> str:
    return small_filter({CONFIGURE: callback(CONFIGURE, *statements)}, **rest)  # type: ignore[arg-type]


def importing(text: str) -> str:
    return configure().replace("(module", f"(module (import {text})", 1)


def call(name: str, *raw: int) -> str:
    return f"(drop {expression(name, list(raw))})"


def wasi(name: str, *raw: int) -> str:
    params, results = SIGNATURES[name]
    numbers = [*raw, *[0] * (len(params) - len(raw))]
    made = f"(call ${name} {' '.join(f'({t}.const {n})' for t, n in zip(params, numbers, strict=True))})"
    return f"(drop {made})" if results else f"nop {made}"


MODULES = {
    "plain": configure(),
    "the marker of 0.2.100": configure(abi=AbiVersion.V0_2_100),
    "the marker of 0.2.7": configure(marker="proxy_abi_version_0_2_7"),
    "no marker": configure(marker=""),
    "a callback of the second marker's version": small_filter(
        {"proxy_on_request_headers": "(i32.const 0)"}, marker="", extra=OLD_FIRST
    ),
    "no allocator": configure(allocator=""),
    "AssemblyScript's seed": configure(extra=EXPORT.format("(drop (call $seed))")),
    "a call of another version": configure(extra=EXPORT.format("(drop (call $proxy_clear_route_cache))")),
    "an unknown import": importing('"env" "new" (func (result i32))'),
    "a gRPC call of 10 parameters": importing(f'"env" "proxy_grpc_call" (func (param {"i32 " * 10}) (result i32))'),
    "a call without its status": importing('"env" "proxy_done" (func)'),
    "path_link of the standard": configure(wasi("path_link")),
    "path_symlink of the standard": configure(wasi("path_symlink")),
    "proc_exit while starting": configure(extra=INITIALIZE.format("(call $proc_exit (i32.const 0))")),
    "a metric while starting": configure(extra=INITIALIZE.format(call("proxy_define_metric", 0, 0, 0))),
    "the clock while starting": configure(extra=INITIALIZE.format(call("proxy_get_current_time_nanoseconds"))),
    "the log level while starting": configure(extra=INITIALIZE.format(call("proxy_get_log_level"))),
    "the log while starting": configure(extra=INITIALIZE.format(LOG)),
    "pthread_equal while starting": configure(
        extra=INITIALIZE.format("(drop (call $pthread_equal (i32.const 0) (i32.const 0)))")
    ),
    "emscripten while starting": configure(
        extra=INITIALIZE.format("(call $emscripten_notify_memory_growth (i32.const 0))")
    ),
    "proc_exit in a callback": configure(wasi("proc_exit", 3), LOG),
    "an allocator that traps": configure(
        READ, LOG, READ, allocator='(func (export "malloc") (param i32) (result i32) unreachable)'
    ),
    "an allocator that makes a metric": configure(
        READ, LOG, allocator=MALLOC.format(call("proxy_define_metric", 0, 0, 0))
    ),
    "an allocator that tells of memory": configure(
        READ, LOG, allocator=MALLOC.format("(call $emscripten_notify_memory_growth (i32.const 0))")
    ),
    "calls without a stream": configure(
        call("proxy_get_header_map_pairs", 0),
        call("proxy_get_header_map_size", 0),
        call("proxy_set_property", 0, 1, 0, 1),
        call("proxy_get_property", 0, 0),
        call("proxy_continue_stream", 0),
        call("proxy_continue_stream", 3),
        call("proxy_close_stream", 0),
        call("proxy_set_effective_context", 0),
        call("proxy_set_effective_context", 99),
        call("proxy_done"),
        call("proxy_set_tick_period_milliseconds", 100_000),
        call("proxy_set_tick_period_milliseconds", 200_000),
    ),
    "functions of WASI": configure(
        *(wasi(name, 1) for name in ("fd_read", "fd_seek", "fd_close", "fd_sync", "fd_allocate", "fd_pread")),
        *(wasi(name, 3) for name in ("fd_readdir", "fd_prestat_get", "fd_prestat_dir_name", "path_open")),
        *(wasi(name, 3) for name in ("path_filestat_get", "path_readlink", "sock_accept", "sock_shutdown")),
        *(wasi(name, 1, 64) for name in ("fd_fdstat_get", "fd_fdstat_set_flags", "fd_filestat_get", "fd_tell")),
        *(wasi(name, 9) for name in ("fd_advise", "fd_sync", "fd_fdstat_get")),
        wasi("fd_renumber", 1, 2),
        wasi("poll_oneoff", 0, 0, 1, 64),
        wasi("sched_yield"),
        *(wasi("clock_res_get", clock, 64) for clock in (0, 1, 2, 3)),
        wasi("clock_time_get", 2, 0, 64),
        wasi("random_get", 0, 65_536),
        wasi("random_get", 0, 65_537),
        pages="2",
    ),
}


@pytest.fixture(scope="module")
def envoy() -> Iterator[Envoy]:
    reason = missing()
    if reason is not None:
        assert not os.environ.get("TAMIS_CI"), f"in CI real Envoy is not optional: {reason}"
        pytest.skip(f"real Envoy is not asked: {reason}")
    with Envoy() as running:
        running.clusters([cluster("none", 9, False)])
        yield running


ANSWER = re.compile(r"\[vm<-host\] \w+\.(\w+) return: (\w+)")


def theirs(envoy: Envoy, text: str, file: Path, number: int) -> object:
    """Refused, or the answers of the calls in the first run of the callback, in order."""
    file.write_bytes(interp.encode(interp.parse(text)))
    since = len(envoy.lines)
    name = f"profile{number}."
    one = WasmFilter(str(file), name="n", vm_id=name, configuration=b"conf")
    if envoy.listeners([listener(name, [one], "none", False)]) is not None:
        return "refused"
    answers: list[tuple[str, object]] = []
    for line in envoy.lines[since:]:
        text = line.text.decode(errors="replace")
        if text.startswith(f"[host<-vm] {CONFIGURE} return"):
            break
        if text.startswith("[host->vm] _initialize"):
            answers.clear()  # the base VM is started too, before the one that is configured
        found = ANSWER.match(text)
        if found and found[1] != "emscripten_notify_memory_growth":
            answers.append((found[1], None if found[2] == "void" else int(found[2])))
    return answers


def ours(text: str) -> object:
    try:
        host = FilterHost(text, profile="envoy", config="conf")
    except LoadError:
        return "refused"
    records = host.exchanger.take().transcript
    calls = [(r.function, r.result) for r in records if isinstance(r, Called)]
    # What a start function logs comes before the callback.
    return [one for one in calls if one[0] != "emscripten_notify_memory_growth"]


@pytest.mark.parametrize("name", MODULES)
def test_envoy_does_the_same(envoy: Envoy, tmp_path: Path, name: str) -> None:
    expected = theirs(envoy, MODULES[name], tmp_path / "filter.wasm", list(MODULES).index(name))
    assert ours(MODULES[name]) == expected
