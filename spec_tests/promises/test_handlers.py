"""The handlers of the C loop contain no call: it would cost registers, and stack that grows (engine contract 12)."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from interp import _native

pytestmark = [
    pytest.mark.skipif(_native.lib is None, reason="this installation has no C engine"),
    pytest.mark.skipif(
        _native.lib is not None and b"tail calls" not in _native.ffi.string(_native.lib.tm_dispatch()),
        reason="this build has one function for all handlers",
    ),
]

FUNCTION = re.compile(r"^[0-9a-f]+ <(\w+)[^>]*>:$")
CALL = re.compile(r"\t(?:call|callq|bl|blr)\b(?:.*<(\w+))?")


def calls(disassembly: str) -> Iterator[tuple[str, str]]:
    """(handler, function called) for each call in a handler; "?" where the target is no name."""
    handler = ""
    for line in disassembly.splitlines():
        if start := FUNCTION.match(line):
            handler = start[1] if start[1].startswith("h_") else ""
        elif handler and (call := CALL.search(line)):
            yield handler, call[1] or "?"


def test_every_tail_call_is_one() -> None:
    """The build's own check: runs the handlers and compares frame addresses."""
    assert _native.lib.tm_self_test() == 0


def test_handlers_call_nothing_but_their_cold_parts() -> None:
    objdump = shutil.which("objdump")
    if objdump is None:
        pytest.skip("objdump is not installed")
    library = __import__("interp._tamis", fromlist=["_tamis"]).__file__
    listing = subprocess.run(
        [objdump, "-d", "--no-show-raw-insn", library], capture_output=True, text=True, check=True, timeout=120
    ).stdout
    assert listing.count("<h_") > 300
    assert [(handler, called) for handler, called in calls(listing) if not called.startswith("cold_")] == []


def test_a_call_in_a_handler_is_found() -> None:
    listing = "0000 <h_nop>:\n  10:\tcall   20 <memmove@plt>\n0020 <cold_x>:\n  22:\tcall   20 <free>\n"
    assert list(calls(listing)) == [("h_nop", "memmove")]
