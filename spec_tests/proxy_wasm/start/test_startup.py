"""Start-up in all its shapes: markers, start functions, commands, restrictions (abi_reference 1.1, 4, 12.8)."""

from __future__ import annotations

import pytest

from hostabi import AbiVersion, LoadError, LogLevel
from hostabi.core.policy import profile
from hostabi.testing import FilterHost
from hostabi.testing.wat import small_filter
from spec_tests.proxy_wasm.kit import callback, callbacks, expression

LETTERS = {i: bytes([letter]) for i, letter in enumerate(b"ismvgecd")}


def say(letter: str) -> str:
    return f"(drop (call $proxy_log (i32.const 2) (i32.const {'ismvgecd'.index(letter)}) (i32.const 1)))"


INITIALIZE = f'(func (export "_initialize") {say("i")})'
START = f'(func (export "_start") {say("s")})'
MAIN = f'(func (export "main") (param i32 i32) (result i32) {say("m")} (i32.const 3))'
MAIN_VOID = f'(func (export "__main_void") (result i32) {say("v")} (i32.const 3))'
SECTION = f"(func $section {say('e')}) (start $section)"


@pytest.mark.parametrize(
    ("extra", "order"),
    [
        ("", ""),
        (INITIALIZE, "i"),
        (INITIALIZE + MAIN, "im"),
        (INITIALIZE + MAIN_VOID, "iv"),
        (INITIALIZE + MAIN + MAIN_VOID, "im"),
        (INITIALIZE + START, "i"),
        (START, "s"),
        (START + MAIN, "s"),
        (MAIN, ""),
        (SECTION, "e"),
        (SECTION + INITIALIZE + MAIN, "eim"),
    ],
)
def test_start_functions(engine: str, extra: str, order: str) -> None:
    assert start_logs(engine, extra) == order


def start_logs(engine: str, extra: str) -> str:
    host = FilterHost(small_filter(extra=extra, data=LETTERS), engine=engine)
    logged = [r for r in host.exchanger.take().transcript if getattr(r, "function", "") == "proxy_log"]
    return "".join(r.args[1][1].decode() for r in logged)  # type: ignore[attr-defined]


def test_what_is_logged_while_starting_comes_out(engine: str) -> None:
    host = FilterHost(small_filter(extra=START, data=LETTERS), engine=engine)
    assert host.exchange().log_lines == ["s"]


def test_the_order_of_callbacks(engine: str) -> None:
    names = ("proxy_on_context_create", "proxy_on_vm_start", "proxy_on_configure")
    text = small_filter({name: callback(name) for name in names})
    host = FilterHost(text, engine=engine, config="abc", vm_config="vm")
    assert callbacks(host.exchanger.take().transcript) == [
        "on_context_create(1, 0)",
        "on_vm_start(1, 2)",
        "on_configure(1, 3)",
    ]


@pytest.mark.parametrize("name", ["proxy_on_vm_start", "proxy_on_configure"])
@pytest.mark.parametrize(("fail_open", "status"), [(False, 503), (True, 200)])
def test_a_plugin_that_refuses_its_configuration(engine: str, name: str, fail_open: bool, status: int) -> None:
    text = small_filter({name: callback(name, result=0), "proxy_on_request_headers": "unreachable"})
    done = FilterHost(text, engine=engine, fail_open=fail_open).exchange()
    assert done.trap and done.trap.message == f"{name} returned false"
    assert done.status == status


def test_a_trap_while_starting(engine: str) -> None:
    with pytest.raises(LoadError, match="failed while starting: unreachable"):
        FilterHost(small_filter(extra='(func (export "_start") unreachable)'), engine=engine)
    with pytest.raises(LoadError, match="failed while starting: unreachable"):
        FilterHost(small_filter(extra="(func $s unreachable) (start $s)"), engine=engine)


# --- commands


@pytest.mark.parametrize(
    "shape", ['(func (export "_start") {})', "(func $s {}) (start $s)", '(func (export "_initialize") {})']
)
def test_proc_exit_0_while_starting_is_success(engine: str, shape: str) -> None:
    body = "(i32.store (i32.const 0) (i32.const 7)) (call $proc_exit (i32.const 0)) unreachable"
    text = small_filter({"proxy_on_request_headers": callback("proxy_on_request_headers")}, extra=shape.format(body))
    host = FilterHost(text, engine=engine)
    assert host.exchange().status == 200
    assert host.plugins[0].vm.guest.memory.read(0, 4) == b"\7\0\0\0", "what the command did stays"


@pytest.mark.parametrize("code", [1, 255])
def test_proc_exit_with_a_code_while_starting_is_a_failure(engine: str, code: int) -> None:
    with pytest.raises(LoadError, match=rf"proc_exit\({code}\)"):
        FilterHost(small_filter(extra=f'(func (export "_start") (call $proc_exit (i32.const {code})))'), engine=engine)


