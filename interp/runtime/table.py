"""Table, global, tag and segment instances (specification 4.2.7 to 4.2.12); values are raw bits."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from interp import _native
from interp.syntax.errors import TRAPS, LimitError, ResourceError, Trap
from interp.syntax.types import FuncType, GlobalType, Limits, RefType, TableType

if TYPE_CHECKING:
    from interp.valid.canon import Definition

    from .store import Store

MASK64 = (1 << 64) - 1
_ORDER = sys.byteorder


class TableInst:
    """References in `cells`, a memoryview of format "Q"; only the first `length` belong to the table.

    Growing may replace `cells` by another region: nobody keeps it across a growth. `handle` is the `tm_table *`
    that the native engine reads, or None without the C part.
    """

    __slots__ = ("__weakref__", "_region", "cells", "handle", "length", "store", "type")

    def __init__(self, store: Store, type: TableType, ref: int) -> None:
        self.store = store
        self.type = type
        self.handle: Any = _native.ffi.new("tm_table *") if _native.lib is not None else None
        self._hold(bytearray(8))
        self._set_length(0)
        n = type.limits.min
        if n > store.limits.table_entries:
            raise LimitError(f"table of {n} entries passes the limit table_entries", limit="table_entries")
        if self.grow(n, ref) < 0:
            raise LimitError(f"table of {n} entries passes the limit store_bytes", limit="store_bytes")

    @classmethod
    def restored(cls, store: Store, type: TableType, contents: bytearray, length: int) -> TableInst:
        """A table with these cells, of which `length` are its own. Takes no bytes of the store's."""
        made = cls.__new__(cls)
        made.store = store
        made.type = type
        made.handle = _native.ffi.new("tm_table *") if _native.lib is not None else None
        made._hold(contents)
        made._set_length(length)
        return made

    def _hold(self, contents: bytearray) -> None:
        self.cells = memoryview(contents).cast("Q")
        if self.handle is not None:
            self._region = self.handle.cells = _native.ffi.from_buffer("uint64_t[]", contents)

    def _set_length(self, length: int) -> None:
        self.length = length
        if self.handle is not None:
            self.handle.length = length

    @property
    def extern_type(self) -> TableType:
        """The type for matching an import: the current size is the minimum."""
        limits = self.type.limits
        return TableType(self.type.ref, Limits(self.length, limits.max, limits.index, limits.shared))

    @property
    def max_length(self) -> int:
        """The largest length that growing can reach."""
        declared, limit = self.type.limits.max, self.store.limits.table_entries
        return limit if declared is None else min(declared, limit)

    def grow(self, delta: int, ref: int) -> int:
        """Add `delta` cells that hold `ref` and give the old length, or -1 where a limit forbids it."""
        old = self.length
        new = old + delta
        if delta < 0 or new > self.max_length:
            return -1
        if new > len(self.cells):
            # Twice the room, so that growing by one again and again stays linear.
            room = max(new, min(2 * old, self.store.limits.table_entries))
            if not self.store.claim_bytes(8 * (room - len(self.cells))):
                return -1
            try:
                contents = bytearray(8 * room)
            except MemoryError:
                raise ResourceError(f"the machine has no {8 * room} bytes for a table") from None
            before = self.cells
            self._hold(contents)
            self.cells[:old] = before[:old]
        self._set_length(new)
        if ref:
            self.fill(old, ref, delta)
        return old

    def get(self, index: int) -> int:
        """The reference at an index. Raises Trap."""
        if index >= self.length:
            raise out_of_bounds()
        return self.cells[index]

    def set(self, index: int, ref: int) -> None:
        """Replace the reference at an index. Raises Trap."""
        if index >= self.length:
            raise out_of_bounds()
        self.cells[index] = ref

    def fill(self, start: int, ref: int, n: int) -> None:
        """Put one reference into `n` cells. Raises Trap and then writes nothing."""
        if start + n > self.length:
            raise out_of_bounds()
        self.cells[start : start + n] = memoryview(ref.to_bytes(8, _ORDER) * n).cast("Q")

    def write(self, start: int, refs: Sequence[int]) -> None:
        """Put references at consecutive indices. Raises Trap and then writes nothing."""
        n = len(refs)
        if start + n > self.length:
            raise out_of_bounds()
        if n:
            self.cells[start : start + n] = array("Q", refs)


class GlobalInst:
    """A global; `cell` is a memoryview of two 64-bit cells, the low one first (a v128 needs both)."""

    __slots__ = ("__weakref__", "cell", "store", "type")

    def __init__(self, store: Store, type: GlobalType, bits: int) -> None:
        self.store = store
        self.type = type
        self.cell = memoryview(bytearray(16)).cast("Q")
        self.bits = bits

    @property
    def extern_type(self) -> GlobalType:
        """The type for matching an import."""
        return self.type

    @property
    def bits(self) -> int:
        """The value as raw bits."""
        return self.cell[0] | self.cell[1] << 64

    @bits.setter
    def bits(self, bits: int) -> None:
        self.cell[0] = bits & MASK64
        self.cell[1] = bits >> 64


class TagInst:
    """An exception tag: the types of the values that it carries, as the parameters of a function type."""

    __slots__ = ("__weakref__", "addr", "definition", "store", "type")

    def __init__(self, store: Store, addr: int, type: FuncType, definition: Definition) -> None:
        self.store = store
        self.addr = addr
        self.type = type
        self.definition = definition

    @property
    def extern_type(self) -> Definition:
        """The type for matching an import."""
        return self.definition


class ElemInst:
    """An element segment at run time: its references; none after it was dropped."""

    __slots__ = ("refs", "type")

    def __init__(self, type: RefType, refs: Sequence[int]) -> None:
        self.type = type
        self.refs = refs

    def drop(self) -> None:
        """Forget the contents."""
        self.refs = ()


class DataInst:
    """A data segment at run time: its bytes; none after it was dropped."""

    __slots__ = ("data",)

    def __init__(self, data: bytes | memoryview) -> None:
        self.data = data

    def drop(self) -> None:
        """Forget the contents."""
        self.data = b""


def out_of_bounds() -> Trap:
    """The trap of every access outside of a table."""
    return Trap(TRAPS["table_bounds"])
