"""The build of `interp._tamis`: writes the generated C, then describes the extension to cffi.

`python native/build.py` builds it in place. TAMIS_SWITCH=1 takes the portable dispatch, TAMIS_SANITIZE=1 adds
AddressSanitizer and UndefinedBehaviorSanitizer (and with them that dispatch).
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
import sys
import sysconfig
import types
from pathlib import Path

from cffi import FFI

HERE = Path(globals().get("__file__", "native/build.py")).resolve().parent
ROOT = HERE.parent
for path in (str(ROOT), str(HERE)):
    if path not in sys.path:
        sys.path.insert(0, path)

# The build needs the tables in interp/syntax and nothing else of the package, which may not be importable yet.
if "interp" not in sys.modules:
    package = types.ModuleType("interp")
    package.__path__ = [str(ROOT / "interp")]
    sys.modules["interp"] = package

import generate  # noqa: E402  (found by the path above, also when setuptools runs this file)


def output(command: list[str]) -> str:
    """What a command prints; nothing if there is no such command: a missing compiler is found out when it is used."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""


#: What knows nothing of Python, and what does.
CORE = [
    "memory.c", "walk.c", "code.c", "fuse.c", "count.c", "blocks.c", "heap.c", "thread.c", "unwind.c", "numeric.c",
    "run.c", "facts.c", "sections.c",
]  # fmt: skip
SOURCES = [*CORE, "boundary.c"]
FLAGS = [
    "-std=gnu11", "-O2", "-g0", "-fomit-frame-pointer", "-foptimize-sibling-calls", "-fcf-protection=none", "-fno-lto",
    "-ffp-contract=off", "-fno-fast-math", "-fno-strict-aliasing", "-fno-stack-protector", "-fno-plt",
    "-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-unused-function", "-Wno-unused-label",
    "-Wno-missing-field-initializers",
]  # fmt: skip
COMPILER = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
if "clang" not in output([*COMPILER, "--version"]):
    FLAGS.append("-fno-tree-loop-distribute-patterns")  # gcc's name for it, which not every clang lets pass
if "ziglang" in COMPILER or Path(COMPILER[0]).stem == "zig":
    FLAGS += ["-mcpu=baseline", "-fno-sanitize=undefined"]  # zig's defaults: this very processor, and traps
if platform.machine() not in ("x86_64", "AMD64"):
    FLAGS.remove("-fcf-protection=none")
if os.environ.get("TAMIS_SWITCH"):
    FLAGS.append("-DTAMIS_SWITCH=1")
if os.environ.get("TAMIS_COUNT"):
    FLAGS.append("-DTAMIS_COUNT=1")
if os.environ.get("TAMIS_NO_TICKS"):
    FLAGS.append("-DTAMIS_NO_TICKS=1")
LINK: list[str] = []
if os.environ.get("TAMIS_SANITIZE"):
    FLAGS += ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-DTAMIS_SWITCH=1", "-g", "-O1"]
    LINK += ["-fsanitize=address,undefined"]


def is_switch() -> bool:
    """Whether this compiler with these flags takes the switch, by dispatch.h. False if there is no compiler."""
    macros = output([*COMPILER, *FLAGS, "-E", "-dM", "-x", "c", str(HERE / "dispatch.h")])
    return "#define SWITCH 1" in macros


generate.write(HERE / "generated", switch=is_switch(), fused=not os.environ.get("TAMIS_COUNT"))

api = re.sub(r"/\*.*?\*/", "", (HERE / "api.h").read_text(), flags=re.S)
numbers = (HERE / "generated" / "tables.h").read_text()
api += "\n".join(line for line in numbers.splitlines() if line.startswith(("enum { TM_EXIT_", "enum { SERVICE_")))

ffibuilder = FFI()
ffibuilder.cdef(api)
ffibuilder.set_source(
    "interp._tamis",
    '#include "engine.h"\n',
    # setuptools wants them relative to the project, where it stands; run as a script this file goes elsewhere
    sources=[str(HERE / name) if __name__ == "__main__" else f"native/{name}" for name in SOURCES],
    include_dirs=[str(HERE)],
    extra_compile_args=FLAGS,
    extra_link_args=LINK,
    # boundary.c makes types of its own for the very Python it is built with
    define_macros=[("_CFFI_NO_LIMITED_API", None)],
    py_limited_api=False,
    depends=[str(path) for path in (*HERE.glob("*.h"), *HERE.glob("*.inc"), *(HERE / "generated").glob("*"))],
)

if __name__ == "__main__":
    # Beside the checkout's pyproject.toml cffi's setuptools would read it, and old ones do not understand it.
    work = HERE / "build"
    work.mkdir(exist_ok=True)
    (work / "interp").mkdir(exist_ok=True)
    os.chdir(work)
    built = Path(ffibuilder.compile(tmpdir=".", target="_tamis.*", verbose="-v" in sys.argv))
    # By a rename: a process that has the old one mapped goes on with it. The name is the one that an editable install
    # gives it: Python prefers that to a plain `_tamis.so`.
    target = ROOT / "interp" / f"_tamis{sysconfig.get_config_var('EXT_SUFFIX')}"
    fresh = target.with_name(target.name + ".new")
    fresh.write_bytes(built.read_bytes())
    fresh.replace(target)
