"""What only a process of its own shows: closed pipes, Ctrl-C, exit codes, and that help is quick."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import EXAMPLES, PROGRAMS, Tamis, process, shell

LOOP = '(module (func (export "f") (loop (br 0))) (func $main (export "_start") (loop (br 0))))'


def test_closed_pipe_ends_quietly() -> None:
    """As `tamis dis big.wasm | head -1`: no complaint, and the code a shell gives for SIGPIPE."""
    started = process("dis", PROGRAMS / "files.wasm")
    assert started.stdout is not None
    assert started.stderr is not None
    started.stdout.readline()
    started.stdout.close()
    assert started.wait(timeout=60) == 141
    assert started.stderr.read() == b""
    started.stderr.close()


def test_a_program_that_writes_to_a_closed_pipe_ends(tmp_path: Path) -> None:
    path = tmp_path / "yes.wat"
    path.write_text(
        '(module (import "wasi_snapshot_preview1" "fd_write" (func $w (param i32 i32 i32 i32) (result i32)))'
        ' (memory 1) (data (i32.const 0) "\\10\\00\\00\\00\\02\\00\\00\\00") (data (i32.const 16) "y\\n")'
        ' (func (export "_start") (loop'
        "  (drop (call $w (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) (br 0))))"
    )
    started = process("run", path)
    assert started.stdout is not None
    assert started.stderr is not None
    assert started.stdout.readline() == b"y\n"
    started.stdout.close()
    assert started.wait(timeout=60) == 141
    assert started.stderr.read() == b""
    started.stderr.close()


def wait_for_the_loop(started: subprocess.Popen[bytes]) -> None:
    """Until a process is surely past its start: by its processor time, which a busy machine does not stretch."""
    if not Path("/proc/self/stat").exists():
        return time.sleep(3)
    ticks = 0
    while ticks < os.sysconf("SC_CLK_TCK"):
        assert started.poll() is None
        time.sleep(0.05)
        fields = Path(f"/proc/{started.pid}/stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])


@pytest.mark.parametrize("how", [("--invoke", "f"), ()], ids=["export", "program"])
def test_ctrl_c_ends_a_guest(tmp_path: Path, engine: str, how: tuple[str, ...]) -> None:
    path = tmp_path / "loop.wat"
    path.write_text(LOOP)
    started = process("run", "--engine", engine, path, *how)
    wait_for_the_loop(started)
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=30)
    assert started.returncode == 130
    assert (out, err) == (b"", b"")


def test_ctrl_c_ends_a_suite(tmp_path: Path, engine: str) -> None:
    path = tmp_path / "loop.wast"
    path.write_text(LOOP + '(assert_return (invoke "f"))')
    started = process("spec", "--engine", engine, path)
    wait_for_the_loop(started)
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=30)
    assert started.returncode == 130
    assert (out, err) == (b"", b"")


def test_a_process_without_streams() -> None:
    """A daemon may start us with its standard streams closed."""
    for args in (("--help",), ("run", PROGRAMS / "echo.wasm"), ("dis", PROGRAMS / "abort.wasm"), ("demo",)):
        command = [sys.executable, "-m", "hostabi", *map(str, args)]
        closed = subprocess.run(["sh", "-c", '"$@" <&- >&-', "sh", *command], stderr=subprocess.PIPE, check=False)
        assert (closed.returncode, closed.stderr.replace(b"done\n", b"")) == (0, b""), args


def test_files_without_end_are_refused() -> None:
    ran = shell("validate", "/dev/zero")
    assert ran.code == 1
    assert ran.err.startswith("tamis: /dev/zero: more than ")


def test_text_that_the_terminal_cannot_show(tmp_path: Path) -> None:
    env = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    ran = shell("run", PROGRAMS / "gate.wat", "-H", "x: \u00e9", "--body", "\u2603", env=env)
    assert (ran.code, ran.err) == (0, "")
    assert "x: \\xe9" in ran.out
    odd = os.fsencode(tmp_path) + b"/\xff.wat"
    with open(odd, "wb") as file:
        file.write(b"(module)")
    assert shell("validate", os.fsdecode(odd)).out == f"{tmp_path}/\\udcff.wat: valid\n"
    assert shell("check", os.fsdecode(odd)).code == 0
    assert shell("run", os.fsdecode(odd)).code == 1


def test_exit_codes() -> None:
    assert shell("--help").code == 0
    assert shell("run", "--frobnicate").code == 2
    assert shell("validate", "/nowhere.wasm").code == 1
    assert shell("run", PROGRAMS / "abort.wasm").code == 134
    assert shell("run", PROGRAMS / "echo.wasm", "200").code == 200


def test_plain_text_where_nobody_watches() -> None:
    for path in (EXAMPLES / "crash" / "crash.wasm", PROGRAMS / "gate.wat"):
        ran = shell("run", path)
        assert "proxy_on_request_headers(" in ran.out
        assert "\x1b" not in ran.out


def test_help_of_every_command(tamis: Tamis) -> None:
    whole = tamis("--help")
    assert whole.code == 0
    names = [line.split()[0] for line in whole.out.partition("Commands:")[2].splitlines() if line.strip()]
    order = "run test tap check validate dis wat wasm trace profile bench spec demo"
    assert names == order.split()
    for name in names:
        ran = tamis(name, "--help")
        assert ran.code == 0
        assert ran.out.startswith(f"Usage: tamis {name} ")
        assert all(len(line) <= 100 for line in ran.lines)


def test_help_imports_neither_numpy_nor_rich() -> None:
    code = "import sys, hostabi.cli as c\ntry: c.cli.main(['--help'])\nexcept SystemExit: pass\n"
    code += "sys.exit(bool({'numpy', 'rich', 'interp'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0


def test_version(tamis: Tamis) -> None:
    ran = tamis("--version")
    assert ran.code == 0
    assert ran.out.startswith("tamis ")
    assert len(ran.lines) == 1
    long = tamis("--version", "-v")
    assert long.lines[0] == ran.lines[0]
    assert long.out == tamis("-v", "--version").out == tamis("-v").out
    text = long.out.lower()
    for word in ("engine", "dispatch", "compiler", "python"):
        assert word in text


def test_demo(tamis: Tamis, engine: str) -> None:
    ran = tamis("demo", "--engine", engine)
    assert (ran.code, ran.err) == (0, "")
    assert 5 <= len(ran.lines) <= 12
    assert f"{engine} engine" in ran.out
    for part in ("+ x-team: blue", "- cookie: session=secret", "+ via: 1.1 tamis", "- server: old-and-known/1.0"):
        assert part in ran.out
    assert "proxy_on_request_headers(" in tamis("demo", "--transcript").out
