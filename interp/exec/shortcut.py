"""What the driver in C (native/boundary.c) leaves to Python, for one store on the native engine.

That driver calls functions of nothing but plain numbers, answers calls of such host functions and goes on after slices.
Everything else it hands over where it stands: a trap, a service, an exception of a host function, results of another
kind. From there on the driver in Python sees to the activation; both keep the same accounts.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

from interp import _native
from interp.runtime import pace
from interp.runtime.boundary import Entry, direct
from interp.runtime.store import FuncInst, HostFunc, Store
from interp.runtime.values import result_bits
from interp.syntax.types import NumType, ValType

from . import driver
from .native import NativeState, NativeThread


@direct
class RawEntry(Entry):
    """A function as a callable of raw bits that gives a list of them."""

    __slots__ = ("func",)

    def __init__(self, func: FuncInst) -> None:
        self.func = func

    def long_way(self, *args: int) -> list[int]:
        """What C calls for all but plain numbers within their range."""
        return driver.invoke_stepwise(self.func.store, self.func, args)


@lru_cache(1024)
def plain(types: tuple[ValType, ...]) -> bytes | None:
    """Plain numbers, of one cell each, by their bytes in the binary format; None for other types, or too many."""
    codes = bytes(type.code for type in types if isinstance(type, NumType) and type.cells == 1)
    return codes if len(codes) == len(types) <= _native.boundary.MAX_PLAIN else None


class Shortcut:
    """Makes the driver in C of a store and takes over from it."""

    def __init__(self, state: NativeState, store: Store) -> None:
        self._state = state
        self._store = store
        self._driver = _native.boundary.Driver(
            thread=int(_native.ffi.cast("uintptr_t", state.thread)),
            store=store,
            owner=self,
            active=state.active,
            clock=time.monotonic,
            slice=store.limits.ticks_per_slice,
            nested=store.limits.nested_activations,
            pace=(pace.FIRST, pace.FACTOR, pace.SHORT, pace.LONG),
        )

    # -- telling C -----------------------------------------------------------------------------------------------

    def add_host(self, func: HostFunc) -> None:
        """Tell C of a host function."""
        params, results = plain(func.type.params), plain(func.type.results)
        if params is None or results is None:
            self._driver.add_host(func, func.addr, None, b"", b"", False)
        elif func.numbers is not None:
            self._driver.add_host(func, func.addr, func.numbers, params, results, True)
        else:
            self._driver.add_host(func, func.addr, func.code, params, results, False)

    def entry(self, func: FuncInst) -> RawEntry:
        """A function as a callable of raw bits."""
        made = RawEntry(func)
        self._bind(func, made, False)
        return made

    def bind(self, func: FuncInst, function: Any) -> None:
        """Give an `Entry` of Python's numbers its way."""
        self._bind(func, function, True)

    def _bind(self, func: FuncInst, function: Any, is_signed: bool) -> None:
        params, results = plain(func.type.params), plain(func.type.results)
        if params is not None and results is not None:
            function.bind(self._driver, func, func.addr, params, results, is_signed)

    # -- what C calls --------------------------------------------------------------------------------------------

    def sync(self) -> None:
        """Host functions were made since C was told of them."""
        self._state.sync_hosts(self._store)

    def adopt(self, func: FuncInst, level: int, code: int) -> list[int]:
        """Go on with the activation at `level` after the loop left with `code`; the raw results."""
        thread = self._thread(func)
        return driver.drive(self._store, thread, partial(thread.left, level, code))

    def failed(self, func: FuncInst, level: int, at: int, error: BaseException) -> list[int]:
        """The same after the host function raised; `at` is the address of its arguments, 0 for none."""
        return self._answered(func, level, at, partial(_raise, error))

    def answered(self, func: FuncInst, level: int, at: int, host: HostFunc, result: object) -> list[int]:
        """The same after the host function gave something that C does not take."""
        return self._answered(func, level, at, partial(_results, host, result))

    def serve(self, func: FuncInst, level: int) -> list[int] | None:
        """Do what has one meaning for all engines. None: the loop goes on; otherwise the raw results."""
        thread = self._thread(func)
        exit = thread.serve(level)
        return None if exit is None else driver.drive(self._store, thread, lambda: exit)

    def _thread(self, func: FuncInst) -> NativeThread:
        return NativeThread(self._state, self._store, func, ())

    def _answered(self, func: FuncInst, level: int, at: int, host: Any) -> list[int]:
        thread = self._thread(func)
        thread.asked(level, at)
        return driver.drive(self._store, thread, partial(driver.answer, self._store, thread, host))


def _raise(error: BaseException) -> Sequence[int]:
    raise error


def _results(host: HostFunc, result: object) -> Sequence[int]:
    if host.numbers is None:
        return driver.host_results(host, result)
    driver.refuse_awaitable(host, result)
    return result_bits(host.store, host.type, result)
