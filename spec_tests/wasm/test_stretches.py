"""Bulk instructions that take long are done in stretches: signals and deadlines come between, and nothing else shows.

The stretches are made short here. What is asked is where a run stood when it was ended, not how long that took.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from random import Random

import pytest

from interp.api import Store
from interp.exec.driver import instantiate, invoke_bits
from interp.exec.engines import available
from interp.runtime import bulk
from interp.runtime.engine import Paused, Returned
from interp.runtime.instance import ModuleInst
from interp.runtime.store import FuncInst
from interp.syntax.errors import Interrupted, Trap
from interp.testing.generator import program
from interp.testing.parity import DRIVEN, MACHINES, REFERENCE, difference, observe
from interp.text.parser import parse
from interp.valid.module import validate

STRETCH = 4096
WHOLE = 10 * STRETCH + 5
TEXT = f"""(module (memory 2 4) (memory $wide i64 2) (table 1000 externref) (table $other 1000 funcref)
 (data $d "{"x" * WHOLE}") (elem $e funcref {"(ref.func 0)" * 900})
 (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
 (func (export "fill in a loop") (param i32 i32 i32)
   (loop (memory.fill (local.get 0) (local.get 1) (local.get 2)) (br_if 0 (i32.const 0))))
 (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
 (func (export "fill wide") (param i64 i32 i64) (memory.fill $wide (local.get 0) (local.get 1) (local.get 2)))
 (func (export "copy over") (param i32 i64 i32)
   (memory.copy 0 $wide (local.get 0) (local.get 1) (local.get 2)))
 (func (export "init") (param i32 i32 i32) (memory.init $d (local.get 0) (local.get 1) (local.get 2)))
 (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
 (func (export "table fill") (param i32 externref i32) (table.fill (local.get 0) (local.get 1) (local.get 2)))
 (func (export "table copy") (param i32 i32 i32) (table.copy (local.get 0) (local.get 1) (local.get 2)))
 (func (export "table init") (param i32 i32 i32)
   (table.init $other $e (local.get 0) (local.get 1) (local.get 2))))"""


@pytest.fixture(autouse=True)
def short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "STRETCH", STRETCH)


def made(engine: str, memory: str = "reserved") -> tuple[Store, ModuleInst]:
    store = Store(engine)
    store.memory_mode = memory
    store.externs += ["a", "b", "c"]
    return store, instantiate(store, validate(parse(TEXT)))


def function(inst: ModuleInst, name: str) -> FuncInst:
    func = inst.exports[name]
    assert isinstance(func, FuncInst)
    return func


def run(engine: str, name: str, *args: int) -> tuple[Store, ModuleInst]:
    store, inst = made(engine)
    invoke_bits(store, function(inst, name), args)
    return store, inst


# -- interruption ---------------------------------------------------------------------------------------------------

#: Function, arguments, ticks, and how many bytes or references it is about.
LONG = {
    "fill": ((1, 7, WHOLE), 12, WHOLE),
    "fill in a loop": ((1, 7, WHOLE), 12, WHOLE),
    "fill wide": ((1, 7, WHOLE), 12, WHOLE),
    "init": ((1, 0, WHOLE), 12, WHOLE),
    "table fill": ((3, 2, 990), 3, 990),
    "table init": ((3, 0, 880), 3, 880),
}


def done(inst: ModuleInst, name: str) -> list[int]:
    """Which bytes or references of the whole were written."""
    (start, _, n), _, _ = LONG[name]
    if name.startswith("table"):
        cells = inst.tables[name == "table init"].cells
        return [i for i in range(n) if cells[start + i]]
    view = inst.mems[name == "fill wide"].view
    return [i for i in range(n) if view[start + i]]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A clock that goes on by one when it is looked at: a deadline is a number of looks."""
    looks = iter(range(10**9))
    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: next(looks))
        yield


@pytest.mark.parametrize("name", LONG)
def test_a_deadline_ends_it_between_two_stretches(engine: str, name: str, clock: None) -> None:
    args, ticks, whole = LONG[name]
    step = STRETCH // 8 if name.startswith("table") else STRETCH
    ends = set()
    for looks in range(20):
        store, inst = made(engine)
        store.deadline = time.monotonic() + 1 + looks
        try:
            invoke_bits(store, function(inst, name), args)
        except Interrupted as error:
            assert error.backtrace[0].func_index == function(inst, name).index
            assert store.ticks in (0, 1, ticks)
        else:
            assert store.ticks == ticks
        written = done(inst, name)
        assert written == list(range(len(written))), "from the low addresses on"
        assert len(written) % step == 0 or len(written) == whole
        ends.add(len(written))
        store.deadline = None
        assert (store.activations, store.depth, store.cells) == (0, 0, 0)
        invoke_bits(store, function(inst, name), args)
        assert len(done(inst, name)) == whole
    assert ends >= set(range(step, whole, step)) | {whole}


@pytest.mark.parametrize("name", ["fill", "table fill"])
def test_a_trap_comes_before_anything_is_written(engine: str, name: str) -> None:
    store, inst = made(engine)
    start = 131072 - WHOLE + 1 if name == "fill" else 1000 - 989
    with pytest.raises(Trap):
        invoke_bits(store, function(inst, name), (start, 1, LONG[name][2]))
    assert not any(inst.mems[0].view) and not any(inst.tables[0].cells)


# -- what does not show ---------------------------------------------------------------------------------------------


def test_copies_that_overlap(engine: str) -> None:
    rng = Random(4)
    store, inst = made(engine)
    view = inst.mems[0].view
    cells = inst.tables[0].cells
    for _ in range(25):
        n = rng.choice((STRETCH - 1, STRETCH, STRETCH + 1, 3 * STRETCH, WHOLE))
        d, s = (rng.randrange(131072 - n) if rng.random() < 0.5 else 20_000 + rng.randrange(9_000) for _ in range(2))
        view[:] = bytes(wanted := bytearray(rng.randbytes(131072)))
        wanted[d : d + n] = wanted[s : s + n]
        invoke_bits(store, function(inst, "copy"), (d, s, n))
        assert bytes(view) == wanted
        n = rng.choice((STRETCH // 8 - 1, STRETCH // 8 + 1, 800))
        d, s = (rng.randrange(1000 - n) for _ in range(2))
        references = [rng.randrange(4) for _ in range(1000)]
        for i, ref in enumerate(references):
            cells[i] = ref
        references[d : d + n] = references[s : s + n]
        invoke_bits(store, function(inst, "table copy"), (d, s, n))
        assert list(cells) == references


def test_a_copy_between_memories(engine: str) -> None:
    store, inst = made(engine)
    inst.mems[1].view[:] = Random(5).randbytes(131072)
    invoke_bits(store, function(inst, "copy over"), (9, 100, WHOLE))
    assert inst.mems[0].view[9 : 9 + WHOLE] == inst.mems[1].view[100 : 100 + WHOLE]


@pytest.mark.resumable
@pytest.mark.parametrize("memory", ["reserved", "moving"])
@pytest.mark.parametrize("name", LONG)
def test_others_may_run_in_between(engine: str, memory: str, name: str) -> None:
    """Another activation grows the memory, which then lies elsewhere, and does a bulk instruction of its own."""
    args, ticks, whole = LONG[name]
    store, inst = made(engine, memory)
    thread = store.engine.start(store, function(inst, name), args)
    store.enter()
    exit, between = thread.run(), 0
    while isinstance(exit, Paused):
        assert [frame.func_index for frame in thread.backtrace()] in ([], [function(inst, name).index])
        depth, cells, used = store.depth, store.cells, store.ticks
        invoke_bits(store, function(inst, "grow"), [1 if between < 2 else 0])
        invoke_bits(store, function(inst, "copy"), (80_000, 90_000, 2 * STRETCH + 1))
        store.ticks = used
        assert (store.depth, store.cells) == (depth, cells)
        between += 1
        exit = thread.run()
    store.leave()
    assert isinstance(exit, Returned) and store.ticks == ticks
    assert between >= whole * (8 if name.startswith("table") else 1) // STRETCH
    assert len(done(inst, name)) == whole


def test_programs_see_no_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random programs with stretches of a few bytes on every machine, and on one with the usual ones."""
    machines = (*MACHINES, *DRIVEN) if "native" in available() else (REFERENCE, *DRIVEN)
    for seed in range(300, 340):
        monkeypatch.setattr(bulk, "STRETCH", 1 << 24)
        usual = observe(program(seed), REFERENCE)
        monkeypatch.setattr(bulk, "STRETCH", 16)
        found = difference(program(seed), machines)
        assert not found, f"program {seed}: {found}"
        assert observe(program(seed), REFERENCE) == usual
