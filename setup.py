"""The C part of the build; everything else is in pyproject.toml.

`native/build.py` describes the extension `interp._tamis` (a cffi `ffibuilder`). It is built with the C compiler that
Python itself names, or with the one that TAMIS_CC names:

    TAMIS_CC="python -m ziglang cc" pip install .      the compiler from PyPI; it is fetched for the build
    TAMIS_CC=clang pip install .
    TAMIS_CC=none pip install .                        do not build the C part

Where there is no compiler, or it fails, the install goes on without the extension: it says so once, and leaves the
reason in `interp/_unbuilt.txt`. Everything then runs on the Python engine.
"""

from __future__ import annotations

import os
import runpy
import shlex
import shutil
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError

EXTENSION = "interp._tamis"
RECIPE = Path("native", "build.py")
NOTE = "_unbuilt.txt"

MESSAGE = """\
tamis was installed WITHOUT its C engine: {reason}
Everything works, on the Python engine, which is many times slower. To have the C engine, install a C compiler
(gcc or clang), or set TAMIS_CC="python -m ziglang cc", and install again.
"""


class BuildNative(build_ext):
    """build_ext that makes the C source only when it is wanted, and that may fail without failing the install."""

    def run(self) -> None:
        self.force = True  # objects of another compiler, or of other generated headers, must not be used again
        for file in [*self.target().glob("_tamis.*"), self.target() / NOTE]:
            file.unlink(missing_ok=True)
        wanted = choose_compiler()
        if wanted == "none":
            return self.go_without("TAMIS_CC=none asked for that.")
        # Not inside the try: a mistake in our own generator is an error, not a missing compiler.
        made = generate(self.build_temp)
        self.extensions[0].__dict__.update(made.__dict__)
        self.extensions[0]._needs_stub = False
        try:
            super().run()
        except (BaseError, CCompilerError, OSError):
            compiler = wanted or os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
            if shutil.which(shlex.split(compiler)[0]) is None:
                return self.go_without(f"no C compiler was found ({compiler}).")
            self.go_without(f"the C compiler ({compiler}) failed; `pip install -v` shows what it said.")

    def target(self) -> Path:
        """The folder the extension goes to: the package in the build, or the checkout's for an editable install."""
        return Path("interp") if self.inplace or self.editable_mode else Path(self.build_lib, "interp")

    def go_without(self, reason: str) -> None:
        """Leave the extension out, and say so: to the log, to the person at the terminal, and in a file."""
        self.extensions = []
        message = MESSAGE.format(reason=reason)
        self.target().mkdir(parents=True, exist_ok=True)
        (self.target() / NOTE).write_text(message)
        sys.stderr.write("\n" + message)
        if not sys.stderr.isatty():  # pip shows a successful build's output to nobody
            with suppress(OSError), open("/dev/tty", "w") as terminal:
                terminal.write("\n" + message)


def choose_compiler() -> str:
    """What TAMIS_CC asks for, put where setuptools looks ($CC); empty for Python's own compiler."""
    words = shlex.split(os.environ.get("TAMIS_CC", ""))
    if not words or words == ["none"]:
        return "".join(words)
    if words[0] in ("python", "python3"):
        words[0] = sys.executable
    os.environ["CC"] = shlex.join(words)
    return shlex.join(words)


def generate(folder: str) -> Any:
    """Run native/build.py and write the extension's C source into folder."""
    recipe = runpy.run_path(str(RECIPE), run_name="__cffi__")
    return recipe["ffibuilder"].distutils_extension(tmpdir=folder, verbose=False)


setup(
    ext_modules=[Extension(EXTENSION, sources=[])],
    cmdclass={"build_ext": BuildNative},
    # setuptools hands these to pip as requirements of this build: ziglang is needed only by who asks for it.
    setup_requires=["ziglang"] if "ziglang" in os.environ.get("TAMIS_CC", "") else [],
)
