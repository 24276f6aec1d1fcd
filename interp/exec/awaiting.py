"""The driver whose host functions may be coroutines: `await` an export, and the guest waits while others run.

An engine leaves its loop at a host call anyway, so nothing but this driver knows of waiting. While an activation waits
its store belongs to the host function that it waits for, and to what that calls: another task that calls by
`invoke_async` has its turn afterwards, and one that calls without waiting gets an EmbedderError. So activations stay
last in, first out. At the end of each slice of ticks the other tasks of the event loop have a turn as well.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from interp.runtime.engine import Exit, HostCall, Paused, Thread
from interp.runtime.exception import WasmException
from interp.runtime.store import INSIDE, FuncInst, HostFunc, Store
from interp.runtime.values import check_bits
from interp.syntax.errors import EmbedderError, Trap, WasmError

from . import driver


class Waiting:
    """That an activation waits: for a host function, or for its next turn. `thread` is the one that it runs on."""

    def __init__(self, thread: int) -> None:
        self.thread = thread
        self._others: list[asyncio.Future[None]] = []

    async def end(self) -> None:
        """Wait until it goes on."""
        future = asyncio.get_running_loop().create_future()
        self._others.append(future)
        await future

    def over(self) -> None:
        """It goes on: let the others look."""
        for future in self._others:
            if not future.done():
                future.get_loop().call_soon_threadsafe(_finish, future)


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def invoke_async(store: Store, func: FuncInst | HostFunc, args: Sequence[int]) -> list[int]:
    """Call a function with raw bits, as `invoke_bits`; host functions may give an awaitable of their results.

    Raises as `invoke_bits`, and EmbedderError on an engine whose threads are not resumed. Cancelling the task ends the
    activation as an exception of the host function does. Needs asyncio's event loop.
    """
    store.check(func)
    check_bits(store, func.type.params, args)
    if "resumable" not in store.engine.capabilities:
        raise EmbedderError(f"the {store.engine.name} engine cannot wait; the native and the reference engine can")
    while store.waiting is not None and store.waiting not in INSIDE.get():
        await store.waiting.end()
    depth, cells, activations = store.depth, store.cells, store.activations
    try:
        store.enter()
        if isinstance(func, HostFunc):
            driver.charge_host(store, func)
            return list(await _results(store, func, args))
        return await _drive(store, store.engine.start(store, func, args))
    finally:
        store.depth, store.cells, store.activations = depth, cells, activations


async def _drive(store: Store, thread: Thread) -> list[int]:
    step: Callable[[], Exit] = thread.run
    try:
        while True:
            exit = step()
            if isinstance(exit, HostCall):
                driver.check_deadline(store, thread)
                step = await _answer(store, thread, exit)
            elif isinstance(exit, Paused):
                driver.check_deadline(store, thread)
                with _waiting(store):
                    await asyncio.sleep(0)
                step = thread.run
            else:
                return driver.ended(thread, exit)
    except WasmError:
        thread.abort()
        raise
    except BaseException as error:
        driver.dropped(thread, error)
        raise


async def _answer(store: Store, thread: Thread, call: HostCall) -> Callable[[], Exit]:
    """Wait for what a host function gives or raises; the step that answers with it."""
    try:
        values = await _results(store, call.func, call.args)
    except (WasmException, Trap) as error:
        raised = error  # the name of the clause ends with it
        return lambda: driver.answer(store, thread, lambda: _raise(raised))
    return lambda: thread.resume(values)


async def _results(store: Store, func: HostFunc, args: Sequence[int]) -> Sequence[int]:
    with _waiting(store):
        result: Any = func.code(*args)
        if inspect.isawaitable(result):
            result = await _plain(result)
    return driver.host_results(func, result)


async def _plain(result: Awaitable[Any]) -> Any:
    return await result


def _raise(error: BaseException) -> Sequence[int]:
    raise error


@contextmanager
def _waiting(store: Store) -> Iterator[None]:
    """For as long as it lasts, the store belongs to this context and to what it calls."""
    before, thread = store.waiting, store.thread
    now = store.waiting = Waiting(threading.get_ident())
    store.thread = 0  # nobody's: every call asks `Store.enter` whether it may
    token = INSIDE.set((*INSIDE.get(), now))
    try:
        yield
    finally:
        INSIDE.reset(token)
        store.waiting, store.thread = before, thread
        now.over()