@pytest.mark.parametrize("code", [0, 1])
def test_proc_exit_in_a_callback_is_a_failure(engine: str, code: int) -> None:
    text = small_filter({"proxy_on_request_headers": f"(call $proc_exit (i32.const {code})) (i32.const 0)"})
    done = FilterHost(text, engine=engine).exchange()
    assert done.trap and done.trap.message == f"proxy_on_request_headers: proc_exit({code})"


# --- markers


@pytest.mark.parametrize(
    ("markers", "abi"),
    [
        (("proxy_abi_version_0_1_0",), "0.1.0"),
        (("proxy_abi_version_0_2_0",), "0.2.0"),
        (("proxy_abi_version_0_2_1",), "0.2.1"),
        (("proxy_abi_version_0_2_100",), "0.2.100"),
        (("proxy_abi_version_0_2_0", "proxy_abi_version_0_2_1"), "0.2.1"),
        (("proxy_abi_version_0_2_1", "proxy_abi_version_0_1_0"), "0.2.1"),
        (("proxy_abi_version_0_2_7",), "0.2.1"),
    ],
)
def test_markers(engine: str, markers: tuple[str, ...], abi: str) -> None:
    extra = "".join(f'(func (export "{name}"))' for name in markers)
    done = FilterHost(small_filter(marker="", extra=extra), engine=engine).exchange()
    assert done.abi == abi


def test_envoy_takes_the_first_marker() -> None:
    extra = '(func (export "proxy_abi_version_0_1_0")) (func (export "proxy_abi_version_0_2_1"))'
    assert FilterHost(small_filter(marker="", extra=extra), profile="envoy").exchange().abi == "0.1.0"


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ("", "Missing or unknown Proxy-Wasm ABI version"),
        ('(func (export "proxy_abi_version_0_3_0"))', "Missing or unknown Proxy-Wasm ABI version"),
        ('(func (export "proxy_abi_version_vnext"))', "abandoned vNEXT draft"),
        ('(global (export "proxy_abi_version_0_2_1") i32 (i32.const 0))', "Missing or unknown"),
    ],
)
def test_markers_that_do_not_do(extra: str, reason: str) -> None:
    with pytest.raises(LoadError, match=reason):
        FilterHost(small_filter(marker="", extra=extra))


def test_without_a_marker_if_allowed() -> None:
    host = FilterHost(small_filter(marker=""), profile=profile("default", allow_unversioned=True))
    assert host.exchange().abi == "0.2.1"


def test_a_callback_of_the_wrong_type() -> None:
    with pytest.raises(LoadError, match="Bad function signature for: proxy_on_request_headers"):
        FilterHost(
            small_filter(extra='(func (export "proxy_on_request_headers") (param i64) (result i32) i32.const 0)')
        )


def test_header_callbacks_of_0_1_0_have_no_end_of_stream(engine: str) -> None:
    text = small_filter({"proxy_on_request_headers": callback("proxy_on_request_headers")}, abi=AbiVersion.V0_1_0)
    assert callbacks(FilterHost(text, engine=engine).exchange().transcript) == ["on_request_headers(2, 4)"]


def test_callbacks_of_later_versions_are_not_called(engine: str) -> None:
    text = small_filter({"proxy_on_foreign_function": ""}, abi=AbiVersion.V0_1_0)
    assert FilterHost(text, engine=engine).plugins[0].vm.guest.params_of("proxy_on_foreign_function") is None


# --- what is allowed meanwhile


@pytest.mark.parametrize("shape", ['(func (export "_initialize") {})', "(func $s {}) (start $s)"])
def test_host_calls_while_starting_fail(engine: str, shape: str) -> None:
    body = f"(i32.store (i32.const 0) {expression('proxy_define_metric', [0, 0, 0])})"
    host = FilterHost(small_filter(extra=shape.format(body)), engine=engine)
    assert host.plugins[0].vm.guest.memory.read(0, 4) == b"\x0a\0\0\0"
    remarks = [r.message for r in host.exchanger.take().transcript if hasattr(r, "message")]
    assert remarks == ["proxy_define_metric is not allowed during start-up: INTERNAL_FAILURE"]


def test_log_and_clock_while_starting_are_fine(engine: str) -> None:
    body = f"(i32.store (i32.const 0) {expression('proxy_get_current_time_nanoseconds', [])}) {say('i')}"
    host = FilterHost(
        small_filter(extra=f'(func (export "_initialize") {body})', data={8: b"x"}),
        engine=engine,
        log_level=LogLevel.TRACE,
    )
    assert host.plugins[0].vm.guest.memory.read(0, 4) == bytes(4)


def test_host_calls_while_starting_trap_in_envoy(engine: str) -> None:
    body = f"(drop {expression('proxy_define_metric', [0, 0, 0])})"
    with pytest.raises(LoadError, match="restricted_callback: proxy_define_metric during start-up"):
        FilterHost(small_filter(extra=f'(func (export "_initialize") {body})'), engine=engine, profile="envoy")
