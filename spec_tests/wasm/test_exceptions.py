"""Exceptions across host calls (engine contract 2), on every engine that runs them."""

from __future__ import annotations

import pytest

import interp
from interp import I32, EmbedderError, Feature, FuncType, Trap, WasmException
from interp.exec.engines import choose
from interp.runtime.engine import HostCall, OutOfFuel, Returned

EVERY = frozenset(Feature)
GUEST = """(module
    (tag $t (import "env" "t") (param i32))
    (import "env" "host" (func $host (param i32) (result i32)))
    (import "env" "host" (func $tail (param i32) (result i32)))
    (func (export "catch") (param i32) (result i32)
      (block $h (result i32) (try_table (result i32) (catch $t $h) (call $host (local.get 0)))))
    (func (export "pass") (param i32) (result i32) (call $host (local.get 0)))
    (func (export "tail") (param i32) (result i32) (return_call $tail (local.get 0)))
    (func (export "through") (param i32) (result i32)
      (block $h (result i32) (try_table (result i32) (catch $t $h) (call $tail_call (local.get 0)))))
    (func $tail_call (param i32) (result i32) (return_call $tail (local.get 0)))
    (func (export "throw") (param i32) (throw $t (local.get 0)))
    (func (export "retry") (param $n i32) (result i32)
      (i32.const 0)
      (loop $again (param i32) (result i32)
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (if (param i32) (i32.eqz (local.get $n)) (then (return)) (else (drop)))
        (try_table (result i32) (catch $t $again) (call $host (local.get $n)))))
    (func (export "catch in a loop") (param i32) (result i32) (local $n i32)
      (loop $again (result i32)
        (if (i32.eqz (local.get 0)) (then (return (local.get $n))))
        (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
        (block $h (result i32) (try_table (result i32) (catch $t $h) (call $host (i32.const 1))))
        (local.set $n (i32.add (local.get $n)))
        (br $again))))"""


@pytest.fixture
def world(engine):
    if Feature.EXCEPTIONS not in choose(engine).features:
        pytest.skip(f"the {engine} engine runs no exceptions")
    store = interp.Store(engine)
    tag = store.tag(FuncType((I32,), ()))
    host = store.host_func(FuncType((I32,), (I32,)), lambda n: store.act(n))
    valid = interp.validate(interp.decode(interp.encode(interp.parse(GUEST)), features=EVERY), features=EVERY)
    inst = interp.instantiate(store, valid, [tag, host, host])
    store.act = None

    def call(name, *args):
        return interp.invoke_bits(store, inst.exports[name], args)

    return store, tag, call


def test_the_guest_catches_what_a_host_function_throws(world):
    store, tag, call = world

    def throw(n):
        raise WasmException(tag, (n + 1,))

    store.act = throw
    assert call("catch", 4) == [5]
    assert call("through", 6) == [7]


def test_an_exception_of_another_tag_passes_as_the_same_object(world):
    store, _tag, call = world
    other = WasmException(store.tag(FuncType((I32,), ())), (1,))

    def throw(n):
        raise other

    store.act = throw
    for name in ("catch", "pass", "tail"):
        with pytest.raises(WasmException) as caught:
            call(name, 1)
        assert caught.value is other
    assert store.activations == 0


def test_an_uncaught_exception_reaches_the_embedder_with_its_frames(world):
    _store, tag, call = world
    with pytest.raises(WasmException) as caught:
        call("throw", 77)
    assert caught.value.tag is tag and caught.value.values == (77,)
    assert [frame.func_index for frame in caught.value.backtrace] == [7]


def test_a_host_function_between_two_activations_lets_an_exception_through(world):
    store, _tag, call = world
    store.act = lambda n: call("throw", n) and 0
    assert call("catch", 9) == [9]

    def swallow(n):
        with pytest.raises(WasmException):
            call("throw", n)
        return 3

    store.act = swallow
    assert call("catch", 9) == [3]


