"""Exports that are awaited, with host functions that are coroutines (exec/awaiting.py)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import pytest

import interp
from spec_tests.wasm.programs import CALLS, FIB, make

pytestmark = pytest.mark.parametrize("engine", [name for name in interp.engines() if name != "python"])


def run(main: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(main, 60))


async def slowly(x: int) -> int:
    await asyncio.sleep(0.01)
    return x + 1


def test_an_export_waits_for_a_coroutine(engine):
    inst = make(CALLS, engine, host=slowly)
    assert run(inst.exports.call.call_async(5)) == 106
    assert run(inst.exports.double.call_async(5)) == 10
    assert run(inst.exports.indirect.call_async(5)) == 6
    assert inst.store.activations == inst.store.depth == 0


def test_ticks_are_those_of_a_plain_call(engine):
    plain, waiting = make(CALLS, engine, host=lambda x: x + 1), make(CALLS, engine, host=slowly)
    plain.exports.call(5)
    run(waiting.exports.call.call_async(5))
    assert plain.store.ticks == waiting.store.ticks


def test_a_plain_call_refuses_a_coroutine_and_says_what_to_do(engine):
    inst = make(CALLS, engine, host=slowly)
    with pytest.raises(interp.EmbedderError, match="call_async"):
        inst.exports.call(5)
    assert inst.exports.double(5) == 10


def test_stores_run_side_by_side(engine):
    instances = [make(CALLS, engine, host=slowly) for _ in range(5)]

    async def main() -> list[int]:
        return await asyncio.gather(*(inst.exports.call.call_async(n) for n, inst in enumerate(instances)))

    assert run(main()) == [101, 102, 103, 104, 105]


def test_calls_of_one_store_have_their_turn(engine):
    order: list[object] = []

    async def host(x: int) -> int:
        order.append(("in", x))
        await asyncio.sleep(0.01)
        order.append(("out", x))
        return x

    inst = make(CALLS, engine, host=host)

    async def main() -> list[int]:
        return await asyncio.gather(*(inst.exports.call.call_async(n) for n in range(3)))

    assert run(main()) == [100, 101, 102]
    assert order == [(side, n) for n in range(3) for side in ("in", "out")]


def test_a_waiting_store_is_closed_to_plain_calls_of_others(engine):
    errors: list[str] = []

    async def main() -> int:
        task = asyncio.ensure_future(inst.exports.call.call_async(1))
        await asyncio.sleep(0.005)
        with pytest.raises(interp.EmbedderError, match="waits for a host function") as caught:
            inst.exports.double(2)
        errors.append(str(caught.value))
        return await task

    inst = make(CALLS, engine, host=slowly)
    assert run(main()) == 102
    assert errors
    assert inst.exports.double(2) == 4


def test_a_host_function_may_call_back_in_both_ways(engine):
    async def host(x: int) -> int:
        await asyncio.sleep(0)
        if x > 3:
            return inst.exports.double(x)
        return await inst.exports.call.call_async(x + 1)

    inst = make(CALLS, engine, host=host)
    assert run(inst.exports.call.call_async(1)) == 408
    assert inst.store.activations == 0


@pytest.mark.parametrize("kind", [ZeroDivisionError, interp.Trap])
def test_what_a_coroutine_raises_leaves_as_from_a_plain_function(engine, kind):
    error = kind("mine")

    async def host(x: int) -> int:
        await asyncio.sleep(0)
        raise error

    inst = make(CALLS, engine, host=host)
    with pytest.raises(kind) as caught:
        run(inst.exports.call.call_async(1))
    assert caught.value is error
    if isinstance(error, interp.Trap):
        assert [frame.func_index for frame in error.backtrace] == [1, 2]
    else:
        assert "inner" in error.__notes__[0]
    assert inst.store.activations == 0
    assert inst.exports.double(2) == 4


def test_a_cancelled_call_is_dropped_and_the_next_has_its_turn(engine):
    async def host(x: int) -> int:
        await asyncio.sleep(3600 if x == 1 else 0)
        return x

    inst = make(CALLS, engine, host=host)

    async def main() -> int:
        task = asyncio.ensure_future(inst.exports.call.call_async(1))
        other = asyncio.ensure_future(inst.exports.call.call_async(2))
        await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await other

    assert run(main()) == 102
    assert inst.store.activations == 0


def test_a_long_call_leaves_turns_to_others(engine):
    inst = make(FIB, engine, limits=interp.VmLimits(ticks_per_slice=1000))
    turns = 0

    async def main() -> None:
        nonlocal turns
        inst.store.deadline = time.monotonic() + 0.3
        task = asyncio.ensure_future(inst.exports.forever.call_async())
        while not task.done():
            turns += 1
            await asyncio.sleep(0)
        with pytest.raises(interp.Interrupted):
            await task

    run(main())
    assert turns > 5


def test_fuel_ends_a_waiting_call(engine):
    inst = make(CALLS, engine, host=slowly)
    inst.store.fuel = 2
    with pytest.raises(interp.FuelExhausted):
        run(inst.exports.call.call_async(1))
    inst.store.fuel = None
    assert run(inst.exports.call.call_async(1)) == 102


def test_a_host_function_is_awaited_directly_too(engine):
    text = '(module (import "env" "host" (func (param i32) (result i32))) (export "h" (func 0)))'
    inst = make(text, engine, host=slowly)
    assert run(inst.exports.h.call_async(4)) == 5
    assert inst.store.ticks == 1


def test_wrong_results_of_a_coroutine_are_refused(engine):
    async def host(x: int) -> str:
        return "x"

    inst = make(CALLS, engine, host=host)
    with pytest.raises(TypeError):
        run(inst.exports.call.call_async(1))
    assert inst.exports.double(2) == 4


def test_the_python_engine_says_that_it_cannot_wait(engine):
    inst = make(CALLS, "python", host=slowly)
    with pytest.raises(interp.EmbedderError, match="cannot wait"):
        run(inst.exports.call.call_async(1))
