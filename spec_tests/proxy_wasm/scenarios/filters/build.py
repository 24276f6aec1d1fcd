#!/usr/bin/env python3
"""Builds the small filters of the scenarios as the examples are built; they are committed beside their sources."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent
SCRIPT = HERE.parents[3] / "examples" / "build.py"


def examples() -> ModuleType:
    """The build script of the examples."""
    spec = importlib.util.spec_from_file_location("build_examples", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Compile every C file here."""
    build = examples()
    flags = ["--target=wasm32-freestanding", "-Os", "-nostdlib", "-g", "-Wall", "-Wextra", "-Wno-unused-function"]
    linker = ["-Wl,--no-entry", f"-Wl,-z,stack-size={build.STACK}", "-fvisibility=hidden", "-rdynamic"]
    for source in sorted(HERE.glob("*.c")):
        out = source.with_suffix(".wasm")
        include = "-I../../../../examples/filters/include"
        build.run(*build.zig(), "cc", *flags, *linker, include, "-o", out.name, source.name, cwd=HERE)
        build.without_debug_sections(out)


if __name__ == "__main__":
    main()
