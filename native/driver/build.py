"""Builds the driver, a program without Python, from copies in a folder of its own.

    python native/driver/build.py FOLDER [switch|tail] [fuzz]

`switch` has all of the C part under AddressSanitizer and UndefinedBehaviorSanitizer, with the dispatch that they allow.
`tail` leaves the loop as it is shipped and has the rest under them: only so do locals stand in registers, and the
lowering of that is tried. `fuzz` makes the target of libFuzzer (CC has to be clang); else it is `driver` (main.c).
The loop is compiled by TAMIS_LOOP_CC, which is gcc if not given: for the sanitized switch, one function of two thousand
cases, clang takes ten minutes and gcc half of one. They share one runtime of sanitizers, that of CC.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-g", "-O1", "-fno-omit-frame-pointer"]

GCC_ONLY = ("-fno-tree-loop-distribute-patterns",)


def copied(folder: Path) -> Path:
    """The C part and the tables it derives from, copied; what is generated stays out of the checkout."""
    shutil.rmtree(folder, ignore_errors=True)
    for source in (*(ROOT / "native").glob("*.*"), *HERE.glob("*.*"), *(ROOT / "interp" / "syntax").glob("*.py")):
        target = folder / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    return folder / "native"


def settings(native: Path, switch: bool) -> ModuleType:
    """The build of the extension, as a module: its sources and flags, with the handlers of this kind written."""
    os.environ.pop("TAMIS_SANITIZE", None)
    os.environ["TAMIS_SWITCH"] = "1" if switch else ""
    compiler = os.environ.get("CC")
    os.environ["CC"] = loop_compiler()
    spec = importlib.util.spec_from_file_location("tamis_build", native / "build.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    os.environ["CC"] = compiler or "gcc"
    return module


def loop_compiler() -> str:
    """Who compiles the loop."""
    return os.environ.get("TAMIS_LOOP_CC", "gcc")


def fields(api: str) -> str:
    """The fields of `tm_env` as a list of macros, in order: how world.c reads a description."""
    body = re.search(r"typedef struct tm_env \{(.*?)\} tm_env;", re.sub(r"/\*.*?\*/", "", api, flags=re.S), re.S)
    if body is None:
        raise ValueError("api.h has no tm_env")
    lines = []
    for declaration in body[1].split(";"):
        if declaration.strip():
            for part in declaration.split(","):
                name = part.split()[-1]
                lines.append(f"ARRAY({name.lstrip('*')})" if "*" in part else f"NUMBER({name})")
    return "\n".join(lines) + "\n"


def main(folder: Path, *kinds: str) -> None:
    """Build one kind."""
    switch, fuzz = "tail" not in kinds, "fuzz" in kinds
    native = copied(folder.resolve())
    made = settings(native, switch)
    (native / "driver" / "fields.inc").write_text(fields((native / "api.h").read_text()))
    errors = sys.modules["interp.syntax.errors"].BODY_ERRORS
    compiler = shlex.split(os.environ["CC"])
    unit = ["-I", str(native), f"-DBODY_ERROR_COUNT={len(errors)}"]
    ours = ["driver/world.c", "driver/target.c", *(["driver/fuzz.c"] if fuzz else ["driver/frames.c", "driver/main.c"])]

    def compile(name: str) -> str:
        out = native / (name.replace("/", "_") + ".o")
        if name == "run.c":
            command = [*shlex.split(loop_compiler()), *made.FLAGS, *(SANITIZE if switch else [])]
        else:
            flags = [f for f in made.FLAGS if f not in GCC_ONLY]  # FLAGS are of the loop's compiler
            command = [*compiler, *flags, *SANITIZE, *(["-fsanitize=fuzzer-no-link"] if fuzz else [])]
        subprocess.run([*command, *unit, "-c", str(native / name), "-o", str(out)], check=True)
        return str(out)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(compile, ["run.c", *(s for s in made.CORE if s != "run.c"), *ours]))
    link = ["-fsanitize=address,undefined", *(["-fsanitize=fuzzer"] if fuzz else [])]
    target = folder / ("fuzz" if fuzz else "driver")
    subprocess.run([*compiler, *link, *objects, "-o", str(target), "-lm"], check=True)
    sys.stdout.write(f"{target}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
