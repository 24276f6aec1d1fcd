"""Objects of the heap: the collector (engine contract 11), its limit, and references in the embedder's hands."""

from __future__ import annotations

import gc

import pytest

import interp
from interp import Feature, HeapRef, Trap, VmLimits, _native
from interp.exec.engines import choose

EVERY = frozenset(Feature)
GUEST = """(module
    (type $list (struct (field $value i32) (field $next (mut (ref null $list)))))
    (type $bytes (array (mut i8)))
    (global $kept (mut (ref null $list)) (ref.null $list))
    (table $t 4 anyref)
    (func $garbage (export "garbage") (param $n i32) (result i32) (local $last (ref null $list))
      (loop $more
        (local.set $last (struct.new $list (local.get $n) (local.get $last)))
        (if (i32.eqz (i32.and (local.get $n) (i32.const 15))) (then (local.set $last (ref.null $list))))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br_if $more (local.get $n)))
      (struct.get $list $value (local.get $last)))
    (func (export "operand") (param i32) (result i32)
      (struct.new $list (i32.const 5) (ref.null $list))
      (drop (call $garbage (local.get 0)))
      (struct.get $list $value))
    (func (export "keep") (param $n i32)
      (loop $more
        (global.set $kept (struct.new $list (local.get $n) (global.get $kept)))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br_if $more (local.get $n))))
    (func (export "sum") (result i32) (local $at (ref null $list)) (local $sum i32)
      (local.set $at (global.get $kept))
      (block $end
        (loop $next
          (br_if $end (ref.is_null (local.get $at)))
          (local.set $sum (i32.add (local.get $sum) (struct.get $list $value (local.get $at))))
          (local.set $at (struct.get $list $next (local.get $at)))
          (br $next)))
      (local.get $sum))
    (func (export "ring") (local $a (ref $list))
      (local.set $a (struct.new $list (i32.const 1) (ref.null $list)))
      (struct.set $list $next (local.get $a) (local.get $a)))
    (func (export "put") (param i32 i32)
      (table.set $t (local.get 0) (struct.new $list (local.get 1) (ref.null $list))))
    (func (export "take") (param i32) (result i32)
      (struct.get $list $value (ref.cast (ref $list) (table.get $t (local.get 0)))))
    (func (export "bytes") (param i32) (result anyref) (array.new_default $bytes (local.get 0)))
    (func (export "length") (param anyref) (result i32) (array.len (ref.cast (ref array) (local.get 0))))
    (func (export "i31") (result anyref) (ref.i31 (i32.const 5)))
    (func $many (export "many") (param $n i32) (result i32)  ;; a live object in each frame
      (local $mine (ref $list))
      (if (i32.eqz (local.get $n)) (then (return (i32.const 0))))
      (local.set $mine (struct.new $list (local.get $n) (ref.null $list)))
      (drop (array.new_default $bytes (i32.const 10000)))
      (i32.add (call $many (i32.sub (local.get $n) (i32.const 1))) (struct.get $list $value (local.get $mine)))))"""


@pytest.fixture(params=("plain", "native"))
def load(engine, request, monkeypatch):
    if Feature.GC not in choose(engine).features:
        pytest.skip(f"the {engine} engine runs no garbage collection")
    if request.param == "native" and _native.lib is None:
        pytest.skip("this installation has no C part")
    if request.param == "plain" and "native objects" in choose(engine).capabilities:
        pytest.skip(f"the {engine} engine has its objects in C")
    monkeypatch.setenv("TAMIS_HEAP", request.param)
    return lambda limits=None: interp.load(GUEST, engine=engine, limits=limits, features=EVERY)


def test_a_small_live_set_runs_in_bounded_memory(load):
    guest = load(VmLimits(heap_bytes=200_000))
    heap, before = guest.store.heap, guest.store.bytes
    assert guest.exports["garbage"](100_000) == 1
    assert heap.collections >= 10 and heap.bytes <= 200_000
    heap.collect()
    assert (len(heap), heap.bytes, guest.store.bytes) == (0, 0, before)


def test_what_is_alive_stays(load):
    guest = load(VmLimits(heap_bytes=200_000))
    guest.exports.keep(1000)
    guest.exports.put(2, 77)
    guest.exports.garbage(50_000)
    assert guest.store.heap.collections > 0
    assert guest.exports.sum() == 500_500
    assert guest.exports.take(2) == 77


def test_locals_of_all_frames_are_roots(load):
    guest = load(VmLimits(heap_bytes=100_000))
    assert guest.exports.many(200) == 20_100
    assert guest.store.heap.collections > 5


def test_operands_of_all_frames_are_roots(load):
    guest = load(VmLimits(heap_bytes=100_000))
    assert guest.exports.operand(20_000) == 5
    assert guest.store.heap.collections > 5


def test_a_ring_is_collected(load):
    guest = load()
    for _ in range(10):
        guest.exports.ring()
    assert len(guest.store.heap) == 10
    guest.store.heap.collect()
    assert len(guest.store.heap) == 0


