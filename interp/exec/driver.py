"""The driver: turns the exits of an engine into calls of host functions, results and exceptions (engine contract 2).

A host function may call back into its store: that is a new activation above the suspended one, last in first out.
A Python exception of a host function drops the activation and leaves as the same object with the guest's backtrace as
a note; no guest handler sees it. `WasmException` raised by one is a throw that the guest can catch, `Trap` a trap.
Everything in the store stays usable afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from interp.runtime import instance
from interp.runtime.backtrace import frame_lines
from interp.runtime.engine import (
    Exhausted,
    Exit,
    Failed,
    HostCall,
    OutOfFuel,
    Paused,
    Returned,
    Thread,
    Threw,
    Trapped,
)
from interp.runtime.exception import WasmException, check_thrown
from interp.runtime.store import Extern, FuncInst, HostFunc, Store
from interp.runtime.values import Val, check_bits
from interp.syntax.errors import (
    TRAPS,
    Crash,
    EmbedderError,
    Exhaustion,
    FuelExhausted,
    Interrupted,
    Trap,
    WasmError,
    Where,
)
from interp.syntax.types import I32
from interp.valid.subtyping import CLOSED

if TYPE_CHECKING:
    from interp.runtime.instance import ModuleInst
    from interp.valid.module import ValidModule


def invoke_bits(store: Store, func: FuncInst | HostFunc, args: Sequence[int]) -> list[int]:
    """Call a function with raw bits and give the raw bits of its results.

    Raises Trap, Exhaustion, WasmException (that no guest code caught), FuelExhausted, Interrupted (the store's deadline
    passed), ResourceError, LimitError
    (activations nested too deep), EmbedderError (wrong store, thread, number or range of arguments), or the exception
    of a host function as it is.
    """
    entry = func.entry if isinstance(func, FuncInst) else None
    if entry is not None and func.module.store is store:  # type: ignore[union-attr]
        return entry(*args)  # type: ignore[no-any-return]
    return invoke_stepwise(store, func, args)


def invoke_stepwise(store: Store, func: FuncInst | HostFunc, args: Sequence[int]) -> list[int]:
    """The same by a thread and its exits, on every engine."""
    store.check(func)
    check_bits(store, func.type.params, args)
    if isinstance(func, FuncInst) and func.entry is None:
        func.entry = store.engine.entry(func)
    depth, cells, activations = store.depth, store.cells, store.activations
    try:
        store.enter()
        if isinstance(func, HostFunc):
            charge_host(store, func)
            return list(call_host(func, args))
        store.heap.tidy(args)
        thread = store.engine.start(store, func, args)
        return drive(store, thread, thread.run)
    finally:
        # Put back rather than counted down: KeyboardInterrupt comes after any call, but not between assignments.
        store.depth, store.cells, store.activations = depth, cells, activations


def invoke(store: Store, func: FuncInst | HostFunc, args: Sequence[Val]) -> list[Val]:
    """Call a function with typed values (embedding interface, `func_invoke`). Raises as `invoke_bits`."""
    for type, val in zip(func.type.params, args, strict=False):
        if not CLOSED.value(val.type, type):
            raise EmbedderError(f"a {type} is needed, {val!r} given")
    results = invoke_bits(store, func, [val.bits for val in args])
    return [Val(type, bits) for type, bits in zip(func.type.results, results, strict=True)]


def instantiate(store: Store, valid: ValidModule, imports: Sequence[Extern] = ()) -> ModuleInst:
    """Instantiate a module with externs in the order of its imports, start function included (4.5.4).

    Raises UnsupportedError, LinkError, LimitError, ResourceError, EmbedderError, and what the segments and the start
    function raise.
    """
    return instance.instantiate(store, valid, imports, invoke_bits)


def call_host(func: HostFunc, args: Sequence[int]) -> Sequence[int]:
    """Run a host function and check what it gives. Raises EmbedderError for wrong results, and what it raises."""
    return host_results(func, func.code(*args))


def host_results(func: HostFunc, result: Any) -> Sequence[int]:
    """The raw bits that a host function gave. Raises EmbedderError if they are not those of its result types."""
    wanted = func.type.results
    if type(result) is int and len(wanted) == 1 and wanted[0] is I32 and 0 <= result <= 0xFFFFFFFF:
        return (result,)  # what nearly every host function gives
    refuse_awaitable(func, result)
    if result is None:
        values: Sequence[int] = ()
    elif isinstance(result, int):
        values = (result,)
    else:
        values = tuple(result)
    try:
        check_bits(func.store, wanted, values)
    except EmbedderError as error:
        raise EmbedderError(f"host function {func.name or func.addr}: {error}") from None
    return values


def refuse_awaitable(func: HostFunc, result: object) -> None:
    """Raises EmbedderError for the result of a coroutine function: only `invoke_async` waits for it."""
    if isinstance(result, Awaitable):
        if hasattr(result, "close"):
            result.close()
        raise EmbedderError(f"host function {func.name or func.addr} has to be awaited: call the export by call_async")


def charge_host(store: Store, func: HostFunc) -> None:
    """Charge the tick of a host function that is called from outside. Raises FuelExhausted."""
    if store.grant() < 1:
        raise FuelExhausted(where=Where(context=f"host function {func.name}"))
    store.settle(1)


def drive(store: Store, thread: Thread, first: Callable[[], Exit]) -> list[int]:
    """See an activation through to its end: `first` makes its next exit. Gives the raw bits of its results."""
    try:
        exit = first()
        while True:
            match exit:
                case HostCall(func, args):
                    check_deadline(store, thread)
                    exit = answer(store, thread, partial(call_host, func, args))
                case Paused():
                    check_deadline(store, thread)
                    exit = thread.run()
                case _:
                    return ended(thread, exit)
    except WasmError:
        thread.abort()
        raise
    except BaseException as error:
        dropped(thread, error)
        raise


def ended(thread: Thread, exit: Exit) -> list[int]:
    """What an activation that is over, or out of fuel, comes to: results, or the exception that is raised."""
    match exit:
        case Returned(results):
            return list(results)
        case Trapped(trap):
            raise trap
        case Threw(exception):
            raise exception
        case Exhausted(_, backtrace):
            raise Exhaustion(TRAPS["stack_exhausted"], backtrace=backtrace)
        case OutOfFuel(index, offset):
            raise FuelExhausted(where=Where(offset, context=f"func {index}"), backtrace=thread.backtrace())
        case Failed(error):
            raise error
        case _:
            raise Crash(f"an engine left with {exit!r}")


def dropped(thread: Thread, error: BaseException) -> None:
    """Drop an activation for an exception of Python's, and note the guest's frames on it."""
    try:
        _note(error, thread)
    finally:
        thread.abort()


def answer(store: Store, thread: Thread, host: Callable[[], Sequence[int]]) -> Exit:
    """Answer a HostCall with what `host` gives or raises: results, an exception of the guest's, or a trap."""
    try:
        values = host()
    except WasmException as exception:
        check_thrown(store, exception)
        return thread.throw(exception)
    except Trap as trap:
        return thread.throw_trap(trap)
    store.heap.tidy(values)
    return thread.resume(values)


def check_deadline(store: Store, thread: Thread) -> None:
    """Raises Interrupted if the store's deadline passed."""
    if store.deadline is not None and time.monotonic() >= store.deadline:
        raise Interrupted(backtrace=thread.backtrace())


def _note(error: BaseException, thread: Any) -> None:
    lines = frame_lines(thread.backtrace())
    if lines:
        error.add_note("\n".join(["WebAssembly frames, innermost first:", *lines]))
