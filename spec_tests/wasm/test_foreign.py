"""Programs that `wasm-tools smith` made, on our engines against each other, and against wasmtime as a third opinion.

What our engines see of them is compared exit by exit, however fuel is fed (interp/testing/parity.py). With wasmtime
results, traps, memories and globals are: ticks, backtraces and limits are ours alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from interp.exec import steps
from interp.exec.engines import available, choose
from interp.syntax.features import WASM_2, Feature
from interp.testing.foreign import Wasmtime, bounded_program, foreign_program, ours, same, write_imports
from interp.testing.parity import DRIVEN, MACHINES, REFERENCE, difference, observe
from interp.testing.wasm_tools import WasmTools

#: What every engine runs.
FEATURES = frozenset.intersection(*(choose(name).features for name in available()))
#: wasmtime's Python shows no shared memory.
ASKED = FEATURES - {Feature.THREADS}

both = pytest.mark.skipif("native" not in available(), reason="this installation has no native engine")


@pytest.fixture(scope="session")
def imports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("smith") / "imports.wasm"
    write_imports(path)
    return path


@pytest.fixture(scope="session")
def wasmtime() -> Wasmtime:
    pytest.importorskip("wasmtime", reason="wasmtime is not installed, or has no wheel for this machine")
    return Wasmtime(ASKED)


def check(tools: WasmTools, imports: Path, seeds: range, machines: Any) -> None:
    programs = 0
    for seed in seeds:
        case = foreign_program(tools, seed, FEATURES if seed % 2 else WASM_2, imports)
        if case is not None:
            programs += 1
            found = difference(case, machines)
            assert not found, f"program {seed}: {found}"
    assert programs > len(seeds) // 2


@both
@pytest.mark.parametrize("batch", range(4))
def test_programs_of_smith(tools: WasmTools, imports: Path, batch: int) -> None:
    check(tools, imports, range(15 * batch, 15 * batch + 15), MACHINES)


@pytest.mark.parametrize("batch", range(2))
def test_programs_of_smith_as_python(tools: WasmTools, imports: Path, batch: int) -> None:
    check(tools, imports, range(500 + 20 * batch, 520 + 20 * batch), (REFERENCE, *DRIVEN))


@both
@pytest.mark.long
@pytest.mark.parametrize("batch", range(40))
def test_many_programs_of_smith(tools: WasmTools, imports: Path, batch: int) -> None:
    check(tools, imports, range(1000 + 75 * batch, 1075 + 75 * batch), (*MACHINES, *DRIVEN))


# -- a third opinion ------------------------------------------------------------------------------------------------


def ask(tools: WasmTools, wasmtime: Wasmtime, seeds: range, engines: tuple[str, ...]) -> None:
    for seed in seeds:
        data = bounded_program(tools, seed, ASKED if seed % 2 else WASM_2)
        if data is not None:
            theirs = wasmtime.seen(data, seed)
            for engine in engines:
                found = same(ours(data, seed, engine, ASKED), theirs)
                assert not found, f"program {seed} on {engine}: {found}"


@pytest.mark.parametrize("batch", range(4))
def test_wasmtime_sees_the_same(tools: WasmTools, wasmtime: Wasmtime, batch: int) -> None:
    ask(tools, wasmtime, range(30 * batch, 30 * batch + 30), tuple(available()))


@pytest.mark.long
@pytest.mark.parametrize("batch", range(40))
def test_wasmtime_sees_the_same_of_many(tools: WasmTools, wasmtime: Wasmtime, batch: int) -> None:
    ask(tools, wasmtime, range(1000 + 100 * batch, 1100 + 100 * batch), tuple(available()))


# -- what the tests above rest on -----------------------------------------------------------------------------------


def test_programs_end_in_every_way(tools: WasmTools, imports: Path) -> None:
    ways = set()
    for seed in range(60):
        case = foreign_program(tools, seed, FEATURES if seed % 2 else WASM_2, imports)
        if case is not None:
            ways |= {item[0] for item in observe(case, REFERENCE)}
    assert ways >= {"returned", "trap", "fuel", "host", "called back", "threw", "error"}, ways


def test_a_wrong_meaning_is_found(tools: WasmTools, wasmtime: Wasmtime, monkeypatch: pytest.MonkeyPatch) -> None:
    handler, meaning = steps.STEPS["i32.xor"]
    assert meaning is not None
    monkeypatch.setitem(steps.STEPS, "i32.xor", (handler, lambda a, b: meaning(a, b) ^ 1))
    found = []
    for seed in range(60):
        data = bounded_program(tools, seed, ASKED if seed % 2 else WASM_2)
        if data is not None:
            found.append(same(ours(data, seed, "reference", ASKED), wasmtime.seen(data, seed)))
    assert sum(map(bool, found)) > 3
