"""Memory instances (specification 4.2.8): one stretch of bytes, owned here and borrowed by engines.

*reserved*: the C part reserves the whole declared range without access rights and commits on growth; the base never
moves. *moving*: growing makes a new region and copies; used without C, where reserving fails, and on request
(`TAMIS_MEMORY=moving`). In both, a view keeps the region it was taken from alive, so a stale view shows old bytes or
fewer of them and is never a crash; ask for it again after each guest call.

Where there is C, the struct behind `handle` ({base, length}) is the truth that the native engine reads.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from struct import Struct
from struct import error as StructError
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from interp import _native
from interp.syntax.errors import TRAPS, LimitError, ResourceError, Trap
from interp.syntax.types import PAGE_SIZE, Limits, MemType

from .boundary import Region

if TYPE_CHECKING:
    from .store import Store

Bytes = npt.NDArray[np.uint8]
_U16, _U32, _U64 = Struct("<H"), Struct("<I"), Struct("<Q")
_FORMATS = {2: _U16, 4: _U32, 8: _U64}


def out_of_bounds() -> Trap:
    """The trap of every access outside of a memory."""
    return Trap(TRAPS["memory_bounds"])


def _close(fd: Any, close: Callable[[int], None] = os.close) -> None:
    """Close the file whose number is there, also when the interpreter goes down and has emptied this module."""
    close(fd[0])


class MemoryImage:
    """The contents of a memory at one time, which other memories can begin with.

    On Linux they share its pages until they write them; elsewhere, and for memories that move, they copy.
    """

    def __init__(self, memory: MemInst) -> None:
        self.length: int = memory.length
        self._fd = -1
        self._bytes = b""
        if _native.lib is not None:
            used = _native.ffi.new("uint64_t *")
            self._fd = _native.lib.tm_image_save(memory.handle, used)
            self._used = used[0]
        if self._fd < 0:
            self._bytes = bytes(memory.view)
        else:
            # Not a weak reference: its callback would come before finalizers that can still ask for the contents.
            self._owner = _native.ffi.gc(_native.ffi.new("int *", self._fd), _close)
            self._pin = _native.pin(self._owner)

    def map(self, most: int) -> Any:
        """A `tm_memory *` that shares the pages and can grow to `most` bytes, or NULL."""
        if self._fd < 0:
            return _native.ffi.NULL
        return _native.lib.tm_image_map(self._fd, self._used, self.length, most)

    def contents(self) -> bytes | mmap.mmap:
        """The bytes."""
        if self._fd < 0 or not self.length:
            return self._bytes
        return mmap.mmap(self._fd, self.length, prot=mmap.PROT_READ)


class MemInst(Region):
    """A memory of `length` bytes. `array` (numpy uint8) and `view` (memoryview) show exactly these bytes, writable.

    `handle` is the `tm_memory *` of the C part, or None without it; it stays the same object for the memory's life.
    """

    __slots__ = (
        "__weakref__", "_pin", "_region", "_room", "array", "handle", "length", "page", "reserved", "store", "type",
        "view",
    )  # fmt: skip

    array: Bytes
    view: memoryview
    length: int

    def __init__(self, store: Store, type: MemType, image: MemoryImage | None = None) -> None:
        """Raises LimitError, and ResourceError where the machine has no memory. With an image, its contents."""
        self.store = store
        self.type = type
        self.page = 1 << type.page_log2
        self.handle: Any = None
        self.reserved = False
        length = type.limits.min * self.page if image is None else image.length
        if type.limits.min > self._page_limit:
            raise LimitError(f"memory of {type.limits.min} pages passes the limit memory_pages", limit="memory_pages")
        if not store.claim_bytes(length):
            raise LimitError(f"memory of {length} bytes passes the limit store_bytes", limit="store_bytes")
        self.length = length
        if not self._reserve(image):
            self.length = 0
            self._room = np.zeros(0, np.uint8)
            self._move(length)
            if image is not None:
                self.view[:] = image.contents()
        if _native.boundary is not None:
            self.attach(self.address, None)

    def out_of_bounds(self) -> Trap:
        """The trap of every access outside of it."""
        return out_of_bounds()

    @property
    def address(self) -> int:
        """Where the C part has its struct."""
        return int(_native.ffi.cast("uintptr_t", self.handle))

    @property
    def pages(self) -> int:
        """Current size in pages."""
        return self.length // self.page

    @property
    def _page_limit(self) -> int:
        """The largest size by a named limit, whatever the declared maximum says."""
        bits = 64 if self.type.limits.index == "i64" else 32
        most = self.store.limits.memory_pages * PAGE_SIZE // self.page
        return min(most, 1 << (bits - self.type.page_log2), (1 << bits) - 1)

    @property
    def max_pages(self) -> int:
        """The largest size that growing can reach."""
        declared = self.type.limits.max
        return self._page_limit if declared is None else min(declared, self._page_limit)

    @property
    def extern_type(self) -> MemType:
        """The type for matching an import: the current size is the minimum."""
        limits = self.type.limits
        return MemType(Limits(self.pages, limits.max, limits.index, limits.shared), self.type.page_log2)

    def grow(self, delta: int) -> int:
        """Add `delta` pages and give the old size in pages, or -1 where a limit or the declared maximum forbids it.

        Raises ResourceError where the machine, not a limit, has no more.
        """
        old = self.pages
        new = old + delta
        if delta < 0 or new > self.max_pages or not self.store.claim_bytes(delta * self.page):
            return -1
        if delta == 0:
            return old
        try:
            self._resize(new * self.page)
        except ResourceError:
            self.store.return_bytes(delta * self.page)
            raise
        return old

    def _resize(self, length: int) -> None:
        if not self.reserved:
            self._move(length)
        elif _native.lib.tm_memory_grow(self.handle, length):
            raise ResourceError(f"the machine has no {length} bytes for a memory")
        else:
            self._show(length)

    def _reserve(self, image: MemoryImage | None = None) -> bool:
        """Make a region that never moves, if there is C, the store wants it and the machine can."""
        if _native.lib is None or self.store.memory_mode != "reserved":
            return False
        most = max(self.max_pages * self.page, self.length)
        if image is None:
            handle = _native.lib.tm_memory_new(self.length, most)
        else:
            handle = image.map(most)
        if handle == _native.ffi.NULL:
            return False
        owner = self.handle = _native.ffi.gc(handle, _native.lib.tm_memory_free)
        # A view must keep the whole struct alive: the closure does, for as long as this pointer object lives.
        self._region = _native.ffi.gc(owner.base, lambda _, owner=owner: None)
        self._pin = _native.pin(self._region)
        self.reserved = True
        self._show(self.length)
        return True

    def _show(self, length: int) -> None:
        """Renew the views of a reserved region."""
        self.length = length
        buffer = _native.ffi.buffer(self._region, length)
        self.view = memoryview(buffer)
        self.array = np.frombuffer(buffer, np.uint8) if length else np.zeros(0, np.uint8)

    def _move(self, length: int) -> None:
        """Put the contents into a new region, unless the one there has room. Raises ResourceError.

        There is room only where pages are small: a memory that grows byte by byte would be copied for each.
        """
        if length > len(self._room):
            size = length if self.page >= PAGE_SIZE else -(-length // PAGE_SIZE) * PAGE_SIZE
            try:
                room = np.zeros(size, np.uint8)
                room[: self.length] = self._room[: self.length]
            except MemoryError:
                raise ResourceError(f"the machine has no {length} bytes for a memory") from None
            self._room = room
        self.array = self._room[:length]
        self.view = self.array.data
        self.length = length
        if _native.lib is not None:
            if self.handle is None:
                self.handle = _native.ffi.new("tm_memory *")
            self._region = _native.ffi.cast("uint8_t *", self._room.ctypes.data)
            self.handle.base = self._region
            self.handle.length = length
            self.handle.reserved = 0

    def effective_address(self, address: int, offset: int, n: int) -> int:
        """Where an access of `n` bytes at `address` + `offset` starts (4.4.7). Raises Trap outside of the memory."""
        ea = address + offset
        if ea + n > self.length:
            raise out_of_bounds()
        return ea

    def load(self, ea: int, n: int) -> int:
        """The unsigned little-endian number in `n` bytes (1, 2, 4, 8 or 16) at `ea`. Raises Trap."""
        try:
            if n == 1:
                return self.view[ea]
            if n == 16:
                return _U64.unpack_from(self.view, ea)[0] | _U64.unpack_from(self.view, ea + 8)[0] << 64  # type: ignore[no-any-return]
            return _FORMATS[n].unpack_from(self.view, ea)[0]  # type: ignore[no-any-return]
        except (StructError, IndexError):
            raise out_of_bounds() from None

    def store_bits(self, ea: int, n: int, bits: int) -> None:
        """Put the low `n` bytes of `bits` at `ea`, little-endian. Raises Trap and then writes nothing."""
        if ea + n > self.length:
            raise out_of_bounds()
        self.view[ea : ea + n] = (bits & ((1 << 8 * n) - 1)).to_bytes(n, "little")
