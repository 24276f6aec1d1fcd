"""The official suite on one engine, file by file, against the pinned counts; with the C part its self-test first.

python scripts/qemu_suite.py SUITE ENGINE
"""

from __future__ import annotations

import json
import platform
import sys
import time
from pathlib import Path

from interp import _native
from interp.tools.spec import run_file

PINNED = json.loads((Path(__file__).resolve().parent.parent / "spec_tests" / "wasm" / "pinned.json").read_text())


def self_test() -> None:
    """Run every handler that a handler can follow."""
    lib = _native.lib
    dispatch = _native.ffi.string(_native.lib.tm_dispatch()).decode()
    if lib.tm_self_test():
        raise SystemExit(f"handler {lib.tm_self_test() - 1} lost its tail call: {dispatch}")
    covered = sum(lib.tm_self_covers(number) for number in range(lib.tm_handler_count()))
    sys.stdout.write(f"{dispatch}: the self-test ran {covered} of {lib.tm_handler_count()} handlers\n")


def main(suite: Path, engine: str) -> None:
    """Run and compare; exits with 1 if anything differs."""
    began, passed, wrong = time.monotonic(), 0, 0
    sys.stdout.write(f"{platform.machine()}, {sys.byteorder}-endian, Python {platform.python_version()}, {engine}\n")
    if engine == "native":
        self_test()
    for name, pinned in PINNED[engine].items():
        result = run_file(suite / name, name, engine)
        passed += result.passed
        waiting = dict(sorted(result.waiting.items()))
        if result.failures or (result.passed, waiting) != (pinned["passed"], pinned.get("waiting", {})):
            wrong += 1
            sys.stdout.write(f"{name}: {result.passed} passed, {waiting} wait, pinned {pinned}\n")
            sys.stdout.writelines(f"    {failure}\n" for failure in result.failures[:5])
    sys.stdout.write(f"{passed} commands passed, {wrong} files differ ({time.monotonic() - began:.0f} s)\n")
    if wrong or not passed:
        raise SystemExit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
