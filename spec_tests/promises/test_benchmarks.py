"""The workloads of the benchmarks are complete: a source and a module for each, and results that we compute as well."""

from __future__ import annotations

import sys

import pytest

import interp
from spec_tests.promises.floors import ROOT

FOLDER = ROOT / "benchmarks" / "kernels"
#: Short enough for every run, on every engine.
SMALL = {"fib": (10, 55), "collatz": (100, 0x07600061), "mandelbrot": (8, 0x0F06187D), "bytecode": (100, 25)}


def test_every_module_has_its_source() -> None:
    modules = {path.stem for path in FOLDER.glob("*.wasm")}
    sources = {path.stem for path in FOLDER.iterdir() if path.suffix in (".c", ".wat")}
    assert modules == sources
    assert len(modules) >= 8


def test_every_workload_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT)])
    from benchmarks.workloads import WORKLOADS

    assert {workload.path for workload in WORKLOADS} == set(FOLDER.glob("*.wasm"))
    assert sum(not workload.apart for workload in WORKLOADS) >= 12


@pytest.mark.parametrize("name", SMALL)
def test_a_workload_gives_its_result(name: str) -> None:
    argument, result = SMALL[name]
    valid = interp.validate(interp.decode((FOLDER / f"{name}.wasm").read_bytes()))
    store = interp.Store()
    run = interp.instantiate(store, valid, []).exports["run"]
    assert interp.invoke_bits(store, run, [argument]) == [result]
