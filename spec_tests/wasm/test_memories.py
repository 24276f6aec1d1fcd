"""Memories and tables: bytes shared with the host, stale views, named limits, in both memory modes."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

import interp
from spec_tests.wasm.programs import make


@pytest.fixture(params=["reserved", "moving"])
def mode(request, monkeypatch):
    monkeypatch.setenv("TAMIS_MEMORY", request.param)
    return request.param


MEMORY = """(module (memory (export "mem") 1 5)
  (func (export "get") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"""


def test_host_and_guest_share_the_bytes(engine, mode):
    inst = make(MEMORY, engine)
    memory = inst.raw.mems[0]
    memory.write(10, b"abc")
    assert inst.exports.get(11) == ord("b")
    memory.array[20:22] = [1, 2]
    assert memory.view[21] == 2
    assert memory.read(20, 2) == b"\1\2"
    assert inst.exports.grow(1) == 1
    assert len(memory.array) == len(memory.view) == memory.length == 131072
    assert memory.read(10, 3) == b"abc"
    memory.array[131071] = 9
    assert inst.exports.get(131071) == 9


def test_a_stale_view_never_crashes(engine, mode):
    inst = make(MEMORY, engine)
    array, view = inst.raw.mems[0].array, inst.raw.mems[0].view
    array[0] = 1
    for _ in range(4):
        inst.exports.grow(1)
        array[65535] = 2
        assert view[65535] == 2
    del inst
    gc.collect()
    array[5] = 6
    assert (view[0], view[5], len(view)) == (1, 6, 65536)


def test_reading_and_writing_outside_traps_and_writes_nothing(mode):
    memory = make(MEMORY, "reference").raw.mems[0]
    for address, n in [(65535, 2), (65536, 1), (-1, 1), (1 << 40, 1)]:
        with pytest.raises(interp.Trap, match="out of bounds memory access"):
            memory.read(address, n)
        with pytest.raises(interp.Trap, match="out of bounds memory access"):
            memory.write(address, b"x" * n)
    assert memory.array[65535] == 0
    assert memory.read(65536, 0) == b""
    for n in (1, 2, 4, 8, 16):
        memory.store_bits(100, n, (1 << 8 * n) - 2)
        assert memory.load(100, n) == (1 << 8 * n) - 2
        with pytest.raises(interp.Trap):
            memory.load(65537 - n, n)
        with pytest.raises(interp.Trap):
            memory.store_bits(65537 - n, n, 0)


def test_named_limits_of_memories(engine, mode):
    inst = make(MEMORY, engine, interp.VmLimits(memory_pages=3))
    assert inst.exports.grow(3) == -1
    assert inst.exports.grow(2) == 1
    inst = make(MEMORY, engine, interp.VmLimits(store_bytes=3 * 65536))
    assert inst.exports.grow(3) == -1
    assert inst.exports.grow(2) == 1
    assert inst.exports.grow(1) == -1
    with pytest.raises(interp.LimitError, match="memory_pages"):
        make(MEMORY, engine, interp.VmLimits(memory_pages=0))
    with pytest.raises(interp.LimitError, match="store_bytes"):
        make(MEMORY, engine, interp.VmLimits(store_bytes=1000))


SCARCE = """
import resource, sys
import interp

pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + (600 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
inst = interp.load('(module (memory (export "m") 1 65536)'
    ' (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))'
    ' (func (export "get") (param i32) (result i32) (i32.load8_u (local.get 0))))', engine=sys.argv[1])
memory = inst.raw.mems[0]
assert memory.reserved is False
memory.array[5] = 7
assert inst.exports.grow(1000) == 1
try:
    print(inst.exports.grow(50000))
except interp.ResourceError as error:
    assert "machine" in str(error)
assert (memory.pages, inst.exports.get(5), inst.store.bytes) == (1001, 7, 1001 * 65536)
print("ended well")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space as Linux does")
def test_a_machine_without_memory_ends_the_run_and_is_no_minus_one(engine):
    """Where address space is scarce a memory is moving, and growing past the machine raises ResourceError."""
    done = subprocess.run([sys.executable, "-c", SCARCE, engine], capture_output=True, text=True, timeout=60)
    assert done.stdout == "ended well\n", done.stdout + done.stderr


def test_named_limits_of_tables(engine):
    text = """(module (table 2 funcref)
      (func (export "grow") (param i32) (result i32) (table.grow (ref.null func) (local.get 0))))"""
    inst = make(text, engine, interp.VmLimits(table_entries=5))
    assert inst.exports.grow(4) == -1
    assert inst.exports.grow(3) == 2
    with pytest.raises(interp.LimitError, match="table_entries"):
        make(text, engine, interp.VmLimits(table_entries=1))


def test_a_table_grown_by_one_again_and_again(engine):
    text = """(module (table $t 0 externref)
      (func (export "push") (param externref) (result i32) (table.grow $t (local.get 0) (i32.const 1)))
      (func (export "at") (param i32) (result externref) (table.get $t (local.get 0))))"""
    inst = make(text, engine)
    for n in range(100):
        assert inst.exports.push(f"object {n}") == n
    assert [inst.exports.at(n) for n in (0, 1, 50, 99)] == ["object 0", "object 1", "object 50", "object 99"]


BYTES = """(module (memory (export "mem") 5 (pagesize 1))
  (func (export "get") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "size") (result i32) (memory.size))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"""


def test_pages_of_a_byte(engine, mode):
    inst = interp.load(BYTES, engine=engine, features="custom-page-sizes")
    memory = inst.raw.mems[0]
    assert (memory.length, memory.pages, memory.page, inst.exports.mem.pages) == (5, 5, 1, 5)
    stale = memory.view
    memory.write(4, b"x")
    with pytest.raises(interp.Trap, match="out of bounds memory access"):
        memory.write(5, b"x")
    for size in range(5, 40):
        assert inst.exports.grow(1) == size
        assert len(memory.array) == len(memory.view) == size + 1
        memory.write(size, bytes((size,)))
    assert [inst.exports.get(i) for i in range(4, 40)] == [ord("x"), *range(5, 40)]
    assert (stale[4], len(stale)) == (ord("x"), 5)
    assert inst.exports.grow(100_000) == 40
    assert (inst.exports.get(39), inst.exports.get(100_039), inst.exports.size()) == (39, 0, 100_040)
    with pytest.raises(interp.Trap, match="out of bounds memory access"):
        inst.exports.get(100_040)


def test_the_limit_on_pages_counts_bytes(engine, mode):
    limits = interp.VmLimits(memory_pages=1)
    inst = interp.load(BYTES, engine=engine, features="custom-page-sizes", limits=limits)
    assert inst.exports.grow(65532) == -1
    assert inst.exports.grow(65531) == 5
    assert inst.exports.grow(1) == -1
    with pytest.raises(interp.LimitError, match="limit memory_pages"):
        interp.load("(module (memory 65537 (pagesize 1)))", features="all", limits=limits, engine=engine)


def test_growing_by_bytes_is_paid_by_started_4_kib_and_moves_seldom(engine, monkeypatch):
    monkeypatch.setenv("TAMIS_MEMORY", "moving")
    inst = interp.load(BYTES, engine=engine, features="custom-page-sizes")
    memory = inst.raw.mems[0]
    before, places = inst.store.ticks, set()
    for _ in range(300):
        inst.exports.grow(1)
        places.add(memory.array.ctypes.data)
    assert inst.store.ticks - before == 600  # one for the call, one for a started 4 KiB
    assert len(places) == 1
