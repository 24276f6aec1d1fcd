"""Snapshots: a fresh store from one cannot be told from a store that did the same work."""

from __future__ import annotations

import gc
import os

import pytest

import interp

TEXT = """
(module
  (type $node (struct (field (mut i32)) (field (mut (ref null $node)))))
  (type $list (array (mut (ref null $node))))
  (import "env" "log" (func $log (param i32)))
  (memory (export "mem") 1 3)
  (table (export "tab") 3 20 funcref)
  (table $objects (export "objects") 2 anyref)
  (table $things (export "things") 2 externref)
  (elem $passive func $log $get)
  (data $later "later")
  (global $count (export "count") (mut i32) (i32.const 0))
  (global $wide (mut v128) (v128.const i64x2 1 2))
  (global $head (export "head") (mut (ref null $node)) (ref.null $node))
  (func $get (export "get") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "work") (param i32)
    (global.set $count (i32.add (global.get $count) (local.get 0)))
    (i32.store8 (local.get 0) (local.get 0))
    (i32.store (i32.const 65000) (local.get 0))
    (global.set $head (struct.new $node (local.get 0) (global.get $head)))
    (table.set $objects (i32.const 0) (array.new_fixed $list 2 (global.get $head) (ref.null $node)))
    (table.set $objects (i32.const 1) (ref.i31 (local.get 0)))
    (drop (memory.grow (i32.const 1)))
    (drop (table.grow 0 (ref.null func) (i32.const 1)))
    (table.init 0 $passive (i32.const 1) (i32.const 0) (i32.const 2))
    (call $log (local.get 0)))
  (func (export "ring") (struct.set $node 1 (global.get $head) (global.get $head)))
  (func (export "sum") (result i32) (local $n (ref null $node)) (local $s i32)
    (local.set $n (global.get $head))
    (loop $l
      (if (i32.eqz (ref.is_null (local.get $n))) (then
        (local.set $s (i32.add (local.get $s) (struct.get $node 0 (local.get $n))))
        (local.set $n (struct.get $node 1 (local.get $n)))
        (br $l))))
    (local.get $s))
  (func (export "add") (param i32) (struct.set $node 0 (global.get $head) (local.get 0)))
  (func (export "same") (result i32)
    (ref.eq (global.get $head)
      (array.get $list (ref.cast (ref $list) (table.get $objects (i32.const 0))) (i32.const 0))))
  (func (export "call") (param i32) (result i32) (call_indirect (param i32) (result i32) (i32.const 7) (local.get 0)))
  (func (export "init") (memory.init $later (i32.const 0) (i32.const 0) (i32.const 5)))
  (func (export "drop") (data.drop $later) (elem.drop $passive))
  (func (export "elem") (table.init 0 $passive (i32.const 0) (i32.const 0) (i32.const 1)))
  (func (export "fresh") (result i32) (local $i i32)
    (loop $l
      (drop (array.new_default $list (i32.const 100)))
      (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 3000))))
    (local.get $i)))
"""


@pytest.fixture(params=["reserved", "moving"])
def mode(request, monkeypatch):
    monkeypatch.setenv("TAMIS_MEMORY", request.param)
    return request.param


@pytest.fixture
def log():
    return []


def start(engine: str, log: list[int]) -> interp.Instance:
    return interp.load(TEXT, {"env": {"log": log.append}}, engine=engine)


def state(inst: interp.Instance) -> tuple[object, ...]:
    """What a guest or an embedder can find out."""
    e = inst.exports
    calls = []
    for name, args in (("sum", ()), ("same", ()), ("call", (2,)), ("get", (7,)), ("elem", ()), ("init", ())):
        try:
            calls.append(e[name](*args))
        except interp.Trap as trap:
            calls.append(trap.message)
    store = inst.store
    store.heap.collect()  # what nobody refers to does not come along
    things = (e.things[0], e.things[1], e.objects[0] is None, len(e.tab), [f is None for f in e.tab])
    return bytes(e.mem.view), e.count.value, calls, things, store.ticks, store.bytes, store.fuel, len(store.heap)


def test_a_fresh_instance_cannot_be_told_from_one_that_did_the_work(engine, mode, log):
    def work(inst: interp.Instance) -> None:
        inst.exports.work(3)
        inst.exports.work(4)
        inst.exports.things[1] = log
        inst.store.fuel = 10_000_000

    one = start(engine, log)
    work(one)
    snapshot = one.snapshot()
    fresh = [snapshot.instance() for _ in range(3)]
    other = start(engine, log)
    work(other)
    expected = state(other)
    assert state(fresh[0]) == expected
    one.exports.work(9)
    one.exports.drop()
    fresh[1].exports.work(8)
    del one
    gc.collect()
    assert state(fresh[2]) == expected
    assert state(snapshot.instance()) == expected
    assert fresh[1].exports.sum() == 15
    assert fresh[2].exports.things[1] is log


