"""memory.atomic.wait where nobody notifies: time passes as the store says, and nothing waits for ever."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import interp

WAIT = """
(module
  (memory 1 1 shared)
  (func $inner (param i64) (result i32) (memory.atomic.wait32 (i32.const 0) (i32.const 0) (local.get 0)))
  (func (export "wait") (param i64) (result i32) (call $inner (local.get 0)))
  (func (export "after") (result i32) (i32.atomic.rmw.add (i32.const 4) (i32.const 1))))
"""
SECOND = 1_000_000_000


def load(engine: str, limits: interp.VmLimits | None = None) -> interp.Instance:
    return interp.load(WAIT, engine=engine, features="threads", limits=limits)


def test_time_passes(engine: str) -> None:
    inst = load(engine)
    began = time.monotonic()
    assert inst.exports.wait(SECOND // 50) == 2
    assert time.monotonic() - began >= 0.019


def test_the_store_lets_time_pass(engine: str) -> None:
    inst = load(engine)
    slept: list[float] = []
    inst.store.sleep = slept.append
    assert inst.exports.wait(3 * SECOND) == 2
    assert sum(slept) == pytest.approx(3)
    assert max(slept) <= 0.05
    slept.clear()
    assert inst.exports.wait(0) == 2
    assert slept == []


def test_without_sleep_time_passes_at_once(engine: str) -> None:
    inst = load(engine)
    inst.store.sleep = None
    began = time.monotonic()
    assert inst.exports.wait(3600 * SECOND) == 2
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(("timeout", "message"), [(-1, "nobody can notify"), (3600 * SECOND + 1, "limit wait_seconds")])
def test_what_would_wait_too_long_traps_at_once(engine: str, timeout: int, message: str) -> None:
    inst = load(engine)
    with pytest.raises(interp.Trap, match=message) as caught:
        inst.exports.wait(timeout)
    assert [frame.func_index for frame in caught.value.backtrace] == [0, 1]
    assert inst.exports.after() == 0


def test_the_limit_is_the_stores(engine: str) -> None:
    inst = load(engine, interp.VmLimits(wait_seconds=2))
    inst.store.sleep = None
    assert inst.exports.wait(2 * SECOND) == 2
    with pytest.raises(interp.Trap, match="limit wait_seconds"):
        inst.exports.wait(2 * SECOND + 1)


def test_a_wait_costs_the_same_everywhere() -> None:
    ticks = set()
    for name in interp.engines():
        inst = load(name)
        inst.store.fuel = 10
        assert inst.exports.wait(0) == 2
        ticks.add((inst.store.ticks, inst.store.fuel))
    assert ticks == {(2, 8)}


def test_a_deadline_ends_a_wait(engine: str) -> None:
    inst = load(engine)
    inst.store.deadline = began = time.monotonic() + 0.05
    with pytest.raises(interp.Interrupted) as caught:
        inst.exports.wait(100 * SECOND)
    assert time.monotonic() - began < 10
    assert [frame.func_index for frame in caught.value.backtrace] == [0, 1]
    inst.store.deadline = None
    assert inst.exports.after() == 0
    assert (inst.store.depth, inst.store.cells, inst.store.activations) == (0, 0, 0)


def test_a_deadline_that_another_thread_sets_ends_a_wait(engine: str) -> None:
    inst = load(engine)

    def stop() -> None:
        inst.store.deadline = 0.0

    timer = threading.Timer(0.05, stop)
    timer.start()
    with pytest.raises(interp.Interrupted):
        inst.exports.wait(100 * SECOND)
    timer.join()


def interrupted(inst: interp.Instance, during: Callable[[], Any]) -> None:
    timer = threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        during()
    timer.join()
    assert inst.exports.after() == 0


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")
def test_a_signal_ends_a_wait(engine: str) -> None:
    inst = load(engine)
    interrupted(inst, lambda: inst.exports.wait(100 * SECOND))


def test_what_sleep_raises_comes_out(engine: str) -> None:
    inst = load(engine)

    def fail(seconds: float) -> None:
        raise ValueError("no time")

    inst.store.sleep = fail
    with pytest.raises(ValueError, match="no time"):
        inst.exports.wait(SECOND)
    assert inst.exports.after() == 0