def test_past_the_limit_is_a_trap_and_the_store_goes_on(load):
    guest = load(VmLimits(heap_bytes=100_000))
    before = guest.store.bytes
    with pytest.raises(Trap, match="heap_bytes"):
        guest.exports.keep(10_000)
    with pytest.raises(Trap, match="heap_bytes"):
        guest.exports.bytes(100_000)
    assert guest.exports.sum() > 0
    assert guest.store.bytes - before == guest.store.heap.bytes <= 100_000


def test_a_heap_that_is_full_but_for_little_ends_the_run(load):
    """A live set just under the limit must not make the guest collect at every allocation for ever."""
    guest = load(VmLimits(heap_bytes=320_000))
    guest.exports.keep(9_900)  # 32 bytes each
    before = guest.store.heap.collections
    with pytest.raises(Trap, match="heap_bytes"):
        guest.exports.garbage(10_000)
    assert guest.store.heap.collections - before < 20


def test_arguments_of_a_host_call_are_roots(engine, load):
    kept = []

    def host(bits):
        guest.exports.garbage(20_000)
        kept.append(guest.store.heap.find(bits))

    guest = load(VmLimits(heap_bytes=100_000))
    store = guest.store
    func = store.host_func(interp.FuncType((interp.RefType(True, "any"),), ()), host)
    text = """(module (import "h" "f" (func $f (param anyref))) (type $s (struct (field i32)))
        (func (export "call") (call $f (struct.new $s (i32.const 1)))))"""
    valid = interp.validate(interp.read_module(text, features=EVERY), features=EVERY)
    inst = interp.instantiate(store, valid, [func])
    interp.invoke_bits(store, inst.exports["call"], [])
    assert kept[0] is not None and list(kept[0].cells) == [1]


def test_a_reference_of_the_embedder_keeps_its_object(load):
    guest = load(VmLimits(heap_bytes=100_000))
    held = guest.exports.bytes(1234)
    assert isinstance(held, HeapRef)
    guest.exports.garbage(20_000)
    assert guest.exports.length(held) == 1234
    del held
    gc.collect()
    guest.store.heap.collect()
    assert len(guest.store.heap) == 0


def test_references_are_checked_at_the_interface(load):
    guest, other = load(), load()
    held = other.exports.bytes(1)
    with pytest.raises(interp.EmbedderError):
        guest.exports.length(held)
    raw = guest.raw.exports["length"]
    for bits in (1 << 62, (1 << 62) + 5, 1 << 64, 1):
        with pytest.raises(interp.EmbedderError):
            interp.invoke_bits(guest.store, raw, [bits])
    assert guest.exports.length.type.params[0].heap == "any"
    with pytest.raises(Trap, match="cast failure"):
        guest.exports.length(guest.exports.i31())
    with pytest.raises(Trap, match="cast failure"):
        guest.exports.length("an object of the host")


def test_ticks_count_the_bytes_of_an_allocation(load):
    guest = load()
    store = guest.store
    before = store.ticks
    guest.exports.bytes(0)
    small = store.ticks - before
    before = store.ticks
    guest.exports.bytes(10 * 4096)
    assert store.ticks - before == small + 10


def test_references_in_registers_are_roots(load):
    """The hot loop's locals, and a reference that waits in the register for temporaries."""
    text = """(module (type $s (struct (field (mut i32)) (field (mut (ref null $s))))) (type $b (array (mut i64)))
        (func (export "f") (param $n i32) (result i32)
          (local $a (ref null $s)) (local $b (ref null $s)) (local $c (ref null $b))
          (local.set $a (struct.new $s (i32.const 1) (ref.null $s)))
          (local.set $c (array.new $b (i64.const 7) (i32.const 3)))
          (loop $more
            (local.set $b (struct.new $s (struct.get $s 0 (local.get $a)) (local.get $a)))
            (struct.set $s 0 (local.get $a)
              (i32.add (struct.get $s 0 (struct.get $s 1 (local.get $b)))
                       (array.len (array.new_default $b (i32.const 9)))))
            (array.set $b (local.get $c) (i32.const 1) (i64.extend_i32_u (struct.get $s 0 (local.get $a))))
            (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
          (i32.add (struct.get $s 0 (local.get $b)) (i32.wrap_i64 (array.get $b (local.get $c) (i32.const 1))))))"""
    limits = VmLimits(heap_bytes=20_000)
    engine = load().store.engine.name
    guest = interp.load(text, engine=engine, limits=limits, features=EVERY)
    assert guest.exports.f(2000) == 1 + 9 * 1999 + 1 + 9 * 2000
    assert guest.store.heap.collections > 5


def test_an_object_is_made_after_fuel_ran_out_before_it(engine, load):
    """The tick of an allocation comes first: what could not be paid has changed nothing."""
    guest = load()
    store = guest.store
    store.fuel = 3  # the call, and two objects
    with pytest.raises(interp.FuelExhausted):
        guest.exports.keep(1000)
    assert (store.ticks, store.fuel, len(store.heap)) == (3, 0, 1)