def test_what_was_dropped_stays_so(engine, mode, log):
    one = start(engine, log)
    one.exports.drop()
    fresh = one.snapshot().instance()
    for name in ("init", "elem"):
        with pytest.raises(interp.Trap, match="out of bounds"):
            fresh.exports[name]()


def test_objects_in_a_circle_come_along_and_live(engine, log):
    one = start(engine, log)
    one.exports.work(5)
    one.exports.ring()
    fresh = one.snapshot().instance()
    assert fresh.exports.same() == 1
    assert fresh.exports.fresh() == 3000
    assert fresh.exports.same() == 1
    fresh.exports.add(77)
    assert one.exports.head.value.store is one.store
    assert fresh.exports.head.value.store is fresh.store


def test_a_fresh_instance_grows_and_traps_at_its_own_end(engine, mode, log):
    one = start(engine, log)
    one.exports.work(1)
    fresh = one.snapshot().instance()
    assert fresh.exports.mem.pages == 2
    with pytest.raises(interp.Trap, match="out of bounds memory"):
        fresh.exports.get(131072)
    fresh.exports.work(2)
    assert fresh.exports.mem.pages == 3
    assert fresh.exports.get(131072) == 0
    assert one.exports.mem.pages == 2
    fresh.exports.work(2)
    assert fresh.exports.mem.pages == 3


def test_another_engine_goes_on(log):
    one = start("reference", log)
    one.exports.work(6)
    for engine in interp.engines():
        fresh = one.snapshot().instance(engine=engine)
        assert fresh.store.engine.name == engine
        assert fresh.exports.sum() == 6


def test_host_functions_are_bound_by_name(engine, log):
    one = start(engine, log)
    one.exports.work(1)
    snapshot = one.snapshot()
    mine: list[int] = []
    fresh = snapshot.instance({"env": {"log": mine.append}})
    fresh.exports.work(2)
    assert (log, mine) == ([1], [2])
    with pytest.raises(interp.LinkError, match=r"unknown import env\.log"):
        snapshot.instance({"env": {}})
    raw = snapshot.of_store.store(engine, hosts={"env.log": lambda bits: mine.append(bits)})
    interp.invoke_bits(raw, raw.instances[0].exports["work"], [40_000])
    assert mine == [2, 40_000]


def test_a_live_call_forbids_a_snapshot(engine):
    inst = interp.load(TEXT, {"env": {"log": lambda x: inst.snapshot()}}, engine=engine)
    with pytest.raises(interp.EmbedderError, match="no activation live"):
        inst.exports.work(1)
    inst.snapshot()


def test_a_store_that_is_not_empty_is_refused(engine, log):
    one = start(engine, log)
    with pytest.raises(interp.EmbedderError, match="nothing yet"):
        one.store.snapshot().restore(one.store)


def test_modules_that_share_come_along_together(engine):
    store = interp.Store(engine)
    first = interp.instantiate(
        store,
        interp.validate(interp.read_module("""(module (memory (export "m") 1)
          (global (export "g") (mut i32) (i32.const 5)) (table (export "tab") 2 funcref)
          (func (export "f") (result i32) (i32.load (i32.const 0))))""")),
        [],
    )  # fmt: skip
    text = """(module
      (import "a" "m" (memory 1)) (import "a" "g" (global (mut i32))) (import "a" "tab" (table 2 funcref))
      (import "a" "f" (func $f (result i32)))
      (func $h (export "h") (result i32)
        (i32.store (i32.const 0) (global.get 0)) (global.set 0 (i32.add (global.get 0) (i32.const 1))) (call $f))
      (elem (i32.const 1) $h))"""
    given = [first.exports[name] for name in ("m", "g", "tab", "f")]
    second = interp.instantiate(store, interp.validate(interp.read_module(text)), given)
    assert interp.invoke_bits(store, second.exports["h"], []) == [5]
    fresh = store.snapshot().store(engine)
    one, two = fresh.instances
    assert one.mems[0] is two.mems[0]
    assert interp.invoke_bits(fresh, two.exports["h"], []) == [6]
    assert interp.invoke_bits(fresh, one.exports["f"], []) == [6]
    assert one.exports["tab"].cells[1] == two.exports["h"].addr + 1
    assert interp.invoke_bits(store, second.exports["h"], []) == [6]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs a list of this process's files")
def test_images_are_closed_with_their_snapshot(engine, log):
    before = len(os.listdir("/proc/self/fd"))
    one = start(engine, log)
    snapshots = [one.snapshot() for _ in range(20)]
    fresh = [s.instance() for s in snapshots]
    del snapshots
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before + 1
    assert all(inst.exports.sum() == 0 for inst in fresh)
