"""What references refer to, for a harness: how to make some, and how to show them so that two stores can be compared.

Where an object stands on the heap is the collector's business, so it is shown by what is in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from interp.runtime.layout import Layout
from interp.runtime.objects import I31, Object
from interp.runtime.store import Store
from interp.syntax.types import FieldType, NumType, PackedType, RefType, ValType
from interp.valid.canon import Definition, definition
from interp.valid.subtyping import CLOSED

from .family import DEFINITIONS
from .shape import constant

#: How deep objects are shown, and how many elements of an array.
_DEPTH, _ELEMENTS = 3, 6


def make(store: Store, rng: Random, type: RefType) -> int:
    """The bits of a reference of a closed type. For functions and the host's objects one of those there are."""
    heap, top = type.heap, CLOSED.top(type.heap)
    if top == "func" or heap == "extern":
        found = _some(store, type)
        low = 0 if type.nullable else 1
        return ([0, *found])[rng.randrange(low, len(found) + 1)]
    if heap == "none" or (type.nullable and rng.random() < 0.3):
        return 0
    if heap == "i31" or (heap in ("any", "eq") and rng.random() < 0.5):
        return I31 | rng.getrandbits(31)
    kind = definition(heap) if isinstance(heap, int) else DEFINITIONS[8 if heap == "array" else 0]
    return _object(store, rng, kind)


def _some(store: Store, type: RefType) -> list[int]:
    """The first few functions or objects of the host that are of a type."""
    if type.heap == "extern":
        return list(range(1, min(len(store.externs), 6) + 1))
    if type.heap == "func":
        return list(range(1, min(len(store.funcs), 6) + 1))
    funcs = [store.funcs[addr] for addr in range(min(len(store.funcs), 40))]
    return [func.addr + 1 for func in funcs if type.heap in func.definition.ancestors]


def _object(store: Store, rng: Random, kind: Definition) -> int:
    layout = store.heap.layout(kind)
    if layout.field is not None:
        cells = layout.array([_content(store, rng, layout.field) for _ in range(4)])
    else:
        cells = layout.structure([_content(store, rng, field) for field in layout.fields])
    return store.heap.add(Object(layout, cells))


def _content(store: Store, rng: Random, field: FieldType) -> int:
    type = field.storage
    if isinstance(type, RefType):
        return 0 if type.nullable else make(store, rng, type)
    return rng.getrandbits(type.bits) if isinstance(type, PackedType) else constant(rng, type)


def shown(store: Store, bits: int, type: ValType | PackedType, depth: int = _DEPTH) -> Any:
    """A value as data that is equal in two stores if no guest can tell the values apart, so far as one looks."""
    if bits >> 62 != 1 or not isinstance(type, RefType) or CLOSED.top(type.heap) == "func":
        return bits
    found = store.heap.find(bits)
    if not isinstance(found, Object):
        return ("lost",)
    layout: Layout = found.layout
    if depth == 0:
        return ("deeper", layout.definition.number)
    cells: Sequence[int] = found.cells
    fields = layout.fields if layout.field is None else [layout.field] * min(len(cells), _ELEMENTS)
    inside = tuple(shown(store, cell, field.storage, depth - 1) for cell, field in zip(cells, fields, strict=False))
    return (layout.definition.number, len(cells), inside)


def shown_all(store: Store, values: Sequence[int], types: Sequence[ValType]) -> tuple[Any, ...]:
    """The same of values with their types."""
    return tuple(shown(store, bits, type) for bits, type in zip(values, types, strict=True))


def value(store: Store, rng: Random, type: ValType) -> int:
    """The bits of an argument or of a host's result."""
    return constant(rng, type) if isinstance(type, NumType) else make(store, rng, type)
