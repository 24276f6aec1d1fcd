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
    from interp.tools.build import build_info

    for key, value in build_info().items():
        yield f"{key}: {value}"
    yield f"python: {platform.python_implementation()} {platform.python_version()}, {platform.platform()}"
