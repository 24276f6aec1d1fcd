"""Cut and changed modules of other people's compilers: a clear error or a valid module, never anything else."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from interp import _native
from interp.binary.decode import decode
from interp.syntax.errors import MalformedError, WasmError
from interp.valid.module import validate

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("examples", "benchmarks/kernels", "spec_tests/cli")
MODULES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.wasm"))
SMALL = [path for path in MODULES if path.stat().st_size <= 3_500]
UNDER_64K = [path for path in MODULES if path.stat().st_size < 1 << 16]


def name(path: Path) -> str:
    return path.stem


def plugin() -> Path:
    """The largest filter of the plugin package, 9.7 MB of Go."""
    package = pytest.importorskip("gpustack_higress_plugins")
    return max(Path(package.__file__).parent.rglob("*.wasm"), key=lambda path: path.stat().st_size)


def check_cut(data: bytes, end: int) -> None:
    """What a cut leaves is no module, but for a cut between two sections that promises nothing."""
    try:
        module = decode(data[:end])
        validate(module)
    except WasmError as error:
        assert error.where is not None and str(error)
        if isinstance(error, MalformedError):
            assert (error.where.offset or 0) <= end
    else:
        assert end == module.sections[-1][1] + module.sections[-1][2] if module.sections else end == 8


@pytest.mark.parametrize("path", SMALL, ids=name)
def test_small_modules_cut_at_every_byte(path: Path) -> None:
    data = path.read_bytes()
    for end in range(len(data)):
        check_cut(data, end)


@pytest.mark.parametrize("path", [path for path in UNDER_64K if path not in SMALL], ids=name)
def test_modules_cut_here_and_there(path: Path) -> None:
    data = path.read_bytes()
    for end in sorted(random.Random(1).sample(range(len(data)), 400)):
        check_cut(data, end)


@pytest.mark.long
@pytest.mark.parametrize("path", [path for path in UNDER_64K if path not in SMALL], ids=name)
def test_modules_cut_at_every_byte(path: Path) -> None:
    data = path.read_bytes()
    for end in range(len(data)):
        check_cut(data, end)


@pytest.mark.parametrize("cuts", [60, pytest.param(2000, marks=pytest.mark.long)])
def test_a_large_filter_cut(cuts: int) -> None:
    data = plugin().read_bytes()
    for end in sorted(random.Random(2).sample(range(len(data)), cuts)):
        check_cut(data, end)


@pytest.mark.parametrize("path", SMALL, ids=name)
def test_changed_bytes(path: Path) -> None:
    dice = random.Random(3)
    data = path.read_bytes()
    for _ in range(120):
        changed = bytearray(data)
        for _ in range(dice.choice((1, 1, 2, 8))):
            changed[dice.randrange(8, len(data))] = dice.randrange(256)
        verdicts = []
        for bodies in ("python", "native") if _native.lib is not None else ("python",):
            try:
                module = decode(bytes(changed))
                valid = validate(module, bodies=bodies)  # type: ignore[arg-type]
                verdicts.append(("valid", list(valid.frame_cells)))
            except WasmError as error:
                verdicts.append((str(error), []))
        assert verdicts.count(verdicts[0]) == len(verdicts), bytes(changed).hex()
