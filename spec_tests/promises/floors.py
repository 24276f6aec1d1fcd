"""The floors of the two packages, and a reader of imports that tells which ones climb."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: A module's floor is that of the longest prefix listed. An import goes to the same floor or to a lower one.
FLOORS = {
    "interp._tamis": 0,
    "interp._native": 0,
    "interp.syntax": 0,
    "interp.syntax.hints": 1,
    "interp.syntax.module": 1,
    "interp.binary": 2,
    "interp.text": 2,
    "interp.valid": 3,
    "interp.runtime": 4,
    "interp.exec": 5,
    "interp": 6,
    "interp.api": 6,
    "interp.sugar": 6,
    "interp.__main__": 7,
    "interp.tools": 7,
    "interp.testing": 7,
    "hostabi.abi.enums": 0,
    "hostabi.abi.values": 0,
    "hostabi.abi.marshal": 1,
    "hostabi.abi.codec": 1,
    "hostabi.abi.envoy": 1,
    "hostabi.abi.protobuf": 1,
    "hostabi.abi.grpc": 1,
    "hostabi.abi.rust_sdk": 1,
    "hostabi.abi.messages": 1,
    "hostabi.abi.resp": 1,
    "hostabi.abi.hostcall": 2,
    "hostabi.abi.binding": 2,
    "hostabi.abi.callbacks": 2,
    "hostabi.core.filter_state": 3,
    "hostabi.core.events": 3,
    "hostabi.core.commands": 3,
    "hostabi.core.buffers": 3,
    "hostabi.core.clock": 3,
    "hostabi.core.transcript": 3,
    "hostabi.core.faults": 3,
    "hostabi.core.state": 4,
    "hostabi.core.pipe": 4,
    "hostabi.core.context": 4,
    "hostabi.core.shared": 4,
    "hostabi.core.policy": 4,
    "hostabi.core.world": 4,
    "hostabi.hostcalls": 5,
    "hostabi.core.link": 6,
    "hostabi.core.vm": 6,
    "hostabi.core.grpc": 6,
    "hostabi.core.stream": 6,
    "hostabi.core.connection": 6,
    "hostabi.core.network": 6,
    "hostabi.core.python_filter": 6,
    "hostabi.core.host": 6,
    "hostabi.core.chain": 6,
    "hostabi.core.plugin": 6,
    "hostabi": 6,
    "hostabi.__main__": 7,
    "hostabi.pytest_plugin": 7,
    "hostabi.cli": 7,
    "hostabi.adapters": 7,
    "hostabi.oracle": 7,
    "hostabi.scenario": 7,
    "hostabi.testing": 7,
}
#: Packages that only hold others: importing them imports nothing, so they stand below everything.
EMPTY = {"interp.syntax", "hostabi.abi", "hostabi.core"}
#: The two readers of modules know nothing of each other.
STRANGERS = ({"interp.binary", "interp.text"},)
#: What reaches outside the process or differs from run to run; the core gets these handed in.
IMPURE = {"asyncio", "datetime", "os", "random", "secrets", "select", "selectors", "socket", "ssl", "threading", "time"}


def prefix(module: str) -> str:
    """The entry of FLOORS that a module falls under; "" if there is none."""
    parts = module.split(".")
    names = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((name for name in names if name in FLOORS), "")


def floor(module: str) -> int:
    """The floor of a module of ours; a module directly in a package's root must be listed itself, as `__init__` is."""
    found = prefix(module)
    if not found or (found in ("interp", "hostabi") and module != found):
        raise LookupError(f"{module} has no floor: give it one in spec_tests/promises/floors.py")
    return FLOORS[found]


def name_of(path: Path) -> str:
    """The dotted name of a file of the checkout."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_module(name: str) -> bool:
    """Whether a dotted name is a module of ours (the compiled one has no source)."""
    place = ROOT.joinpath(*name.split("."))
    return name == "interp._tamis" or place.with_suffix(".py").exists() or place.is_dir()


def imports(source: str, module: str, is_package: bool) -> Iterator[tuple[str, int]]:
    """Each module that a source imports, anywhere in it, and the line; `from x import y` is x.y if that is a module."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                full = f"{origin}.{alias.name}"
                yield (full if is_module(full) else origin), node.lineno


def faults(source: str, module: str, is_package: bool = False) -> list[str]:
    """What the imports of one module break, each as a line of text."""
    found = []
    mine = module.partition(".")[0]
    here = floor(module) if module not in EMPTY else 0

    def fault(line: int, target: str, why: str) -> None:
        found.append(f"{module}:{line} imports {target}: {why}")

    for target, line in imports(source, module, is_package):
        theirs = target.partition(".")[0]
        if theirs == mine and target not in EMPTY and floor(target) > here:
            fault(line, target, f"floor {here} does not import from floor {floor(target)}")
        if any({prefix(module), prefix(target)} == pair for pair in STRANGERS):
            fault(line, target, "these two never import each other")
        if target == "interp._tamis" and module != "interp._native":
            fault(line, target, "only interp._native imports the extension")
        if theirs == "numpy" and mine == "interp" and here < 4:
            fault(line, target, "numpy is for floor 4 and up")
        if theirs == "hypothesis" and ".testing" not in module:
            fault(line, target, "hypothesis is for testing alone")
        if mine == "interp" and theirs == "hostabi":
            fault(line, target, "the VM knows nothing of the host")
        if mine == "hostabi" and theirs == "interp":
            if target != "interp" and floor(target) < 6:
                fault(line, target, "the host reaches no deeper than the VM's __init__")
            if here < 7 and module != "hostabi.core.plugin":
                fault(line, target, "below floor 7 only hostabi.core.plugin knows the VM")
        if mine == "hostabi" and here < 7 and theirs in IMPURE:
            fault(line, target, "the core is sans-IO: clock, entropy and files are handed in")
    return found
