"""Guests that will not end, and interruptions at any moment: by fuel, by deadline, by a signal, by a full stack."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest

from interp.api import Store
from interp.exec.driver import instantiate, invoke_bits
from interp.exec.engines import available
from interp.runtime.instance import ModuleInst
from interp.runtime.store import FuncInst
from interp.syntax.errors import EmbedderError, Exhaustion, Interrupted, LimitError, Trap
from interp.syntax.limits import VmLimits
from interp.syntax.types import I32, FuncType
from interp.text.parser import parse
from interp.valid.module import validate

TEXT = """(module (import "h" "f" (func $f (param i32) (result i32))) (memory 1 4) (table 1 4 funcref)
 (func (export "endless") (param i32) (result i32) (loop (br_if 0 (i32.const 1))) (i32.const 1))
 (func (export "count") (param i32) (result i32) (local i32)
   (loop (local.set 1 (i32.add (local.get 1) (i32.const 1)))
         (drop (memory.grow (i32.const 0)))
         (drop (table.grow (ref.null func) (i32.const 0)))
         (br_if 0 (i32.lt_u (local.get 1) (local.get 0))))
   (local.get 1))
 (func (export "host") (param i32) (result i32) (local i32)
   (loop (drop (call $f (local.get 1)))
         (local.set 1 (i32.add (local.get 1) (i32.const 1)))
         (br_if 0 (i32.lt_u (local.get 1) (local.get 0))))
   (local.get 1))
 (func $deep (export "deep") (param i32) (result i32) (call $deep (i32.add (local.get 0) (i32.const 1)))))"""


class Stop(KeyboardInterrupt):
    """What the signal handler of these tests raises."""


def made(engine: str, limits: VmLimits | None = None) -> tuple[Store, ModuleInst]:
    store = Store(engine, limits)
    level = [0]

    def host(x: int) -> int:
        if x % 3 or level[0] > 2:
            return x
        level[0] += 1
        try:
            return invoke_bits(store, function(inst, "count"), [3])[0]
        finally:
            level[0] -= 1

    func = store.host_func(FuncType((I32,), (I32,)), host)
    inst = instantiate(store, validate(parse(TEXT)), [func])
    return store, inst


def function(inst: ModuleInst, name: str) -> FuncInst:
    func = inst.exports[name]
    assert isinstance(func, FuncInst)
    return func


def check_sound(store: Store, inst: ModuleInst) -> None:
    """Nothing of an interrupted run is left, and the store works on."""
    assert (store.activations, store.depth, store.cells) == (0, 0, 0)
    assert invoke_bits(store, function(inst, "host"), [7]) == [7]


@contextmanager
def alarms() -> Iterator[Any]:
    """A function that sends this process a signal in so many seconds; the signal raises Stop."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        pytest.skip("signals reach the main thread only")

    def stop(*_: object) -> None:
        raise Stop

    before = signal.signal(signal.SIGALRM, stop)
    try:
        yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# -- signals --------------------------------------------------------------------------------------------------------


def test_an_endless_loop_ends_by_a_signal(engine: str) -> None:
    store, inst = made(engine)
    with alarms() as alarm:
        began = time.monotonic()
        alarm(0.05)
        with pytest.raises(Stop) as caught:
            invoke_bits(store, function(inst, "endless"), [0])
    assert time.monotonic() - began < 2
    assert any("endless" in note for note in caught.value.__notes__)
    check_sound(store, inst)


def interrupt(engine: str, seed: int, count: int) -> None:
    """Signals at moments of every kind: before a run, in it, in a host call, while it is being wound up."""
    rng = Random(seed)
    store, inst = made(engine, VmLimits(ticks_per_slice=50))
    stopped = 0
    with alarms() as alarm:
        for _ in range(count):
            name, n = rng.choice(("endless", "count", "host")), rng.choice((1, 5, 100))
            delay = rng.random() * rng.choice((0.002, 0.0001)) + 1e-6
            try:
                try:
                    alarm(delay)
                    invoke_bits(store, function(inst, name), [n])
                finally:
                    alarm(0)
            except Stop:
                stopped += 1
            alarm(0)
            check_sound(store, inst)
    assert 0 < stopped < count


def test_signals_at_any_moment(engine: str) -> None:
    """A signal between two calls of the engine's own code once left a frame behind, or ended the process."""
    interrupt(engine, 1, 600)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_signals_at_many_moments(engine: str, seed: int) -> None:
    interrupt(engine, 10 + seed, 5000)


def test_a_long_tick_is_no_long_wait(engine: str) -> None:
    """A loop whose body is long gives up its slice in time: a tick is a turn, however much is in it."""
    turn = "(local.set 0 (i32.add (local.get 0) (i32.const 3)))" * (40_000 if engine == "native" else 400)
    text = f'(module (func (export "f") (param i32) (loop {turn} (br 0))))'
    store = Store(engine)
    func = function(instantiate(store, validate(parse(text))), "f")
    store.deadline = time.monotonic() + 0.2
    began = time.monotonic()
    with pytest.raises(Interrupted):
        invoke_bits(store, func, [0])
    assert time.monotonic() - began < 3


# -- deadlines ------------------------------------------------------------------------------------------------------


def test_a_deadline_ends_an_endless_loop(engine: str) -> None:
    store, inst = made(engine)
    store.deadline = time.monotonic() + 0.05
    began = time.monotonic()
    with pytest.raises(Interrupted) as caught:
        invoke_bits(store, function(inst, "endless"), [0])
    assert time.monotonic() - began < 2
    assert caught.value.backtrace[0].func_index == 1
    store.deadline = None
    check_sound(store, inst)


