"""The workloads of the benchmarks are complete: a source and a module for each, and results that we compute as well."""

from __future__ import annotations

import sys
from pathlib import Path

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
    from benchmarks.programs import PROGRAMS
    from benchmarks.workloads import WORKLOADS

    names = {workload.name for workload in WORKLOADS}
    assert names - set(PROGRAMS) == {path.stem for path in FOLDER.glob("*.wasm")}
    assert names >= set(PROGRAMS) and len(PROGRAMS) >= 4
    assert sum(not workload.apart for workload in WORKLOADS) >= 16


@pytest.mark.parametrize("name", ["quickjs", "brotli", "flate"])
def test_a_program_gives_its_result(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT)])
    from benchmarks.peers import Tamis
    from benchmarks.programs import Missing
    from benchmarks.workloads import BY_NAME

    workload = BY_NAME[name]
    try:
        data = workload.data()
    except Missing as error:
        pytest.skip(str(error))
    assert workload.start(Tamis(), data)(workload.quick) == workload.quick_result


def test_a_program_of_another_content_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT)])
    from benchmarks import programs

    monkeypatch.setattr(programs, "FOLDER", tmp_path)
    flate = programs.PROGRAMS["flate"]
    with pytest.raises(programs.Missing, match="benchmarks fetch"):
        flate.data()
    (tmp_path / f"{flate.sha256}.wasm").write_bytes(b"\0asm\1\0\0\0")
    with pytest.raises(programs.Missing, match="pinned"):
        flate.data()


@pytest.mark.parametrize("at", range(5))
def test_what_is_counted_of_a_request_grows_as_promised(at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT)])
    from benchmarks import growth

    curve = growth.CURVES[at]
    points = growth.measure(curve, 0, 3, lambda label: None).points
    assert len({(point.ticks, point.host_calls) for point in points}) == 1
    copied = [point.bytes_copied for point in points]
    assert all(copied)
    if curve.is_flat:
        assert len(set(copied)) == 1
    else:
        slopes = [(copied[i] - copied[0]) / (points[i].size - points[0].size) for i in (1, 2)]
        assert slopes[0] == pytest.approx(slopes[1], rel=0.05)


@pytest.mark.parametrize("name", SMALL)
def test_a_workload_gives_its_result(name: str) -> None:
    argument, result = SMALL[name]
    valid = interp.validate(interp.decode((FOLDER / f"{name}.wasm").read_bytes()))
    store = interp.Store()
    run = interp.instantiate(store, valid, []).exports["run"]
    assert interp.invoke_bits(store, run, [argument]) == [result]
