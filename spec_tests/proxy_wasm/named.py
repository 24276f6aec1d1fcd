"""Tests by name, as maps of this folder write them: whether there is one."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent


def exists(test: str) -> bool:
    """Whether `file::name` is a test of this folder.

    In a Python file, `*` stands for all of its tests; in a file of transcripts, the name is that of a case; a scenario
    file is written without a name, or with that of a case.
    """
    file, _, name = test.partition("::")
    path = FOLDER / file
    if not path.is_file():
        return False
    if path.suffix == ".py":
        return bool(_functions(path)) if name == "*" else name in _functions(path)
    lines = path.read_text().splitlines()
    if path.suffix == ".txt":
        return f"= {name}" in lines
    return not name or any(name in line for line in lines if "name:" in line)


@cache
def _functions(path: Path) -> frozenset[str]:
    found = [node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
    return frozenset(name for name in found if name.startswith("test_"))
