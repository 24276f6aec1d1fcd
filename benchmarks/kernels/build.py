"""Builds every kernel's .wasm from the source beside it: `python benchmarks/kernels/build.py` (extra `build`).

The C sources are for the first version of WebAssembly with sign extension, which every peer runs.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import interp

FLAGS = [
    *("--target=wasm32-freestanding", "-mcpu=mvp+sign_ext+mutable_globals", "-nostdlib"),
    *("-O2", "-Wall", "-Wextra", "-Werror"),
    *("-Wl,--no-entry", "-Wl,--export=run", "-Wl,--strip-all", "-Wl,-z,stack-size=65536"),
]


def build(source: Path) -> None:
    """Make source.wasm out of source.c or source.wat."""
    target = source.with_suffix(".wasm")
    if source.suffix == ".wat":
        target.write_bytes(interp.encode(interp.parse(source.read_text())))
    else:
        command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, "-o", str(target), str(source)]
        subprocess.run(command, check=True)
        target.chmod(0o644)


if __name__ == "__main__":
    for path in sorted(Path(__file__).parent.iterdir()):
        if path.suffix in (".c", ".wat"):
            build(path)
