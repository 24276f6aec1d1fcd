"""check, validate, dis, wat, wasm, trace and spec."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import interp

from .conftest import EXAMPLES, PROGRAMS, Tamis

FIB = """(module (func $fib (export "run") (param i32) (result i32)
  (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
    (then (local.get 0))
    (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                   (call $fib (i32.sub (local.get 0) (i32.const 2))))))))
"""


@pytest.fixture
def fib(tmp_path: Path) -> Path:
    path = tmp_path / "fib.wat"
    path.write_text(FIB)
    return path


# --- validate, wat, wasm, dis ----------------------------------------------------------------------------------------


def test_validate_goes_on_after_a_bad_file(tamis: Tamis, fib: Path, tmp_path: Path) -> None:
    bad, text = tmp_path / "bad.wasm", tmp_path / "bad.wat"
    bad.write_bytes(b"\0asm\1\0\0\0\1\x85\x80\x80\x80\0\1\x60\0\0")
    text.write_text("(module\n  (func (result i32)\n    (i32.cons 1)))")
    wrong = tmp_path / "wrong.wat"
    wrong.write_text("(module\n  (func (result i32)\n    (i32.eqz\n      (i64.const 1))))")
    ran = tamis("validate", bad, fib, text, wrong, PROGRAMS / "echo.wasm")
    assert ran.code == 1
    assert ran.lines == [f"{fib}: valid", f"{PROGRAMS / 'echo.wasm'}: valid"]
    malformed, unknown, invalid = ran.err.splitlines()
    assert re.fullmatch(rf"tamis: {bad}: .* \(at offset 0x[0-9a-f]+\)", malformed)
    assert unknown.startswith(f"tamis: {text}:3:")
    assert invalid.startswith(f"tamis: {wrong}:3:6: type mismatch")


def test_validate_quietly(tamis: Tamis, fib: Path) -> None:
    ran = tamis("validate", "-q", fib)
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_there_and_back(tamis: Tamis, tmp_path: Path) -> None:
    """Binary to text to binary gives a module that does the same, for every example and program."""
    for path in (*EXAMPLES.rglob("*.wasm"), *PROGRAMS.glob("*.wasm")):
        if path.stat().st_size > 100_000:  # those of Go take long, and show nothing new
            continue
        text, again = tmp_path / "x.wat", tmp_path / "x.wasm"
        assert tamis("wat", path, "-o", text).code == 0
        assert tamis("wasm", text).code == 0
        assert tamis("wat", again).out == text.read_text(encoding="utf-8")
        first, second = interp.decode(path.read_bytes()), interp.decode(again.read_bytes())
        assert second.exports == first.exports
        for old, new in zip(first.funcs, second.funcs, strict=True):
            assert new.locals == old.locals
            assert [ins[:2] for ins in new.body] == [ins[:2] for ins in old.body]


def test_wasm_does_not_overwrite_or_write_nonsense(tamis: Tamis, tmp_path: Path, fib: Path) -> None:
    assert tamis("wasm", fib, "-o", "-").out.startswith("\0asm")
    binary = tmp_path / "same.wasm"
    binary.write_bytes(b"\0asm\1\0\0\0")
    ran = tamis("wasm", binary)
    assert (ran.code, ran.err) == (1, f"tamis: {binary}: would overwrite its own source: use -o\n")
    wrong = tmp_path / "wrong.wat"
    wrong.write_text("(module (func (result i32)))")
    assert tamis("wasm", wrong).code == 1
    assert not (tmp_path / "wrong.wasm").exists()
    assert tamis("wasm", wrong, "--no-check").code == 0
    assert (tmp_path / "wrong.wasm").exists()


def test_listing(tamis: Tamis, fib: Path) -> None:
    ran = tamis("dis", fib)
    assert ran.code == 0
    assert any(re.fullmatch(r"func 0 \$fib \(param i32\) \(result i32\) .*28 bytes at 0x\w+", s) for s in ran.lines)
    texts = [line.split("  ", 1)[1] for line in ran.lines if re.match(r"[0-9a-f]{8} ", line)]
    assert texts[:5] == ["  local.get 0", "  i32.const 2", "  i32.lt_u", "  if (result i32)", "    local.get 0"]
    assert "    call 0 $fib" in texts
    offsets = [int(line[:8], 16) for line in ran.lines if re.match(r"[0-9a-f]{8} ", line)]
    assert offsets == sorted(set(offsets))


def test_listing_of_one_function(tamis: Tamis) -> None:
    by_name = tamis("dis", PROGRAMS / "abort.wasm", "--func", "middle")
    assert by_name.lines[0].startswith("func ")
    assert "$middle" in by_name.lines[0]
    index = by_name.lines[0].split()[1]
    assert tamis("dis", PROGRAMS / "abort.wasm", "--func", index).out == by_name.out
    ran = tamis("dis", PROGRAMS / "abort.wasm", "--func", "nothing")
    assert (ran.code, ran.out) == (1, "")


# --- check -----------------------------------------------------------------------------------------------------------


def test_check_of_a_filter(tamis: Tamis) -> None:
    ran = tamis("check", PROGRAMS / "gate.wat")
    assert (ran.code, ran.err) == (0, "")
    rows = {line[:11].strip(): line[12:] for line in ran.lines if line[:1] != " "}
    assert rows["kind"] == "a Proxy-Wasm filter"
    assert rows["ABI"] == "0.2.1"
    assert rows["allocator"] == "proxy_on_memory_allocate"
    assert rows["start-up"] == "nothing is called"
    assert rows["memory"] == "1 page (64 KB)"
    assert rows["imports"] == "11 known"
    assert rows["verdict"] == "loads"
    data = json.loads(tamis("check", "--json", PROGRAMS / "gate.wat").out)
    assert data["kind"] == "filter"
    assert {
        "module": "env",
        "name": "proxy_log",
        "type": "(i32, i32, i32) -> (i32)",
        "verdict": "known",
        "note": "",
    } in (data["imports"])
    assert [section["name"] for section in data["sections"]][:3] == ["type", "import", "function"]
    assert {"name": "memory", "kind": "memory", "type": ""} in data["exports"]


def test_check_names_every_reason(tamis: Tamis, tmp_path: Path) -> None:
    path = tmp_path / "bad.wat"
    path.write_text(
        "(module"
        ' (import "env" "proxy_log" (func (param i32)))'
        ' (import "env" "proxy_no_such" (func (param i32) (result i32)))'
        ' (import "env" "proxy_create_timer" (func))'
        ' (import "elsewhere" "f" (func))'
        ' (import "wasi_snapshot_preview1" "fd_write" (func))'
        ' (import "env" "g" (global i32))'
        ' (func (export "proxy_on_tick"))'
        ' (func (export "proxy_on_memory_allocate") (param i64) (result i32) (i32.const 0))'
        ")"
    )
    ran = tamis("check", path)
    assert ran.code == 1
    assert "verdict     would not load" in ran.out
    assert "stub: env.proxy_no_such (i32) -> (i32): unknown function" in ran.out
    assert "stub: wasi_snapshot_preview1.fd_write () -> (): type mismatch" in ran.out
    reasons = [line.removeprefix(f"tamis: {path}: ") for line in ran.err.splitlines()]
    assert "Missing or unknown Proxy-Wasm ABI version" in reasons
    assert "Bad function signature for: proxy_on_tick" in reasons
    assert "Bad function signature for: proxy_on_memory_allocate" in reasons
    for name in ("env.proxy_log (i32)", "env.proxy_create_timer ()", "elsewhere.f ()", "env.g"):
        assert any(reason.startswith(f"import {name}") for reason in reasons), name
    assert len(reasons) == 7


def test_check_of_an_invalid_module_says_what_it_can(tamis: Tamis, tmp_path: Path) -> None:
    path = tmp_path / "wrong.wat"
    path.write_text('(module (func (export "f") (result i32)))')
    ran = tamis("check", path)
    assert ran.code == 1
    assert "functions: f" in ran.out
    assert "type mismatch" in ran.err


def test_check_names_a_feature_that_is_not_run(tamis: Tamis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(interp.Store("reference").engine), "features", interp.WASM_1)
    path = tmp_path / "vector.wat"
    path.write_text('(module (func (export "f") (drop (v128.const i64x2 1 2))))')
    ran = tamis("check", path, env={"TAMIS_ENGINE": "reference"})
    assert ran.code == 1
    assert "does not run the feature simd, which the module needs" in ran.err
    assert "features    mvp, simd" in ran.out


def test_check_names_features_that_are_off(tamis: Tamis, tmp_path: Path) -> None:
    path = tmp_path / "wide.wat"
    one = "(i64.const 1)"
    path.write_text(f'(module (func (export "f") (result i64 i64) (i64.add128 {one} {one} {one} {one})))')
    ran = tamis("check", path, env={"TAMIS_ENGINE": "reference"})
    assert ran.code == 1
    assert "features    multi-value, mvp, wide-arithmetic" in ran.out
    assert "needs the feature wide-arithmetic, which is off (--features +wide-arithmetic)" in ran.err
    assert "multi-value" not in ran.err
    assert "multi-value, which is off" in tamis("check", "--features", "1.0,wide-arithmetic", path).err
    assert "which is off" not in tamis("check", "--features", "wide-arithmetic", path).err


@pytest.mark.parametrize("command", ["check", "validate", "run", "trace", "wasm", "spec"])
def test_an_unknown_feature(tamis: Tamis, fib: Path, command: str) -> None:
    ran = tamis(command, "--features", "2.0,+simdd", fib)
    assert ran.code == 2
    assert "Invalid value for '--features': there is no feature 'simdd'; known are the versions 1.0, 2.0" in ran.err


def test_features_of_every_command_that_loads(tamis: Tamis, tmp_path: Path) -> None:
    path = tmp_path / "extend.wat"
    path.write_text('(module (func (export "f") (result i32) (i32.extend8_s (i32.const 255))))')
    off = "needs the feature sign-extension, which is off"
    for command in (["validate"], ["run", "--invoke", "f"], ["trace", "--invoke", "f"], ["wasm", "-o", "-"]):
        assert tamis(*command, path).code == 0
        ran = tamis(*command, "--features", "-sign-extension", path)
        assert ran.code == 1
        assert ran.err == f"tamis: {path}:1:42: {off}\n"
    script = tmp_path / "extend.wast"
    script.write_text(path.read_text() + '(assert_return (invoke "f") (i32.const -1))')
    assert "passed 2 of 2" in tamis("spec", script).out
    assert "2 wait for sign-extension" in tamis("spec", "--features", "-sign-extension", script).out


def test_check_says_what_memories_are_like(tamis: Tamis, tmp_path: Path) -> None:
    path = tmp_path / "memories.wat"
    path.write_text("(module (memory 5 9 (pagesize 1)) (memory 1 2 shared))")
    text = "memory      5 pages of 1 B (5 B), at most 9 (9 B); 1 page (64 KB), at most 2 (128 KB), shared"
    assert text in tamis("check", path, env={"COLUMNS": "120"}).out


def test_what_only_shows_a_module_reads_every_feature(tamis: Tamis, tmp_path: Path) -> None:
    text = tmp_path / "late.wat"
    text.write_text("(module (memory 1 1 shared) (func atomic.fence))")
    binary = tmp_path / "late.wasm"
    assert tamis("wasm", "--no-check", text, "-o", binary).code == 0
    assert "atomic.fence" in tamis("dis", binary).out
    assert "1 1 shared)" in tamis("wat", binary).out


def test_check_of_programs(tamis: Tamis) -> None:
    ran = tamis("check", PROGRAMS / "echo.wasm")
    assert ran.code == 0
    assert "a program (exports _start)" in ran.out
    assert "wasi_snapshot_preview1: args_get" in ran.out


def test_check_keeps_to_the_width(tamis: Tamis) -> None:
    for path in EXAMPLES.rglob("*.wasm"):
        ran = tamis("check", path, env={"COLUMNS": "80"})
        assert ran.code == 0, path
        assert [line for line in ran.lines if len(line) > 80 and " " in line[12:].strip()] == []


# --- trace -----------------------------------------------------------------------------------------------------------


def test_trace(tamis: Tamis, fib: Path) -> None:
    ran = tamis("trace", fib, "--invoke", "run", "2")
    assert ran.code == 0
    lines = [re.sub(r" {2,}", "|", line) for line in ran.lines]
    assert [line.split("|", 1)[1] for line in lines[:5]] == [
        "$fib|local.get 0|[] -> [2]",
        "$fib|i32.const 2|[2] -> [2 2]",
        "$fib|i32.lt_u|[2 2] -> [0]",
        "$fib|if (result i32)|[0] -> []",
        "$fib|local.get 0|[] -> [2]",
    ]
    assert ran.lines[-1] == "returned [1] after 31 instructions, 3 ticks"
    assert len(ran.lines) == 32


def test_trace_stops_at_the_limit(tamis: Tamis, fib: Path) -> None:
    ran = tamis("trace", fib, "--limit", "5", "--invoke", "run", "20")
    assert ran.code == 0
    assert len(ran.lines) == 6
    assert ran.lines[-1] == "... stopped after 5 instructions (--limit)"


def test_trace_shows_values_by_type(tamis: Tamis, tmp_path: Path) -> None:
    path = tmp_path / "types.wat"
    path.write_text(
        '(module (func (export "f") (param f64) (result i64)'
        " (drop (f32.const 0.1)) (drop (f64.neg (local.get 0))) (i64.const -2) (drop (i32.const -1))))"
    )
    out = tamis("trace", path, "--invoke", "f", "1.5").out
    for part in ("[] -> [0.1]", "[] -> [1.5]", "[1.5] -> [-1.5]", "[] -> [-2]", "[-2] -> [-2 -1]", "returned [-2]"):
        assert part in out


def test_trace_of_a_trap_ends_with_the_instruction(tamis: Tamis, tmp_path: Path) -> None:
    path = tmp_path / "trap.wat"
    path.write_text('(module (func $f (export "f") (drop (i32.div_u (i32.const 1) (i32.const 0)))))')
    ran = tamis("trace", path, "--invoke", "f")
    assert ran.code == 134
    assert "i32.div_u" in ran.lines[-1]
    assert "integer divide by zero" in ran.err


def test_trace_of_a_program(tamis: Tamis) -> None:
    ran = tamis("trace", PROGRAMS / "echo.wasm", "3", "--limit", "200000")
    assert ran.code == 3
    assert "arg 1: 3" in ran.out
    assert "call 0 $wasi_snapshot_preview1." in ran.out or "wasi_snapshot_preview1." in ran.out


def test_trace_of_a_filter(tamis: Tamis) -> None:
    ran = tamis("trace", PROGRAMS / "gate.wat", "--path", "/secret")
    assert ran.code == 0
    assert any("$proxy_on_request_headers" in line and "call 4 $reply" in line for line in ran.lines)
    assert re.fullmatch(r"done after \d+ instructions, \d+ ticks", ran.lines[-1])
    ran = tamis("trace", PROGRAMS / "gate.wat", "--path", "/trap")
    assert ran.code == 134
    assert ran.lines[-1].endswith("[] -> trap")
    assert len(tamis("trace", PROGRAMS / "gate.wat", "--limit", "3").lines) == 4


# --- spec ------------------------------------------------------------------------------------------------------------

GOOD = '(module (func (export "f") (result i32) (i32.const 1)))\n(assert_return (invoke "f") (i32.const 1))\n'
BAD = GOOD + '\n(assert_return (invoke "f") (i32.const 2))\n(assert_trap (invoke "f") "unreachable")\n'


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    folder = tmp_path / "suite"
    (folder / "core" / "deep").mkdir(parents=True)
    (folder / "core" / "good.wast").write_text(GOOD)
    (folder / "core" / "deep" / "good.wast").write_text(GOOD)
    (folder / "bad.wast").write_text(BAD)
    (folder / "waits.wast").write_text('(module (func (export "f") atomic.fence))')
    return folder


def test_spec_counts(tamis: Tamis, engine: str, suite: Path) -> None:
    ran = tamis("spec", "--engine", engine, suite / "core")
    assert ran.code == 0
    assert ran.lines == [
        f"{suite / 'core' / 'deep' / 'good.wast'}: 2 of 2",
        f"{suite / 'core' / 'good.wast'}: 2 of 2",
        "passed 4 of 4",
    ]


def test_spec_shows_failures_with_their_lines(tamis: Tamis, engine: str, suite: Path) -> None:
    ran = tamis("spec", "--engine", engine, suite / "bad.wast", suite / "core")
    assert ran.code == 1
    assert ran.lines[0] == f"{suite / 'bad.wast'}: 2 of 4"
    assert ran.lines[1].startswith(f"{suite / 'bad.wast'}:4: ")
    assert ran.lines[2].startswith(f"{suite / 'bad.wast'}:5: ")
    assert ran.lines[-2:] == ["2 failed", "passed 6 of 8"]


def test_spec_says_what_waits(tamis: Tamis, suite: Path) -> None:
    ran = tamis("spec", suite / "waits.wast")
    assert ran.code == 0
    assert ran.lines == [f"{suite / 'waits.wast'}: 0 of 1 (1 wait for threads)", "1 wait for threads", "passed 0 of 1"]


def test_spec_json(tamis: Tamis, engine: str, suite: Path) -> None:
    ran = tamis("spec", "--engine", engine, "--json", suite)
    data = json.loads(ran.out)
    assert ran.code == 1
    assert (data["engine"], data["passed"], data["total"], data["failed"]) == (engine, 6, 9, 2)
    assert [file["passed"] for file in data["files"]] == [2, 2, 2, 0]
    assert [failure["line"] for failure in data["files"][0]["failures"]] == [4, 5]


def test_spec_looks_in_the_suite_for_what_is_not_here(tamis: Tamis, suite: Path) -> None:
    for ran in (
        tamis("spec", "--testsuite", suite, "core/good.wast"),
        tamis("spec", "core/good.wast", env={"TAMIS_TESTSUITE": str(suite)}),
    ):
        assert (ran.code, ran.lines) == (0, ["core/good.wast: 2 of 2", "passed 2 of 2"])
    ran = tamis("spec", "core/good.wast")
    assert ran.code == 1
    assert "core/good.wast: no such file or folder (neither --testsuite nor TAMIS_TESTSUITE" in ran.err
    assert tamis("spec", "--testsuite", suite, "core/none.wast").code == 1


def test_spec_in_several_processes_gives_the_same(tamis: Tamis, suite: Path) -> None:
    assert tamis("spec", "-j", "2", suite).out == tamis("spec", suite).out


def test_spec_of_what_is_no_script(tamis: Tamis, suite: Path) -> None:
    (suite / "garbage.wast").write_bytes(b"\xff(((")
    ran = tamis("spec", suite / "garbage.wast")
    assert ran.code == 1
    assert ran.lines[-1] == "passed 0 of 1"
    (suite / "empty").mkdir()
    ran = tamis("spec", suite / "empty")
    assert (ran.code, ran.err) == (1, f"tamis: {suite / 'empty'}: no .wast file in this folder\n")
