"""What a figure depends on: machine, Python, compilers, versions, the way our loop dispatches."""

from __future__ import annotations

import ast
import os
import platform
from pathlib import Path
from typing import Any

from benchmarks.peers import Peer, version_of

BUILD = Path(__file__).parents[1] / "native" / "build.py"


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
    return told | {"compiler": built["compiler"], "flags": flags(), "dispatch": built["dispatch"]}


def flags() -> str:
    """The flags of our build that matter for speed, from the checkout that these benchmarks are part of."""
    tree = ast.parse(BUILD.read_text())
    lists = [node.value for node in ast.walk(tree) if isinstance(node, ast.Assign) and names(node) == ["FLAGS"]]
    found: list[str] = ast.literal_eval(lists[0]) if lists else []
    return " ".join(flag for flag in found if flag.startswith(("-O", "-f")))


def names(node: ast.Assign) -> list[str]:
    """What an assignment gives values to."""
    return [target.id for target in node.targets if isinstance(target, ast.Name)]
