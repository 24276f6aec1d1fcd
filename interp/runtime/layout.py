"""How structures and arrays are laid out: a cell per field or element, as wide as its type."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

from interp.syntax.errors import Crash
from interp.syntax.types import ArrayType, FieldType, RefType, StructType
from interp.valid.canon import Definition
from interp.valid.subtyping import CLOSED

#: Raw bits by position: a list, or an array of unsigned numbers.
Cells = Any

#: Width in bytes to the type code of `array`.
CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}


def _width(field: FieldType) -> int:
    return field.storage.bits // 8


def _holds_objects(field: FieldType) -> bool:
    return isinstance(field.storage, RefType) and CLOSED.top(field.storage.heap) != "func"


def starts(widths: Sequence[int]) -> list[int]:
    """Where each of some values begins that take so many cells; the last number is where the next one would."""
    return [0, *accumulate(widths)]


class Layout:
    """Of the objects of one structure or array type."""

    __slots__ = ("_ref_places", "_refs", "definition", "field", "fields", "masks", "places", "width", "widths")

    def __init__(self, definition: Definition) -> None:
        comp = definition.comp
        self.definition = definition
        #: The field of an array, else None, and its width in bytes.
        self.field = comp.field if isinstance(comp, ArrayType) else None
        self.width = _width(self.field) if self.field is not None else 0
        self._refs = self.field is not None and _holds_objects(self.field)
        #: The fields of a structure, and a mask for each.
        self.fields: Sequence[FieldType] = comp.fields if isinstance(comp, StructType) else ()
        self.masks = [(1 << field.storage.bits) - 1 for field in self.fields]
        #: How many 64-bit cells each field takes, and its first one.
        self.widths = [2 if field.storage.bits > 64 else 1 for field in self.fields]
        self.places = starts(self.widths)
        self._ref_places = [place for place, field in enumerate(self.fields) if _holds_objects(field)]

    def size(self, n: int) -> int:
        """The bytes of the contents; `n` is the length of an array."""
        return n * self.width if self.field is not None else 8 * self.n_cells

    @property
    def n_cells(self) -> int:
        """The 64-bit cells of a structure."""
        return self.places[-1]

    @property
    def ref_cells(self) -> list[int]:
        """Which cells of a structure hold references; of an array the first, if its elements are some."""
        return [0] * self._refs if self.field is not None else [self.places[place] for place in self._ref_places]

    def mask(self, place: int) -> int:
        """The bits that a field, or an element, has room for."""
        return (1 << 8 * self.width) - 1 if self.field is not None else self.masks[place]

    def refs(self, cells: Cells) -> Iterable[int]:
        """The references within the contents of an object."""
        if self._refs:
            return cells  # type: ignore[no-any-return]
        return [cells[place] for place in self._ref_places]

    def ref_places(self, n: int) -> Sequence[int]:
        """Which fields, or of `n` elements which, are references."""
        return range(n) if self._refs else self._ref_places

    def without_refs(self, cells: Cells) -> Cells:
        """A copy of contents with null for every reference."""
        copy = cells[:]
        for place in self.ref_places(len(cells)):
            copy[place] = 0
        return copy

    def structure(self, values: Sequence[int]) -> Cells:
        """The contents of a structure, packed fields cut to their width."""
        return [value & mask for value, mask in zip(values, self.masks, strict=True)]

    def array(self, values: Iterable[int]) -> Cells:
        """The contents of an array, packed elements cut to their width."""
        mask = self.mask(0)
        cut = [value & mask for value in values]
        return array(CODES[self.width], cut) if self.width in CODES else cut

    def filled(self, value: int, n: int) -> Cells:
        """The contents of an array of `n` equal elements."""
        return self.array((value,)) * n

    def from_bytes(self, data: bytes | memoryview) -> Cells:
        """The contents of an array from little-endian bytes."""
        if self.width == 16:
            return [int.from_bytes(data[i : i + 16], "little") for i in range(0, len(data), 16)]
        if self.width not in CODES:
            raise Crash("an array of data has elements that are no numbers")
        cells = array(CODES[self.width])
        cells.frombytes(data)
        if sys.byteorder == "big":
            cells.byteswap()
        return cells
