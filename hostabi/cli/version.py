"""`tamis --version`, and with -v the engine, its dispatch and the compiler."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib import metadata


def version_lines(verbose: bool) -> Iterator[str]:
    """The lines to print."""
    try:
        yield f"tamis {metadata.version('tamis')}"
    except metadata.PackageNotFoundError:
        yield "tamis (from a checkout that is not installed)"
    if not verbose:
        return
    import interp

    yield f"engines: {', '.join(interp.engines())} (the first is taken; --engine or TAMIS_ENGINE chooses)"
    build_info = getattr(interp, "build_info", None)
    for key, value in (build_info() if build_info is not None else {}).items():
        yield f"{key}: {value}"
    yield f"python: {platform.python_implementation()} {platform.python_version()}, {platform.platform()}"
