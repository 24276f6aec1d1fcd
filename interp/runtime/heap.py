"""The store's heap: structures, arrays and caught exceptions, and the collector (engine contract 11).

A reference in the hierarchies of any, extern and exn is null (0), an external object (its index + 1), an object of this
heap (bit 62 and its index) or an i31 (bit 63 and its 31 bits). Conversions between any and extern so keep the bits, and
equal references are equal bits.

The collector marks and sweeps, and nothing moves. It runs at allocations only, when as much was allocated as lived
after the last time, or when `limits.heap_bytes` is reached. Roots are the globals, tables and element segments of the
store, what the embedder holds by a `HeapRef`, and, conservatively, every value of every activation. Raw bits in the
hands of the embedder are no root: they are good until guest code runs again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol
from weakref import ref as weak

from interp.syntax.errors import TRAPS, EmbedderError, Trap
from interp.syntax.types import RefType, ValType
from interp.valid.canon import Definition
from interp.valid.subtyping import CLOSED

from .layout import Cells, Layout

if TYPE_CHECKING:
    from .store import Store
    from .table import TagInst

#: The bits that tell objects of the heap and i31 from external objects.
OBJECT, I31 = 1 << 62, 1 << 63
_INDEX = OBJECT - 1
#: What an object costs besides its contents.
HEADER_BYTES = 16
#: At the limit, so many collections in a row may each free less than this share of it: then the heap counts as full.
#: (A guest that lives at the limit would collect at every allocation, and a collection costs no ticks.)
FRUITLESS, SHARE = 8, 16
#: No collection before this many bytes were allocated since the last.
FIRST_COLLECTION = 1 << 20


class Object:
    """A structure or an array: its layout and its contents, one cell per field or element."""

    __slots__ = ("bytes", "cells", "layout")

    def __init__(self, layout: Layout, cells: Cells) -> None:
        self.layout = layout
        self.cells = cells
        self.bytes = HEADER_BYTES + layout.size(len(cells))

    def refs(self) -> Iterable[int]:
        """Every reference in it."""
        return self.layout.refs(self.cells)


class Exn:
    """An exception: its tag and the raw bits of its values."""

    __slots__ = ("bytes", "tag", "values")

    def __init__(self, tag: TagInst, values: Sequence[int]) -> None:
        self.tag = tag
        self.values = tuple(values)
        self.bytes = HEADER_BYTES + 8 * sum(type.cells for type in tag.type.params)

    def refs(self) -> Iterable[int]:
        """Every reference in it."""
        return [v for type, v in zip(self.tag.type.params, self.values, strict=True) if holds_objects(type)]


class HeapRef:
    """A reference for the embedder; what it refers to lives as long as this object. `bits` are its raw bits."""

    __slots__ = ("__weakref__", "bits", "store")

    def __init__(self, store: Store, bits: int) -> None:
        self.store = store
        self.bits = bits
        store.heap.hold(self)

    def __repr__(self) -> str:
        return f"<HeapRef {self.bits:#x}>"


class Roots(Protocol):
    """Something that holds values, such as the stack of an activation."""

    def roots(self) -> Iterable[int] | None:
        """Raw bits that may be references, what is none is ignored; None once it is over."""


def holds_objects(type: ValType) -> bool:
    """Whether values of a type may refer to objects of the heap."""
    return isinstance(type, RefType) and CLOSED.top(type.heap) != "func"


class Heap:
    """The objects of a store by index."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.bytes = 0
        self.collections = 0
        #: Activations, the innermost last; those that are over at the end may be there still.
        self._stacks: list[Roots] = []
        # References without a callback: one in Python would swallow a signal that comes while it runs.
        self._held: list[weak[HeapRef]] = []
        self._next_purge = 64
        self._objects: list[Object | Exn | None] = []
        self._free: list[int] = []
        self._layouts: dict[int, Layout] = {}
        self._next_collection = FIRST_COLLECTION
        self._fruitless = 0

    def __len__(self) -> int:
        """How many objects there are."""
        return len(self._objects) - len(self._free)

    # -- roots ---------------------------------------------------------------------------------------------------

    def hold(self, ref: HeapRef) -> None:
        """Make a reference of the embedder a root for as long as it lives."""
        self._held.append(weak(ref))
        if len(self._held) > self._next_purge:
            self._held = [held for held in self._held if held() is not None]
            self._next_purge = 64 + 2 * len(self._held)

    def watch(self, stack: Roots) -> None:
        """Make the values of an activation, the innermost one, roots until it is over."""
        while self._stacks and self._stacks[-1].roots() is None:
            self._stacks.pop()
        self._stacks.append(stack)

    # -- objects -------------------------------------------------------------------------------------------------

    def layout(self, definition: Definition) -> Layout:
        """How the objects of a structure or array type are laid out."""
        known = self._layouts.get(definition.number)
        if known is None:
            known = self._layouts[definition.number] = Layout(definition)
        return known

    def find(self, bits: int) -> Object | Exn | None:
        """The object that raw bits refer to, if they do."""
        if bits >> 62 != 1:
            return None
        index = bits & _INDEX
        return self._objects[index] if index < len(self._objects) else None

    def object(self, bits: int) -> Object:
        """The structure or array of a reference that is not null. Raises EmbedderError for one that is stale."""
        found = self.find(bits)
        if not isinstance(found, Object):
            raise EmbedderError(f"the reference {bits:#x} refers to nothing any more")
        return found

    def exception(self, bits: int) -> Exn:
        """The exception of a reference that is not null. Raises EmbedderError for one that is stale."""
        found = self.find(bits)
        if not isinstance(found, Exn):
            raise EmbedderError(f"the reference {bits:#x} refers to nothing any more")
        return found

    def fits(self, n: int) -> bool:
        """Whether an object of `n` bytes can exist at all."""
        return n <= self.store.limits.heap_bytes

    def make_room(self, n: int, in_flight: Iterable[int] = ()) -> None:
        """See to it that `n` bytes can be allocated; collects if it is time. `in_flight` are further roots.

        Raises Trap past `limits.heap_bytes` or `limits.store_bytes`.
        """
        if not self._has(n):
            before = self.bytes
            self.collect(in_flight)
            meagre = before - self.bytes < self.store.limits.heap_bytes // SHARE
            self._fruitless = self._fruitless + 1 if meagre else 0
            if self._fruitless > FRUITLESS or not self._has(n):
                raise Trap(TRAPS["heap_exhausted"])
        elif self.bytes + n > self._next_collection:
            self.collect(in_flight)

    def add(self, made: Object | Exn) -> int:
        """Put an object on the heap and give its reference. Never collects. Raises Trap where there is no room."""
        if not self._has(made.bytes):
            raise Trap(TRAPS["heap_exhausted"])
        self.bytes += made.bytes
        self.store.bytes += made.bytes
        if self._free:
            index = self._free.pop()
            self._objects[index] = made
        else:
            index = len(self._objects)
            self._objects.append(made)
        return OBJECT | index

    def _has(self, n: int) -> bool:
        limits = self.store.limits
        return self.bytes + n <= limits.heap_bytes and self.store.bytes + n <= limits.store_bytes

    # -- collecting ----------------------------------------------------------------------------------------------

    def collect(self, in_flight: Iterable[int] = ()) -> None:
        """Drop every object that no root leads to."""
        self.collections += 1
        self._sweep(self._mark(in_flight))
        self._next_collection = self.bytes + max(FIRST_COLLECTION, self.bytes)

    def _mark(self, in_flight: Iterable[int]) -> bytearray:
        objects = self._objects
        marks = bytearray(len(objects))
        pending: list[int] = []

        def visit(values: Iterable[int]) -> None:
            for bits in values:
                if bits >> 62 == 1:
                    index = bits & _INDEX
                    if index < len(objects) and not marks[index]:
                        marks[index] = 1
                        pending.append(index)

        visit(in_flight)
        for values in self._roots():
            visit(values)
        while pending:
            found = objects[pending.pop()]
            if found is not None:
                visit(found.refs())
        return marks

    def _roots(self) -> Iterator[Iterable[int]]:
        store = self.store
        yield (cell.bits for cell in store.globals if holds_objects(cell.type.type))
        yield from (table.cells[: table.length] for table in store.tables if holds_objects(table.type.ref))
        for inst in store.instances:
            yield from (elem.refs for elem in inst.elems if holds_objects(elem.type))
        yield [ref.bits for held in self._held if (ref := held()) is not None]
        yield from (stack.roots() or () for stack in self._stacks)

    def _sweep(self, marks: bytearray) -> None:
        objects = self._objects
        freed = 0
        for index, found in enumerate(objects):
            if found is not None and not marks[index]:
                freed += found.bytes
                objects[index] = None
        while objects and objects[-1] is None:
            objects.pop()
        self._free = [index for index in range(len(objects) - 1, -1, -1) if objects[index] is None]
        self.bytes -= freed
        self.store.bytes -= freed
