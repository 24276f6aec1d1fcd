"""What this installation is made of, for bug reports."""

from __future__ import annotations

import os
from importlib import resources

from interp import _native
from interp.exec.engines import available


def build_info() -> dict[str, str]:
    """Engines present, and of the native one its dispatch variant and why, its compiler, its self-test."""
    info = {"engines": f"{', '.join(available())} (the first is the default; TAMIS_ENGINE or --engine chooses)"}
    if _native.lib is not None:
        from interp.exec import native  # it needs the extension

        return info | native.build_info()
    if os.environ.get("TAMIS_NO_NATIVE"):
        reason = "TAMIS_NO_NATIVE is set"
    else:
        reason = _why_unbuilt()
    return info | {"dispatch": f"none, {reason}", "compiler": "none"}


def _why_unbuilt() -> str:
    """What the build noted when it went on without the extension."""
    try:
        note = resources.files("interp").joinpath("_unbuilt.txt").read_text()
    except OSError:
        return "the C extension was not built"
    return note.partition(": ")[2].partition("\n")[0]
