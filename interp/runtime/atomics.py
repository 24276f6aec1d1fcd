"""Atomic accesses (proposal threads): one meaning for every engine, and what waiting is where nobody else runs.

A store runs on one thread at a time, so an access is atomic by itself. What is left of the proposal is the alignment,
which is checked first, on the effective address; and `wait`, whose answer is known at once: nobody runs who could
notify. It lets its time pass and times out. See RATIONALE.md, "What does a wait wait for?".
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from interp.syntax.errors import TRAPS, Interrupted, Trap
from interp.syntax.instructions import OPS, Op

from .memory import out_of_bounds

if TYPE_CHECKING:
    from .memory import MemInst
    from .store import Store

#: What an atomic instruction does: the memory, its address, its offset, its further operands; gives its result.
Atomic = Callable[..., int | None]

_NOT_EQUAL, _TIMED_OUT = 1, 2
#: Seconds that a waiting thread sleeps at most before it looks at the deadline again, which others may set.
_NAP = 0.05

_CHANGES: dict[str, Callable[[int, int], int]] = {
    "add": lambda old, value: old + value,
    "sub": lambda old, value: old - value,
    "and": lambda old, value: old & value,
    "or": lambda old, value: old | value,
    "xor": lambda old, value: old ^ value,
    "xchg": lambda old, value: value,
}


def effective_address(memory: MemInst, address: int, offset: int, width: int) -> int:
    """Where an atomic access starts. Raises Trap where it is not aligned, or else outside of the memory."""
    ea = address + offset
    if ea % width:
        raise Trap(TRAPS["unaligned_atomic"])
    if ea + width > memory.length:
        raise out_of_bounds()
    return ea


def _load(width: int) -> Atomic:
    def load(memory: MemInst, address: int, offset: int) -> int:
        return memory.load(effective_address(memory, address, offset, width), width)

    return load


def _store(width: int) -> Atomic:
    def store(memory: MemInst, address: int, offset: int, value: int) -> None:
        memory.store_bits(effective_address(memory, address, offset, width), width, value)

    return store


def _change(width: int, new: Callable[[int, int], int]) -> Atomic:
    def change(memory: MemInst, address: int, offset: int, value: int) -> int:
        ea = effective_address(memory, address, offset, width)
        old = memory.load(ea, width)
        memory.store_bits(ea, width, new(old, value))
        return old

    return change


def _exchange_if_equal(width: int) -> Atomic:
    mask = (1 << 8 * width) - 1

    def exchange(memory: MemInst, address: int, offset: int, expected: int, value: int) -> int:
        ea = effective_address(memory, address, offset, width)
        old = memory.load(ea, width)
        if old == expected & mask:
            memory.store_bits(ea, width, value)
        return old

    return exchange


def _wait(width: int) -> Atomic:
    def wait(memory: MemInst, address: int, offset: int, expected: int, timeout: int) -> int:
        ea = effective_address(memory, address, offset, width)
        if not memory.type.limits.shared:
            raise Trap(TRAPS["expected_shared"])
        if memory.load(ea, width) != expected:
            return _NOT_EQUAL
        if timeout >> 63:
            raise Trap(TRAPS["endless_wait"])
        pass_time(memory.store, timeout)
        return _TIMED_OUT

    return wait


def _notify(memory: MemInst, address: int, offset: int, count: int) -> int:
    effective_address(memory, address, offset, 4)
    return 0


def pass_time(store: Store, nanoseconds: int) -> None:
    """Let time pass for a guest that waits, as `store.sleep` does it.

    Raises Trap past `limits.wait_seconds`, Interrupted when the store's deadline passes meanwhile, and what a signal's
    handler raises.
    """
    if nanoseconds > store.limits.wait_seconds * 1_000_000_000:
        raise Trap(TRAPS["long_wait"])
    sleep = store.sleep
    if sleep is None:
        return
    left = nanoseconds / 1e9
    while left > 0:
        nap = min(left, _NAP)
        if store.deadline is not None:
            nap = min(nap, store.deadline - time.monotonic())
            if nap <= 0:
                raise Interrupted
        sleep(nap)
        left -= nap


def _meaning(op: Op) -> Atomic:
    name = op.name.split(".")[-1].removesuffix("_u")
    if name.startswith("wait"):
        return _wait(op.width)
    if name == "notify":
        return _notify
    if name.startswith("load"):
        return _load(op.width)
    if name.startswith("store"):
        return _store(op.width)
    return _exchange_if_equal(op.width) if name == "cmpxchg" else _change(op.width, _CHANGES[name])


#: Instruction name to its meaning; all but `atomic.fence`, which does nothing.
ATOMICS: dict[str, Atomic] = {op.name: _meaning(op) for op in OPS if op.atomic}
