"""Those services of the native engine that make, read and write structures and arrays (native_services.py).

The meaning is that of runtime/gc.py; what this adds is ticks, room on the heap, and vectors in two cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from interp.runtime import gc
from interp.runtime.bulk import Rest, bulk_ticks
from interp.runtime.instance import ModuleInst
from interp.runtime.layout import Layout

#: How many cells the operands take, the ticks, the effect. The last two get the instance, both immediates, the cells.
Cells = Sequence[int]
Service = tuple[
    Callable[[ModuleInst, int, int], int],
    Callable[[ModuleInst, int, int, Cells], int],
    Callable[[ModuleInst, int, int, Cells], Cells | Rest],
]

LOW = (1 << 64) - 1


def values(widths: Iterable[int], cells: Cells) -> list[int]:
    """Cells as values that take one or two each."""
    found, at = [], 0
    for width in widths:
        found.append(cells[at] | cells[at + 1] << 64 if width == 2 else cells[at])
        at += width
    return found


def _width(layout: Layout) -> int:
    """The cells that an element of an array takes on the stack."""
    return 2 if layout.width == 16 else 1


# -- ticks ----------------------------------------------------------------------------------------------------------


def _object_ticks(inst: ModuleInst, n: int) -> int:
    return bulk_ticks(n) if inst.store.heap.fits(n) else 0  # one that cannot be traps


def _structure_ticks(inst: ModuleInst, type: int, y: int, cells: Cells) -> int:
    return _object_ticks(inst, gc.object_bytes(inst, type))


def _array_ticks(inst: ModuleInst, type: int, y: int, cells: Cells) -> int:
    return _object_ticks(inst, gc.object_bytes(inst, type, cells[-1]))


def _fixed_ticks(inst: ModuleInst, type: int, n: int, cells: Cells) -> int:
    return _object_ticks(inst, gc.object_bytes(inst, type, n))


def _payload_ticks(inst: ModuleInst, type: int, y: int, cells: Cells) -> int:
    return bulk_ticks(gc.payload_bytes(inst, type, cells[-1]))


def free(inst: ModuleInst, x: int, y: int, cells: Cells) -> int:
    return 0


# -- effects --------------------------------------------------------------------------------------------------------


def _steps(rest: Rest | None) -> Cells | Rest:
    return () if rest is None else rest


def _room(inst: ModuleInst, type: int, n: int = 0) -> None:
    inst.store.heap.make_room(gc.object_bytes(inst, type, n))


def _struct_new(inst: ModuleInst, type: int, y: int, cells: Cells) -> Cells:
    _room(inst, type)
    return (gc.struct_new(inst, type, values(gc.layout(inst, type).widths, cells)),)


def _struct_new_default(inst: ModuleInst, type: int, y: int, cells: Cells) -> Cells:
    _room(inst, type)
    return (gc.struct_new_default(inst, type),)


def _array_new(inst: ModuleInst, type: int, y: int, cells: Cells) -> Cells:
    _room(inst, type, cells[-1])
    return (gc.array_new(inst, type, *values((_width(gc.layout(inst, type)), 1), cells)),)


def _array_new_default(inst: ModuleInst, type: int, y: int, cells: Cells) -> Cells:
    _room(inst, type, cells[0])
    return (gc.array_new(inst, type, 0, cells[0]),)


def _array_new_fixed(inst: ModuleInst, type: int, n: int, cells: Cells) -> Cells:
    _room(inst, type, n)
    return (gc.array_new_fixed(inst, type, values([_width(gc.layout(inst, type))] * n, cells)),)


def _array_new_data(inst: ModuleInst, type: int, data: int, cells: Cells) -> Cells:
    gc.check_data(inst, type, data, *cells)
    _room(inst, type, cells[-1])
    return (gc.array_new_data(inst, type, data, *cells),)


def _array_new_elem(inst: ModuleInst, type: int, elem: int, cells: Cells) -> Cells:
    gc.check_elem(inst, elem, *cells)
    _room(inst, type, cells[-1])
    return (gc.array_new_elem(inst, type, elem, *cells),)


def _array_fill(inst: ModuleInst, type: int, y: int, cells: Cells) -> Cells | Rest:
    operands = values((1, 1, _width(gc.layout(inst, type)), 1), cells)
    return _steps(gc.array_fill(inst.store, *operands))


def _array_copy(inst: ModuleInst, type: int, y: int, cells: Cells) -> Cells | Rest:
    return _steps(gc.array_copy(inst.store, *cells))


def _array_init_data(inst: ModuleInst, type: int, data: int, cells: Cells) -> Cells | Rest:
    return _steps(gc.array_init_data(inst, data, *cells))


def _array_init_elem(inst: ModuleInst, type: int, elem: int, cells: Cells) -> Cells | Rest:
    return _steps(gc.array_init_elem(inst, elem, *cells))


# -- the table ------------------------------------------------------------------------------------------------------


def some(n: int) -> Callable[[ModuleInst, int, int], int]:
    return lambda inst, x, y: n


def _and_element(n: int) -> Callable[[ModuleInst, int, int], int]:
    return lambda inst, type, y: n + _width(gc.layout(inst, type))


def services(lib: Any) -> dict[int, Service]:
    """The services of structures and arrays by their numbers in C."""
    return {
        lib.SERVICE_struct_new: (lambda inst, x, y: gc.layout(inst, x).n_cells, _structure_ticks, _struct_new),
        lib.SERVICE_struct_new_default: (some(0), _structure_ticks, _struct_new_default),
        lib.SERVICE_array_new: (_and_element(1), _array_ticks, _array_new),
        lib.SERVICE_array_new_default: (some(1), _array_ticks, _array_new_default),
        lib.SERVICE_array_new_fixed: (
            lambda inst, x, n: n * _width(gc.layout(inst, x)),
            _fixed_ticks,
            _array_new_fixed,
        ),
        lib.SERVICE_array_new_data: (some(2), _array_ticks, _array_new_data),
        lib.SERVICE_array_new_elem: (some(2), _array_ticks, _array_new_elem),
        lib.SERVICE_array_fill: (_and_element(3), _payload_ticks, _array_fill),
        lib.SERVICE_array_copy: (some(5), _payload_ticks, _array_copy),
        lib.SERVICE_array_init_data: (some(4), _payload_ticks, _array_init_data),
        lib.SERVICE_array_init_elem: (some(4), _payload_ticks, _array_init_elem),
    }
