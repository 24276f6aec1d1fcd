"""What this installation is made of, for bug reports."""

from __future__ import annotations

import os

from interp import _native
from interp.exec.engines import available


def build_info() -> dict[str, str]:
    """Engines present, and of the native one its dispatch variant and why, its compiler, its self-test."""
    info = {"engines": f"{', '.join(available())} (the first is the default; TAMIS_ENGINE or --engine chooses)"}
    if _native.lib is not None:
        from interp.exec import native  # it needs the extension

        return info | native.build_info()
    hidden = os.environ.get("TAMIS_NO_NATIVE")
    reason = "TAMIS_NO_NATIVE is set" if hidden else "the C extension was not built: no C compiler when installing"
    return info | {"dispatch": f"none, {reason}", "compiler": "none"}
