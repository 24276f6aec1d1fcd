"""`tamis run --invoke`: arguments by type, results one a line, and how it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import PROGRAMS, Tamis, shell

SAMPLE = """(module $sample
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "wide") (param i64) (result i64) (local.get 0))
  (func (export "single") (param f32) (result f32) (local.get 0))
  (func (export "double") (param f64) (result f64) (local.get 0))
  (func (export "both") (result i64 f64) (i64.const -7) (f64.const 0.1))
  (func (export "none"))
  (func (export "ref") (param externref) (result externref) (local.get 0))
  (func $inner (param i32) (drop (i32.div_s (i32.const 1) (local.get 0))))
  (func $outer (export "divide") (param i32) (call $inner (local.get 0)))
  (func $loop (export "forever") (loop (br 0)))
  (func $down (export "down") (call $down))
  (memory (export "memory") 1))
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    path = tmp_path / "sample.wat"
    path.write_text(SAMPLE)
    return path


@pytest.mark.parametrize(
    ("name", "args", "results"),
    [
        ("add", ["1", "2"], ["3"]),
        ("add", ["-5", "3"], ["-2"]),
        ("add", ["0x7fffffff", "1"], ["-2147483648"]),
        ("add", ["4294967295", "0"], ["-1"]),
        ("add", ["-0x80000000", "0"], ["-2147483648"]),
        ("add", ["1_000", "0"], ["1000"]),
        ("wide", ["-1"], ["-1"]),
        ("wide", ["0xffff_ffff_ffff_fffe"], ["-2"]),
        ("single", ["0.1"], ["0.1"]),
        ("single", ["-0x1p-149"], ["-1e-45"]),
        ("double", ["1e300"], ["1e+300"]),
        ("double", ["-inf"], ["-inf"]),
        ("double", ["-nan:0x4"], ["-nan:0x4"]),
        ("double", ["nan"], ["nan"]),
        ("double", ["-0"], ["-0"]),
        ("double", ["-.5e1"], None),
        ("both", [], ["-7", "0.1"]),
        ("none", [], []),
        ("ref", ["null"], ["null"]),
    ],
)
def test_values(tamis: Tamis, engine: str, module: Path, name: str, args: list[str], results: list[str] | None) -> None:
    ran = tamis("run", module, "--engine", engine, "--invoke", name, *args)
    if results is None:  # no float of the text format begins with a point
        assert (ran.code, ran.out) == (2, "")
        return
    assert (ran.code, ran.lines, ran.err) == (0, results, "")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["add", "1"], "takes 2 argument(s), [i32 i32] -> [i32], and 1 were given"),
        (["add", "1", "2", "3"], "and 3 were given"),
        (["add", "1", "two"], "'two' is no i32"),
        (["add", "1", "4294967296"], "'4294967296' is out of the range of i32"),
        (["add", "1", "1.5"], "'1.5' is no i32"),
        (["ref", "5"], "'5' is no externref: only null can be given"),
        (["add", "1", "--jsno"], "--jsno"),
        (["add", "1", "2", "--fuel", "-1"], "Invalid value for '--fuel'"),
    ],
)
def test_wrong_arguments_are_usage_errors(tamis: Tamis, module: Path, args: list[str], said: str) -> None:
    ran = tamis("run", module, "--invoke", *args)
    assert ran.code == 2
    assert said in ran.err
    assert "Try 'tamis run --help'." in ran.err


def test_a_library_is_initialised_first(tamis: Tamis, tmp_path: Path) -> None:
    path = tmp_path / "library.wat"
    path.write_text(
        '(module (global $g (mut i32) (i32.const 0)) (func (export "_initialize") (global.set $g (i32.const 5)))'
        ' (func (export "get") (result i32) (global.get $g)))'
    )
    assert tamis("run", path, "--invoke", "get").lines == ["5"]


def test_unknown_export(tamis: Tamis, module: Path) -> None:
    ran = tamis("run", module, "--invoke", "memory")
    assert ran.code == 1
    assert ran.err.startswith(f"tamis: {module}: no exported function 'memory'; there are: add, wide,")


def test_trap_has_a_backtrace_with_names_and_offsets(tamis: Tamis, engine: str, module: Path) -> None:
    ran = tamis("run", module, "--engine", engine, "--invoke", "divide", "0")
    assert (ran.code, ran.out) == (134, "")
    first, *frames = ran.err.splitlines()
    assert first == f"tamis: {module}: integer divide by zero"
    assert [frame.split()[0::2] for frame in frames] == [["#0", "inner"], ["#1", "outer"]]
    assert all(frame.split()[1].startswith("0x") for frame in frames)


def test_a_trapping_program_names_its_functions(tamis: Tamis, engine: str) -> None:
    ran = tamis("run", "--engine", engine, PROGRAMS / "abort.wasm")
    assert ran.code == 134
    assert [line.split()[-1] for line in ran.err.splitlines()] == ["unreachable", "inner", "middle", "_start"]


def test_fuel_ends_what_never_ends(tamis: Tamis, engine: str, module: Path) -> None:
    ran = tamis("run", module, "--engine", engine, "--invoke", "forever", "--fuel", "1000")
    assert ran.code == 134
    assert ran.err.splitlines()[0] == f"tamis: {module}: all fuel consumed"


def test_endless_recursion_is_a_trap(tamis: Tamis, engine: str, module: Path) -> None:
    ran = tamis("run", module, "--engine", engine, "--invoke", "down")
    assert ran.code == 134
    assert ran.err.splitlines()[0] == f"tamis: {module}: call stack exhausted"
    assert len(ran.err.splitlines()) < 100


def test_what_is_neither_filter_nor_program(tamis: Tamis, module: Path) -> None:
    ran = tamis("run", module)
    assert ran.code == 1
    assert "neither a filter (no proxy_abi_version_* export) nor a program (no _start export): use --invoke" in ran.err


def test_unknown_engine(tamis: Tamis, module: Path) -> None:
    ran = tamis("run", module, "--engine", "steam", "--invoke", "none")
    assert ran.code == 1
    assert "no engine is called 'steam'" in ran.err


def test_unknown_import(tamis: Tamis, tmp_path: Path) -> None:
    path = tmp_path / "wants.wat"
    path.write_text('(module (import "env" "magic" (func)) (func (export "f")))')
    ran = tamis("run", path, "--invoke", "f")
    assert (ran.code, ran.err) == (1, f"tamis: {path}: unknown import: func env.magic\n")


def test_module_from_standard_input() -> None:
    ran = shell("run", "-", "--invoke", "add", "20", "22", input=SAMPLE.encode())
    assert (ran.code, ran.out, ran.err) == (0, "42\n", "")
