"""What a host call can answer, and what decides it: read from the code that the call can reach.

Followed are functions of hostabi by their names, methods and properties of the host's state where `vm.`, `vm.shared.`
or `self.` says whose they are, and those whose name only one class of the state has. Registries that hold functions
(FOREIGN) are followed into what they hold, and private fields into what is assigned to them. Nothing is run.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

from hostabi.abi.enums import AbiVersion, Status
from hostabi.abi.hostcall import HostCall, Wire
from hostabi.core import buffers, context, shared, state
from hostabi.core.policy import Limits, Profile

_MEMORY = frozenset(Wire) - {Wire.U32, Wire.I32, Wire.U64, Wire.I64, Wire.ENUM}
_SWITCHES = frozenset(f.name for f in fields(Profile)) - {"name"}
_LIMITS = frozenset(f.name for f in fields(Limits))
_STATE = (buffers, context, shared, state)
_OWNERS = {"vm": "VmState", "vm.shared": "Shared"}
_COMMON = frozenset(name for kind in (dict, list, bytes, str, set, deque) for name in dir(kind)) | set(dir(builtins))

Place = tuple[str, str]
"""A module and a qualified name in it."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Statuses beside OK, switches of the profile, limits and ABI versions that the code of a call asks for."""

    statuses: frozenset[Status]
    switches: frozenset[str]
    limits: frozenset[str]
    versions: frozenset[AbiVersion]
    lines: frozenset[tuple[str, int]]
    """Where the statuses stand, as (module, line)."""


def answers(call: HostCall) -> Answers:
    """Everything that the operation of a call, and the reading and writing of memory around it, can depend on."""
    statuses: set[Status] = set()
    switches: set[str] = set()
    limits: set[str] = set()
    versions: set[AbiVersion] = set()
    lines: set[tuple[str, int]] = set()
    for module, node in _reached((call.function.__module__, call.function.__qualname__)):
        if not isinstance(node, ast.Attribute):
            continue
        whose = ast.unparse(node.value)
        if whose == "Status":
            statuses.add(Status[node.attr])
            lines.add((module, node.lineno))
        elif whose == "AbiVersion":
            versions.add(AbiVersion[node.attr])
        elif node.attr in _SWITCHES:
            switches.add(node.attr)
        elif node.attr in _LIMITS and whose.endswith("limits"):
            limits.add(node.attr)
    # What marshalling adds (HostCall.invoke).
    wires = {*(p.wire for p in call.params), *call.outs}
    if Wire.ENUM in wires:
        statuses.add(Status.BAD_ARGUMENT)
    if wires & _MEMORY:
        statuses.add(Status.INVALID_MEMORY_ACCESS)
    if Wire.PAIRS in wires:
        statuses.add(Status.PARSE_FAILURE)
        switches.add("malformed_map_is_empty")
        limits.add("pairs")
    return Answers(
        frozenset(statuses - {Status.OK}), frozenset(switches), frozenset(limits), frozenset(versions), frozenset(lines)
    )


def _reached(start: Place) -> Iterator[tuple[str, ast.AST]]:
    """Every node of the code that can run from here, with its module."""
    seen = {start}
    todo = [start]
    while todo:
        place = todo.pop()
        module, _ = place
        for statement in _body(place):
            for node in ast.walk(statement):
                yield module, node
                new = [p for p in _leads_to(place, node) if p not in seen]
                seen.update(new)
                todo += new


def _body(place: Place) -> list[ast.AST]:
    node = _definitions(place[0])[place[1]]
    return [*node.body] if isinstance(node, ast.FunctionDef | ast.Module) else [node]


def _leads_to(place: Place, node: ast.AST) -> list[Place]:
    module, name = place
    if isinstance(node, ast.Name):
        found = _resolve(module, node.id)
        return [*([found] if found else ()), *_held(module, node.id)]
    if not isinstance(node, ast.Attribute):
        return []
    whose = ast.unparse(node.value)
    methods = _methods()
    owner = name.rpartition(".")[0] if whose == "self" else _OWNERS.get(whose, "")
    if whose == "self" and node.attr.startswith("_") and f"{owner}.{node.attr}" in _definitions(module):
        return [(module, f"{owner}.{node.attr}")]
    if owner:
        return [p for p in methods.get(node.attr, ()) if p[1] == f"{owner}.{node.attr}"]
    only = methods.get(node.attr, [])
    return only if len(only) == 1 and node.attr not in _COMMON else []


def _resolve(module: str, name: str) -> Place | None:
    """Where a name of a module is defined, if that is a function or a value of hostabi."""
    if name in _definitions(module):
        return module, name
    source = _imports(module).get(name)
    return _resolve(*source) if source else None


def _held(module: str, name: str) -> list[Place]:
    value = vars(sys.modules[module]).get(name)
    if not isinstance(value, dict):
        return []
    places = [(f.__module__, f.__qualname__) for f in value.values() if hasattr(f, "__qualname__")]
    return [p for p in places if p[0].startswith("hostabi.") and p[1] in _definitions(p[0])]


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(Path(str(sys.modules[module].__file__)).read_text())


@cache
def _definitions(module: str) -> dict[str, ast.AST]:
    """Functions, methods and assigned values of a module by qualified name; of fields, all that is assigned."""
    found: dict[str, ast.AST] = {}
    for node in _tree(module).body:
        match node:
            case ast.FunctionDef(name=name):
                found[name] = node
            case ast.ClassDef(name=name, body=body):
                found |= {f"{name}.{attr}": values for attr, values in _fields(node).items()}
                found |= {f"{name}.{part.name}": part for part in body if isinstance(part, ast.FunctionDef)}
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                found[name] = node
    return found


def _fields(owner: ast.ClassDef) -> dict[str, ast.Module]:
    """What the methods of a class assign to its private fields."""
    found: dict[str, ast.Module] = {}
    for node in ast.walk(owner):
        match node:
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=attr)], value=value):
                if attr.startswith("_"):
                    found.setdefault(attr, ast.Module([], [])).body.append(ast.Expr(value))
    return found


@cache
def _imports(module: str) -> dict[str, Place]:
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in _tree(module).body
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("hostabi.")
        for alias in node.names
    }


@cache
def _methods() -> dict[str, list[Place]]:
    """Methods and properties of the host's state, by bare name."""
    found: dict[str, list[Place]] = {}
    for module in _STATE:
        for name, node in _definitions(module.__name__).items():
            if "." in name and isinstance(node, ast.FunctionDef):
                found.setdefault(name.rpartition(".")[2], []).append((module.__name__, name))
    return found
