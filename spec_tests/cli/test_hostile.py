"""Files that are no modules, or cut and changed ones: one clear line and an exit code, never a traceback."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from .conftest import EXAMPLES, PROGRAMS, Tamis

COMMANDS = (
    ("validate",),
    ("check",),
    ("dis",),
    ("wat",),
    ("wasm", "-o", "-"),
    ("run",),
    ("run", "--json"),
    ("run", "--invoke", "f"),
    ("trace", "--invoke", "f"),
)
BAD = {
    "empty.wasm": b"",
    "magic.wasm": b"\0asm",
    "version.wasm": b"\0asm\2\0\0\0",
    "component.wasm": b"\0asm\x0d\0\1\0",
    "short.wasm": b"\0asm\1\0\0\0\1\x85\x80\x80\x80\0\1\x60\0\0",
    "huge_count.wasm": b"\0asm\1\0\0\0\1\5\xff\xff\xff\xff\x0f",
    "section.wasm": b"\0asm\1\0\0\0\x63\0",
    "name.wasm": b"\0asm\1\0\0\0\0\3\2\xff\xff",
    "text.wasm": b"hello\n",
    "garbage": bytes(random.Random(1).randbytes(4000)),
    "nul.wat": b"\0\0\0",
    "open.wat": b"(module (func",
    "deep.wat": b"(module (func " + b"(block " * 20_000,
    "string.wat": b'(module (data "\\xx"))',
    "utf8.wat": b'(module (func (export "\xff\xfe")))',
    "unknown.wat": b"(module (func (i32.frobnicate)))",
    "comment.wat": b"(; never closed",
    "two.wat": b"(module)(module)",
    "newline\nname.wasm": b"\0asm",
}


@pytest.mark.parametrize("name", [b"proxy", b"proxy_log"])
@pytest.mark.parametrize("command", ["check", "validate", "run"])
def test_an_import_without_a_type(tamis: Tamis, tmp_path: Path, name: bytes, command: str) -> None:
    path = tmp_path / "untyped.wasm"
    imports = b"\1\3env" + bytes([len(name)]) + name + b"\0\x09"
    path.write_bytes(b"\0asm\1\0\0\0\2" + bytes([len(imports)]) + imports)
    ran = tamis(command, path)
    assert ran.code == 1
    assert ran.err.startswith(f"tamis: {path}: unknown type 9")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("name", BAD, ids=lambda name: name.replace("\n", "_"))
def test_bad_files(tamis: Tamis, tmp_path: Path, name: str, command: tuple[str, ...]) -> None:
    path = tmp_path / name
    path.write_bytes(BAD[name])
    ran = tamis(*command, path)
    assert ran.code == 1, ran
    first = ran.err.splitlines()[0]
    assert first.startswith("tamis: ")
    assert name.split("\n")[0] in first
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_missing_files_and_folders(tamis: Tamis, tmp_path: Path, command: tuple[str, ...]) -> None:
    ran = tamis(*command, tmp_path / "none.wasm")
    assert (ran.code, ran.err) == (1, f"tamis: {tmp_path}/none.wasm: No such file or directory\n")
    ran = tamis(*command, tmp_path)
    assert (ran.code, ran.err) == (1, f"tamis: {tmp_path}: Is a directory\n")


@pytest.mark.parametrize("module", ["gate", "abort"])
@pytest.mark.parametrize("command", [("validate",), ("check",), ("dis",), ("run", "--fuel", "1000")], ids=" ".join)
def test_every_truncation(tamis: Tamis, tmp_path: Path, command: tuple[str, ...], module: str) -> None:
    """Cut at each byte, or at every third for what takes longer. What ends with a section may still be a module."""
    if module == "gate":
        whole = tmp_path / "gate.wasm"
        assert tamis("wasm", PROGRAMS / "gate.wat", "-o", whole).code == 0
        data = whole.read_bytes()
    else:
        data = (PROGRAMS / "abort.wasm").read_bytes()
    path = tmp_path / "cut.wasm"
    for size in range(0, len(data), 1 if command[0] == "validate" else 3):
        path.write_bytes(data[:size])
        ran = tamis(*command, path)
        assert ran.code in (0, 1, 134), (size, ran)
        assert (ran.code == 0) == (not ran.err), (size, ran)


@pytest.mark.parametrize("module", [EXAMPLES / "crash" / "crash.wasm", PROGRAMS / "echo.wasm"], ids=lambda p: p.stem)
def test_flipped_bytes(tamis: Tamis, tmp_path: Path, engine: str, module: Path) -> None:
    data = module.read_bytes()
    chance = random.Random(2026)
    path = tmp_path / "flipped.wasm"
    for _ in range(60):
        changed = bytearray(data)
        for _ in range(chance.choice((1, 1, 1, 3))):
            changed[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(changed)
        fixed = ("--seed", "1", "--clock", "0", "--fuel", "200000")
        ran = tamis("run", "--engine", engine, *fixed, path, "--", *(("1",) if module.stem == "echo" else ()))
        assert ran.code in (0, 1, 2, 134) or module.stem == "echo", ran
        assert "internal error" not in ran.err


def test_usage_errors_are_short(tamis: Tamis) -> None:
    for args in ((), ("frobnicate",), ("run",), ("run", "--frobnicate"), ("validate",), ("spec",), ("trace",)):
        ran = tamis(*args)
        assert ran.code == 2, args
        assert ran.out == ""
    assert tamis("frobnicate").err.splitlines() == ["tamis: No such command 'frobnicate'.", "Try 'tamis --help'."]


@pytest.mark.parametrize("command", [*COMMANDS, ("demo",), ("spec",)], ids=" ".join)
def test_an_engine_that_there_is_not(tamis: Tamis, command: tuple[str, ...]) -> None:
    """Asked for by the environment; what needs no engine does not care."""
    path = () if command == ("demo",) else (PROGRAMS / "gate.wat",)
    ran = tamis(*command, *path, env={"TAMIS_ENGINE": "steam"})
    if command[0] in ("validate", "dis", "wat", "wasm"):
        assert ran.code == 0
    elif command[0] != "trace":  # which takes the reference engine by itself
        assert ran.code == 1
        assert ran.err.startswith("tamis: no engine is called 'steam'")
