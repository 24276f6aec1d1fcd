"""What a figure depends on: machine, Python, compilers, versions, the way our loop dispatches."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from benchmarks.peers import Peer, version_of


def describe(peers: list[Peer]) -> dict[str, Any]:
    """The header of every result, as it goes into the JSON."""
    return {
        "machine": f"{platform.system()} {platform.machine()}, {processor()}, {os.cpu_count()} cores{busy()}",
        "python": f"{platform.python_implementation()} {platform.python_version()} ({platform.python_compiler()})",
        "tamis": ours(),
        "peers": {peer.name: peer.version for peer in peers},
    }


def busy() -> str:
    """How busy the machine was before we came: a compiler on all cores suffers more from it than one thread does."""
    return f", load average {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""


def processor() -> str:
    """The processor's name where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "unknown processor")


def ours() -> dict[str, str]:
    """Our version, where it is imported from, and how the C engine was built, if it was."""
    import interp
    from interp.tools.build import build_info

    where = "installed" if "site-packages" in str(interp.__file__) else "checkout"
    told = {"version": version_of("tamis"), "from": where, "engine": interp.Store().engine.name}
    built = build_info()
    return told | {key: built[key] for key in ("compiler", "dispatch")}