def test_a_deadline_reaches_into_nested_runs(engine: str) -> None:
    store = Store(engine)
    inst: ModuleInst

    def host(x: int) -> int:
        return invoke_bits(store, function(inst, "endless"), [0])[0]

    inst = instantiate(store, validate(parse(TEXT)), [store.host_func(FuncType((I32,), (I32,)), host)])
    store.deadline = time.monotonic() + 0.05
    with pytest.raises(Interrupted):
        invoke_bits(store, function(inst, "host"), [5])
    assert (store.activations, store.depth, store.cells) == (0, 0, 0)


# -- the stack ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "limits",
    [VmLimits(), VmLimits(call_depth=100), VmLimits(value_stack_cells=500)],
    ids=["usual", "few frames", "few cells"],
)
def test_recursion_ends_at_the_same_depth(limits: VmLimits) -> None:
    depths = set()
    for engine in available():
        store, inst = made(engine, limits)
        with pytest.raises(Exhaustion) as caught:
            invoke_bits(store, function(inst, "deep"), [0])
        depths.add((len(caught.value.backtrace), store.ticks))
        check_sound(store, inst)
    assert len(depths) == 1


def test_recursion_through_the_host_ends(engine: str) -> None:
    """Each level is an activation: these have a limit of their own, below Python's."""
    store = Store(engine)
    inst: ModuleInst
    levels = [0]

    def host(x: int) -> int:
        levels[0] += 1
        return invoke_bits(store, function(inst, "host"), [1])[0]

    inst = instantiate(store, validate(parse(TEXT)), [store.host_func(FuncType((I32,), (I32,)), host)])
    with pytest.raises(LimitError) as caught:
        invoke_bits(store, function(inst, "host"), [1])
    assert caught.value.limit == "nested_activations" and levels[0] == store.limits.nested_activations
    assert (store.activations, store.depth, store.cells) == (0, 0, 0)


def test_depth_counts_through_the_host(engine: str) -> None:
    """The frames below a host call count for those above it."""
    seen = []
    text = """(module (import "h" "f" (func $f (param i32) (result i32)))
      (func $down (export "down") (param i32) (result i32)
        (if (result i32) (local.get 0)
          (then (call $down (i32.sub (local.get 0) (i32.const 1))))
          (else (call $f (i32.const 0)))))
      (func $deep (export "deep") (param i32) (result i32) (call $deep (i32.add (local.get 0) (i32.const 1)))))"""
    store = Store(engine, VmLimits(call_depth=50))
    inst: ModuleInst

    def host(x: int) -> int:
        try:
            invoke_bits(store, function(inst, "deep"), [0])
        except Exhaustion as error:
            seen.append(len(error.backtrace))
        return 0

    inst = instantiate(store, validate(parse(text)), [store.host_func(FuncType((I32,), (I32,)), host)])
    assert invoke_bits(store, function(inst, "down"), [9]) == [0]
    assert seen == [40]


# -- hosts that misbehave -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [-1, 1 << 32, "x", 1.5, (), (1, 2), None], ids=str)
def test_wrong_results_of_a_host_are_refused(engine: str, wrong: Any) -> None:
    store = Store(engine)
    inst = instantiate(store, validate(parse(TEXT)), [store.host_func(FuncType((I32,), (I32,)), lambda x: wrong)])
    with pytest.raises((EmbedderError, TypeError)):
        invoke_bits(store, function(inst, "host"), [1])
    assert (store.activations, store.depth, store.cells) == (0, 0, 0)
    assert invoke_bits(store, function(inst, "count"), [4]) == [4]


def test_an_exception_of_a_host_is_the_same_object(engine: str) -> None:
    store = Store(engine)
    error = ZeroDivisionError("mine")

    def host(x: int) -> int:
        raise error

    inst = instantiate(store, validate(parse(TEXT)), [store.host_func(FuncType((I32,), (I32,)), host)])
    with pytest.raises(ZeroDivisionError) as caught:
        invoke_bits(store, function(inst, "host"), [1])
    assert caught.value is error and "host" in error.__notes__[0]


def test_a_trap_of_a_host_has_the_guests_frames(engine: str) -> None:
    store = Store(engine)

    def host(x: int) -> int:
        raise Trap("mine")

    inst = instantiate(store, validate(parse(TEXT)), [store.host_func(FuncType((I32,), (I32,)), host)])
    with pytest.raises(Trap) as caught:
        invoke_bits(store, function(inst, "host"), [1])
    assert caught.value.message == "mine" and [frame.func_index for frame in caught.value.backtrace] == [3]


def test_another_thread_is_turned_away(engine: str) -> None:
    """And when the first one is done, the other may come in."""
    store = Store(engine)
    inst: ModuleInst
    seen: list[BaseException | list[int]] = []

    def other() -> None:
        try:
            seen.append(invoke_bits(store, function(inst, "count"), [2]))
        except EmbedderError as error:
            seen.append(error)

    def host(x: int) -> int:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        return 0

    inst = instantiate(store, validate(parse(TEXT)), [store.host_func(FuncType((I32,), (I32,)), host)])
    invoke_bits(store, function(inst, "host"), [1])
    host(0)
    assert isinstance(seen[0], EmbedderError) and seen[1] == [2]
