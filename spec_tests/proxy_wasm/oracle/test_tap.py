"""`tap`: what a tapped filter says, and that it does what it did before."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import interp
from hostabi.core.transcript import Called, Entered, Left, Record
from hostabi.oracle.tap import TapError, tap
from hostabi.scenario.stage import StageError, installed
from hostabi.testing import FilterHost
from interp.tools.disasm import Listing

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "filters"
PLUGINS = "package://gpustack_higress_plugins/plugins"
CONFIGS = {
    "auth": "s3cret alice",
    "body_rewrite": "a=b",
    "grpc_users": "accounts",
    "header_rewrite": "request set x-team blue\nresponse add via x",
    "http_gate": "gate /ask",
    "json_redact": "password",
    "metrics": "/stats",
    "rate_limit": "2 60000",
    "redirect": "308 /door /gate",
}
FILTERS = sorted(path for path in EXAMPLES.glob("*/*.wasm") if path.stem != "crash")


@cache
def tapped(path: Path, mark: str = "tap") -> bytes:
    return tap(path.read_bytes(), mark=mark, level=2)


def play(filter: bytes | Path, config: str | bytes) -> list[Record]:
    host = FilterHost(filter, config=config)
    told = {"authorization": "Bearer s3cret", "content-type": "application/json"}
    first = host.exchange(
        "POST", "/door?x=1", headers=told, body='{"password": 1}', response_headers=told, response_body='{"a": 2}'
    )
    return first.transcript + host.exchange(path="/other").transcript


def plain(records: list[Record]) -> list[object]:
    """What crossed, without fuel, lines of the log, and runtimes' own calls: those go by random numbers, which go by
    the module's digest."""
    found: list[object] = []
    for record in records:
        match record:
            case Left():
                found.append((record.callback, record.result))
            case Called() if record.function == "proxy_log" or not record.is_status:
                pass
            case _:
                found.append(record)
    return found


def lines(records: list[Record]) -> list[bytes]:
    return [dict(one.args)["message"] for one in records if isinstance(one, Called) and one.function == "proxy_log"]


@pytest.mark.parametrize("path", FILTERS, ids=lambda path: path.stem)
def test_a_tapped_example_does_what_it_did(path: Path) -> None:
    config = CONFIGS[path.stem]
    before, after = play(path, config), play(tapped(path), config)
    assert plain(after) == plain(before)
    said = lines(after)
    rest = iter(said)
    assert all(line in rest for line in lines(before))  # in their order, others between them
    calls = [one for one in after if isinstance(one, Called) and one.is_status and one.function != "proxy_log"]
    told = [line.split()[1].decode() for line in said if line.startswith(b"tap proxy_")]
    assert told == [one.function for one in calls]
    answers = [int(line.split()[2], 16) for line in said if line.startswith(b"tap = ")]
    assert answers == [int(one.result or 0) for one in calls]
    entered = [one.callback for one in after if isinstance(one, Entered)]
    assert [line.split()[2].decode() for line in said if line.startswith(b"tap > ")] == entered


@pytest.mark.parametrize(
    ("plugin", "config"),
    [
        ("transformer/*/plugin.wasm", b'{"reqRules": [{"operate": "remove", "headers": [{"key": "X-remove"}]}]}'),
        ("ai-data-masking/*/plugin.wasm", b'{"deny_words": ["x"]}'),
    ],
    ids=["Go", "Rust"],
)
def test_a_plugin_of_others_does_what_it_did(plugin: str, config: bytes) -> None:
    try:
        path = installed(f"{PLUGINS}/{plugin}")
    except StageError:
        pytest.skip("the plugins are not installed")
    assert plain(play(tapped(path), config)) == plain(play(path, config))


MINIMAL = """(module
  (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_increment_metric" (func $add (param i32 i64) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "precious bytes at 0, which a tap borrows")
  (data (i32.const 1000) ":path")
  (table 4 funcref)
  (elem (i32.const 1) func $get $inner)
  (func $inner (result i32) (call $get (i32.const 0) (i32.const 1000) (i32.const 5) (i32.const 2000) (i32.const 2004)))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func $headers (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $inner))
    (drop (call $get (i32.const 0) (i32.const 0xfffffff0) (i32.const 32) (i32.const 2000) (i32.const 2004)))
    (drop (call $define (i32.const 0) (i32.const 1000) (i32.const 5) (i32.const 2008)))
    (drop (call $add (i32.load (i32.const 2008)) (i64.const -3)))
    (drop (call $add (i32.load (i32.const 2008)) (i64.const 0x123456789)))
    (drop (call_indirect (param i32 i32 i32 i32 i32) (result i32)
      (i32.const 0) (i32.const 1000) (i32.const 5) (i32.const 2000) (i32.const 2004) (i32.const 1)))
    (i32.const 0))
  (func (export "word") (param i32) (result i64) (i64.load (local.get 0))))"""


