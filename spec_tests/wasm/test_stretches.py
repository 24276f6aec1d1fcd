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
from interp.runtime.layout import Layout
from interp.runtime.objects import Object
from interp.runtime.store import FuncInst
from interp.syntax.errors import Interrupted, Trap
from interp.testing.generator import program
from interp.testing.parity import DRIVEN, MACHINES, REFERENCE, difference, observe
from interp.text.parser import parse
from interp.valid.module import validate

STRETCH = 4096
WHOLE = 10 * STRETCH + 5
#: Arrays stand in globals; `drop` lets them go.
ARRAYS = f"""
 (type $bytes (array (mut i8))) (type $wide (array (mut v128))) (type $refs (array (mut externref)))
 (type $funcs (array (mut funcref)))
 (global $bytes (mut (ref null $bytes)) (array.new $bytes (i32.const 0) (i32.const {WHOLE + 9})))
 (global $wide (mut (ref null $wide)) (array.new_default $wide (i32.const 2600)))
 (global $refs (mut (ref null $refs)) (array.new_default $refs (i32.const 1000)))
 (global $funcs (mut (ref null $funcs)) (array.new_default $funcs (i32.const 1000)))
 (func (export "array fill") (param i32 i32 i32)
   (array.fill $bytes (global.get $bytes) (local.get 0) (local.get 1) (local.get 2)))
 (func (export "array fill wide") (param i32 i32 i32)
   (array.fill $wide (global.get $wide) (local.get 0) (i8x16.splat (local.get 1)) (local.get 2)))
 (func (export "array fill references") (param i32 externref i32)
   (array.fill $refs (global.get $refs) (local.get 0) (local.get 1) (local.get 2)))
 (func (export "array init") (param i32 i32 i32)
   (array.init_data $bytes $d (global.get $bytes) (local.get 0) (local.get 1) (local.get 2)))
 (func (export "array init references") (param i32 i32 i32)
   (array.init_elem $funcs $e (global.get $funcs) (local.get 0) (local.get 1) (local.get 2)))
 (func (export "array copy") (param i32 i32 i32)
   (array.copy $bytes $bytes (global.get $bytes) (local.get 0) (global.get $bytes) (local.get 1) (local.get 2)))
 (func (export "drop")
   (global.set $bytes (ref.null $bytes)) (global.set $wide (ref.null $wide)) (global.set $refs (ref.null $refs))
   (global.set $funcs (ref.null $funcs)) (elem.drop $e) (data.drop $d))"""
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
   (table.init $other $e (local.get 0) (local.get 1) (local.get 2)))
 {ARRAYS})"""


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


def cell(inst: ModuleInst, name: str) -> int:
    """The reference to an array."""
    return inst.globals[("bytes", "wide", "refs", "funcs").index(name)].bits


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
    "array fill": ((1, 7, WHOLE), 12, WHOLE),
    "array fill wide": ((1, 7, 2_590), 12, 2_590),
    "array fill references": ((3, 2, 990), 3, 990),
    "array init": ((1, 0, WHOLE), 12, WHOLE),
    "array init references": ((3, 0, 880), 3, 880),
}
#: In which array, and how wide its elements are.
IN_ARRAYS = {
    "array fill": ("bytes", 1), "array fill wide": ("wide", 16), "array fill references": ("refs", 8),
    "array init": ("bytes", 1), "array init references": ("funcs", 8),
}  # fmt: skip


def width(name: str) -> int:
    """How many bytes there are to an item of what a function writes."""
    return IN_ARRAYS[name][1] if name in IN_ARRAYS else 8 if name.startswith("table") else 1


def done(inst: ModuleInst, name: str) -> list[int]:
    """Which items of the whole were written."""
    (start, _, n), _, _ = LONG[name]
    if name in IN_ARRAYS:
        array = inst.store.heap.find(cell(inst, IN_ARRAYS[name][0]))
        assert isinstance(array, Object)
        return [i for i in range(n) if array.cells[start + i]]
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
    step = STRETCH // width(name)
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


@pytest.mark.parametrize(("name", "room"), [("fill", 131072), ("table fill", 1000), ("array fill", WHOLE + 9)])
def test_a_trap_comes_before_anything_is_written(engine: str, name: str, room: int) -> None:
    store, inst = made(engine)
    n = LONG[name][2]
    with pytest.raises(Trap):
        invoke_bits(store, function(inst, name), (room - n + 1, 1, n))
    assert not any(inst.mems[0].view) and not any(inst.tables[0].cells)
    assert not done(inst, "array fill")


# -- what does not show ---------------------------------------------------------------------------------------------


def test_copies_that_overlap(engine: str) -> None:
    rng = Random(4)
    store, inst = made(engine)
    view = inst.mems[0].view
    cells = inst.tables[0].cells
    bits = cell(inst, "bytes")
    layout = store.heap.kind(bits)
    assert isinstance(layout, Layout)
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
        store.heap.objects.put(bits, 0, layout.from_bytes(wanted := bytearray(rng.randbytes(WHOLE + 9))))
        n = rng.choice((STRETCH - 1, STRETCH, STRETCH + 1, 3 * STRETCH))
        d, s = (rng.randrange(WHOLE + 9 - n) for _ in range(2))
        wanted[d : d + n] = wanted[s : s + n]
        invoke_bits(store, function(inst, "array copy"), (d, s, n))
        assert bytes(store.heap.objects.part(bits, 0, WHOLE + 9)) == wanted


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
    assert between >= whole * width(name) // STRETCH
    assert len(done(inst, name)) == whole


@pytest.mark.resumable
@pytest.mark.parametrize("name", IN_ARRAYS)
def test_arrays_live_until_it_is_over(engine: str, name: str) -> None:
    """Another activation lets go of all arrays and segments, and garbage is collected."""
    args, ticks, whole = LONG[name]
    store, inst = made(engine)
    ref = cell(inst, IN_ARRAYS[name][0])
    thread = store.engine.start(store, function(inst, name), args)
    store.enter()
    exit, between = thread.run(), 0
    while isinstance(exit, Paused):
        used = store.ticks
        invoke_bits(store, function(inst, "drop"), [])
        store.heap.collect()
        store.ticks = used
        if between:  # the first pause comes before the first stretch
            assert store.heap.find(ref) is not None
        between += 1
        exit = thread.run()
    store.leave()
    assert isinstance(exit, Returned) and store.ticks == ticks
    assert between >= whole * width(name) // STRETCH
    store.heap.collect()
    assert store.heap.find(ref) is None


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
