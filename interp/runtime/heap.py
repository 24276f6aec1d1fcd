"""The store's heap: structures, arrays and caught exceptions, and the collector (engine contract 11).

A reference in the hierarchies of any, extern and exn is null (0), an external object (its index + 1), an object of this
heap (bit 62 and its index) or an i31 (bit 63 and its 31 bits). Conversions between any and extern so keep the bits, and
equal references are equal bits.

The collector marks and sweeps, and nothing moves. It runs at allocations only, when as much was allocated as lived
after the last time, or when `limits.heap_bytes` is reached. Roots are the globals, tables and element segments of the
store, what the embedder holds by a `HeapRef`, and, conservatively, every value of every activation. Raw bits in the
hands of the embedder are no root: they are good until guest code runs again.

Where the objects themselves are kept is a storage's business: see objects.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Protocol
from weakref import ref as weak

from interp import _native
from interp.syntax.errors import TRAPS, Trap
from interp.valid.canon import Definition

from .externs import mark
from .layout import Layout
from .native_objects import NativeObjects
from .objects import HEADER_BYTES, I31, OBJECT, Exn, Object, Objects, PlainObjects, holds_objects, stale

if TYPE_CHECKING:
    from .engine import Engine
    from .store import Store
    from .table import TagInst

__all__ = ["HEADER_BYTES", "I31", "OBJECT", "Exn", "Heap", "HeapRef", "Object", "Roots", "holds_objects"]

#: At the limit, so many collections in a row may each free less than this share of it: then the heap counts as full.
#: (A guest that lives at the limit would collect at every allocation, and a collection costs no ticks.)
FRUITLESS, SHARE = 8, 16
#: No collection before this many bytes were allocated since the last.
FIRST_COLLECTION = 1 << 20


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
        """Raw bits that may be references, what is none is ignored; None once it is over.

        A memoryview of 64-bit cells is fastest.
        """


def storage(engine: Engine, heap_bytes: int) -> Objects:
    """Where the objects of a store are kept: in C for an engine that looks for them there.

    With TAMIS_HEAP=native for every engine, if there is C.
    """
    wanted = "native objects" in engine.capabilities or os.environ.get("TAMIS_HEAP") == "native"
    return NativeObjects(heap_bytes) if wanted and _native.lib is not None else PlainObjects()


class Heap:
    """The objects of a store, what holds them, and when they are collected."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.objects = storage(store.engine, store.limits.heap_bytes)
        self.collections = 0
        #: Activations, the innermost last; those that are over at the end may be there still.
        self._stacks: list[Roots] = []
        # References without a callback: one in Python would swallow a signal that comes while it runs.
        self._held: list[weak[HeapRef]] = []
        self._next_purge = 64
        self._in_use: list[Sequence[int]] = []
        self._layouts: dict[int, Layout] = {}
        self._next_collection = FIRST_COLLECTION
        self._always = False
        self._fruitless = 0
        self.set_limit()

    def __len__(self) -> int:
        """How many objects there are."""
        return len(self.objects)

    @property
    def bytes(self) -> int:
        """What the objects take."""
        return self.objects.bytes

    # -- roots ---------------------------------------------------------------------------------------------------

    def hold(self, ref: HeapRef) -> None:
        """Make a reference of the embedder a root for as long as it lives."""
        self._held.append(weak(ref))
        if len(self._held) > self._next_purge:
            self._held = [held for held in self._held if held() is not None]
            self._next_purge = 64 + 2 * len(self._held)

    @contextmanager
    def holding(self, refs: Sequence[int]) -> Iterator[None]:
        """Make raw bits roots for a while."""
        self._in_use.append(refs)
        try:
            yield
        finally:
            del self._in_use[next(k for k, one in enumerate(self._in_use) if one is refs)]

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
        """The object that raw bits refer to, if they do, to look at: its contents may be a copy."""
        return self.objects.find(bits) if bits >> 62 == 1 else None

    def kind(self, bits: int) -> Layout | TagInst | None:
        """The layout of the structure or array that raw bits refer to, or the tag of the exception, if they do."""
        return self.objects.kind(bits) if bits >> 62 == 1 else None

    def exception(self, bits: int) -> Exn:
        """The exception of a reference that is not null. Raises EmbedderError for one that is stale."""
        found = self.find(bits)
        if not isinstance(found, Exn):
            raise stale(bits)
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
        return self.objects.add(made)

    def _has(self, n: int) -> bool:
        limits = self.store.limits
        return self.bytes + n <= limits.heap_bytes and self.store.bytes + n <= limits.store_bytes

    def set_limit(self) -> None:
        """Tell the storage up to how many bytes objects can be made without `make_room`."""
        limits, claimed = self.store.limits, self.store.claimed_bytes
        self.objects.limit = min(self._next_collection, limits.heap_bytes, limits.store_bytes - claimed)

    def collect_always(self) -> None:
        """Collect at every allocation from now on: how tests find what the collector does not see."""
        self._always = True
        self._next_collection = 0
        self.set_limit()

    # -- collecting ----------------------------------------------------------------------------------------------

    def collect(self, in_flight: Iterable[int] = ()) -> None:
        """Drop every object that no root leads to."""
        self.collections += 1
        self.objects.collect(chain((in_flight,), self._roots()))
        self._next_collection = 0 if self._always else self.bytes + max(FIRST_COLLECTION, self.bytes)
        self.set_limit()

    def tidy(self, in_flight: Iterable[int]) -> None:
        """Give up the external objects that nothing refers to, if there are many; `in_flight` are further roots.

        Only where guest code is about to run, since what the embedder holds as raw bits counts for nothing.
        """
        externs = self.store.externs
        if externs.live < externs.due or "resumable" not in self.store.engine.capabilities:
            return  # an engine whose threads are not resumed has its values where no one can see them
        values = tuple(in_flight)
        self.collect(values)
        marks = externs.marks()
        for root in chain((values,), self._roots()):
            mark(marks, root)
        self.objects.mark_externs(marks)
        externs.sweep(marks, len(self))

    def _roots(self) -> Iterator[Iterable[int]]:
        store = self.store
        yield (cell.bits for cell in store.globals if holds_objects(cell.type.type))
        yield from (table.cells[: table.length] for table in store.tables if holds_objects(table.type.ref))
        for inst in store.instances:
            yield from (elem.refs for elem in inst.elems if holds_objects(elem.type))
        yield [ref.bits for held in self._held if (ref := held()) is not None]
        yield from self._in_use
        yield from (stack.roots() or () for stack in self._stacks)
