"""An import goes downward only, and the C extension has one door."""

from __future__ import annotations

import pytest

from spec_tests.promises.floors import FLOORS, ROOT, faults, imports, is_module, name_of


@pytest.mark.parametrize("package", ["interp", "hostabi"])
def test_no_import_climbs(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    found = [
        fault for path in files for fault in faults(path.read_text(), name_of(path), is_package=path.stem == "__init__")
    ]
    assert files
    assert found == []


def test_every_floor_is_inhabited() -> None:
    assert [name for name in FLOORS if not is_module(name) and not name.endswith("__main__")] == []


def test_native_reads_nothing_above_floor_0() -> None:
    for path in (ROOT / "native").rglob("*.py"):
        ours = {name for name, _ in imports(path.read_text(), name_of(path), False) if name.split(".")[0] == "interp"}
        assert {name for name in ours if FLOORS.get(name, 0) > 0} == set(), path


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("interp.binary.decode", "from interp.runtime import store"),
        ("interp.binary.decode", "from ..text import lexer"),
        ("interp.syntax.types", "from .module import Module"),
        ("interp.runtime.memory", "import interp"),
        ("interp.runtime.memory", "def f():\n    from interp import _tamis"),
        ("interp.valid.rules", "import numpy as np"),
        ("interp.exec.reference", "import hypothesis"),
        ("interp.runtime.store", "import hostabi"),
        ("hostabi.core.plugin", "from interp.runtime import store"),
        ("hostabi.core.chain", "import interp"),
        ("hostabi.core.buffers", "from .state import x"),
        ("hostabi.hostcalls.timers", "import time"),
        ("hostabi.cli.run", "import interp.binary.decode"),
    ],
)
def test_a_climbing_import_is_found(module: str, source: str) -> None:
    assert len(faults(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("interp._native", "from interp import _tamis"),
        ("interp.runtime.store", "from ..syntax.module import Module\nimport numpy"),
        ("interp.exec.native", "from .. import _native"),
        ("hostabi.core.plugin", "import interp\nfrom interp import decode"),
        ("hostabi.cli.run", "import time\nimport interp\nfrom hostabi import Host"),
    ],
)
def test_an_import_downward_is_fine(module: str, source: str) -> None:
    assert faults(source, module) == []
