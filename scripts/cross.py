"""Builds the C part for another machine, beside a copy of `interp` in a new folder.

    CC="aarch64-linux-gnu-gcc" python scripts/cross.py FOLDER INCLUDE MULTIARCH

INCLUDE is the other machine's /usr/include, with Python's headers; MULTIARCH is Debian's name of the machine.
"""

from __future__ import annotations

import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(folder: Path, include: Path, multiarch: str) -> None:
    """Copy, generate for this compiler, compile."""
    folder = folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("interp", "native"):
        skipped = shutil.ignore_patterns("*.so", "__pycache__", "build", "generated", "driver")
        shutil.copytree(ROOT / part, folder / part, ignore=skipped)
    os.chdir(folder)
    made = runpy.run_path("native/build.py", run_name="build")
    extension = made["ffibuilder"].distutils_extension(tmpdir="native/work")
    [headers] = include.glob("python3.*")
    number = re.sub(r"\D", "", headers.name)
    command = [*shlex.split(os.environ["CC"]), "-fPIC", *extension.extra_compile_args]
    # Python's headers name each other from /usr/include on; the C library's are the compiler's own.
    command += [f"-I{folder / 'native'}", f"-I{headers}", "-idirafter", str(include)]
    command += [f"-D{name}" if value is None else f"-D{name}={value}" for name, value in extension.define_macros]

    def compile(source: str) -> str:
        out = f"{source}.o"
        subprocess.run([*command, "-c", source, "-o", out], check=True)
        return out

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(compile, sorted(extension.sources, key=lambda name: "run.c" not in name)))
    target = f"interp/_tamis.cpython-{number}-{multiarch}.so"
    subprocess.run([*command, "-shared", *objects, *extension.extra_link_args, "-o", target], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]).resolve(), sys.argv[3])
