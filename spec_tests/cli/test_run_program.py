"""WASI programs, compiled from C, through the command line and on every engine."""

from __future__ import annotations

from pathlib import Path

from .conftest import PROGRAMS, Tamis, shell


def test_arguments_streams_and_exit_code(tamis: Tamis, engine: str) -> None:
    ran = tamis(
        *("run", "--engine", engine, "--env", "COLOUR=blue", PROGRAMS / "echo.wasm", "7", "two words", "--", "--dir"),
        input=b"first\nlast",
    )
    assert ran.code == 7
    assert ran.lines == ["arg 1: 7", "arg 2: two words", "arg 3: --dir", "COLOUR=blue", "in: first", "in: last"]
    assert ran.err == "done\n"


def test_the_environment_of_the_shell_stays_out(tamis: Tamis) -> None:
    ran = tamis("run", PROGRAMS / "echo.wasm", env={"COLOUR": "red"})
    assert (ran.code, ran.out) == (0, "")


def test_files_in_the_given_folder(tamis: Tamis, engine: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hidden")
    given = tmp_path / "given"
    given.mkdir()
    (given / "out").symlink_to("../secret")
    (given / "root").symlink_to("/")
    tries = ["/data/../secret", "/data/out", "/data/root/etc/passwd", "/etc/passwd", "../secret", "/data/folder"]
    ran = tamis("run", "--engine", engine, "--dir", f"{given}::/data", PROGRAMS / "files.wasm", *tries)
    assert ran.code == 0
    assert ran.lines[:5] == ["read back: two", "size: 8", "entry: folder", "entry: out", "entry: root"]
    assert ran.lines[5:] == [
        "/data/../secret: Operation not permitted",
        "/data/out: Operation not permitted",
        "/data/root/etc/passwd: Operation not permitted",
        "/etc/passwd: No such file or directory",
        "../secret: No such file or directory",
        "/data/folder: OPENED",
    ]
    assert (given / "folder" / "moved.txt").read_text() == "one\ntwo\n"


def test_no_folder_no_files(tamis: Tamis) -> None:
    ran = tamis("run", PROGRAMS / "files.wasm")
    assert ran.code == 1
    assert ran.err.startswith("made.txt: ")


def test_folder_that_is_none(tamis: Tamis, tmp_path: Path) -> None:
    for text in (f"{tmp_path}/nothing::/data", "::/data", f"{tmp_path}::"):
        ran = tamis("run", "--dir", text, PROGRAMS / "files.wasm")
        assert ran.code == 2
        assert "Invalid value for '--dir'" in ran.err


def test_time_and_chance_repeat(tamis: Tamis, engine: str) -> None:
    fixed = ("--seed", "7", "--clock", "1700000000.5")
    ran = tamis("run", "--engine", engine, *fixed, PROGRAMS / "chance.wasm")
    assert ran.lines == ["0f503bb024b98b75 1700000000 5"]
    other = tamis("run", "--engine", engine, "--seed", "8", "--clock", "0", PROGRAMS / "chance.wasm")
    assert other.lines[0].split()[1:] == ["0", "5"]
    assert other.lines[0].split()[0] != ran.lines[0].split()[0]


def test_what_posix_says_of_files(tamis: Tamis, engine: str, tmp_path: Path) -> None:
    """Every answer of some 120 calls, pinned; wasmtime gives the same but for six where POSIX agrees with us."""
    ran = tamis("run", "--engine", engine, "--dir", f"{tmp_path}::/data", PROGRAMS / "posix.wasm", "x")
    assert ran.out == (PROGRAMS.parent / "golden" / "posix.txt").read_text(encoding="utf-8")
    assert (ran.code, ran.err) == (42, "")


def test_a_program_as_a_process() -> None:
    ran = shell("run", PROGRAMS / "echo.wasm", "3", input=b"x\n")
    assert (ran.code, ran.out, ran.err) == (3, "arg 1: 3\nin: x\n", "done\n")
