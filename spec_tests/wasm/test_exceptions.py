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
