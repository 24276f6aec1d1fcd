"""External objects: one reference for one object, given up when nothing refers to it, and a limit on their number."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest

from interp.api import Store
from interp.exec.driver import instantiate, invoke_bits
from interp.exec.engines import available, choose
from interp.runtime import externs
from interp.runtime.instance import ModuleInst
from interp.runtime.store import FuncInst
from interp.syntax.errors import EmbedderError, LimitError
from interp.syntax.limits import VmLimits
from interp.syntax.types import EXTERNREF, I32, FuncType
from interp.text.parser import parse
from interp.valid.module import validate

PLAIN = """(module (import "h" "make" (func $make (param i32) (result externref)))
 (import "h" "two" (func $two (result externref externref)))
 (table $t (export "t") 10 externref) (global $g (mut externref) (ref.null extern))
 (func (export "many") (param i32) (result externref) (local $kept externref) (local $i i32)
   (local.set $kept (call $make (i32.const 1)))
   (table.set $t (i32.const 3) (call $make (i32.const 2)))
   (global.set $g (call $make (i32.const 3)))
   (loop
     (drop (call $make (i32.const 0)))
     (local.set $i (i32.add (local.get $i) (i32.const 1)))
     (br_if 0 (i32.lt_u (local.get $i) (local.get 0))))
   (local.get $kept))
 (func (export "pairs") (param i32) (result externref) (local $a externref) (local $b externref)
   (loop
     (call $two) (local.set $b) (local.set $a)
     (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
     (br_if 0 (local.get 0)))
   (local.get $a))
 (func (export "give") (param externref) (result externref) (local.get 0)))"""

OBJECTS = """(module (import "h" "make" (func $make (param i32) (result externref)))
 (type $s (struct (field (mut anyref)) (field i64))) (type $a (array (mut externref)))
 (global $g (mut anyref) (ref.null any))
 (func (export "many") (param i32) (result externref) (local $s (ref null $s)) (local $a (ref null $a)) (local $i i32)
   (local.set $s (struct.new $s (any.convert_extern (call $make (i32.const 1))) (i64.const 5)))
   (local.set $a (array.new $a (call $make (i32.const 2)) (i32.const 3)))
   (global.set $g (any.convert_extern (call $make (i32.const 3))))
   (loop
     (drop (struct.new $s (any.convert_extern (call $make (i32.const 0))) (i64.const 6)))
     (local.set $i (i32.add (local.get $i) (i32.const 1)))
     (br_if 0 (i32.lt_u (local.get $i) (local.get 0))))
   (if (i32.ne (array.len (local.get $a)) (i32.const 3)) (then unreachable))
   (drop (array.get $a (local.get $a) (i32.const 1)))
   (extern.convert_any (struct.get $s 0 (local.get $s)))))"""


class Thing:
    """An object of the embedder."""

    def __init__(self, number: int) -> None:
        self.number = number


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(externs, "FIRST", 50)


class World:
    def __init__(self, engine: str, text: str, limit: int = 1_000_000) -> None:
        self.store = Store(engine, VmLimits(externs=limit))
        self.store.externs.due = externs.FIRST
        self.alive: weakref.WeakSet[Thing] = weakref.WeakSet()
        self.kept: dict[int, weakref.ref[Thing]] = {}
        hosts = {"make": self._host(FuncType((I32,), (EXTERNREF,)), self.make)}
        hosts["two"] = self._host(FuncType((), (EXTERNREF, EXTERNREF)), self.two)
        valid = validate(parse(text))
        self.inst: ModuleInst = instantiate(self.store, valid, [hosts[item.name] for item in valid.module.imports])

    def _host(self, type: FuncType, code: Callable[..., object]) -> object:
        return self.store.host_func(type, code)  # type: ignore[arg-type]

    def make(self, number: int) -> int:
        thing = Thing(number)
        self.alive.add(thing)
        if number:
            self.kept[number] = weakref.ref(thing)
        return self.store.extern_ref(thing)

    def two(self) -> tuple[int, int]:
        return self.make(7), self.make(8)

    def call(self, name: str, *args: int) -> list[int]:
        func = self.inst.exports[name]
        assert isinstance(func, FuncInst)
        return invoke_bits(self.store, func, args)


def collects(engine: str) -> bool:
    return "resumable" in choose(engine).capabilities


@pytest.mark.parametrize("text", [PLAIN, OBJECTS], ids=["without objects", "with objects"])
def test_what_nothing_refers_to_is_given_up(engine: str, text: str) -> None:
    world = World(engine, text)
    (bits,) = world.call("many", 2_000)
    gc.collect()
    if not collects(engine):
        assert len(world.store.externs) == 2_003
        return
    assert len(world.store.externs) < 400 and len(world.alive) < 400
    assert world.store.heap.collections < 60
    assert [ref() is not None for _, ref in sorted(world.kept.items())] == [True, True, True]
    assert world.store.extern_value(bits) is world.kept[1]()


def test_two_results_of_one_call_live_both(engine: str) -> None:
    world = World(engine, PLAIN)
    (bits,) = world.call("pairs", 1_000)
    assert getattr(world.store.extern_value(bits), "number", None) == 7
    assert world.kept[8]() is not None
    if collects(engine):
        assert len(world.store.externs) < 400


def test_arguments_live(engine: str) -> None:
    """The safe place is before the first instruction: what is about to be passed counts."""
    world = World(engine, PLAIN)
    for number in range(300):
        bits = world.make(number)
        assert world.call("give", bits) == [bits]
        assert getattr(world.store.extern_value(bits), "number", None) == number


def test_one_object_has_one_reference_while_it_is_there(engine: str) -> None:
    world = World(engine, PLAIN)
    thing = Thing(9)
    ref = world.store.extern_ref(thing)
    assert world.store.extern_ref(thing) == ref
    world.inst.tables[0].set(5, ref)
    world.call("many", 500)
    assert world.store.extern_ref(thing) == ref and world.store.extern_value(ref) is thing
    world.inst.tables[0].set(5, 0)
    world.call("many", 500)
    if collects(engine):
        assert world.store.externs.value(world.store.extern_ref(thing)) is thing


def test_a_reference_to_nothing_is_refused(engine: str) -> None:
    if not collects(engine):
        pytest.skip("this engine gives nothing up")
    world = World(engine, PLAIN)
    refs = [world.make(0) for _ in range(200)]
    world.call("give", 0)
    assert world.store.externs.live == 0
    with pytest.raises(EmbedderError):
        world.store.extern_value(refs[0])
    with pytest.raises(EmbedderError):
        world.call("give", refs[0])


def test_a_limit_has_a_name(engine: str) -> None:
    world = World(engine, PLAIN, limit=20)
    world.store.externs.due = 20
    kept = [Thing(number) for number in range(20)]
    for number, thing in enumerate(kept[:10]):
        world.inst.tables[0].set(number, world.store.extern_ref(thing))
    with pytest.raises(LimitError) as caught:
        for thing in map(Thing, range(11)):
            kept.append(thing)
            world.store.extern_ref(thing)
    assert caught.value.limit == "externs"
    assert (world.store.activations, world.store.depth) == (0, 0)
    assert world.call("give", 3) == [3]
    if collects(engine):
        world.store.extern_ref(Thing(5))


def test_the_places_are_the_same_on_every_engine() -> None:
    found = {}
    for engine in available():
        if collects(engine):
            world = World(engine, PLAIN)
            found[engine] = world.call("many", 777), len(world.store.externs), world.store.ticks
    assert len(set(map(str, found.values()))) == 1, found
