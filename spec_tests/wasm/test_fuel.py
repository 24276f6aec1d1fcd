"""Fuel cut at every tick: the same place and the same state on both engines, and going on ends as if nothing had been.

`test_parity.py` does so for random programs; here are small ones of which every cut is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from interp import _native
from interp.api import Store
from interp.binary.decode import decode
from interp.binary.encode import encode
from interp.exec.driver import instantiate, invoke_bits
from interp.runtime.boundary import Accounts, PlainAccounts
from interp.runtime.engine import HostCall, OutOfFuel, Paused, Returned
from interp.runtime.store import FuncInst
from interp.syntax.errors import EmbedderError, FuelExhausted, Trap
from interp.syntax.types import I32, FuncType
from interp.testing.generator import Program
from interp.testing.parity import MACHINES, Machine, World, feed, uncut
from interp.text.parser import parse
from interp.valid.module import validate

#: Each exports functions without parameters; the host function is `host.h0`.
PROGRAMS = {
    "loops": """(module (memory 1) (global $g (mut i32) (i32.const 0))
      (func (export "f") (result i32) (local i32 i64 f64)
        (loop $a
          (global.set $g (i32.add (global.get $g) (i32.const 3)))
          (local.set 1 (i64.const 0))
          (loop $b
            (i64.store (i32.const 8) (i64.add (i64.load (i32.const 8)) (local.get 1)))
            (local.set 2 (f64.add (local.get 2) (f64.const 0.5)))
            (br_if $b (i64.ne (local.tee 1 (i64.add (local.get 1) (i64.const 1))) (i64.const 5))))
          (br_if $a (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 4))))
        (i32.trunc_f64_s (local.get 2))))""",
    "calls": """(module (type $t (func (param i32) (result i32))) (table funcref (elem $fib))
        (func $fib (type $t) (local i64 i64 f64)
          (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0))
            (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                           (call_indirect (type $t) (i32.sub (local.get 0) (i32.const 2)) (i32.const 0))))))
        (func (export "f") (result i32) (call $fib (i32.const 6))))""",
    "many locals": f"""(module
        (func $big (param i32) (result i32) (local {"i64 " * 130}) (i32.add (local.get 0) (i32.const 1)))
        (func (export "f") (result i32) (call $big (call $big (call $big (i32.const 0))))))""",
    "bulk": """(module (memory 1 3) (table $t 600 funcref) (elem $e func 0 0 0) (data $d "abcdef")
        (func (export "f") (result i32)
          (memory.fill (i32.const 0) (i32.const 7) (i32.const 20000))
          (memory.copy (i32.const 20000) (i32.const 3) (i32.const 9000))
          (drop (memory.grow (i32.const 1)))
          (memory.init $d (i32.const 70000) (i32.const 1) (i32.const 4))
          (table.init $t $e (i32.const 5) (i32.const 0) (i32.const 3))
          (table.copy $t $t (i32.const 10) (i32.const 0) (i32.const 590))
          (table.fill $t (i32.const 0) (ref.func 0) (i32.const 513))
          (drop (table.grow $t (ref.null func) (i32.const 1000)))
          (drop (memory.grow (i32.const 9)))
          (data.drop $d) (elem.drop $e)
          (memory.copy (i32.const 65536) (i32.const 0) (i32.const 0xFFFFF))
          (i32.const 1)))""",
    "branches": """(module (global $n (mut i32) (i32.const 0)) (func (export "f") (result i32) (local i32)
        (block $out (result i32)
          (i32.const 40)
          (loop $l (param i32) (result i32)
            (global.set $n (i32.add (global.get $n) (i32.const 1)))
            (i32.const 1) (i32.add)
            (local.set 0 (i32.add (local.get 0) (i32.const 1)))
            (br_table $l $l $l $out (i32.div_u (local.get 0) (i32.const 2)))))))""",
    "host": """(module (import "host" "h0" (func $h (param i32) (result i32))) (memory 1)
        (func (export "f") (result i32) (local i32 i32)
          (loop $l
            (local.set 1 (i32.xor (local.get 1) (call $h (local.get 0))))
            (br_if $l (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 9))))
          (local.get 1)))""",
    "recursion": """(module (func $r (param i32) (result i32) (call $r (i32.add (local.get 0) (i32.const 1))))
        (func (export "f") (result i32) (call $r (i32.const 0))))""",
}

both = pytest.mark.skipif(_native.lib is None, reason="this installation has no native engine")


class Quiet(World):
    """A world whose host functions only answer."""

    def _host(self, name: str, type: FuncType) -> Callable[..., Sequence[int]]:
        return lambda *bits: [bits[0] * 3 & 0xFFFFFFFF]


def run(name: str, machine: Machine, first: int, then: int | None) -> World:
    world = Quiet(Program((encode(parse(PROGRAMS[name])),), 0), machine)
    assert world.instantiate()
    func = world.instances[0].exports["f"]
    assert isinstance(func, FuncInst)
    left = iter(() if then is None else (then,))
    feed(world, func, (), first, lambda needed: next(left, None))
    return world


def ticks_of(name: str) -> int:
    world = run(name, MACHINES[0], 10_000, None)
    assert not any(item[0] == "out of fuel" for item in world.seen)
    return world.store.ticks


@both
@pytest.mark.parametrize("name", PROGRAMS)
def test_every_cut(name: str) -> None:
    total = ticks_of(name)
    assert 3 <= total < 400
    whole = run(name, MACHINES[0], total, None).seen
    for cut in range(total):
        worlds = [run(name, machine, cut, 10_000) for machine in MACHINES]
        for world in worlds[1:]:
            assert world.seen == worlds[0].seen, f"cut at {cut}"
        assert sum(item[0] == "out of fuel" for item in worlds[0].seen) == 1
        assert uncut(worlds[0].seen) == whole, f"cut at {cut}"
        assert {world.store.ticks for world in worlds} == {total}


@pytest.mark.parametrize("name", PROGRAMS)
def test_exactly_enough_is_enough(name: str, engine: str) -> None:
    total = ticks_of(name)
    world = run(name, Machine(engine), total, None)
    assert world.store.fuel == 0 and world.seen[-2][0] != "out of fuel"
    short = run(name, Machine(engine), total - 1, None)
    assert short.seen[-2][0] == "out of fuel" and short.store.ticks <= total - 1


# -- the driver -----------------------------------------------------------------------------------------------------


def test_the_driver_says_where(engine: str) -> None:
    store = Store(engine)
    data = encode(parse(PROGRAMS["loops"]))
    func = instantiate(store, validate(decode(data))).exports["f"]
    store.fuel = 5
    with pytest.raises(FuelExhausted) as caught:
        invoke_bits(store, func, ())  # type: ignore[arg-type]
    assert caught.value.where is not None and data[caught.value.where.offset or 0] == 0x0D  # br_if
    assert caught.value.backtrace[0].offset == caught.value.where.offset
    assert (store.fuel, store.ticks) == (0, 5)


def test_a_start_function_without_end_is_bounded(engine: str) -> None:
    store = Store(engine)
    store.fuel = 1000
    with pytest.raises(FuelExhausted):
        instantiate(store, validate(parse("(module (func $f (loop (br 0))) (start $f))")))
    assert store.fuel == 0
    assert (store.activations, store.depth, store.cells) == (0, 0, 0)


def test_a_charge_larger_than_the_fuel_takes_nothing(engine: str) -> None:
    store = Store(engine)
    text = '(module (memory 1) (func (export "f") (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536))))'
    inst = instantiate(store, validate(parse(text)))
    store.fuel = 16
    with pytest.raises(FuelExhausted):
        invoke_bits(store, inst.exports["f"], ())  # type: ignore[arg-type]
    assert store.fuel == 15 and not any(inst.mems[0].view)
    store.fuel = 17
    invoke_bits(store, inst.exports["f"], ())  # type: ignore[arg-type]
    assert store.fuel == 0 and all(inst.mems[0].view)


# -- the protocol ---------------------------------------------------------------------------------------------------


def hosted(engine: str) -> tuple[Store, FuncInst]:
    store = Store(engine)
    type = FuncType((I32,), (I32,))
    inst = instantiate(store, validate(parse(PROGRAMS["host"])), [store.host_func(type, lambda x: x)])
    func = inst.exports["f"]
    assert isinstance(func, FuncInst)
    return store, func


@pytest.mark.resumable
def test_a_host_call_is_answered_once(engine: str) -> None:
    store, func = hosted(engine)
    thread = store.engine.start(store, func, ())
    exit = thread.run()
    assert isinstance(exit, HostCall) and list(exit.args) == [0]
    with pytest.raises(EmbedderError):
        thread.run()
    exit = thread.resume([5])
    for n in range(1, 9):
        assert isinstance(exit, HostCall) and list(exit.args) == [n]
        exit = thread.resume([0])
    assert isinstance(exit, Returned) and list(exit.values) == [5]
    for wrong in (thread.run, lambda: thread.resume([1]), lambda: thread.throw_trap(Trap("no"))):
        with pytest.raises(EmbedderError):
            wrong()
    thread.abort()
    thread.abort()


@pytest.mark.resumable
def test_out_of_fuel_is_answered_by_run(engine: str) -> None:
    store, func = hosted(engine)
    store.fuel = 0
    thread = store.engine.start(store, func, ())
    exit = thread.run()
    assert isinstance(exit, OutOfFuel) and exit.needed == 2  # the function and its two locals
    with pytest.raises(EmbedderError):
        thread.resume([1])
    assert isinstance(thread.run(), OutOfFuel)
    store.fuel = 2
    assert isinstance(thread.run(), OutOfFuel)  # the host call's own tick
    store.fuel = 1
    assert isinstance(thread.run(), HostCall)
    thread.abort()


@pytest.mark.resumable
def test_a_slice_is_a_pause_and_no_end(engine: str) -> None:
    machine = Machine(engine, "reserved", 1)
    paused = World(Program((encode(parse(PROGRAMS["loops"])),), 0), machine)
    assert paused.instantiate()
    paused.store.fuel = None
    thread = paused.store.engine.start(paused.store, paused.instances[0].exports["f"], ())  # type: ignore[arg-type]
    exit = thread.run()
    pauses = 0
    while isinstance(exit, Paused):
        pauses += 1
        exit = thread.run()
    assert isinstance(exit, Returned) and list(exit.values) == [10]
    assert pauses >= 15


@pytest.mark.parametrize("accounts", dict.fromkeys((Accounts, PlainAccounts)), ids=lambda cls: cls.__module__)
def test_fuel_is_a_number_of_ticks_or_none(accounts: type[PlainAccounts]) -> None:
    made = accounts()
    assert made.fuel is None
    for fuel in (5, 0, (1 << 63) - 1, None):
        made.fuel = fuel
        assert made.fuel == fuel
    wrong: tuple[tuple[object, type[Exception]], ...] = (
        (-1, ValueError), (-(1 << 62), ValueError), (1 << 63, OverflowError), (1.5, TypeError), ("1", TypeError)
    )  # fmt: skip
    for value, error in wrong:
        made.fuel = 7
        with pytest.raises(error):
            made.fuel = value  # type: ignore[assignment]
        assert made.fuel == 7
