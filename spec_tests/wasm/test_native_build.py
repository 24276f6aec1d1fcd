"""The compiled loop: every handler ends in a jump, calls nothing, and is run by the self-test."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from interp import _native
from interp.exec.engines import available

ROOT = Path(__file__).resolve().parents[2]
LIST = ROOT / "native" / "generated" / "list.inc"
#: Handlers that only leave the loop: there is no jump to lose.
LEAVING = {"unreachable", "service", "halt", "throw"}
#: Handlers that call a function of ours on their way; each goes on by a jump all the same.
COLD = {
    "lower", "memory_copy", "memory_fill", "struct_new_default", "array_new", "array_new_default", "array_new_fixed",
    "array_fill", "array_copy",
}  # fmt: skip

pytestmark = pytest.mark.skipif("native" not in available(), reason="this installation has no native engine")


def dispatch() -> str:
    return str(_native.ffi.string(_native.lib.tm_dispatch()).decode())


def tail_called() -> None:
    if not dispatch().startswith("tail calls"):
        pytest.skip(f"this build has no tail-called handlers: {dispatch()}")


def test_no_handler_lost_its_tail_call() -> None:
    assert _native.lib.tm_self_test() == 0


def test_the_self_test_runs_every_handler() -> None:
    tail_called()
    lib = _native.lib
    assert lib.tm_self_test() == 0
    left_out = [number for number in range(lib.tm_handler_count()) if not lib.tm_self_covers(number)]
    if LIST.exists() and LIST.read_text().count("LIST(") == lib.tm_handler_count():
        names = re.findall(r"LIST\((\w+),", LIST.read_text())
        assert {names[number] for number in left_out} <= LEAVING
    assert len(left_out) <= len(LEAVING)


def disassembly() -> dict[str, list[str]]:
    """The instructions of each handler, its split-off parts included."""
    from interp import _tamis  # type: ignore[attr-defined, unused-ignore]

    tool = shutil.which("objdump")
    if tool is None:
        pytest.skip("objdump is not installed")
    text = subprocess.run(
        [tool, "-d", "--no-show-raw-insn", str(_tamis.__file__)], check=True, capture_output=True, text=True
    ).stdout
    functions: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.splitlines():
        head = re.match(r"[0-9a-f]+ <h_(\w+)(?:\.\w+)*>:$", line)
        if head:
            current = functions.setdefault(head[1], [])
        elif line.endswith(">:"):
            current = []
        elif "\t" in line:
            current.append(line.split("\t", 1)[1].strip())
    if not functions:
        pytest.skip("the extension was stripped of its symbols")
    return functions


def test_handlers_call_nothing() -> None:
    """A call in a handler is a lost tail call, or a helper that the compiler put in for an instruction."""
    tail_called()
    found = disassembly()
    assert len(found) >= _native.lib.tm_handler_count() * 0.9  # equal bodies may be folded into one
    calls = {name: [line for line in body if re.match(r"(call|bl|blr)\b", line)] for name, body in found.items()}
    assert {name for name, lines in calls.items() if lines} <= COLD | {"probe"}


def test_plain_handlers_keep_no_frame() -> None:
    """What an addition saves on a stack, it saves a thousand million times."""
    tail_called()
    plain = {name: body for name, body in disassembly().items() if name.startswith(("i32_", "i64_", "br_i", "mov_"))}
    assert len(plain) > 1000
    if "clang" in dispatch():  # it saves a register for some that do the work of two or three
        plain = {name: body for name, body in plain.items() if "__" not in name and "_wide_" not in name}
    for name, body in plain.items():
        assert not [line for line in body if re.match(r"push\b|sub +\$0x[0-9a-f]+,%rsp", line)], name
