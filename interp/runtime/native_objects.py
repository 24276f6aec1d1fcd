"""The storage that keeps objects in C memory (native/heap.h), where the native engine's handlers read and write them.

C knows an object by its block and a block's layout by a number; Python keeps what the numbers stand for. No view of a
block outlives the method that made it, so a swept object is out of everybody's reach.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Any

from interp import _native
from interp.syntax.errors import TRAPS, ResourceError, Trap
from interp.syntax.types import ValType
from interp.valid.canon import definition

from .layout import CODES, Cells, Layout, starts
from .objects import OBJECT, Exn, Marks, Object, holds_objects, stale
from .table import TagInst

_LOW = (1 << 64) - 1
#: More than any index, which has 32 bits in C.
_INDICES = (1 << 32) - 1
#: A page of small objects goes only when nothing on it lives. All may hold so many times what objects may, and more.
SPREAD, SPREAD_BYTES = 4, 8 << 20


class NativeObjects:
    """Objects in C memory, by index."""

    def __init__(self, heap_bytes: int) -> None:
        ffi, lib = _native.ffi, _native.lib
        heap = lib.tm_heap_new()
        if heap == ffi.NULL:
            raise ResourceError("the machine has no memory for a heap")
        #: The `tm_heap *` that the native engine reads.
        self.handle = ffi.gc(heap, lib.tm_heap_free)
        self._pin = _native.pin(self.handle)
        self.handle.page_limit = SPREAD * heap_bytes + SPREAD_BYTES
        self._kinds: list[Layout | TagInst] = []
        self._layouts: dict[Layout | TagInst, Any] = {}
        self._keep: list[Any] = []

    @property
    def bytes(self) -> int:
        """What all objects take."""
        return self.handle.bytes  # type: ignore[no-any-return]

    @property
    def limit(self) -> int:
        """Up to so many bytes C makes objects without asking."""
        return self.handle.limit  # type: ignore[no-any-return]

    @limit.setter
    def limit(self, limit: int) -> None:
        self.handle.limit = max(limit, 0)

    def __len__(self) -> int:
        return self.handle.count  # type: ignore[no-any-return]

    # -- layouts -------------------------------------------------------------------------------------------------

    def native_layout(self, kind: Layout | TagInst) -> Any:
        """The `tm_layout *` of a layout, or of the exceptions of a tag. It lives as long as the heap."""
        known = self._layouts.get(kind)
        if known is None:
            ffi = _native.ffi
            known = ffi.new("tm_layout *")
            known.number = len(self._kinds)
            known.shape, known.cells, refs, line = _facts(kind)
            arrays = ffi.new("uint32_t[]", refs or 1), ffi.new("uint32_t[]", line)
            known.refs, known.line = arrays
            known.n_refs = len(refs)
            self._keep.append(arrays)
            self._kinds.append(kind)
            self._layouts[kind] = known
        return known

    # -- objects -------------------------------------------------------------------------------------------------

    def add(self, made: Object | Exn) -> int:
        """Copy an object there and give its reference.

        Raises ResourceError where the machine has no memory, Trap where live objects spread over too many pages.
        """
        kind = made.kind
        is_array = isinstance(made, Object) and made.layout.field is not None
        layout = self.native_layout(kind)
        index = _native.lib.tm_heap_add(self.handle, layout, len(made.cells) if is_array else layout.cells)  # type: ignore[union-attr]
        if index == -2:
            raise Trap(TRAPS["heap_exhausted"])
        if index < 0:
            raise ResourceError("the machine has no memory for an object")
        bits: int = OBJECT | index
        if isinstance(made, Exn):
            _write(self._block(bits), _widths(made.tag.type.params), made.values)
        elif is_array:
            self.put(bits, 0, made.cells)
        else:
            _write(self._block(bits), made.layout.widths, made.cells)
        return bits

    def _block(self, bits: int) -> Any:
        """The block behind raw bits, or NULL."""
        index = bits ^ OBJECT
        return _native.lib.tm_heap_at(self.handle, index if index < _INDICES else _INDICES)

    def _object(self, bits: int) -> tuple[Any, Layout]:
        block = self._block(bits)
        kind = self._kinds[block.layout.number] if block else None
        if not isinstance(kind, Layout):
            raise stale(bits)
        return block, kind

    def kind(self, bits: int) -> Layout | TagInst | None:
        """The layout or tag behind raw bits, if there is one."""
        block = self._block(bits)
        return self._kinds[block.layout.number] if block else None

    def find(self, bits: int) -> Object | Exn | None:
        """A copy of the object that raw bits refer to, if they do."""
        block = self._block(bits)
        if not block:
            return None
        kind = self._kinds[block.layout.number]
        if isinstance(kind, TagInst):
            return Exn(kind, _read(block, _widths(kind.type.params)))
        if kind.field is None:
            return Object(kind, kind.structure(_read(block, kind.widths)))
        return Object(kind, self.part(bits, 0, block.length))

    def length(self, bits: int) -> int:
        """How many fields or elements an object has."""
        block, layout = self._object(bits)
        return block.length if layout.field is not None else len(layout.fields)

    def get(self, bits: int, place: int) -> int:
        """The raw bits of a field or an element."""
        block, layout = self._object(bits)
        if layout.field is not None:
            return self.part(bits, place, 1)[0]  # type: ignore[no-any-return]
        at, cells = layout.places[place], block.contents
        value: int = cells[at] | cells[at + 1] << 64 if layout.widths[place] == 2 else cells[at]
        return value & layout.mask(place)  # C writes packed fields uncut

    def set(self, bits: int, place: int, value: int) -> None:
        """Write a field or an element, cut to its width."""
        block, layout = self._object(bits)
        if layout.field is not None:
            self.put(bits, place, layout.array((value,)))
            return
        at, cells = layout.places[place], block.contents
        value &= layout.mask(place)
        cells[at] = value & _LOW
        if layout.widths[place] == 2:
            cells[at + 1] = value >> 64

    def _view(self, block: Any, layout: Layout, start: int, n: int) -> memoryview:
        """Elements of an array; only for as long as nothing is collected."""
        if start + n > block.length:
            raise IndexError(start)
        whole = memoryview(_native.ffi.buffer(block.contents, block.length * layout.width))
        return whole[start * layout.width : (start + n) * layout.width]

    def part(self, bits: int, start: int, n: int) -> Cells:
        """A copy of `n` cells of an array."""
        block, layout = self._object(bits)
        return layout.from_bytes(self._view(block, layout, start, n))

    def put(self, bits: int, start: int, cells: Cells) -> None:
        """Overwrite cells of an array."""
        block, layout = self._object(bits)
        if layout.width in CODES:
            data = cells.tobytes()
        else:
            data = b"".join(cell.to_bytes(layout.width, "little") for cell in cells)
        self._view(block, layout, start, len(cells))[:] = data

    # -- collecting ----------------------------------------------------------------------------------------------

    def collect(self, roots: Iterable[Iterable[int]]) -> None:
        """Drop every object that no root leads to. A root that is a memoryview of cells is read in C."""
        ffi, lib = _native.ffi, _native.lib
        for values in roots:
            words = values if isinstance(values, memoryview) else array("Q", [b for b in values if b >> 62 == 1])
            if len(words):
                lib.tm_heap_visit(self.handle, ffi.from_buffer("uint64_t[]", words), len(words))
        lib.tm_heap_sweep(self.handle)

    def mark_externs(self, marks: Marks) -> None:
        """Set the mark of every external object that is referred to from here; `marks` goes by raw bits."""
        ffi = _native.ffi
        _native.lib.tm_heap_mark_externs(self.handle, ffi.from_buffer("uint8_t[]", marks), len(marks))


def _facts(kind: Layout | TagInst) -> tuple[int, int, list[int], list[int]]:
    """Of a layout as C has it: shape, cells, cells that hold references, line of supertypes."""
    lib = _native.lib
    if isinstance(kind, TagInst):
        params = kind.type.params
        places = starts(_widths(params))
        refs = [at for at, type in zip(places, params, strict=False) if holds_objects(type)]
        return lib.TM_SHAPE_EXCEPTION, places[-1], refs, [0, _INDICES]
    shape = kind.width if kind.field is not None else lib.TM_SHAPE_STRUCTURE
    line = sorted(kind.definition.ancestors, key=lambda number: len(definition(number).ancestors))
    return shape, kind.n_cells, kind.ref_cells, [len(line) - 1, *line]


def _widths(types: Sequence[ValType]) -> list[int]:
    return [type.cells for type in types]


def _write(block: Any, widths: Sequence[int], values: Sequence[int]) -> None:
    at, cells = 0, block.contents
    for width, value in zip(widths, values, strict=True):
        cells[at] = value & _LOW
        if width == 2:
            cells[at + 1] = value >> 64
        at += width


def _read(block: Any, widths: Sequence[int]) -> list[int]:
    at, cells, values = 0, block.contents, []
    for width in widths:
        values.append(cells[at] | cells[at + 1] << 64 if width == 2 else cells[at])
        at += width
    return values