def test_without_a_log_import_one_is_added_and_everything_moves() -> None:
    host = FilterHost(tap(MINIMAL.encode(), level=2))
    said = host.exchange(path="/p").log_lines
    begin = said.index("tap > proxy_on_request_headers 00000002 00000004 00000001")
    assert said[begin + 1 :] == [
        "tap proxy_get_header_map_value 00000000 000003e8 00000005 000007d0 000007d4",
        ":path",
        "tap = 00000000",
        "/p",
        "tap proxy_get_header_map_value 00000000 fffffff0 00000020 000007d0 000007d4",
        "tap = 00000006",
        "tap proxy_define_metric 00000000 000003e8 00000005 000007d8",
        ":path",
        "tap = 00000000",
        "\x04\0\0\0",
        "tap proxy_increment_metric 00000004 fffffffffffffffd",
        "tap = 00000002",
        "tap proxy_increment_metric 00000004 0000000123456789",
        "tap = 00000000",
        "tap proxy_get_header_map_value 00000000 000003e8 00000005 000007d0 000007d4",
        ":path",
        "tap = 00000000",
        "/p",
        "tap < 00000000",
    ]


def test_what_is_borrowed_is_given_back() -> None:
    module = interp.validate(interp.decode(tap(MINIMAL.encode())))
    store = interp.Store()
    said: list[bytes] = []

    def log(level: int, address: int, size: int) -> int:
        if address + size > memory.length:
            return 6
        said.append(memory.read(address, size))
        return 0

    codes = {"proxy_log": log}
    funcs = [
        store.host_func(module.module.func_type(i), codes.get(one.name, lambda *_: 0), name=one.name)
        for i, one in enumerate(module.module.imported("func"))
    ]
    instance = interp.instantiate(store, module, funcs)
    memory = instance.exports["memory"]
    before = memory.read(0, memory.length)
    interp.invoke_bits(store, instance.exports["proxy_on_request_headers"], [2, 4, 1])
    assert said[0] == b"tap > proxy_on_request_headers 00000002 00000004 00000001"
    assert memory.read(0, memory.length) == before


def test_names_are_kept_and_given() -> None:
    path = EXAMPLES / "redirect" / "redirect.wasm"
    before, after = (Listing(interp.decode(data)) for data in (path.read_bytes(), tapped(path)))
    assert after.find("pw_join_n") == before.find("pw_join_n") is not None
    assert after.find("tap.proxy_send_local_response") is not None


def test_the_mark_begins_the_lines() -> None:
    path = EXAMPLES / "redirect" / "redirect.wasm"
    assert FilterHost(tapped(path, "two words"), config="308 /a /b").exchange().log_lines[0].startswith("two words > ")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("(module)", "no memory"),
        ("(module (memory 0))", "begin with a page"),
        ("(module (memory i64 1))", "32 bits"),
    ],
)
def test_what_cannot_be_tapped(text: str, why: str) -> None:
    with pytest.raises(TapError, match=why):
        tap(text.encode())


@pytest.mark.parametrize("mark", ["", "x" * 65, "a\nb"])
def test_a_mark_is_a_word(mark: str) -> None:
    with pytest.raises(TapError, match="mark"):
        tap(MINIMAL.encode(), mark=mark)


def test_imports_of_another_type_are_left_alone() -> None:
    text = """(module
      (import "env" "proxy_get_header_map_value" (func $get (param i64) (result i32)))
      (import "env" "proxy_log" (func (param i32 i32 i32)))
      (memory 1)
      (func (export "proxy_on_tick") (param i64)) (func (drop (call $get (i64.const 1)))))"""
    module = interp.decode(tap(text.encode()))
    assert [one.name for one in module.imported("func")] == ["proxy_get_header_map_value", "proxy_log", "proxy_log"]
    listing = "\n".join(Listing(module).lines())
    assert "tap.proxy_get_header_map_value" not in listing and "tap.proxy_on_tick" not in listing


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_spoilt_modules_are_refused_with_an_error_of_ours(data: st.DataObject) -> None:
    module = bytearray((EXAMPLES / "crash" / "crash.wasm").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(module) - 1))
        if data.draw(st.booleans()):
            module[at] = data.draw(st.integers(0, 255))
        else:
            del module[at:]
            break
        if not module:
            break
    try:
        interp.validate(interp.decode(tap(bytes(module))))
    except (interp.WasmError, TapError):
        pass


def test_the_command(tmp_path: Path) -> None:
    source, out = EXAMPLES / "redirect" / "redirect.wasm", tmp_path / "out.wasm"

    def run(*args: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([sys.executable, "-m", "hostabi", "tap", *args], capture_output=True, timeout=60)

    assert run(str(source), str(out)).returncode == 0
    assert out.read_bytes() == tapped(source)
    assert run(str(source), "-", "--level", "trace", "--mark", "t").stdout == tap(source.read_bytes(), mark="t")
    assert run(str(source), str(out), "--level", "loud").returncode == 2
    empty = tmp_path / "empty.wat"
    empty.write_text("(module)")
    refused = run(str(empty), str(out))
    assert refused.returncode == 1
    assert b"no memory" in refused.stderr
