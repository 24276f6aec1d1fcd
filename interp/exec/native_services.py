"""The native engine's services: what has one meaning for every engine and leaves the loop to be done in Python.

A service gets the instance, two immediates and its operands as 64-bit cells (a vector is two), and gives its results
likewise, or what is left of a long one. Its ticks come before any effect. The loop stands at the instruction meanwhile,
so the operands are still on the stack, where the collector finds them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from interp import _native
from interp.runtime import bulk
from interp.runtime.atomics import ATOMICS
from interp.runtime.bulk import Rest, bulk_ticks
from interp.runtime.instance import ModuleInst

from . import native_gc
from .native_gc import Cells, Service, some

_Ticks = Callable[[ModuleInst, int, int, Cells], int]
_Effect = Callable[[ModuleInst, int, int, Cells], Cells | Rest]


def _bytes(inst: ModuleInst, x: int, y: int, cells: Cells) -> int:
    return bulk_ticks(cells[-1])


def _refs(inst: ModuleInst, x: int, y: int, cells: Cells) -> int:
    return bulk_ticks(8 * cells[-1])


def _two(effect: Callable[..., Rest | None]) -> _Effect:
    """An effect of both immediates."""

    def run(inst: ModuleInst, x: int, y: int, cells: Cells) -> Cells | Rest:
        rest = effect(inst, x, y, *cells)
        return () if rest is None else rest

    return run


def _one(effect: Callable[..., int | Rest | None]) -> _Effect:
    """An effect of the first immediate, which may give an integer."""

    def run(inst: ModuleInst, x: int, y: int, cells: Cells) -> Cells | Rest:
        result = effect(inst, x, *cells)
        if isinstance(result, int):
            return (result & native_gc.LOW,)
        return () if result is None else result

    return run


def _atomic(name: str) -> _Effect:
    """A service of `memory.atomic`: its immediates are the offset and the memory. It costs nothing."""
    meaning = ATOMICS[f"memory.atomic.{name}"]

    def run(inst: ModuleInst, offset: int, mem: int, cells: Cells) -> Cells:
        address, *rest = cells
        result = meaning(inst.mems[mem], address, offset, *rest)
        return () if result is None else (result,)

    return run


def _services() -> dict[int, Service]:
    lib = _native.lib
    grow: Sequence[_Ticks] = (
        lambda inst, x, y, cells: bulk.memory_grow_ticks(inst, x, cells[0]),
        lambda inst, x, y, cells: bulk.table_grow_ticks(inst, x, cells[1]),
    )
    return {
        lib.SERVICE_memory_grow: (some(1), grow[0], _one(bulk.memory_grow)),
        lib.SERVICE_memory_init: (some(3), _bytes, _two(bulk.memory_init)),
        lib.SERVICE_memory_copy: (some(3), _bytes, _two(bulk.memory_copy)),
        lib.SERVICE_memory_fill: (some(3), _bytes, _one(bulk.memory_fill)),
        lib.SERVICE_data_drop: (some(0), native_gc.free, _one(bulk.data_drop)),
        lib.SERVICE_table_init: (some(3), _refs, _two(bulk.table_init)),
        lib.SERVICE_elem_drop: (some(0), native_gc.free, _one(bulk.elem_drop)),
        lib.SERVICE_table_copy: (some(3), _refs, _two(bulk.table_copy)),
        lib.SERVICE_table_grow: (some(2), grow[1], _one(bulk.table_grow)),
        lib.SERVICE_table_fill: (some(3), _refs, _one(bulk.table_fill)),
        lib.SERVICE_atomic_notify: (some(2), native_gc.free, _atomic("notify")),
        lib.SERVICE_atomic_wait32: (some(3), native_gc.free, _atomic("wait32")),
        lib.SERVICE_atomic_wait64: (some(3), native_gc.free, _atomic("wait64")),
        **native_gc.services(lib),
    }


SERVICES: dict[int, Service] = _services() if _native.lib is not None else {}
