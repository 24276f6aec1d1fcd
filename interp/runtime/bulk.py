"""Bulk operations on memories and tables (specification 4.4.6 and 4.4.7): one meaning for every engine.

Arguments are raw unsigned bits; indices are those of the instance. Each checks before it writes, so that a trap leaves
everything as it was. Ticks are the engine's to charge, before the call: `bulk_ticks` says how many.

What takes long is done in stretches: the function gives the `Rest`, whose steps must be taken, and each is a stretch.
Between two of them an engine may leave as it does between two slices. An activation that is dropped there has done
stretches from the low addresses on, or from the high ones on where a copy goes up within one memory.
Growing is done in one piece: what somebody writes in between would be lost, or have no place yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from .memory import out_of_bounds as memory_bounds
from .table import out_of_bounds as table_bounds

if TYPE_CHECKING:
    from .heap import Heap
    from .instance import ModuleInst

#: How many bytes are moved or filled at a stretch: some milliseconds.
STRETCH = 1 << 24

#: What is still to be done of an instruction, stretch by stretch.
Rest = Iterator[None]

#: What `memory.grow` and `table.grow` answer when they cannot: -1 in the type of the addresses.
FAILED = {"i32": 0xFFFFFFFF, "i64": 0xFFFFFFFFFFFFFFFF}


def bulk_ticks(nbytes: int) -> int:
    """Ticks for moving, filling or allocating bytes: one per started 4 KiB. A reference counts 8 bytes."""
    return (nbytes + 4095) >> 12


def in_stretches(
    n: int,
    unit: int,
    act: Callable[[int, int], None],
    *,
    down: bool = False,
    heap: Heap | None = None,
    held: Sequence[int] = (),
) -> Rest | None:
    """Do `n` items of `unit` bytes by `act(from, to)`: at once if they are few, else in the steps of what is given.

    Between two steps the heap keeps what the references in `held` refer to.
    """
    step = max(STRETCH // unit, 1)
    if n > step:
        steps = _steps(range(0, n, step), n, act, down)
        return steps if heap is None else _holding(heap, held, steps)
    if n:
        act(0, n)
    return None


def _steps(starts: range, n: int, act: Callable[[int, int], None], down: bool) -> Rest:
    for start in reversed(starts) if down else starts:
        act(start, min(start + starts.step, n))
        yield


def _holding(heap: Heap, held: Sequence[int], steps: Rest) -> Rest:
    with heap.holding(held):
        yield from steps


def whole(rest: Rest | None) -> None:
    """Do all that is left, at once."""
    for _ in rest or ():
        pass


def memory_grow_ticks(inst: ModuleInst, mem: int, delta: int) -> int:
    """Ticks of memory.grow: for what it will allocate, nothing where a limit already says no."""
    memory = inst.mems[mem]
    return bulk_ticks(delta * memory.page) if delta <= memory.max_pages - memory.pages else 0


def table_grow_ticks(inst: ModuleInst, table: int, delta: int) -> int:
    """Ticks of table.grow, likewise."""
    target = inst.tables[table]
    return bulk_ticks(8 * delta) if delta <= target.max_length - target.length else 0


def memory_init(inst: ModuleInst, data: int, mem: int, d: int, s: int, n: int) -> Rest | None:
    """memory.init: copy `n` bytes at `s` of a data segment to address `d`. Raises Trap."""
    memory, source = inst.mems[mem], inst.datas[data].data
    if s + n > len(source) or d + n > memory.length:
        raise memory_bounds()

    def act(a: int, b: int) -> None:
        memory.view[d + a : d + b] = source[s + a : s + b]

    return in_stretches(n, 1, act)


def data_drop(inst: ModuleInst, data: int) -> None:
    """data.drop."""
    inst.datas[data].drop()


def memory_copy(inst: ModuleInst, to: int, source: int, d: int, s: int, n: int) -> Rest | None:
    """memory.copy between memories by index; overlapping ranges copy as if through a buffer. Raises Trap."""
    a, b = inst.mems[to], inst.mems[source]
    if s + n > b.length or d + n > a.length:
        raise memory_bounds()

    def act(low: int, high: int) -> None:
        a.view[d + low : d + high] = b.view[s + low : s + high]

    return in_stretches(n, 1, act, down=a is b and d > s)


def memory_fill(inst: ModuleInst, mem: int, d: int, value: int, n: int) -> Rest | None:
    """memory.fill with the low byte of `value`. Raises Trap."""
    memory = inst.mems[mem]
    if d + n > memory.length:
        raise memory_bounds()

    def act(a: int, b: int) -> None:
        memory.array[d + a : d + b] = value & 0xFF

    return in_stretches(n, 1, act)


def memory_grow(inst: ModuleInst, mem: int, delta: int) -> int:
    """memory.grow: the old size in pages, or FAILED. Raises ResourceError."""
    memory = inst.mems[mem]
    old = memory.grow(delta)
    return FAILED[memory.type.limits.index] if old < 0 else old


def table_init(inst: ModuleInst, elem: int, table: int, d: int, s: int, n: int) -> Rest | None:
    """table.init: copy `n` references at `s` of an element segment to index `d`. Raises Trap."""
    target, source = inst.tables[table], inst.elems[elem].refs
    if s + n > len(source) or d + n > target.length:
        raise table_bounds()
    refs = source[s : s + n]
    return in_stretches(
        n, 8, lambda a, b: target.write(d + a, refs[a:b]), heap=inst.store.heap, held=refs
    )


def elem_drop(inst: ModuleInst, elem: int) -> None:
    """elem.drop."""
    inst.elems[elem].drop()


def table_copy(inst: ModuleInst, to: int, source: int, d: int, s: int, n: int) -> Rest | None:
    """table.copy between tables by index; overlapping ranges copy as if through a buffer. Raises Trap."""
    a, b = inst.tables[to], inst.tables[source]
    if s + n > b.length or d + n > a.length:
        raise table_bounds()

    def act(low: int, high: int) -> None:
        a.cells[d + low : d + high] = b.cells[s + low : s + high]

    return in_stretches(n, 8, act, down=a is b and d > s)


def table_fill(inst: ModuleInst, table: int, d: int, ref: int, n: int) -> Rest | None:
    """table.fill. Raises Trap."""
    target = inst.tables[table]
    if d + n > target.length:
        raise table_bounds()
    return in_stretches(n, 8, lambda a, b: target.fill(d + a, ref, b - a), heap=inst.store.heap, held=(ref,))


def table_grow(inst: ModuleInst, table: int, ref: int, delta: int) -> int:
    """table.grow: the old length, or FAILED. Raises ResourceError."""
    target = inst.tables[table]
    old = target.grow(delta, ref)
    return FAILED[target.type.limits.index] if old < 0 else old