def test_a_trap_and_a_python_exception_are_not_caught(world):
    store, _tag, call = world

    def trap(n):
        raise Trap("of the host")

    def fail(n):
        raise KeyError(n)

    store.act = trap
    with pytest.raises(Trap, match="of the host"):
        call("catch", 1)
    store.act = fail
    with pytest.raises(KeyError):
        call("catch", 1)


def test_what_a_host_function_throws_is_checked(world, engine):
    store, tag, call = world
    foreign = interp.Store(engine).tag(FuncType((I32,), ()))
    for exception in (WasmException(foreign, (1,)), WasmException(tag, ()), WasmException(tag, (1 << 32,))):

        def throw(n, exception=exception):
            raise exception

        store.act = throw
        with pytest.raises(EmbedderError):
            call("catch", 1)


def test_fuel_runs_out_in_front_of_a_clause_and_the_throw_is_repeated(world):
    """The host function throws once; a clause in front of a loop may have to wait for fuel."""
    store, tag, call = world
    calls = []

    def throw(n):
        calls.append(n)
        raise WasmException(tag, (2,))

    store.act = throw
    for name, result in (("catch in a loop", 6), ("retry", 2)):
        before = store.ticks
        calls.clear()
        assert call(name, 3) == [result]
        expected = calls.copy()
        func = store.instances[0].exports[name]
        thread = store.engine.start(store, func, (3,))
        store.fuel, used = 0, store.ticks - before
        calls.clear()
        exit = thread.run()
        while not isinstance(exit, Returned):  # one tick at a time
            if isinstance(exit, HostCall):
                calls.append(exit.args[0])
                exit = thread.throw(WasmException(tag, (2,)))
            else:
                assert isinstance(exit, OutOfFuel)
                store.fuel += 1
                exit = thread.run()
        assert (list(exit.values), calls) == ([result], expected)
        assert store.ticks - before == 2 * used
        store.fuel = None


# -- in numbers and at the edges ------------------------------------------------------------------------------------


def load(engine, text, **limits):
    if Feature.EXCEPTIONS not in choose(engine).features:
        pytest.skip(f"the {engine} engine runs no exceptions")
    return interp.load(text, engine=engine, features=EVERY, limits=interp.VmLimits(**limits))


def test_caught_references_live_in_bounded_memory(engine):
    """A thousand times more exceptions than the heap has room for; the one in the table is there at the end."""
    guest = load(
        engine,
        """(module (tag $t (param i32 i64)) (table $kept 1 exnref)
          (func $throw (param i32) (throw $t (local.get 0) (i64.const 7)))
          (func (export "churn") (param $n i32) (local $last exnref)
            (loop $again
              (block $h (result i32 i64 exnref)
                (try_table (catch_ref $t $h) (call $throw (local.get $n))) (unreachable))
              (local.set $last) (drop) (drop)
              (if (i32.eq (local.get $n) (i32.const 500)) (then (table.set $kept (i32.const 0) (local.get $last))))
              (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
          (func (export "legacy") (param $n i32)
            (loop $again
              (try (do (call $throw (local.get $n))) (catch_all))
              (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
          (func (export "kept") (result i32)
            (block $h (result i32 i64)
              (try_table (catch $t $h) (throw_ref (table.get $kept (i32.const 0)))) (unreachable))
            (drop)))""",
        heap_bytes=2000,
    )
    guest.exports.churn(3000)
    guest.exports.legacy(3000)
    assert guest.exports.kept() == 500
    assert guest.store.heap.bytes <= 2000


def test_a_heap_full_of_exceptions_traps_where_the_next_is_thrown(engine):
    guest = load(
        engine,
        """(module (tag $t) (table $kept 1000 exnref)
          (func (export "f") (param $n i32)
            (loop $again
              (table.set $kept (local.get $n)
                (block $h (result exnref) (try_table (catch_all_ref $h) (throw $t)) (unreachable)))
              (local.set $n (i32.add (local.get $n) (i32.const 1)))
              (br $again))))""",
        heap_bytes=1600,
    )
    with pytest.raises(Trap, match="heap_bytes") as caught:
        guest.exports.f(0)
    assert [frame.func_index for frame in caught.value.backtrace] == [0]
    assert guest.store.heap.bytes == 1600


def test_more_results_than_the_frame_has_cells(engine):
    """A clause for the label of the function itself: its values are results, and were never on this frame's stack."""
    guest = load(
        engine,
        """(module (tag $t (param i64 v128 i64 v128 i64 i64))
          (func $throw (throw $t (i64.const 1) (v128.const i64x2 2 3) (i64.const 4) (v128.const i64x2 5 6)
                              (i64.const 7) (i64.const 8)))
          (func $all (result i64 v128 i64 v128 i64 i64) (try_table (catch $t 0) (call $throw)) (unreachable))
          (func (export "sum") (result i64) (local $v v128) (local $w v128) (local $a i64) (local $b i64)
            (call $all)
            (i64.add) (local.set $a) (local.set $w) (local.set $b) (local.set $v)
            (i64.add (i64.mul (i64x2.extract_lane 1 (local.get $v)) (i64.const 10)))
            (i64.add (i64.mul (local.get $b) (i64.const 100)))
            (i64.add (i64.mul (i64x2.extract_lane 0 (local.get $w)) (i64.const 1000)))
            (i64.add (i64.mul (local.get $a) (i64.const 10000)))))""",
    )
    assert guest.exports.sum() == 1 + 3 * 10 + 4 * 100 + 5 * 1000 + (7 + 8) * 10000


def test_unwinding_many_frames_and_going_on(engine):
    guest = load(
        engine,
        """(module (tag $t (param i32))
          (func $deep (param i32) (result i32)
            (if (i32.eqz (local.get 0)) (then (throw $t (i32.const 5))))
            (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))
          (func (export "f") (param i32) (result i32) (local $times i32) (local $sum i32)
            (loop $again
              (block $h (result i32)
                (try_table (result i32) (catch $t $h) (call $deep (local.get 0))))
              (local.set $sum (i32.add (local.get $sum)))
              (local.set $times (i32.add (local.get $times) (i32.const 1)))
              (br_if $again (i32.lt_u (local.get $times) (i32.const 5))))
            (local.get $sum)))""",
        call_depth=3000,
    )
    assert guest.exports.f(2900) == 25


def test_what_is_not_thrown_costs_no_code():
    """Try blocks write no code: two functions, one with five hundred clauses, are lowered to as many words."""
    if "native" not in interp.exec.engines.available():
        pytest.skip("this installation has no native engine")

    def words(before, after):
        text = f"""(module (tag $t) (func $f (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
            (func (export "g") (param i32) (result i32)
              (block $h {before} (local.set 0 (call $f (local.get 0))) {after}) (local.get 0)))"""
        guest = load("native", text)
        assert guest.exports.g(1) == 2
        return guest.raw.valid.native.lowered_bytes

    clauses = 500
    plain = words("block", "end")
    tried = words("try_table" + " (catch $t $h)" * clauses, "end")
    assert 0 < tried - plain < clauses * 40


@pytest.mark.parametrize("shape", ["deep", "wide", "clauses", "handlers"])
def test_hostile_numbers_of_try_blocks(engine, shape):
    """Tens of thousands of blocks or clauses are validated, lowered and searched in no time to speak of."""
    n = 20_000
    body = {
        "deep": "(block $h " + "try_table (catch $never $h) " * n + "(call $throw) " + "end " * n + ")",
        "wide": "(try_table (catch_all 0)) " * n + "(block $h (try_table (catch $t $h) (call $throw)))",
        "clauses": "(block $h (try_table " + "(catch $never $h) " * n + "(catch_all $h) (call $throw)))",
        "handlers": "(try (do (call $throw)) " + "(catch $never) " * n + "(catch $t))",
    }[shape]
    if shape == "deep":
        body = f"(block $out (try_table (catch $t $out) {body}))"
    text = f'(module (tag $t) (tag $never) (func $throw (throw $t)) (func (export "f") {body}))'
    guest = load(engine, text, catches=n + 1)
    guest.exports.f()
    guest.exports.f()
